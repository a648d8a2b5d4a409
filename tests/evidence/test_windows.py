"""Requests, put where they were due."""

from itertools import pairwise

import pytest

from mainstay.evidence.windows import bars, tallies, windows
from mainstay.model.record import Failure
from tests.evidence.loads import failing, record, steady


def test_every_request_that_counts_is_in_one_window() -> None:
    found = windows(steady(100.0, 109.0), 100.0, 109.0, 2.0)
    assert [(one.start, one.seconds, one.due) for one in found] == [
        (0.0, 2.0, 40),
        (2.0, 2.0, 40),
        (4.0, 2.0, 40),
        (6.0, 2.0, 40),
        (8.0, 1.0, 20),
    ]


def test_a_request_belongs_to_when_it_was_due_not_to_when_it_was_answered() -> None:
    first, second = windows([record(1.0, wait=3.0)], 0.0, 4.0)
    assert (first.due, first.worst, second.due) == (1, 3.0, 0)


def test_what_filled_pools_or_was_due_outside_does_not_count() -> None:
    (one,) = windows([record(0.5, stocking=True), record(-1.0), record(2.0), record(1.0)], 0.0, 2.0)
    assert one.due == 1


def test_an_empty_window_has_no_latency() -> None:
    (one,) = windows([], 0.0, 2.0)
    assert (one.due, one.p50, one.p95, one.worst, one.fresh_p95) == (0, None, None, None, None)


def test_fresh_connections_are_told_apart() -> None:
    kept = [record(0.1 * n, 0.01, fresh=False) for n in range(10)]
    hung = [record(0.1 * n, 0.5, failure=Failure.TIMED_OUT, fresh=True) for n in range(10)]
    (one,) = windows(kept + hung, 0.0, 2.0)
    assert (one.due, one.failed, one.fresh_due, one.fresh_failed) == (20, 10, 10, 10)
    assert one.fresh_p95 == pytest.approx(0.5)


def test_a_quick_refusal_does_not_flatter_the_latency() -> None:
    refused = [record(0.1, 0.001, failure=Failure.REFUSED)] * 50
    (one,) = windows([*refused, record(0.2, 0.3)], 0.0, 2.0)
    assert (one.p50, one.failed) == (0.3, 50)


def test_a_window_needs_a_width() -> None:
    with pytest.raises(ValueError, match="needs a width"):
        windows([], 0.0, 2.0, 0.0)


def test_tallies_say_what_was_answered_by_action() -> None:
    records = [
        *failing([record(0, action="pay"), record(0, action="pay")], 503),
        record(0, action="pay"),
        record(0, action="list", wait=0.2),
        record(0, action="pay", failure=Failure.TIMED_OUT, wait=10.0),
    ]
    pay, listed = tallies(records)
    assert (pay.action, pay.sent, pay.ok) == ("pay", 4, 1)
    assert pay.statuses == {"503": 2, "200": 1, "timed out": 1}
    assert (pay.p50, pay.p99) == (0.05, 10.0)
    assert (listed.action, listed.ok, listed.p95) == ("list", 1, 0.2)


def test_bars_hold_each_wait_once_and_leave_no_gap() -> None:
    waits = [0.0009, 0.001, 0.00101, 0.01, 0.5, 0.0]
    found = bars([record(0, wait) for wait in waits])
    assert sum(bar.count for bar in found) == len(waits)
    steps = [later.upto / bar.upto for bar, later in pairwise(found)]
    assert all(step == pytest.approx(10**0.1) for step in steps)
    for wait in waits:
        bar = next(bar for bar in found if wait <= bar.upto * (1 + 1e-9))
        assert bar.count


def test_no_wait_makes_no_bar() -> None:
    assert bars([record(0, failure=Failure.CUT)]) == ()
