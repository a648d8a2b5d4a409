"""How much of this machine others use meanwhile: what is slow because of them is not the service's fault."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
from msgspec import Struct

EVERY_S = 0.4  # between two looks: a look costs some milliseconds
BUSY = 0.25  # of all cores: with so much taken by others, a service that needs the rest is slower than it is
FULL = 0.95  # of all cores in use: whatever others take then, the service goes without
SOME = 0.08  # of all cores: less is the system's own work


class _Look(Struct, frozen=True):
    at: float  # monotonic
    all: float  # seconds of all cores in use since the machine started
    ours: float  # by this process and everything below it


class Machine:
    """Looks at the processors now and then, whenever it is asked to."""

    def __init__(self) -> None:
        self._cores = psutil.cpu_count() or 1
        self._looks = [self._look()]

    def look(self) -> None:
        """Take a look, unless the last one was a moment ago."""
        if time.monotonic() - self._looks[-1].at >= EVERY_S:
            self._looks.append(self._look())

    def taken(self, start: float, end: float) -> float:
        """The share of all cores that others used then, by monotonic times; 0 to 1."""
        return self._shares(start, end)[1]

    def busy(self, start: float, end: float) -> bool:
        """Whether others used so much that slowness then tells nothing of the service."""
        used, taken = self._shares(start, end)
        return taken >= (SOME if used >= FULL else BUSY)

    def _shares(self, start: float, end: float) -> tuple[float, float]:
        """The shares of all cores that were in use, and in use by others."""
        inside = [look for look in self._looks if start - EVERY_S <= look.at <= end + EVERY_S]
        if len(inside) < 2:
            return 0.0, 0.0
        first, last = inside[0], inside[-1]
        seconds = (last.at - first.at) * self._cores
        used = last.all - first.all
        others = used - (last.ours - first.ours)
        return used / seconds, min(1.0, max(0.0, others / seconds))

    def _look(self) -> _Look:
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        if os.getpriority(os.PRIO_PROCESS, 0) <= 0:
            idle += getattr(times, "nice", 0.0)  # what gave its priority up yields to us
        # Guests are counted in user time already; stolen time is somebody else's, and so in use.
        counted = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return _Look(time.monotonic(), counted - idle, sum(self._ours()))

    def _ours(self) -> Iterator[float]:
        """Seconds of each process below us, with those of its children that have ended."""
        own = os.times()
        yield own.user + own.system + own.children_user + own.children_system
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                yield sum(process.cpu_times()[:4])
