from mainstay.fingerprints import fingerprints
from mainstay.model.finding import Answers, Confidence, Finding, Severity
from mainstay.model.location import Location


def finding(
    line: int, message: str = "charge() waits", *, rule: str = "r", path: str = "a.py", subject: str = ""
) -> Finding:
    answers = Answers("", "", "", "", "")
    return Finding(
        rule,
        message,
        Location(path, line),
        Severity.HIGH,
        Confidence.HIGH,
        answers,
        clears="",
        subject=subject,
    )


def test_moved_lines_change_nothing() -> None:
    before = fingerprints([finding(3), finding(9, "refund() waits")])
    assert fingerprints([finding(53), finding(90, "refund() waits")]) == before


def test_lines_named_in_the_message_change_nothing() -> None:
    before = fingerprints([finding(3, "opened at a.py:12 and held to line 14")])
    assert fingerprints([finding(5, "opened at a.py:99 and held to line 3")]) == before


def test_a_subject_stands_for_the_message() -> None:
    assert fingerprints([finding(3, "old words", subject="pay")]) == fingerprints(
        [finding(3, "new words", subject="pay")]
    )


def test_rule_path_and_message_tell_findings_apart() -> None:
    findings = [finding(1), finding(1, rule="s"), finding(1, path="b.py"), finding(1, "other")]
    assert len(set(fingerprints(findings))) == 4


def test_findings_alike_are_told_apart_by_their_order_in_the_file() -> None:
    first, second = finding(3), finding(30)
    assert fingerprints([second, first]) == fingerprints([first, second])[::-1]
    assert len(set(fingerprints([first, second]))) == 2


def test_a_name_that_is_not_utf_8_has_a_fingerprint_too() -> None:
    assert len(fingerprints([finding(1, "caf\udce9")])[0]) == 32
