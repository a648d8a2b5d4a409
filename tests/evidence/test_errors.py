"""The claim about failed requests."""

from msgspec.structs import replace

from mainstay.evidence import errors
from mainstay.model.proof import Subject, Verdict
from tests.evidence.loads import BUDGETS, failing, record, steady


def test_enough_clean_requests_pass_and_the_bound_is_said() -> None:
    claim = errors.claim(steady(0, 60, rate=50), BUDGETS)
    assert (claim.verdict, claim.subject) == (Verdict.PASSED, Subject.ERRORS)
    assert (
        claim.said == "0 of 3,000 requests failed: at most 0.0999 % at 95 % confidence, the budget is 0.1 %."
    )


def test_too_few_clean_requests_settle_nothing_and_it_says_how_many_would() -> None:
    claim = errors.claim(steady(0, 10, rate=55.6), BUDGETS)
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert "0 of 556 requests failed: at most 0.538 %" in claim.said
    assert "2,439 more without a failure would settle it" in claim.said
    assert "it takes 2,995 requests" in claim.said
    assert "rule of three: 3,000" in claim.said


def test_a_share_above_the_budget_for_certain_fails_and_shows_each_kind() -> None:
    bad = [*failing([record(0, action="pay")] * 20, 503), *failing([record(0)] * 3)]
    claim = errors.claim([*steady(0, 20), *bad], BUDGETS)
    assert claim.verdict is Verdict.FAILED
    assert claim.said.endswith("(20 × 503, 3 × 500).")
    assert claim.evidence == ("pay: 503 after 50 ms", "read: 500 after 50 ms")


def test_a_few_failures_of_a_thousand_settle_nothing() -> None:
    claim = errors.claim([*steady(0, 58.4), *failing([record(0)] * 3)], BUDGETS)
    assert claim.verdict is Verdict.INCONCLUSIVE


def test_actions_that_are_not_critical_are_left_out() -> None:
    bad = failing([record(0, action="report")] * 50)
    assert errors.claim([*steady(0, 60, rate=50), *bad], BUDGETS, waived={"report"}).verdict is Verdict.PASSED


def test_some_milliseconds_of_lag_are_the_same_load() -> None:
    assert errors.claim(steady(0, 60, rate=50, lag=0.03), BUDGETS).verdict is Verdict.PASSED


def test_a_driver_that_is_late_by_far_does_not_excuse_failures_but_voids_a_clean_record() -> None:
    clean = steady(0, 60, rate=50, lag=0.6)
    assert errors.claim(failing(clean), BUDGETS).verdict is Verdict.FAILED
    claim = errors.claim(clean, BUDGETS)
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert "the load driver was late: p99 of 600 ms" in claim.said


def test_a_loosened_budget_also_shows_the_verdict_against_the_standing_one() -> None:
    loose = replace(BUDGETS, errors=0.05)
    records = [*steady(0, 50), *failing([record(0)] * 10)]
    claim = errors.claim(records, loose, BUDGETS)
    assert (claim.verdict, claim.standard) == (Verdict.PASSED, Verdict.FAILED)
    assert errors.claim(records, BUDGETS, BUDGETS).standard is None


def test_no_request_shows_nothing() -> None:
    claim = errors.claim([], BUDGETS)
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.said.startswith("No request was sent")


def test_time_outs_and_refusals_for_capacity_say_nothing_while_others_use_the_machine() -> None:
    bad = failing([record(0)] * 40, 503)
    assert errors.claim([*steady(0, 20), *bad], BUDGETS).verdict is Verdict.FAILED
    claim = errors.claim([*steady(0, 20), *bad], BUDGETS, disturbed="others used 60 % of the machine")
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.said.endswith("others used 60 % of the machine, so this says nothing of the service.")


def test_any_other_failure_stands_however_busy_the_machine_was() -> None:
    bad = [*failing([record(0)] * 40, 503), *failing([record(0)] * 20, 500)]
    assert errors.claim([*steady(0, 20), *bad], BUDGETS, disturbed="others").verdict is Verdict.FAILED
