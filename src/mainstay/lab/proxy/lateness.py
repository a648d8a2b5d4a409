"""How long the proxy itself keeps others waiting, which is no fault that anyone asked for."""

from asyncio import AbstractEventLoop

_EVERY = 0.05  # seconds


class Lateness:
    """A timer that notes by how much it is late: when the machine is too busy, so are all bytes."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._most = 0.0
        self._due = 0.0
        self._wait()

    def take(self) -> float:
        """The most since this was asked before, in seconds."""
        now = self._loop.time()
        most, self._most = max(self._most, now - self._due), 0.0
        self._due = max(self._due, now)  # what is told now is not told again
        return max(0.0, most)

    def _wait(self) -> None:
        self._due = self._loop.time() + _EVERY
        self._loop.call_at(self._due, self._note)

    def _note(self) -> None:
        self._most = max(self._most, self._loop.time() - self._due)
        self._wait()
