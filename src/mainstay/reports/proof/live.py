"""What is being done to the service, while it is being done.

On a terminal two lines are drawn anew, ten times a second at most, and each finished experiment leaves one
behind.  In a pipe only the finished ones are told.  Whoever else writes to the terminal calls `clear` before.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from mainstay.model.proof import Measurement, Verdict
from mainstay.reports.proof import summary
from mainstay.reports.proof.text import STYLES
from mainstay.reports.summary import plural
from mainstay.reports.terminal import Paint, cut
from mainstay.reports.visible import visible

PACE = 0.1  # seconds between two pictures
UNDO = "\r\x1b[A\x1b[J"  # back to the first of the two lines, and clear them
VERDICT = 14  # columns of the verdict's word, with the gap after it


class Live:
    """Draws from the caller's own thread; a stream that has gone away is no error."""

    def __init__(
        self, stream: TextIO, width: int, colour: bool, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._width = max(20, width)
        self._paint = Paint(colour)
        self._clock = clock
        self._live = _is_terminal(stream)
        self._drawn = False
        self._next = 0.0
        self._names: tuple[str, ...] = ()
        self._number = 0
        self._ends = self._all_ends = 0.0
        self._name = ""

    def plan(self, names: Sequence[str], seconds: float) -> None:
        """Say what is going to be done and how long it takes."""
        self._names = tuple(names)
        self._number = 0
        self._all_ends = self._clock() + seconds
        self._leave(f"{plural(len(names), 'experiment')}, about {summary.duration(round(seconds))} in all")

    def begin(self, name: str, seconds: float) -> None:
        """The next experiment begins; it takes about that many seconds."""
        self._number += 1
        self._name = visible(name)
        self._ends = self._clock() + seconds
        self._next = 0.0
        self._picture("it is made ready")

    def doing(self, what: str, sent: int, failed: int, p95: float | None) -> None:
        """What is being done now, and what became of the requests so far; `p95` in seconds."""
        if not self._live or self._clock() < self._next:
            return
        slow = f"p95 {summary.duration(p95)}" if p95 is not None else ""
        counts = (f"{sent:,} sent", f"{failed:,} failed", slow) if sent else ()
        self._picture(visible(what), counts, alarm=sent > 0 and failed > 0)

    def done(self, measurement: Measurement) -> None:
        """Leave one line for a finished experiment."""
        word = "void" if measurement.verdict is Verdict.ERROR else str(measurement.verdict)
        head = self._paint(word, STYLES[measurement.verdict]) + " " * (VERDICT - len(word))
        name, short = visible(measurement.experiment), summary.in_short(measurement)
        self._leave(head + f"{name}  {self._paint(short, 'dim')}")

    def clear(self) -> None:
        """Leave the terminal as if nothing had been drawn."""
        if self._drawn:
            self._put(UNDO)
            self._drawn = False

    # --- drawing -----------------------------------------------------------------------------------

    def _picture(self, what: str, counts: Sequence[str] = (), alarm: bool = False) -> None:
        """What is done to whom; below it how it goes and how long still; each cut to the terminal."""
        if not self._live:
            return
        whose = f"{self._name}: " if self._name else ""
        above = cut(f"{self._place()}{whose}{what}", self._width - 1)
        below = "  ".join(filter(None, [*counts, self._left()]))
        below = cut(f"{' ' * len(self._place())}{below}", self._width - 1)
        if alarm:
            below = below.replace(counts[1], self._paint(counts[1], "failed"), 1)
        undo = UNDO if self._drawn else ""
        self._next = self._clock() + PACE
        self._drawn = True
        self._put(f"{undo}{above}\n{below}")

    def _place(self) -> str:
        """`3 of 14  `; nothing before the first experiment."""
        if not self._number:
            return ""
        return f"{self._number} of {len(self._names)}  " if self._names else f"{self._number}  "

    def _left(self) -> str:
        here, everything = self._ends - self._clock(), self._all_ends - self._clock()
        if not self._number:
            return f"{summary.duration(round(everything))} left" if everything >= 1 else ""
        if here <= 0:
            return "longer than planned"
        whole = f", {summary.duration(round(everything))} in all" if everything - here >= 1 else ""
        return f"{summary.duration(max(1, round(here)))} left{whole}"

    def _leave(self, line: str) -> None:
        self.clear()
        self._put(f"{line}\n")

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text.encode("utf-8", "backslashreplace").decode())
            self._stream.flush()
        except (OSError, ValueError):  # nobody looks any more
            pass


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"
