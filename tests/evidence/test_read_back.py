"""Writes, asked for again through the API."""

from mainstay.evidence.read_back import ReadBack, claim
from mainstay.model.proof import Verdict


def _reads(*statuses: int) -> list[ReadBack]:
    return [ReadBack("add_order", f"/orders/{number}", status) for number, status in enumerate(statuses)]


def test_all_that_were_acknowledged_are_shown() -> None:
    made = claim(_reads(*[200] * 300))
    assert made.verdict is Verdict.PASSED
    assert (
        made.said
        == "0 of 300 acknowledged writes read back were not there: at most 0.994 % at 95 % confidence."
    )


def test_one_that_is_not_found_fails_and_is_named() -> None:
    made = claim(_reads(200, 404))
    assert made.verdict is Verdict.FAILED
    assert made.evidence == ("add_order: GET /orders/1 answered 404",)


def test_a_read_that_fails_tells_nothing_of_the_write() -> None:
    assert claim(_reads(200, 503, 0)).said.endswith("; 2 more reads failed.")
    assert claim(_reads(503, 0)).verdict is Verdict.INCONCLUSIVE
    assert claim([]).verdict is Verdict.INCONCLUSIVE
