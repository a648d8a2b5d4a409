"""The gates rest on evidence: what nobody looked at did not pass."""

import sys

import msgspec
import pytest

from mainstay.experiments.catalogue import all_experiments
from mainstay.gates.base import Gate
from mainstay.gates.catalogue import all_gates
from mainstay.gates.documentation import Documentation
from mainstay.gates.error_handling import ErrorHandling
from mainstay.gates.monitoring import Monitoring
from mainstay.gates.performance import Performance
from mainstay.gates.security import Security
from mainstay.model.finding import Severity
from mainstay.model.location import Location
from mainstay.model.project import AlertPage, Documents, ProjectFacts, RunbookLink
from mainstay.model.proof import Origin, Proof, Skipped, Subject, Verdict
from mainstay.model.review import Standing
from tests.gates import fake

PASSED, FAILED = Verdict.PASSED, Verdict.FAILED
INCONCLUSIVE, ERROR = Verdict.INCONCLUSIVE, Verdict.ERROR
RESTING_ON_BOTH = (ErrorHandling, Security, Performance, Monitoring)
RULE_OF = {
    ErrorHandling: "call-without-deadline",
    Security: "untrusted-value-in-sql",
    Performance: "blocking-call-in-async",
    Monitoring: "hidden-failure",
}
CLAIM_OF = {
    ErrorHandling: ("database-paused", Subject.INTEGRITY),
    Security: ("open-to-anyone", Subject.SECURITY),
    Performance: ("peak", Subject.LATENCY),
    Monitoring: ("database-paused", Subject.PAGING),
}


def verdicts(gate: type[Gate]) -> tuple[Verdict, Verdict, Verdict]:
    """With all evidence, without the review, without the proof."""
    return (
        gate().judge(fake.review(), fake.proof(), fake.FACTS).verdict,
        gate().judge(None, fake.proof(), fake.FACTS).verdict,
        gate().judge(fake.review(), None, fake.FACTS).verdict,
    )


def test_there_are_six_in_the_order_of_the_product() -> None:
    assert [gate.name() for gate in all_gates()] == [
        "error-handling", "security", "performance", "monitoring", "documentation", "tests"
    ]  # fmt: skip


@pytest.mark.parametrize("gate", all_gates())
def test_each_has_a_page(gate: type[Gate]) -> None:
    assert len(gate.paragraphs()) == 3
    assert gate.title() == gate.name().replace("-", " ").capitalize()


@pytest.mark.parametrize("gate", all_gates())
def test_without_any_evidence_none_passes(gate: type[Gate]) -> None:
    result = gate().judge(None, None)
    assert result.verdict is INCONCLUSIVE
    assert result.reasons


@pytest.mark.parametrize("gate", RESTING_ON_BOTH)
def test_half_of_the_evidence_is_not_enough(gate: type[Gate]) -> None:
    assert verdicts(gate) == (PASSED, INCONCLUSIVE, INCONCLUSIVE)


@pytest.mark.parametrize("gate", RESTING_ON_BOTH)
def test_a_passed_gate_names_what_it_rests_on(gate: type[Gate]) -> None:
    result = gate().judge(fake.review(), fake.proof(), fake.FACTS)
    assert result.reasons == ()
    assert {item.source for item in result.evidence} >= {"review", "prove"}


# --- the review --------------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", RESTING_ON_BOTH)
def test_a_finding_fails_its_own_gate_and_no_other(gate: type[Gate]) -> None:
    review = fake.review(fake.finding(RULE_OF[gate]))
    failed = [g for g in RESTING_ON_BOTH if g().judge(review, fake.proof(), fake.FACTS).verdict is FAILED]
    assert failed == [gate]
    reasons = gate().judge(review, fake.proof(), fake.FACTS).reasons
    assert reasons == (f"app.py:7: it is {RULE_OF[gate]}",)


@pytest.mark.parametrize(
    ("standing", "verdict"),
    [
        (Standing.OPEN, FAILED),
        (Standing.BASELINED, FAILED),
        (Standing.SUPPRESSED, PASSED),
        (Standing.PREVIEW, PASSED),
    ],
)
def test_what_was_known_before_is_no_better_for_that(standing: Standing, verdict: Verdict) -> None:
    review = fake.review(fake.finding("call-without-deadline", standing))
    assert ErrorHandling().judge(review, fake.proof()).verdict is verdict


def test_a_finding_below_the_threshold_fails_nothing() -> None:
    review = fake.review(fake.finding("call-without-deadline", severity=Severity.LOW))
    assert ErrorHandling().judge(review, fake.proof()).verdict is PASSED


@pytest.mark.parametrize("gate", RESTING_ON_BOTH)
def test_a_file_that_was_not_read_leaves_every_analysis_open(gate: type[Gate]) -> None:
    review = fake.review(fake.finding("file-not-read"))
    assert gate().judge(review, fake.proof(), fake.FACTS).verdict is INCONCLUSIVE
    excused = fake.review(fake.finding("file-not-read", Standing.SUPPRESSED))
    assert gate().judge(excused, fake.proof(), fake.FACTS).verdict is PASSED


def test_a_rule_that_did_not_run_found_nothing_out() -> None:
    rules = tuple(rule for rule in fake.RULES if rule != "call-without-deadline")
    result = ErrorHandling().judge(fake.review(rules=rules), fake.proof())
    assert result.verdict is INCONCLUSIVE
    assert result.reasons == ("The review left out call-without-deadline.",)


# --- the proof ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", RESTING_ON_BOTH)
@pytest.mark.parametrize("verdict", [FAILED, INCONCLUSIVE, ERROR])
def test_a_claim_decides_its_own_gate(gate: type[Gate], verdict: Verdict) -> None:
    experiment, subject = CLAIM_OF[gate]
    kept = next(m for m in fake.proof().measurements if m.experiment == experiment).claims
    claims = [fake.claim(subject, verdict) if claim.subject is subject else claim for claim in kept]
    result = gate().judge(fake.review(), fake.proof(fake.measurement(experiment, *claims)), fake.FACTS)
    assert result.verdict is verdict
    assert result.evidence[0].place == f"{experiment}/{subject}-claim"


@pytest.mark.parametrize("subject", Subject)
def test_no_failed_claim_is_lost(subject: Subject) -> None:
    broken = fake.measurement("some-fault", fake.claim(subject, FAILED))
    results = [gate().judge(fake.review(), fake.proof(broken), fake.FACTS) for gate in all_gates()]
    assert FAILED in [result.verdict for result in results]


def test_slow_answers_while_something_is_broken_are_no_matter_of_load() -> None:
    slow = fake.measurement("database-slowed", fake.claim(Subject.LATENCY, FAILED))
    assert Performance().judge(fake.review(), fake.proof(slow)).verdict is PASSED
    assert ErrorHandling().judge(fake.review(), fake.proof(slow)).verdict is FAILED


@pytest.mark.parametrize("load", ["steady", "peak"])
def test_performance_needs_both_loads(load: str) -> None:
    result = Performance().judge(fake.review(), fake.proof(without=load))
    assert result.verdict is INCONCLUSIVE
    assert len(result.reasons) == 2


@pytest.mark.parametrize("origin", [Origin.ASSUMED, Origin.OPEN])
def test_an_assumption_alone_settles_nothing(origin: Origin) -> None:
    forecast = fake.measurement("forecast", fake.claim(Subject.AVAILABILITY, PASSED, origin))
    result = ErrorHandling().judge(fake.review(), fake.proof(forecast))
    assert result.verdict is INCONCLUSIVE
    assert "It rests on assumptions alone." in result.reasons[0]


def skipping(*skipped: Skipped) -> Proof:
    proof = fake.proof()
    named = {one.experiment for one in skipped}
    others = tuple(one for one in proof.skipped if one.experiment not in named)
    return msgspec.structs.replace(proof, skipped=(*others, *skipped))


@pytest.mark.parametrize("waived", [True, False])
def test_an_experiment_that_was_left_out_did_not_pass(waived: bool) -> None:
    proof = skipping(Skipped("database-killed", "no time", waived=waived))
    result = ErrorHandling().judge(fake.review(), proof)
    assert result.verdict is INCONCLUSIVE
    assert result.reasons[0].startswith("database-killed was left out, ")
    assert Security().judge(fake.review(), proof).verdict is PASSED


def test_an_experiment_that_does_not_apply_is_not_missed() -> None:
    proof = skipping(Skipped("database-killed", "no database", applies=False))
    assert ErrorHandling().judge(fake.review(), proof).verdict is PASSED


def test_experiments_that_nobody_asked_for_are_named() -> None:
    one = msgspec.structs.replace(fake.proof(), skipped=())
    result = ErrorHandling().judge(fake.review(), one)
    assert result.verdict is INCONCLUSIVE
    assert result.reasons[-1].startswith("The proof did not try ")
    assert "database-killed" in result.reasons[-1]
    assert "database-paused" not in result.reasons[-1]


def test_without_the_extra_it_is_not_known_what_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mainstay.experiments.catalogue", None)
    result = ErrorHandling().judge(fake.review(), fake.proof())
    assert result.verdict is INCONCLUSIVE
    assert result.reasons[0].startswith(
        "Which experiments were left out is not known without mainstay[prove]"
    )


def test_the_gates_know_every_family_there_is() -> None:
    families = {experiment.family() for experiment in all_experiments()}
    assert families <= {family for gate in all_gates() for family in gate.families}


def test_a_void_experiment_makes_the_gate_void() -> None:
    void = fake.measurement("two-versions", verdict=ERROR, why="The proxy ended.")
    result = ErrorHandling().judge(fake.review(), fake.proof(void))
    assert result.verdict is ERROR
    assert result.reasons == ("two-versions: The proxy ended.",)


# --- documents and alerts ------------------------------------------------------------------------------


def test_documentation_passes_with_all_three() -> None:
    assert Documentation().judge(None, None, fake.FACTS).verdict is PASSED


@pytest.mark.parametrize(
    ("documents", "verdict", "reason"),
    [
        (Documents(recovery=("r.md",), alerts=(fake.ALERT,)), FAILED, "There is no OpenAPI document."),
        (Documents(openapi=("o.json",), alerts=(fake.ALERT,)), FAILED, "No document says how to get"),
        (Documents(("o.json",), (), ("r.md",)), INCONCLUSIVE, "There are no alert rules that runbooks"),
        (
            Documents(("o.json",), (), ("r.md",), (fake.ALERT,), ("x.yml: this is no valid YAML.",)),
            INCONCLUSIVE,
            "x.yml: this is no valid YAML.",
        ),
    ],
)
def test_what_is_not_written_down_fails_the_documentation(
    documents: Documents, verdict: Verdict, reason: str
) -> None:
    result = Documentation().judge(None, None, ProjectFacts(documents))
    assert result.verdict is verdict
    assert any(said.startswith(reason) for said in result.reasons)


@pytest.mark.parametrize(
    ("link", "verdict"),
    [
        (RunbookLink.FOUND, PASSED),
        (RunbookLink.NAMED, INCONCLUSIVE),
        (RunbookLink.BROKEN, FAILED),
        (RunbookLink.NONE, FAILED),
    ],
)
def test_every_alert_needs_a_runbook_that_is_there(link: RunbookLink, verdict: Verdict) -> None:
    alert = AlertPage("Slow", Location("alerts.yml", 9), link, "docs/slow.md")
    documents = Documents(("o.json",), (), ("r.md",), (fake.ALERT, alert))
    assert Documentation().judge(None, None, ProjectFacts(documents)).verdict is verdict


def test_without_alert_rules_nobody_is_told() -> None:
    result = Monitoring().judge(fake.review(), fake.proof(), ProjectFacts(Documents()))
    assert result.verdict is FAILED
    assert result.reasons == ("There are no alert rules: nobody is told when users suffer.",)
