"""When users are well again after a fault, and when that cannot be told."""

import random

import pytest

from mainstay.budgets import STANDARD
from mainstay.evidence.recovery import Fault, Recovery, State, claim, recovery
from mainstay.model.budget import Budgets
from mainstay.model.proof import Verdict
from mainstay.model.record import Failure, Record
from tests.evidence.loads import BUDGETS, failing, record, steady

FAULT = Fault(start=110.0, lifted=115.0)
UNTIL = 180.0
LONGEST = 30.0  # the pool timeout of the made-up service


def _hung(began: float, ended: float, rate: float = 20.0) -> list[Record]:
    """Fresh connections time out; those that are kept never meet the worker that hangs."""
    return [
        one if not one.fresh else record(one.due, 10.0, failure=Failure.TIMED_OUT)
        for one in steady(began, ended, rate)
    ]


def _down(began: float, ended: float) -> list[Record]:
    return failing(steady(began, ended))


def _judged(found: Recovery, budgets: Budgets = BUDGETS) -> tuple[Verdict, str]:
    made = claim(found, budgets, STANDARD, LONGEST)
    return made.verdict, made.said


def test_it_counts_from_the_start_of_the_fault_to_the_first_window_that_stays_well() -> None:
    records = steady(100, 110) + _down(110, 117.3) + steady(117.3, 180)
    found = recovery(records, [FAULT], UNTIL, BUDGETS)
    assert (found.seconds, found.after_lifted) == (8.0, 3.0)
    assert found.outage == pytest.approx(7.5)
    assert found.lost == pytest.approx(7.3, abs=0.1)
    verdict, said = _judged(found)
    assert verdict is Verdict.PASSED
    assert said.startswith("Well again 8 s after the fault began, 3 s after it was lifted (to 2 s); 146 of")


def test_a_fault_that_nobody_notices_has_no_outage() -> None:
    found = recovery(steady(100, 180), [FAULT], UNTIL, BUDGETS)
    assert (found.seconds, found.outage, found.failed) == (0.0, 0.0, 0)
    assert _judged(found) == (Verdict.PASSED, "Users did not notice.")


def test_workers_that_hang_for_good_fail_though_kept_connections_are_well() -> None:
    found = recovery(steady(100, 110) + _hung(110, 180), [FAULT], UNTIL, BUDGETS)
    assert found.seconds is None
    verdict, said = _judged(found)
    assert verdict is Verdict.FAILED
    assert said.startswith("Outlives its cause: still failing 65 s after the fault was lifted")


def test_a_later_bad_window_moves_the_recovery_behind_it() -> None:
    records = steady(100, 110) + _down(110, 116) + steady(116, 140) + _down(140, 141) + steady(141, 180)
    assert recovery(records, [FAULT], UNTIL, BUDGETS).seconds == 32.0


def test_well_between_two_drops_is_not_recovered_and_both_times_are_said() -> None:
    faults = [Fault(110, 112), Fault(118, 120), Fault(126, 128)]
    records = steady(100, 110)
    for start in (110, 118, 126):
        records += _down(start, start + 4) + steady(start + 4, start + 8)
    found = recovery(records + steady(134, 180), faults, UNTIL, BUDGETS)
    assert (found.seconds, found.after_last, found.after_lifted) == (20.0, 4.0, 2.0)
    assert (
        "20 s after the fault began, 4 s after the last of 3 began, 2 s after it was lifted"
        in _judged(found)[1]
    )


def test_slow_on_fresh_connections_is_not_well() -> None:
    slow = [record(one.due, 2.0 if one.fresh else 0.05, fresh=one.fresh) for one in steady(110, 130)]
    found = recovery(steady(100, 110) + slow + steady(130, 180), [FAULT], UNTIL, BUDGETS)
    assert found.seconds == 20.0
    assert found.failed == 0


def test_slow_to_the_end_outlives_its_cause_too() -> None:
    found = recovery(steady(100, 110) + steady(110, 180, wait=0.9), [FAULT], UNTIL, BUDGETS)
    verdict, said = _judged(found)
    assert verdict is Verdict.FAILED
    assert "still slow 65 s" in said


def test_a_recovery_beyond_its_budget_fails() -> None:
    tight = Budgets(availability=0.999, errors=0.001, p95=0.2, recovery=5.0)
    found = recovery(steady(100, 110) + _down(110, 117) + steady(117, 180), [FAULT], UNTIL, tight)
    verdict, said = _judged(found, tight)
    assert verdict is Verdict.FAILED
    assert "the budget is 5 s" in said


def test_a_loosened_budget_also_shows_the_verdict_against_the_standing_one() -> None:
    loose = Budgets(availability=0.999, errors=0.001, p95=0.2, recovery=900.0)
    found = recovery(steady(100, 110) + _down(110, 500) + steady(500, 600), [FAULT], 600.0, loose)
    made = claim(found, loose, STANDARD, LONGEST)
    assert (made.verdict, made.standard) == (Verdict.PASSED, Verdict.FAILED)


@pytest.mark.parametrize("end", [steady(116, 130), _down(116, 130)], ids=["well", "failing"])
def test_a_watch_that_is_shorter_than_the_longest_timeout_settles_nothing(end: list[Record]) -> None:
    found = recovery(steady(100, 110) + _down(110, 116) + end, [FAULT], 130.0, BUDGETS)
    verdict, said = _judged(found)
    assert verdict is Verdict.INCONCLUSIVE
    assert "watched for 15 s, which is less than the longest timeout, 30 s" in said


def test_a_watch_is_no_longer_than_requests_came() -> None:
    found = recovery(steady(100, 120), [FAULT], UNTIL, BUDGETS)
    assert found.watched < 10.0
    assert _judged(found)[0] is Verdict.INCONCLUSIVE


def test_one_bad_window_at_the_end_is_not_held_against_it_but_settles_nothing() -> None:
    found = recovery(steady(100, 178) + _down(178, 178.2) + steady(178.2, 180), [FAULT], UNTIL, BUDGETS)
    assert found.seconds is None
    verdict, said = _judged(found)
    assert verdict is Verdict.INCONCLUSIVE
    assert "Not steadily well" in said


def test_windows_with_too_few_requests_are_widened() -> None:
    found = recovery(steady(100, 110, 2.0) + steady(110, 180, 2.0), [FAULT], UNTIL, BUDGETS)
    assert found.width == pytest.approx(10.0, rel=0.05)
    assert sum(one.due for one in found.windows) == found.due == 140


def test_a_request_that_the_fault_caught_on_its_way_counts() -> None:
    caught = record(109.9, 0.3, failure=Failure.CUT)
    found = recovery([*steady(100, 109.9), caught, *steady(110, 180)], [FAULT], UNTIL, BUDGETS)
    assert (found.failed, found.seconds, found.unwell_before) == (1, 2.0, 0)


def test_failures_before_the_fault_are_said() -> None:
    found = recovery([*_down(100, 101), *steady(101, 180)], [FAULT], UNTIL, BUDGETS)
    assert "20 requests had failed before the fault" in _judged(found)[1]


def test_on_a_slow_machine_well_is_what_was_steady_before_and_it_says_so() -> None:
    records = steady(100, 110, wait=0.25) + _down(110, 116) + steady(116, 180, wait=0.3)
    found = recovery(records, [FAULT], UNTIL, BUDGETS)
    assert found.seconds == 6.0
    verdict, said = _judged(found)
    assert verdict is Verdict.PASSED
    assert "p95 was 250 ms before the fault already, so up to 500 ms counts as well, not 200 ms" in said


def test_requests_that_we_sent_late_do_not_make_the_service_slow() -> None:
    late = steady(116, 180, wait=0.4, lag=0.35)
    found = recovery(steady(100, 110) + _down(110, 116) + late, [FAULT], UNTIL, BUDGETS)
    assert (found.seconds, _judged(found)[0]) == (6.0, Verdict.PASSED)


def test_where_all_latencies_are_late_failures_alone_are_judged() -> None:
    late = steady(110, 180, wait=0.9, lag=0.35)
    found = recovery(steady(100, 110) + late, [FAULT], UNTIL, BUDGETS)
    assert found.by_failures
    verdict, said = _judged(found)
    assert verdict is Verdict.PASSED
    assert "judged by failures alone" in said


def test_what_is_slow_while_others_use_the_machine_does_not_count_against_it() -> None:
    slow = steady(110, 130, wait=0.9) + steady(130, 180)
    assert recovery(steady(100, 110) + slow, [FAULT], UNTIL, BUDGETS).seconds == 20.0
    found = recovery(steady(100, 110) + slow, [FAULT], UNTIL, BUDGETS, busy=lambda start, end: end <= 130)
    assert found.seconds == 20.0
    assert State.SLOW not in found.states
    busy = recovery(
        steady(100, 110) + steady(110, 180, wait=0.9), [FAULT], UNTIL, BUDGETS, busy=lambda *_: True
    )
    assert (busy.seconds, busy.by_failures) == (0.0, True)


def test_failures_count_however_busy_the_machine_is() -> None:
    records = steady(100, 110) + failing(steady(110, 180))
    assert recovery(records, [FAULT], UNTIL, BUDGETS, busy=lambda *_: True).seconds is None


def test_a_late_driver_does_not_excuse_failures() -> None:
    late = failing(steady(110, 180, lag=0.35, wait=0.4))
    assert _judged(recovery(steady(100, 110) + late, [FAULT], UNTIL, BUDGETS))[0] is Verdict.FAILED


def test_without_fresh_connections_nothing_is_told() -> None:
    kept = [record(one.due, fresh=False) for one in steady(100, 180)]
    assert _judged(recovery(kept, [FAULT], UNTIL, BUDGETS))[0] is Verdict.INCONCLUSIVE


def test_an_instance_that_is_not_reached_any_more_settles_nothing() -> None:
    records = steady(100, 110) + steady(100, 110, target=1) + steady(110, 180)
    found = recovery(records, [FAULT], UNTIL, BUDGETS)
    verdict, said = _judged(found)
    assert verdict is Verdict.INCONCLUSIVE
    assert "1 address of 2 served no fresh request since" in said


def test_too_few_fresh_requests_to_reach_every_worker_settle_nothing() -> None:
    few = recovery(steady(100, 180, 0.5), [FAULT], UNTIL, BUDGETS, workers=8)
    assert "may not have reached each of 8 workers" in few.missed
    assert not recovery(steady(100, 180), [FAULT], UNTIL, BUDGETS, workers=8).missed


def test_without_a_fault_there_is_nothing_to_recover_from() -> None:
    with pytest.raises(ValueError, match="no fault"):
        recovery(steady(100, 110), [], UNTIL, BUDGETS)


def test_a_sound_service_on_a_noisy_machine_never_fails() -> None:
    for seed in range(15):
        chance = random.Random(seed)
        records = []
        for one in steady(100, 180):
            lag = chance.expovariate(1 / 0.02)
            wait = lag + chance.lognormvariate(-2.5, 0.7)
            down = 110 <= one.due < 116
            status = 503 if down else 200
            records.append(record(one.due, wait, status=status, lag=lag, fresh=one.fresh))
        verdict, said = _judged(recovery(records, [FAULT], UNTIL, BUDGETS))
        assert verdict is Verdict.PASSED, said
