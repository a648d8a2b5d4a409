"""What a sample proves, against sums that are done another way."""

from math import comb, inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.evidence import bounds
from mainstay.model.proof import Verdict

BRIEFLY = settings(max_examples=50, deadline=None)


def _summed(most: int, of: int, share: float) -> float:
    return sum(comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(most + 1))


@BRIEFLY
@given(st.integers(1, 60), st.data())
def test_the_binomial_tail_is_the_sum_of_its_terms(of: int, data: st.DataObject) -> None:
    most = data.draw(st.integers(-1, of))
    share = data.draw(st.floats(0.0, 1.0))
    assert bounds.binomial(most, of, share) == pytest.approx(_summed(most, of, share), abs=1e-9)


@BRIEFLY
@given(st.integers(1, 200_000), st.data())
def test_at_the_bounds_what_was_seen_has_a_chance_of_one_in_twenty(sent: int, data: st.DataObject) -> None:
    failed = data.draw(st.integers(0, sent))
    upper, lower = bounds.at_most(failed, sent), bounds.at_least(failed, sent)
    assert lower <= failed / sent <= upper
    if failed < sent:
        assert bounds.binomial(failed, sent, upper) == pytest.approx(0.05, abs=1e-6)
    if failed:
        assert 1 - bounds.binomial(failed - 1, sent, lower) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(
    ("failed", "sent", "upper"),
    [(0, 10, 0.2589), (1, 10, 0.3942), (5, 50, 0.1989), (3, 1171, 0.0066)],
    ids=lambda value: f"{value}",
)
def test_published_upper_bounds(failed: int, sent: int, upper: float) -> None:
    assert bounds.at_most(failed, sent) == pytest.approx(upper, abs=1e-4)


@BRIEFLY
@given(st.integers(30, 1_000_000))
def test_without_a_failure_it_is_the_rule_of_three(sent: int) -> None:
    assert 0.95 * 3 / sent < bounds.at_most(0, sent) <= 3 / sent


def test_a_claim_of_a_tenth_of_a_per_cent_takes_2995_clean_requests() -> None:
    assert bounds.needed(0.001) == 2995
    assert bounds.verdict(0, 2995, 0.001) is Verdict.PASSED
    assert bounds.verdict(0, 2994, 0.001) is Verdict.INCONCLUSIVE


@BRIEFLY
@given(st.floats(0.0005, 0.5), st.integers(0, 30))
def test_the_number_needed_is_the_smallest_that_suffices(budget: float, failed: int) -> None:
    sent = bounds.needed(budget, failed)
    assert bounds.at_most(failed, sent) <= budget * (1 + 1e-9)
    assert sent - 1 == failed or bounds.at_most(failed, sent - 1) > budget * (1 - 1e-9)


def test_a_budget_of_nothing_cannot_be_shown() -> None:
    with pytest.raises(ValueError, match="no number of requests"):
        bounds.needed(0.0)


@pytest.mark.parametrize(
    ("failed", "sent", "verdict"),
    [
        (0, 0, Verdict.INCONCLUSIVE),
        (0, 556, Verdict.INCONCLUSIVE),
        (0, 3000, Verdict.PASSED),
        (1, 3000, Verdict.INCONCLUSIVE),
        (3, 1171, Verdict.INCONCLUSIVE),
        (20, 1171, Verdict.FAILED),
        (5, 5, Verdict.FAILED),
    ],
)
def test_a_verdict_needs_the_bound_not_the_rate(failed: int, sent: int, verdict: Verdict) -> None:
    assert bounds.verdict(failed, sent, 0.001) is verdict


def test_more_failures_than_requests_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="3 of 2 cannot have failed"):
        bounds.at_most(3, 2)


def test_a_p95_has_no_upper_bound_below_59_values() -> None:
    assert bounds.quantile_bounds([float(n) for n in range(58)], 0.95)[1] == inf
    assert bounds.quantile_bounds([float(n) for n in range(59)], 0.95)[1] == 58.0


@BRIEFLY
@given(st.integers(1, 400), st.integers(0, 400))
def test_the_bound_of_a_p95_agrees_with_that_of_the_share_of_slow_ones(size: int, slow: int) -> None:
    slow = min(slow, size)
    ordered = [0.1] * (size - slow) + [0.9] * slow
    low, high = bounds.quantile_bounds(ordered, 0.95)
    assert (high <= 0.2) == (bounds.at_most(slow, size) <= 0.05)
    assert (low > 0.2) == (bounds.at_least(slow, size) > 0.05 + 1e-9)


@pytest.mark.parametrize(("q", "value"), [(0.0, 1.0), (0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (1.0, 4.0)])
def test_a_quantile_is_a_value_that_was_seen(q: float, value: float) -> None:
    assert bounds.quantile([1.0, 2.0, 3.0, 4.0], q) == value
