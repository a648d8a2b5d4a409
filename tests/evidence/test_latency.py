"""The claim about p95, and when it is void."""

import pytest
from msgspec.structs import replace

from mainstay.evidence import latency
from mainstay.evidence.lag import lag_p99, late
from mainstay.model.proof import Verdict
from mainstay.model.record import Failure
from tests.evidence.loads import BUDGETS, record, steady


def test_a_p95_passes_when_even_its_upper_bound_is_in_the_budget() -> None:
    claim = latency.claim(steady(0, 10), BUDGETS)
    assert claim.verdict is Verdict.PASSED
    assert claim.said.startswith("p95 of 200 requests is 50 ms, between 50 ms and 50 ms")


def test_a_p95_fails_when_even_its_lower_bound_is_over_the_budget() -> None:
    claim = latency.claim([*steady(0, 10), *steady(10, 12, wait=0.3)], BUDGETS)
    assert claim.verdict is Verdict.FAILED


def test_a_p95_near_the_budget_is_not_settled_and_it_says_what_would() -> None:
    claim = latency.claim([*steady(0, 10), *steady(10, 10.4, wait=0.3)], BUDGETS)
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert "104 more within the budget would settle it" not in claim.said
    assert "more within the budget would settle it" in claim.said


def test_too_few_requests_settle_nothing() -> None:
    assert latency.claim(steady(0, 2.9), BUDGETS).verdict is Verdict.INCONCLUSIVE
    assert latency.claim(steady(0, 2.95), BUDGETS).verdict is Verdict.PASSED


def test_callers_who_gave_up_waited_too() -> None:
    gone = [record(0, 10.0, failure=Failure.TIMED_OUT)] * 40
    assert latency.claim([*steady(0, 10), *gone], BUDGETS).verdict is Verdict.FAILED


def test_nothing_served_is_no_p95() -> None:
    claim = latency.claim([record(0, failure=Failure.REFUSED)] * 100, BUDGETS)
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.said == "None of 100 requests was served, so there is no p95."


@pytest.mark.parametrize("wait", [0.05, 0.9])
def test_a_late_driver_voids_it_either_way(wait: float) -> None:
    claim = latency.claim(steady(0, 10, wait=wait, lag=0.031), BUDGETS)
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert "the load driver was late: p99 of 31 ms, of which 10 ms are allowed" in claim.said


def test_the_lag_allowed_follows_from_the_budget() -> None:
    records = steady(0, 10, lag=0.015)
    assert lag_p99(records) == pytest.approx(0.015)
    assert late(records, BUDGETS)
    assert not late(records, replace(BUDGETS, p95=0.4))


def test_a_few_late_requests_of_many_are_allowed() -> None:
    assert not late([*steady(0, 99), *steady(99, 99.9, lag=0.5)], BUDGETS)


def test_a_loosened_budget_also_shows_the_verdict_against_the_standing_one() -> None:
    claim = latency.claim(steady(0, 10, wait=0.3), replace(BUDGETS, p95=0.5), BUDGETS)
    assert (claim.verdict, claim.standard) == (Verdict.PASSED, Verdict.FAILED)
