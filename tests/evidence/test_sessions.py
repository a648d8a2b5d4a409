"""What one caller may rely on."""

from mainstay.evidence.sessions import Exchange, claims, sums
from mainstay.model.proof import Verdict


def _wrote(who: str, value: str, began: float, ended: float, *, acknowledged: bool = True) -> Exchange:
    return Exchange(who, "order", True, value, began, ended, acknowledged)


def _read(who: str, value: str | None, began: float) -> Exchange:
    return Exchange(who, "order", False, value, began, began + 0.1)


def test_a_caller_who_reads_what_he_wrote_is_content() -> None:
    totals = sums([_wrote("a", "1", 0, 1), _read("a", "1", 2), _read("a", "1", 3)])
    assert (totals.after_own, totals.not_own, totals.again, totals.backwards) == (2, 0, 1, 0)
    assert [claim.verdict for claim in claims(totals)] == [Verdict.PASSED, Verdict.PASSED]


def test_an_older_value_after_ones_own_write_is_a_breach() -> None:
    totals = sums([_wrote("b", "0", 0, 1), _wrote("a", "1", 2, 3), _read("a", "0", 4)])
    assert totals.not_own == 1
    assert claims(totals)[0].verdict is Verdict.FAILED
    assert claims(totals)[0].evidence == ("a wrote 1 to order and then read 0",)


def test_what_was_there_before_anyone_wrote_is_older() -> None:
    assert sums([_wrote("a", "1", 0, 1), _read("a", None, 2)]).not_own == 1


def test_what_somebody_else_wrote_since_or_meanwhile_is_no_breach() -> None:
    since = [_wrote("a", "1", 0, 1), _wrote("b", "2", 2, 3), _read("a", "2", 4)]
    meanwhile = [_wrote("a", "1", 0, 2), _wrote("b", "2", 1, 3), _read("a", "2", 4)]
    assert sums(since).not_own == sums(meanwhile).not_own == 0


def test_a_write_without_an_answer_promises_nothing() -> None:
    assert sums([_wrote("a", "1", 0, 1, acknowledged=False), _read("a", None, 2)]).after_own == 0


def test_reads_that_go_back_are_a_breach() -> None:
    totals = sums([_wrote("b", "1", 0, 1), _wrote("b", "2", 2, 3), _read("a", "2", 4), _read("a", "1", 5)])
    assert (totals.again, totals.backwards) == (1, 1)
    assert claims(totals)[1].evidence == ("a read 2 of order and then 1",)


def test_reads_at_the_same_time_or_of_others_are_not_compared() -> None:
    writes = [_wrote("b", "1", 0, 1), _wrote("b", "2", 2, 3)]
    assert sums([*writes, _read("a", "2", 4), _read("a", "1", 4.05)]).again == 0
    assert sums([*writes, _read("a", "2", 4), _read("c", "1", 5)]).again == 0


def test_no_read_that_could_tell_settles_nothing() -> None:
    assert {claim.verdict for claim in claims(sums([_wrote("a", "1", 0, 1)]))} == {Verdict.INCONCLUSIVE}
