"""A program that a lab has started."""

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mainstay.lab.error import LabError
from mainstay.lab.last_lines import LINES, last_lines
from mainstay.lab.orders import Answer, List, Look, Members, Order, Reach, Refused, Send, State
from mainstay.lab.ports import listening

_SLICE = 1.0  # seconds of one order to wait, so that other threads get a word in
_KILLED = 10.0  # seconds for SIGKILL to do its work

Ask = Callable[[Order], Answer]
A = TypeVar("A", State, Members)


class Program:
    """Its processes, and what it wrote.  What is asked of it raises LabError if the guardian is gone."""

    def __init__(
        self,
        name: str,
        pid: int,
        log: Path,
        channel: socket.socket | None,
        number: int,
        ask: Ask,
        next_number: Callable[[], int],
        unmet: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.pid = pid
        self.log = log  # what it writes, 20 ms late at most while it runs; whole once `status` tells its end
        self.channel = channel  # our end of a socket pair whose other end is its standard input
        self.started = time.monotonic()
        self.unmet = unmet  # what it was to be given (priority, cores) and was not
        self._number = number
        self._ask = ask
        self._next_number = next_number
        self._ended: State | None = None

    def __repr__(self) -> str:
        return f"Program({self.name!r}, pid={self.pid})"

    def status(self) -> int | None:
        """None while its main process runs, then its exit status, or the negative number of a signal."""
        return self._look(0.0).status

    def ended(self) -> float | None:
        """When its main process ended, on the monotonic clock, to within a few milliseconds."""
        return self._look(0.0).ended

    def cut(self) -> int:
        """Bytes that were left out of the middle of its log, because there were too many."""
        return self._look(0.0).cut

    def wait(self, timeout: float) -> int | None:
        """Its status once it has ended; None if it still runs after `timeout` seconds."""
        ends = time.monotonic() + timeout
        while True:
            left = max(0.0, ends - time.monotonic())
            state = self._look(min(left, _SLICE))
            if state.status is not None or left <= 0:
                return state.status

    def signal(self, number: int, group: bool = True) -> None:
        """Send a signal to its whole group and all else that belongs to it, or to its main process alone.

        Nothing happens if there is none any more.
        """
        reach = Reach.ALL if group else Reach.MAIN
        self._expect(Send(self._next_number(), self._number, int(number), reach), State)

    def pids(self) -> list[int]:
        """It and all that descends from it and lives, in whatever session; the main process first."""
        return list(self._expect(List(self._next_number(), self._number), Members).pids)

    def forked_away(self) -> bool:
        """Whether its main process has ended while others of it live."""
        return self.status() is not None and bool(self.pids())

    def pause(self) -> None:
        """Stop all of it where it is (SIGSTOP)."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let all of it go on (SIGCONT)."""
        self.signal(signal.SIGCONT)

    def end(self, grace: float = 5.0) -> int:
        """Ask the main process to end (SIGTERM); after `grace` seconds, or once it has, kill what is left.

        The answer is its status.  One that had ended before is asked nothing, but what it left is killed.
        """
        if self.status() is None and grace > 0:
            self.signal(signal.SIGTERM, group=False)
            self.resume()  # a stopped process hears nothing
            self.wait(grace)
        self.signal(signal.SIGKILL)
        status = self.wait(_KILLED)
        if self.channel is not None:
            self.channel.close()
        if status is None:
            raise LabError(f"`{self.name}` (process {self.pid}) does not end, even by SIGKILL")
        return status

    def listens(self) -> set[int]:
        """The TCP ports on which its processes listen, at any address."""
        return listening(self.pids())

    def tail(self, lines: int = LINES) -> tuple[str, ...]:
        """The last lines that it wrote up to now, made safe to show."""
        self._look(0.0)
        return last_lines(self.log, lines)

    def _look(self, seconds: float) -> State:
        if self._ended is not None:
            return self._ended
        state = self._expect(Look(self._next_number(), self._number, seconds), State)
        if state.status is not None:
            self._ended = state
        return state

    def _expect(self, order: Order, kind: type[A]) -> A:
        answer = self._ask(order)
        if isinstance(answer, Refused):
            raise LabError(f"`{self.name}`: {answer.why}")
        assert isinstance(answer, kind)
        return answer
