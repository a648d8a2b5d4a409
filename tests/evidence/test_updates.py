"""Changes to one number, asked for at once."""

from mainstay.evidence.updates import Tallied, claim
from mainstay.model.proof import Verdict


def test_the_sum_of_all_changes_is_there() -> None:
    made = claim([Tallied("a", 10, 15, acknowledged=5), Tallied("b", 0, -4, acknowledged=2, by=-2)])
    assert made.verdict is Verdict.PASSED
    assert made.said.startswith("Of 7 acknowledged changes to 2 numbers, 0 were lost")


def test_acknowledged_changes_that_are_missing_are_lost() -> None:
    made = claim([Tallied("a", 10, 13, acknowledged=5)])
    assert made.verdict is Verdict.FAILED
    assert made.evidence == ("a: 10 and 5 changes of 1 (and 0 without an answer) made 13",)


def test_changes_without_an_answer_may_be_there_or_not() -> None:
    for after in (15, 16, 17):
        assert claim([Tallied("a", 10, after, acknowledged=5, unknown=2)]).verdict is Verdict.PASSED
    assert claim([Tallied("a", 10, 18, acknowledged=5, unknown=2)]).verdict is Verdict.FAILED


def test_no_change_settles_nothing() -> None:
    assert claim([Tallied("a", 1, 1, acknowledged=0)]).verdict is Verdict.INCONCLUSIVE
