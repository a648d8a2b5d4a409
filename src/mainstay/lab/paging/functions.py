"""The functions of PromQL that look at each series by itself, or at one number.

Their semantics are those of Prometheus 3: ranges are open at their start, and `rate`, `increase` and `delta`
extrapolate to the edges of the range (promql/functions.go, extrapolatedRate).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

from mainstay.lab.paging.series import Series

_NEAR = 1.1  # a sample this many average intervals from an edge is as good as on it


class Window(Struct, frozen=True, gc=False):
    """The samples of one series within (start, end], at least one; times in ms."""

    series: Series
    first: int  # index of the first sample
    stop: int  # index behind the last one
    start: int
    end: int

    @property
    def times(self) -> Sequence[int]:
        return self.series.times[self.first : self.stop]

    @property
    def values(self) -> Sequence[float]:
        return self.series.values[self.first : self.stop]


def rate(window: Window) -> float | None:
    """Increase a second."""
    return _extrapolated(window, counter=True, per_second=True)


def increase(window: Window) -> float | None:
    """What a counter grew by over the whole range, resets made good."""
    return _extrapolated(window, counter=True, per_second=False)


def delta(window: Window) -> float | None:
    """What a gauge moved by over the whole range."""
    return _extrapolated(window, counter=False, per_second=False)


def irate(window: Window) -> float | None:
    """Increase a second between the last two samples."""
    return _instant(window, counter=True)


def idelta(window: Window) -> float | None:
    """Difference of the last two samples."""
    values = window.values
    return values[-1] - values[-2] if len(values) > 1 else None


def deriv(window: Window) -> float | None:
    """Slope a second, by least squares."""
    line = _line(window)
    return None if line is None else line[0]


def predict_linear(window: Window, at: int, seconds: float) -> float | None:
    """Where the line through the samples will be, `seconds` after `at`."""
    line = _line(window)
    if line is None:
        return None
    slope, height = line  # at the first sample
    return height + slope * ((at - window.times[0]) / 1000 + seconds)


def changes(window: Window) -> float:
    """How often the value changed."""
    values = window.values
    return float(sum(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in pairwise(values)))


def resets(window: Window) -> float:
    """How often a counter began anew."""
    values = window.values
    return float(sum(b < a for a, b in pairwise(values)))


def quantile(share: float, values: Sequence[float]) -> float:
    """The quantile between the two nearest ranks, as Prometheus' `quantile` and `quantile_over_time`."""
    if not values or math.isnan(share):
        return math.nan
    if share < 0 or share > 1:
        return math.copysign(math.inf, share - 0.5)
    ordered = sorted(values, key=lambda value: (not math.isnan(value), value))
    rank = share * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] * (1 - (rank - low)) + ordered[high] * (rank - low)


def largest(values: Sequence[float]) -> float:
    """The maximum; NaN only where there is nothing else."""
    return max((value for value in values if not math.isnan(value)), default=math.nan)


def smallest(values: Sequence[float]) -> float:
    """The minimum; NaN only where there is nothing else."""
    return min((value for value in values if not math.isnan(value)), default=math.nan)


def total(values: Iterable[float]) -> float:
    """The sum, without loss where it is finite; infinities and NaN as IEEE adds them."""
    values = list(values)
    try:
        return math.fsum(values)
    except (ValueError, OverflowError):
        return sum(values)


def mean(values: Sequence[float]) -> float:
    found = total(values)
    if math.isinf(found) and all(map(math.isfinite, values)):  # the sum is too large, the mean is not
        return total(value / len(values) for value in values)
    return found / len(values)


def variance(values: Sequence[float]) -> float:
    """Of the whole population."""
    middle = mean(values)
    return total((value - middle) * (value - middle) for value in values) / len(values)


def deviation(values: Sequence[float]) -> float:
    return math.sqrt(variance(values))


def divided(left: float, right: float) -> float:
    """IEEE division: by zero it is infinite, or NaN."""
    if right:
        return left / right
    if not left or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def power(left: float, right: float) -> float:
    """IEEE power: too large is infinite, undefined is NaN."""
    try:
        return math.pow(left, right)
    except OverflowError:
        odd = right % 2 == 1
        return -math.inf if left < 0 and odd else math.inf
    except ValueError:
        return math.inf if not left else math.nan


def remainder(left: float, right: float) -> float:
    """The remainder with the sign of the left side."""
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


def rounded(value: float, to: float = 1.0) -> float:
    """To the nearest multiple of `to`, halves upwards."""
    if not math.isfinite(value) or not to:
        return value if to else math.nan
    inverse = 1.0 / to
    return math.floor(value * inverse + 0.5) / inverse


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: float(function(value)) if math.isfinite(value) else value


def _defined(function: Callable[[float], float]) -> Callable[[float], float]:
    def safe(value: float) -> float:
        try:
            return function(value)
        except OverflowError:
            return math.inf
        except ValueError:
            return -math.inf if value == 0 else math.nan

    return safe


def _sign(value: float) -> float:
    return value if math.isnan(value) or not value else math.copysign(1.0, value)


# From samples of a range to a value; None when there are too few.
OVER_RANGE: dict[str, Callable[[Window], float | None]] = {
    "rate": rate,
    "increase": increase,
    "delta": delta,
    "irate": irate,
    "idelta": idelta,
    "deriv": deriv,
    "changes": changes,
    "resets": resets,
    "avg_over_time": lambda window: mean(window.values),
    "max_over_time": lambda window: largest(window.values),
    "min_over_time": lambda window: smallest(window.values),
    "sum_over_time": lambda window: total(window.values),
    "count_over_time": lambda window: float(len(window.values)),
    "stddev_over_time": lambda window: deviation(window.values),
    "stdvar_over_time": lambda window: variance(window.values),
    "present_over_time": lambda _: 1.0,
    "last_over_time": lambda window: window.values[-1],
}

# From a value to a value.
OF_VALUE: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "exp": _defined(math.exp),
    "sqrt": lambda value: math.nan if value < 0 else math.sqrt(value),
    "ln": _defined(math.log),
    "log2": _defined(math.log2),
    "log10": _defined(math.log10),
    "sgn": _sign,
}


def _extrapolated(window: Window, *, counter: bool, per_second: bool) -> float | None:
    count = window.stop - window.first
    if count < 2:
        return None
    series, last = window.series, window.stop - 1
    first_value = series.values[window.first]
    grown = series.values[last] - first_value
    if counter:
        grown += series.fallen(window.first, last)
    covered = (series.times[last] - series.times[window.first]) / 1000
    interval = covered / (count - 1)
    before = (series.times[window.first] - window.start) / 1000
    after = (window.end - series.times[last]) / 1000
    if before >= interval * _NEAR:
        before = interval / 2  # the series is taken to have begun within the range
    if counter and grown > 0 and first_value >= 0:
        before = min(before, covered * first_value / grown)  # and not below zero
    if after >= interval * _NEAR:
        after = interval / 2
    whole = grown * (covered + before + after) / covered
    return whole / ((window.end - window.start) / 1000) if per_second else whole


def _instant(window: Window, *, counter: bool) -> float | None:
    values, times = window.values, window.times
    if len(values) < 2:
        return None
    grown = values[-1] if counter and values[-1] < values[-2] else values[-1] - values[-2]
    return grown / ((times[-1] - times[-2]) / 1000)


def _line(window: Window) -> tuple[float, float] | None:
    """Slope a second and height at the first sample of the line of least squares."""
    values = window.values
    if len(values) < 2:
        return None
    seconds = [(time - window.times[0]) / 1000 for time in window.times]
    x, y = mean(seconds), mean(values)
    spread = sum((second - x) ** 2 for second in seconds)
    slope = sum((second - x) * (value - y) for second, value in zip(seconds, values, strict=True)) / spread
    return slope, y - slope * x
