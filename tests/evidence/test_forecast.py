"""Availability is downtime times frequency, and an assumption settles nothing."""

from mainstay.evidence.forecast import Outage, break_even, claim
from mainstay.model.budget import Budgets
from mainstay.model.proof import Origin, Verdict
from mainstay.model.service import Frequency

BUDGETS = Budgets(availability=0.999, errors=0.001, p95=0.2, recovery=300.0)

RESTART = Outage("kill_all", 5.0)
STALL = Outage("database_paused", 60.0, heals=False)


def _known(event: str, a_month: float) -> Frequency:
    return Frequency(event, a_month, source="the incidents of 2025")


def test_999_of_1000_bears_518_restarts_of_five_seconds_or_no_stall_that_stays() -> None:
    assert break_even(RESTART, BUDGETS) == 518
    assert break_even(STALL, BUDGETS) == 0
    assert break_even(Outage("peak", 0.0), BUDGETS) is None


def test_declared_frequencies_settle_it_and_the_sum_is_said() -> None:
    made = claim([RESTART], [_known("kill_all", 20)], BUDGETS)
    assert made.verdict is Verdict.PASSED
    assert made.said == (
        "100 % to expect, 1 − (5 s × 20 kill_all) / 30 days; the budget of 99.9 % allows 43 min in 30 days; "
        "it holds up to 518 × kill_all a month."
    ).replace("100 %", "99.996 %")
    assert made.figures[0].origin is Origin.DERIVED


def test_too_many_of_them_fail() -> None:
    assert claim([RESTART], [_known("kill_all", 600)], BUDGETS).verdict is Verdict.FAILED


def test_outages_add_up() -> None:
    outages = [RESTART, Outage("database_killed", 8.0)]
    frequencies = [_known("kill_all", 300), _known("database_killed", 300)]
    assert claim(outages, frequencies, BUDGETS).verdict is Verdict.FAILED
    assert claim(outages[:1], frequencies, BUDGETS).verdict is Verdict.PASSED


def test_one_stall_that_does_not_heal_uses_all_of_it() -> None:
    made = claim([RESTART, STALL], [_known("kill_all", 1), _known("database_paused", 1)], BUDGETS)
    assert made.verdict is Verdict.FAILED
    assert "one database_paused uses all of it, since it does not heal" in made.said


def test_an_assumed_frequency_alone_settles_nothing() -> None:
    for frequencies in ([], [Frequency("kill_all", 20)]):
        made = claim([RESTART], frequencies, BUDGETS)
        assert made.verdict is Verdict.INCONCLUSIVE
        assert "assumed, and so not settled: kill_all" in made.said
        assert made.figures[0].origin is Origin.ASSUMED
    assert claim([STALL], [], BUDGETS).verdict is Verdict.INCONCLUSIVE


def test_what_is_known_may_fail_whatever_is_assumed_beside_it() -> None:
    made = claim([RESTART, Outage("peak", 1.0)], [_known("kill_all", 600)], BUDGETS)
    assert made.verdict is Verdict.FAILED


def test_what_users_do_not_notice_needs_no_frequency() -> None:
    assert claim([Outage("rolling", 0.0)], [], BUDGETS).verdict is Verdict.PASSED


def test_an_event_that_never_happens_costs_nothing() -> None:
    assert claim([STALL], [_known("database_paused", 0)], BUDGETS).verdict is Verdict.PASSED


def test_nothing_measured_is_nothing_to_forecast_from() -> None:
    assert claim([], [_known("kill_all", 1)], BUDGETS).verdict is Verdict.INCONCLUSIVE


def test_a_loosened_budget_also_shows_the_verdict_against_the_standing_one() -> None:
    loose = Budgets(availability=0.99, errors=0.001, p95=0.2, recovery=300.0)
    made = claim([RESTART], [_known("kill_all", 600)], loose, BUDGETS)
    assert (made.verdict, made.standard) == (Verdict.PASSED, Verdict.FAILED)
