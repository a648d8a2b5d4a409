"""What callers were told of their writes, against what was found."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.evidence.ledger import claims, judge, tokens, writes
from mainstay.model.ledger import Found, Token
from mainstay.model.proof import Claim, LedgerTotals, Verdict
from mainstay.model.record import Failure, Fate, Record


def _sent(marker: str, status: int = 201, *, attempt: int = 0, made: str = "", key: str = "") -> Record:
    return Record(
        action="add",
        due=0.0,
        sent=0.0,
        done=1.0 + attempt,
        status=status,
        failure=Failure.NONE if status else Failure.CUT,
        expected=status == 201,
        marker=marker,
        key=key,
        made=made,
        attempt=attempt,
        writes=True,
    )


def _markers(**times: int) -> dict[str, Found]:
    return {"add": Found(Token.MARKER, "notes.text", times)}


def _ids(*rows: str, by_key: Mapping[str, str] | None = None, complete: bool = True) -> dict[str, Found]:
    times = dict.fromkeys(rows, 1)
    return {"add": Found(Token.MADE, "notes.id", times, made_by_key=dict(by_key or {}), complete=complete)}


def _by_name(totals: LedgerTotals) -> dict[str, Claim]:
    return {claim.name: claim for claim in claims(totals)}


def test_attempts_with_one_marker_are_one_write() -> None:
    (write,) = writes([_sent("a", 0), _sent("a", 503, attempt=1), _sent("a", 201, attempt=2)])
    assert (write.fate, write.statuses) == (Fate.ACKNOWLEDGED, (0, 503, 201))


def test_refused_after_no_answer_is_unknown() -> None:
    (write,) = writes([_sent("a", 0), _sent("a", 409, attempt=1)])
    assert (write.fate, write.denied) == (Fate.UNKNOWN, False)


def test_a_key_sent_again_with_another_body_is_one_write_and_by_another_caller_another() -> None:
    again = [_sent("a", key="k"), _sent("b", key="k")]
    other = Record("add", 0, 0, 1, 201, expected=True, actor="eve", marker="c", key="k", writes=True)
    assert judge(again, _markers(a=1)).lost == 0
    assert judge(again, _markers(a=1, b=1)).doubled == 1
    assert judge([*again, other], _markers(a=1)).lost == 1


def test_reads_are_no_writes_and_what_filled_a_pool_is_one() -> None:
    read = Record("list", 0, 0, 1, status=200, expected=True, marker="r")
    stocked = Record("add", 0, 0, 1, status=201, expected=True, marker="s", writes=True, stocking=True)
    assert [write.markers for write in writes([read, stocked])] == [("s",)]


def test_a_clean_ledger_passes_with_its_bounds() -> None:
    sent = [_sent(f"m{number}") for number in range(300)]
    totals = judge(sent, _markers(**{f"m{number}": 1 for number in range(300)}))
    assert (totals.sent, totals.acknowledged, totals.checked, totals.found) == (300, 300, 300, 300)
    found = _by_name(totals)
    assert {claim.verdict for claim in found.values()} == {Verdict.PASSED}
    assert found["no-acknowledged-write-lost"].said == (
        "0 of 300 acknowledged writes lost: at most 0.994 % at 95 % confidence."
    )
    assert "no-refused-write-applied" not in found


def test_acknowledged_and_not_there_is_lost() -> None:
    totals = judge([_sent("a"), _sent("b")], _markers(a=1))
    claim = _by_name(totals)["no-acknowledged-write-lost"]
    assert (totals.lost, claim.verdict) == (1, Verdict.FAILED)
    assert claim.evidence == ("add b was answered 201, and is not there (notes.text)",)


def test_there_twice_is_doubled_whatever_was_answered() -> None:
    sent = [_sent("a", 0), _sent("a", 201, attempt=1), _sent("b", 0), _sent("c", 500)]
    totals = judge(sent, _markers(a=2, b=3, c=2))
    assert totals.doubled == 3
    claim = _by_name(totals)["no-write-applied-twice"]
    assert claim.verdict is Verdict.FAILED
    assert claim.evidence[0] == "add a was answered no answer, 201, and is there 2 times (notes.text)"


def test_a_refusal_with_5xx_that_was_applied_is_an_honest_unknown() -> None:
    totals = judge([_sent("a", 500), _sent("b", 503)], _markers(a=1))
    claim = _by_name(totals)["no-refused-write-applied"]
    assert (totals.refused_but_applied, totals.denied_but_applied) == (1, 0)
    assert claim.verdict is Verdict.PASSED
    assert "1 more applied behind a 5xx, which a caller has to take as unknown" in claim.said


def test_a_refusal_with_4xx_that_was_applied_is_a_false_statement() -> None:
    totals = judge([_sent("a", 422)], _markers(a=1))
    assert totals.denied_but_applied == 1
    assert _by_name(totals)["no-refused-write-applied"].verdict is Verdict.FAILED


def test_a_timeout_of_the_server_says_nothing_for_certain() -> None:
    assert judge([_sent("a", 408)], _markers(a=1)).denied_but_applied == 0


def test_a_write_that_never_got_an_answer_may_be_there_or_not() -> None:
    totals = judge([_sent("a", 0), _sent("b", 0)], _markers(a=1))
    assert (totals.unknown, totals.unknown_and_applied, totals.lost, totals.phantom) == (2, 1, 0, 0)


def test_what_nobody_sent_is_a_phantom_unless_it_was_known() -> None:
    found = _markers(a=1, ghost=1, earlier=1)
    totals = judge([_sent("a")], found, known={"earlier"})
    assert totals.phantom == 1
    assert _by_name(totals)["no-phantom-write"].evidence == ("notes.text holds ghost, which nobody sent",)


def test_earlier_writes_are_known_by_their_tokens() -> None:
    earlier = [_sent("old", made="7", key="k")]
    assert tokens(earlier) == {"old", "7", "k"}
    assert judge([_sent("a")], _markers(a=1, old=1), known=tokens(earlier)).phantom == 0


def test_one_home_of_two_actions_shows_a_phantom_once() -> None:
    home = _markers(a=1, ghost=1)["add"]
    assert judge([_sent("a")], {"add": home, "also_add": home}).phantom == 1


def test_writes_without_a_home_are_unchecked_and_it_says_so() -> None:
    totals = judge([_sent("a"), _sent("b", 0)], {})
    assert (totals.unchecked, totals.checked, totals.lost) == (2, 0, 0)
    assert {claim.verdict for claim in claims(totals)} == {Verdict.INCONCLUSIVE}


def test_when_most_writes_are_unchecked_the_rest_does_not_pass_for_all() -> None:
    other = [Record("other", 0, 0, 1, 201, expected=True, marker=f"o{n}", writes=True) for n in range(5)]
    claim = _by_name(judge([_sent("a"), *other], _markers(a=1)))["no-acknowledged-write-lost"]
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.said.endswith("; 5 of 6 could not be looked up.")


def test_what_the_load_itself_deleted_is_not_lost() -> None:
    deleted = Record("delete", 0, 0, 1, 204, expected=True, taken=("17",), writes=True)
    sent = [_sent("a", made="17"), _sent("b", made="18"), deleted]
    assert judge(sent, _markers(b=1), removers={"delete"}).lost == 0
    assert judge(sent, _markers(b=1)).lost == 1


def test_an_id_that_was_answered_and_is_not_there_is_lost() -> None:
    totals = judge([_sent("", made="1", key="x"), _sent("", made="2", key="y")], _ids("1"))
    assert (totals.lost, totals.checked) == (1, 2)


def test_two_ids_answered_to_one_key_are_a_double() -> None:
    sent = [_sent("", made="1", key="x"), _sent("", made="2", key="x", attempt=1)]
    assert judge(sent, _ids("1", "2")).doubled == 1


def test_the_id_stored_with_a_key_tells_of_a_write_without_an_answer() -> None:
    totals = judge([_sent("", 0, key="x"), _sent("", 0, key="y")], _ids("9", by_key={"x": "9"}))
    assert (totals.unknown_and_applied, totals.phantom) == (1, 0)


def test_rows_that_nobody_answers_for_go_to_writes_without_an_answer_and_then_are_too_many() -> None:
    sent = [_sent("", made="1", key="x"), _sent("", 0, key="y"), _sent("", 503, key="z")]
    assert judge(sent, _ids("1", "2")).unknown_and_applied == 1
    totals = judge(sent, _ids("1", "2", "3"))
    assert (totals.unknown_and_applied, totals.refused_but_applied, totals.phantom) == (1, 1, 0)
    assert judge(sent, _ids("1", "2", "3", "4")).phantom == 1


def test_rows_from_before_are_nobodys_fault() -> None:
    assert judge([_sent("", made="3", key="x")], _ids("1", "2", "3"), known={"1", "2"}).phantom == 0


def test_in_a_table_too_big_to_read_a_write_without_an_answer_is_unchecked() -> None:
    totals = judge([_sent("", made="1", key="x"), _sent("", 0, key="y")], _ids("1", complete=False))
    assert (totals.unchecked, totals.checked) == (1, 1)


_OUTCOMES = st.sampled_from([201, 500, 422, 0])


@settings(deadline=None)
@given(st.lists(st.tuples(_OUTCOMES, st.integers(0, 3)), max_size=40), st.integers(0, 3))
def test_planted_faults_are_counted_exactly(planted: list[tuple[int, int]], ghosts: int) -> None:
    sent = [_sent(f"m{number}", status) for number, (status, _) in enumerate(planted)]
    times = {f"m{number}": applied for number, (_, applied) in enumerate(planted) if applied}
    times |= {f"ghost{number}": 1 for number in range(ghosts)}
    totals = judge(sent, _markers(**times))
    assert totals.lost == sum(status == 201 and applied == 0 for status, applied in planted)
    assert totals.doubled == sum(applied > 1 for _, applied in planted)
    assert totals.unknown_and_applied == sum(status == 0 and applied > 0 for status, applied in planted)
    assert totals.refused_but_applied == sum(status >= 400 and applied > 0 for status, applied in planted)
    assert totals.denied_but_applied == sum(status == 422 and applied > 0 for status, applied in planted)
    assert totals.phantom == ghosts
    assert totals.sent == totals.acknowledged + totals.refused + totals.unknown == len(planted)


def test_only_the_worst_entries_are_shown() -> None:
    sent = [_sent(f"m{number}") for number in range(100)]
    totals = judge(sent, _markers(ghost=1))
    assert (totals.lost, len(totals.entries)) == (100, 20)
    assert {entry.kind for entry in totals.entries} == {"lost"}
