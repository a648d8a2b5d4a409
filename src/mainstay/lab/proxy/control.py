"""The fault proxy as experiments use it: open a link, set faults on it, clear them, count."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from mainstay.lab.channel import Channel, Closed
from mainstay.lab.error import LabError
from mainstay.lab.lab import Lab
from mainstay.lab.own_program import own_program
from mainstay.lab.proxy.faults import Fault, Refuse, Reset, check
from mainstay.lab.proxy.messages import Aim, Answer, Ask, Command, Done, Impossible, Open, Set, Shut, Stats

__all__ = ["FaultProxy", "Stats"]

_PATIENCE = 30.0  # seconds an answer may take on a machine that is busy with a load


class FaultProxy:
    """A process that stands between the service and its TCP dependencies.

    Every method raises LabError when the process has ended, and when it says that something cannot be.
    Times are monotonic seconds.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._program = lab.start("fault-proxy", own_program("mainstay.lab.proxy.server"), channel=True)
        assert self._program.channel is not None
        self._channel: Channel[Answer] = Channel(self._program.channel, Answer)
        self._faults: dict[str, tuple[Fault, ...]] = {}
        self._number = 0
        self._ended = False

    def __enter__(self) -> "FaultProxy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._program.pid

    def open(self, name: str, *upstreams: tuple[str, int], ready_path: str = "") -> int:
        """Listen on a port of 127.0.0.1 for the upstreams (host and port); the port.

        Several upstreams take connections in turn.  With `ready_path` each is asked for it every 250 ms, and
        one that does not answer 2xx gets no new connections while another does.
        """
        if not upstreams:
            raise LabError(f"the link {name!r} of the fault proxy needs at least one upstream")
        port = self._lab.port()
        self._do(Open(self._next(), name, port, upstreams, ready_path))
        self._faults[name] = ()
        return port

    def set(self, name: str, *faults: Fault) -> float:
        """From now on these faults hold on the link, and no others; when they began.

        Raises ImpossibleFault where they contradict each other.
        """
        check(faults)
        since = self._do(Set(self._next(), name, faults))
        self._faults[name] = tuple(fault for fault in faults if not isinstance(fault, Reset))
        return since

    @contextmanager
    def away(self, *names: str) -> Iterator[None]:
        """Nobody is at the other end of these links in this block: who calls is refused, who talks is cut."""
        for name in names:
            self.set(name, Refuse(), Reset())
        try:
            yield
        finally:
            for name in names:
                self.clear(name)

    def aim(self, name: str, *upstreams: tuple[str, int]) -> float:
        """Pass new connections on to these from now on, those that are open stay; when it was.

        The faults in force stay, and what `stats` says of upstreams is of these alone.
        """
        if not upstreams:
            raise LabError(f"the link {name!r} of the fault proxy needs at least one upstream")
        return self._do(Aim(self._next(), name, upstreams))

    def clear(self, name: str) -> float:
        """Heal the link: what was held is delivered, new connections work; when it was."""
        return self.set(name)

    def reset(self, name: str) -> float:
        """Cut every open connection with an RST to both ends, now; the faults in force stay; when it was."""
        return self.set(name, *self._faults.get(name, ()), Reset())

    def faults(self, name: str) -> tuple[Fault, ...]:
        """What is in force on the link."""
        return self._faults.get(name, ())

    def stats(self, name: str) -> Stats:
        """What went through the link since it was opened."""
        answer = self._ask(Ask(self._next(), name))
        assert isinstance(answer, Stats)
        return answer

    def shut(self, name: str) -> None:
        """Cut the link's connections and close its port."""
        self._do(Shut(self._next(), name))
        self._faults.pop(name, None)

    def end(self) -> None:
        """End the process, and with it every connection; a second time does nothing."""
        if not self._ended:
            self._ended = True
            self._channel.close()
            self._program.end()

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _do(self, command: Command) -> float:
        answer = self._ask(command)
        assert isinstance(answer, Done)
        return answer.at

    def _ask(self, command: Command) -> Answer:
        try:
            answer = self._channel.ask(command, _PATIENCE)
            while answer.number < command.number:  # one that Ctrl-C kept us from waiting for
                answer = self._heard()
        except (Closed, TimeoutError, OSError, ValueError) as error:
            raise LabError(f"the fault proxy does not answer any more: {error}", self._log()) from error
        if isinstance(answer, Impossible):
            raise LabError(answer.reason)
        return answer

    def _heard(self) -> Answer:
        answer = self._channel.receive(_PATIENCE)
        if answer is None:
            raise TimeoutError(f"nothing within {_PATIENCE:g} s")
        return answer

    def _log(self) -> tuple[str, ...]:
        return self._program.tail()
