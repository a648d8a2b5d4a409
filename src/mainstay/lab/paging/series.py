"""Samples kept in memory as Prometheus would keep them: series with their labels, and marks where they end.

Times are whole milliseconds of the machine's monotonic clock, so that window edges are exact.
"""

import threading
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping

from mainstay.lab.paging.exposition import Labels, Sample, family

LOOKBACK = 300_000  # ms: an instant selector sees no sample older than this
_COUNTING = ("_total", "_count", "_sum", "_bucket")
_SYNTHETIC = ("up", "scrape_duration_seconds", "scrape_samples_scraped")
_COUNTERS = ("counter", "histogram", "summary")


def milliseconds(seconds: float) -> int:
    """A time of the monotonic clock as series hold it."""
    return round(seconds * 1000)


class Series:
    """One series: its samples in the order of time, and when it was seen to be gone."""

    __slots__ = ("_falls", "gone", "labels", "name", "times", "values")

    def __init__(self, name: str, labels: Labels) -> None:
        self.name = name
        self.labels = labels
        self.times = array("q")
        self.values = array("d")
        self.gone = array("q")
        self._falls: array[float] = array("d")

    def add(self, at: int, value: float) -> bool:
        """Keep a sample; one that is not younger than the last is dropped, as Prometheus does."""
        if self.times and at <= self.times[-1]:
            return False
        fallen = self._falls[-1] if self._falls else 0.0
        if self.values and value < self.values[-1]:
            fallen += self.values[-1]  # a counter began anew from nothing
        self.times.append(at)
        self.values.append(value)
        self._falls.append(fallen)
        return True

    def end(self, at: int) -> None:
        """Note that the series was no longer there."""
        if self.times and (not self.gone or self.gone[-1] <= self.times[-1]):
            self.gone.append(at)

    def latest(self, at: int) -> tuple[int, float] | None:
        """The youngest sample in (at - 5 min, at], unless the series has ended since."""
        index = bisect_right(self.times, at) - 1
        if index < 0 or self.times[index] <= at - LOOKBACK:
            return None
        when = self.times[index]
        ended = bisect_right(self.gone, when)
        if ended < len(self.gone) and self.gone[ended] <= at:
            return None
        return when, self.values[index]

    def between(self, start: int, end: int) -> tuple[int, int]:
        """The slice of the samples in (start, end]."""
        return bisect_right(self.times, start), bisect_right(self.times, end)

    def fallen(self, first: int, last: int) -> float:
        """What counter resets took away between two samples, by index."""
        return self._falls[last] - self._falls[first]

    def take(self, other: "Series", first: int, stop: int, end: int) -> None:
        """Copy some samples of another series, and the ends that fall between the first one and `end`."""
        for index in range(first, stop):
            self.add(other.times[index], other.values[index])
        begins = bisect_right(other.gone, self.times[0])
        self.gone = other.gone[begins : bisect_right(other.gone, end)]

    def forget(self, before: int) -> int:
        """Drop the samples older than `before`; how many were dropped."""
        cut = bisect_left(self.times, before)
        if cut:
            del self.times[:cut]
            del self.values[:cut]
            del self._falls[:cut]
            del self.gone[: bisect_left(self.gone, before)]
        return cut


class Store:
    """Series by name.  `unix` is what has to be added to a monotonic time to get seconds since 1970."""

    def __init__(self, unix: float) -> None:
        self.unix = unix
        self._named: dict[str, dict[Labels, Series]] = {}

    def names(self) -> list[str]:
        return list(self._named)

    def named(self, name: str) -> list[Series]:
        """The series of a metric."""
        return list(self._named.get(name, {}).values())

    def all(self) -> Iterator[Series]:
        for name in self.names():
            yield from self.named(name)

    def series(self, name: str, labels: Labels) -> Series:
        """The series with these labels, made where it is missing."""
        same = self._named.get(name)
        if same is None:
            same = self._named[name] = {}
        found = same.get(labels)
        if found is None:
            found = same[labels] = Series(name, labels)
        return found


class Recording(Store):
    """What was scraped from the targets of a run.  One lock guards it, and its size is bounded.

    Beyond `most_series` new series are left out (`left_out` counts them); beyond `most_samples` the
    older half of the time is forgotten.
    """

    def __init__(self, *, most_series: int = 50_000, most_samples: int = 3_000_000) -> None:
        super().__init__(time.time() - time.monotonic())
        self.types: dict[str, str] = {}
        self.left_out = 0
        self._most_series = most_series
        self._most_samples = most_samples
        self._count = 0
        self._kept = 0
        self._present: dict[Labels, set[tuple[str, Labels]]] = {}
        self._lock = threading.RLock()

    @property
    def lock(self) -> threading.RLock:
        """Hold it to read while a scraper may be writing."""
        return self._lock

    def scraped(
        self,
        at: float,
        target: Labels,
        samples: Iterable[Sample],
        types: Mapping[str, str],
        seconds: float = 0.0,
    ) -> None:
        """Keep a successful scrape that began at `at`; `target` are the labels that it adds."""
        when = milliseconds(at)
        with self._lock:
            self.types.update(types)
            present: set[tuple[str, Labels]] = set()
            for sample in samples:
                key = (sample.name, _joined(sample.labels, target))
                if self._add(when, *key, sample.value):
                    present.add(key)
            self._end(when, self._present.get(target, set()) - present)
            self._present[target] = present
            self._tell(when, target, 1.0, seconds, len(present))

    def failed(self, at: float, target: Labels, seconds: float = 0.0) -> None:
        """Keep a scrape that failed: `up` is 0 and the target's series are gone."""
        when = milliseconds(at)
        with self._lock:
            self._end(when, self._present.pop(target, set()))
            self._tell(when, target, 0.0, seconds, 0)

    def left(self, at: float, target: Labels) -> None:
        """Nobody scrapes this target any longer: all its series are gone, `up` too."""
        when = milliseconds(at)
        with self._lock:
            self._end(when, self._present.pop(target, set()))
            if not any(target == series.labels for series in self.named("up")):
                return
            for name in _SYNTHETIC:
                self._end(when, {(name, target)})

    def window(self, start: int, end: int, names: Collection[str] | None = None) -> "Store":
        """A copy of the samples in [start, end], of these metrics only; nobody else writes into it."""
        copy = Store(self.unix)
        with self._lock:
            for name in self.names() if names is None else names:
                for series in self.named(name):
                    first, stop = bisect_left(series.times, start), bisect_right(series.times, end)
                    if stop > first:
                        copy.series(name, series.labels).take(series, first, stop, end)
        return copy

    def declared(self, name: str) -> bool:
        """Whether a target announced a metric of this name, be it without any series yet."""
        return family(name, self.types) is not None

    def counts(self, series: Series) -> bool:
        """Whether a series is a counter: by its declared type, otherwise by its name."""
        belongs = family(series.name, self.types)
        kind = self.types.get(belongs, "") if belongs is not None else ""
        if kind in _COUNTERS:
            return kind == "counter" or series.name != belongs  # a summary's quantiles are gauges
        return kind in ("", "untyped", "unknown") and series.name.endswith(_COUNTING)

    def _tell(self, when: int, target: Labels, up: float, seconds: float, samples: int) -> None:
        """Keep what Prometheus itself adds to each scrape, however many series there are."""
        for name, value in zip(_SYNTHETIC, (up, seconds, float(samples)), strict=True):
            self._add(when, name, target, value, always=True)

    def _add(self, when: int, name: str, labels: Labels, value: float, *, always: bool = False) -> bool:
        same = self._named.get(name)
        if same is None or labels not in same:
            if self._count >= self._most_series and not always:
                self.left_out += 1
                return False
            self._count += 1
        if self.series(name, labels).add(when, value):
            self._kept += 1
            if self._kept > self._most_samples:
                self._forget(when)
        return True

    def _end(self, when: int, keys: set[tuple[str, Labels]]) -> None:
        for name, labels in keys:
            self._named[name][labels].end(when)

    def _forget(self, now: int) -> None:
        oldest = min(series.times[0] for series in self.all() if series.times)
        before = (oldest + now) // 2
        self._kept -= sum(series.forget(before) for series in self.all())


def _joined(labels: Labels, target: Labels) -> Labels:
    """A sample's labels with those of its target, which win; one that loses is kept as `exported_...`."""
    if not labels:
        return target
    given = dict(target)
    taken = {(f"exported_{name}" if name in given else name): value for name, value in labels}
    return tuple(sorted((taken | given).items()))
