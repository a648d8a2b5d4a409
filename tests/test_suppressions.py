from textwrap import dedent

import pytest

from mainstay.model.finding import Answers, Confidence, Finding, Severity
from mainstay.model.location import Location
from mainstay.model.system import File, Role
from mainstay.sources.python import read_python
from mainstay.suppressions import Suppressed, apply_suppressions, suggestion

KNOWN = frozenset({"slow-call", "lost-write"})


def suppressed(
    code: str, *places: Location, ran: frozenset[str] = KNOWN, role: Role = Role.SOURCE
) -> Suppressed:
    """What the suppressions in `code` do about a finding of `slow-call` at each place."""
    file = File("a.py", "a", role, read_python(dedent(code).encode()))
    answers = Answers("", "", "", "", "")
    findings = [
        Finding("slow-call", "slow", place, Severity.HIGH, Confidence.HIGH, answers, clears="")
        for place in places
    ]
    return apply_suppressions([file], findings, known=KNOWN, ran=ran)


def at(line: int, end: int = 0) -> Location:
    return Location("a.py", line, end_line=end)


def said(result: Suppressed) -> list[tuple[int, str]]:
    return [(notice.location.line if notice.location else 0, notice.message) for notice in result.notices]


def test_on_the_same_line() -> None:
    found = suppressed("pay()  # mainstay: ignore[slow-call] settled nightly\nrefund()\n", at(1), at(2))
    assert found.reasons == {0: "settled nightly"}
    assert found.notices == ()


def test_on_the_line_above_when_it_stands_alone() -> None:
    code = """\
        # mainstay: ignore[slow-call] settled nightly
        pay()
        refund()
        """
    assert suppressed(code, at(2), at(3)).reasons == {0: "settled nightly"}


def test_behind_other_code_it_does_not_reach_the_next_line() -> None:
    code = """\
        other()  # mainstay: ignore[slow-call] settled nightly
        pay()
        """
    assert suppressed(code, at(2)).reasons == {}


def test_several_of_them_above_each_other() -> None:
    code = """\
        # mainstay: ignore[slow-call] settled nightly
        # mainstay: ignore[lost-write] one writer
        pay()
        """
    found = suppressed(code, at(3))
    assert found.reasons == {0: "settled nightly"}
    assert said(found) == [(2, "This suppression of lost-write suppresses nothing: it can go.")]


def test_at_the_end_of_a_call_over_several_lines() -> None:
    code = """\
        pay(
            order,
        )  # mainstay: ignore[slow-call] settled nightly
        """
    assert suppressed(code, at(1, 3)).reasons == {0: "settled nightly"}


@pytest.mark.parametrize("line", [1, 2, 3, 6, 7])
def test_on_and_above_the_decorators_of_a_function(line: int) -> None:
    lines = ["", "@route(", "    '/pay',", ")", "@login", "@audit('x')", "def pay():", "    pass"]
    suppression = "# mainstay: ignore[slow-call] settled nightly"
    lines[line - 1] = f"{lines[line - 1]}  {suppression}".strip()
    found = suppressed("\n".join(lines), at(7))
    assert found.reasons == {0: "settled nightly"}


def test_one_suppression_may_name_several_rules() -> None:
    found = suppressed("pay()  # mainstay: ignore[slow-call, lost-write] settled nightly\n", at(1))
    assert found.reasons == {0: "settled nightly"}
    assert said(found) == [(1, "This suppression of lost-write suppresses nothing: it can go.")]


def test_without_a_reason_it_does_not_count() -> None:
    found = suppressed("pay()  # mainstay: ignore[slow-call]\n", at(1))
    assert found.reasons == {}
    assert said(found) == [(1, "This suppression of slow-call gives no reason, so it does not count.")]


def test_an_unknown_rule_is_named() -> None:
    found = suppressed("pay()  # mainstay: ignore[slow-cal] settled nightly\n", at(1))
    assert found.reasons == {}
    assert said(found) == [
        (1, "This suppression names slow-cal, and there is no such rule. Did you mean slow-call?")
    ]


def test_an_unused_one_is_named_only_when_its_rule_ran_on_source() -> None:
    code = "pay()  # mainstay: ignore[slow-call] settled nightly\n"
    assert said(suppressed(code)) == [(1, "This suppression of slow-call suppresses nothing: it can go.")]
    assert said(suppressed(code, ran=frozenset({"lost-write"}))) == []
    assert said(suppressed(code, role=Role.TEST)) == []


def test_a_suggestion_only_when_something_is_close() -> None:
    assert suggestion("slow-cal", KNOWN) == " Did you mean slow-call?"
    assert suggestion("zebra", KNOWN) == ""
