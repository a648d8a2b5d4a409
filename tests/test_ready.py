"""The verb `ready`: six gates, one answer."""

import json
import re

import msgspec
import pytest

from mainstay.budgets import STANDARD
from mainstay.model.gate import Readiness
from mainstay.model.proof import Subject, Verdict
from mainstay.ready import exit_status, gates, ready
from mainstay.reports import readiness_json, readiness_text
from tests.gates import fake
from tests.reports.proof import fake as proofs


def test_the_whole_is_no_better_than_its_worst_gate() -> None:
    readiness = ready(fake.review(), fake.proof(), fake.FACTS)
    assert [gate.verdict.value for gate in readiness.gates] == ["passed"] * 5 + ["inconclusive"]
    assert readiness.verdict is Verdict.INCONCLUSIVE


def test_nothing_is_ready_when_nobody_looked() -> None:
    readiness = ready(None, None, None)
    assert {gate.verdict for gate in readiness.gates} == {Verdict.INCONCLUSIVE}
    assert exit_status(readiness.verdict) == 3


def test_a_failure_wins_over_doubt_and_a_void_run_over_both() -> None:
    failed = fake.proof(fake.measurement("x", fake.claim(Subject.INTEGRITY, Verdict.FAILED)))
    void = fake.proof(fake.measurement("x", verdict=Verdict.ERROR, why="The proxy ended."))
    assert ready(fake.review(), failed, None).verdict is Verdict.FAILED
    assert ready(fake.review(), void, None).verdict is Verdict.ERROR


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(Verdict.PASSED, 0), (Verdict.FAILED, 1), (Verdict.ERROR, 2), (Verdict.INCONCLUSIVE, 3)],
)
def test_the_exit_status_tells_the_verdict(verdict: Verdict, status: int) -> None:
    assert exit_status(verdict) == status


def test_a_proof_against_other_budgets_has_to_be_made_again() -> None:
    stricter = msgspec.structs.replace(STANDARD, p95=0.1)
    readiness = ready(fake.review(), fake.proof(), fake.FACTS, stricter)
    assert readiness.verdict is Verdict.INCONCLUSIVE
    assert readiness.cautions == (
        "The budgets have changed since the proof: p95 100 ms (measured against: 200 ms). Measure again.",
    )


def test_loosened_budgets_are_told_even_without_a_proof() -> None:
    loose = msgspec.structs.replace(STANDARD, errors=0.05)
    assert ready(fake.review(), None, None, loose).cautions == (
        "Budgets of this project: errors 5 % (standard: 0.1 %).",
    )


def test_what_a_quick_proof_leaves_out_is_told() -> None:
    quick = msgspec.structs.replace(fake.proof(), profile="quick")
    assert (
        "The proof is of the quick profile; the full one does every experiment."
        in ready(fake.review(), quick, None).cautions
    )


def test_a_proof_that_failed_as_a_whole_is_never_outvoted() -> None:
    void = msgspec.structs.replace(fake.proof(), verdict=Verdict.ERROR)
    readiness = ready(fake.review(), void, fake.FACTS)
    assert readiness.verdict is Verdict.ERROR
    assert "The proof as a whole is void by our own fault." in readiness.cautions


def test_the_gates_alone_are_the_same() -> None:
    assert (
        gates(fake.review(), fake.proof(), fake.FACTS) == ready(fake.review(), fake.proof(), fake.FACTS).gates
    )


# --- how it is shown -------------------------------------------------------------------------------


def passed() -> Readiness:
    """As if the tests had passed as well."""
    readiness = ready(fake.review(), fake.proof(), fake.FACTS)
    gates = tuple(msgspec.structs.replace(gate, verdict=Verdict.PASSED) for gate in readiness.gates[:5])
    return msgspec.structs.replace(readiness, gates=gates, verdict=Verdict.PASSED)


def test_the_text_begins_with_the_answer() -> None:
    assert readiness_text.render(passed()).startswith("Ready: all 5 gates passed.\n")
    failed = fake.proof(fake.measurement("x", fake.claim(Subject.INTEGRITY, Verdict.FAILED)))
    text = readiness_text.render(ready(fake.review(), failed, fake.FACTS))
    assert text.startswith("Not ready: of 6 gates, 1 failed, 1 inconclusive, 4 passed.\n")
    unknown = readiness_text.render(ready(None, None, None))
    assert unknown.startswith("Not known to be ready: of 6 gates, 6 inconclusive.\n")


def test_the_text_names_what_each_gate_rests_on() -> None:
    review = fake.review(fake.finding("call-without-deadline"))
    text = readiness_text.render(ready(review, fake.proof(), fake.FACTS))
    assert "Error handling: failed\n" in text
    assert (
        "  failed        it is call-without-deadline\n                app.py:7, review call-without" in text
    )
    assert "more pieces of evidence" in text
    assert "Security: passed\n" in text
    assert "                open-to-anyone/security-claim, prove\n" in text


def test_hostile_text_prints() -> None:
    readiness = ready(fake.review(), proofs.hostile(), fake.FACTS)
    for page in (readiness_text.render(readiness), readiness_json.render(readiness)):
        assert {c for c in page if not c.isprintable()} == {"\n"}


def test_colour_adds_colour_and_nothing_else() -> None:
    readiness = ready(fake.review(), fake.proof(), fake.FACTS)
    coloured = readiness_text.render(readiness, colour=True)
    assert "\x1b[1;32m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == readiness_text.render(readiness)


def test_the_json_reads_back_the_same() -> None:
    readiness = ready(fake.review(), fake.proof(), fake.FACTS)
    text = readiness_json.render(readiness)
    assert msgspec.json.decode(text, type=Readiness) == readiness
    assert json.loads(text)["schema"] == 1
