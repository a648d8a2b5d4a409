"""What a sample proves: bounds of shares and of quantiles, at 95 % confidence, on one side.

Shares: C. Clopper and E. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
binomial" (1934).  Quantiles: order statistics, whose ranks are binomial, so nothing is assumed about the
distribution of latencies.
"""

import math
from collections.abc import Callable, Sequence

from mainstay.model.proof import Verdict

CONFIDENCE = 0.95
_DOUBT = 1.0 - CONFIDENCE
_STEPS = 100  # of a bisection: more than a float has bits
_TERMS = 10_000  # of a continued fraction; it needs about the root of the sample's size
_TINY = 1e-300

_Test = Callable[[float], bool]
_RankTest = Callable[[int], bool]


def at_most(failed: int, sent: int) -> float:
    """The upper bound of the share of failures, given what was seen; 1 when nothing was sent.

    With no failure it is close to 3/sent, the rule of three.
    """
    _sound(failed, sent)
    if failed == sent:
        return 1.0
    if failed == 0:
        return -math.expm1(math.log(_DOUBT) / sent)
    return _bisect(lambda share: binomial(failed, sent, share) > _DOUBT)


def at_least(failed: int, sent: int) -> float:
    """The lower bound of the share of failures, given what was seen; 0 when none failed."""
    _sound(failed, sent)
    if failed == 0:
        return 0.0
    return _bisect(lambda share: 1.0 - binomial(failed - 1, sent, share) < _DOUBT)


def needed(budget: float, failed: int = 0) -> int:
    """How many requests it takes, `failed` of them failed and no more, to show a share of at most `budget`.

    For 0.001 and no failure: 2,995, where the rule of three says 3,000.  Raises ValueError when `budget`
    is not between 0 and 1: no sample shows that nothing ever fails.
    """
    if not 0.0 < budget < 1.0:
        raise ValueError(f"no number of requests shows a share of at most {budget:g}")
    low, high = failed, max(1, failed)
    while not _shown(failed, high, budget):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _shown(failed, middle, budget) else (middle, high)
    return high


def verdict(failed: int, sent: int, budget: float) -> Verdict:
    """Passed when even the upper bound is in the budget, failed when even the lower one is not."""
    _sound(failed, sent)
    if _shown(failed, sent, budget):
        return Verdict.PASSED
    if failed and 1.0 - binomial(failed - 1, sent, budget) < _DOUBT:
        return Verdict.FAILED
    return Verdict.INCONCLUSIVE


def quantile(ordered: Sequence[float], q: float) -> float:
    """The smallest value that at least a share of `q` does not exceed; `ordered` is sorted and not empty."""
    return ordered[min(len(ordered), max(1, math.ceil(q * len(ordered) - 1e-9))) - 1]


def quantile_bounds(ordered: Sequence[float], q: float) -> tuple[float, float]:
    """The lower and the upper bound of a quantile, each at 95 %; infinite above when the sample is too small.

    For a p95 that takes 59 values; below, 0 is all that can be said.
    """
    size = len(ordered)
    above = _first(size, lambda rank: binomial(rank - 1, size, q) >= CONFIDENCE)
    below = _first(size, lambda rank: binomial(rank - 1, size, q) > _DOUBT) - 1
    return (
        ordered[below - 1] if below >= 1 else 0.0,
        ordered[above - 1] if above <= size else math.inf,
    )


def binomial(most: int, of: int, share: float) -> float:
    """How likely at most `most` of `of` fail when each does with probability `share`."""
    if most < 0:
        return 0.0
    if most >= of or share <= 0.0:
        return 1.0
    if share >= 1.0:
        return 0.0
    return _incomplete_beta(of - most, most + 1, 1.0 - share, share)


def _shown(failed: int, sent: int, budget: float) -> bool:
    """Whether the upper bound is in the budget; without the search for the bound."""
    return failed < sent and binomial(failed, sent, budget) <= _DOUBT


def _sound(failed: int, sent: int) -> None:
    if not 0 <= failed <= sent:
        raise ValueError(f"{failed} of {sent} cannot have failed")


def _bisect(below: _Test) -> float:
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return high


def _first(size: int, holds: _RankTest) -> int:
    """The lowest rank from 1 for which it holds; size + 1 when there is none.  Once true, it stays true."""
    low, high = 0, size + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _incomplete_beta(a: int, b: int, x: float, rest: float) -> float:
    """The regularised incomplete beta function (NIST, Digital Library of Mathematical Functions, 8.17.22).

    `rest` is 1 - x: near 1, a float of `x` alone has lost it.
    """
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly, its mirror image does not
        return 1.0 - _incomplete_beta(b, a, rest, x)
    logarithm = (
        math.lgamma(a + b)
        - math.lgamma(a)
        - math.lgamma(b)
        + a * _log(x, rest)
        + b * _log(rest, x)
        - math.log(a)
    )
    return math.exp(logarithm) / _fraction(a, b, x)


def _log(x: float, rest: float) -> float:
    return math.log(x) if x < rest else math.log1p(-rest)


def _fraction(a: int, b: int, x: float) -> float:
    """1 + d1/(1 + d2/(1 + ...)), by Lentz's method."""
    value = upper = 1.0
    lower = 0.0
    for term in range(1, _TERMS):
        half, odd = divmod(term, 2)
        if odd:
            factor = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            factor = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        lower = 1.0 / (1.0 + factor * lower or _TINY)
        upper = 1.0 + factor / upper or _TINY
        value *= upper * lower
        if abs(upper * lower - 1.0) < 1e-14:
            break
    return value
