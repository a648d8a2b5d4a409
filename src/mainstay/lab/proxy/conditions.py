"""What a set of faults means for the bytes of a connection."""

import random
from collections.abc import Sequence

from mainstay.lab.proxy.faults import (
    Bandwidth,
    Drop,
    Fault,
    HalfOpen,
    Hang,
    HoldDials,
    Latency,
    Refuse,
    Reset,
    ResetAfter,
    Stall,
    Way,
)

_CREDIT = 0.02  # seconds a line may make up for, since timers are late


class Line:
    """A line of limited rate: each piece takes its time after the one before it, whoever sent it."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free = 0.0
        self.piece = max(1, min(1 << 16, int(rate * _CREDIT / 2)))  # small, so that connections take turns

    def take(self, size: int, now: float) -> float:
        """When `size` bytes that are sent at `now` have left."""
        self._free = max(self._free, now - _CREDIT) + size / self._rate
        return self._free


class Conditions:
    """The faults in force on one link, in the terms of those who pass its bytes on."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self.stalled = self.refuses = self.swallows = self.holds_dials = False
        self.forgets = self.resets = False
        self.lines: dict[Way, Line] = {}
        self.lost: set[Way] = set()
        self.reset_after: dict[Way, int] = {}
        self._latency = self._jitter = 0.0
        for fault in faults:
            self._take(fault)
        self.delayed = self._latency > 0
        self.longest = (self._latency + self._jitter) / 2  # seconds a byte may be under way

    def round_trip(self) -> float:
        """Seconds there and back; with jitter, another one each time."""
        if not self._jitter:
            return self._latency
        return self._latency + random.uniform(-self._jitter, self._jitter)  # noqa: S311 - jitter, no secret

    def plain(self, way: Way) -> bool:
        """Whether bytes of this direction pass as they come."""
        return not (
            self.delayed or self.stalled or way in self.lines or way in self.lost or way in self.reset_after
        )

    def _take(self, fault: Fault) -> None:
        match fault:
            case Latency(seconds, jitter):
                self._latency, self._jitter = seconds, jitter
            case Bandwidth(rate):
                self.lines = {way: Line(rate) for way in Way}
            case Stall():
                self.stalled = self.holds_dials = True
            case Drop(newcomers):
                self.forgets = True
                self.swallows = self.swallows or newcomers
            case Hang():
                self.swallows = True
            case HoldDials():
                self.holds_dials = True
            case Reset():
                self.resets = True
            case Refuse():
                self.refuses = True
            case HalfOpen(way):
                self.lost.add(way)
            case ResetAfter(count, way):
                self.reset_after[way] = count
