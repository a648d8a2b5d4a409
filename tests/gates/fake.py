"""Evidence made up for the tests of the gates: a review that found nothing, a proof in which all is well."""

import msgspec

from mainstay.budgets import STANDARD
from mainstay.experiments.catalogue import all_experiments
from mainstay.model.finding import Answers, Confidence, Finding, Severity
from mainstay.model.location import Location
from mainstay.model.project import AlertPage, Documents, ProjectFacts, RunbookLink
from mainstay.model.proof import Claim, Figure, Measurement, Origin, Proof, Skipped, Subject, Verdict, worst
from mainstay.model.review import Result, Review, Standing
from mainstay.model.system import System
from mainstay.rules.catalogue import all_rules
from tests.reports.proof import fake as proofs

RULES = tuple(rule.name() for rule in all_rules())
ALERT = AlertPage("Errors", Location("alerts.yml", 3), RunbookLink.FOUND, "docs/runbook.md")
DOCUMENTS = Documents(
    openapi=("openapi.json",), runbooks=("docs/runbook.md",), recovery=("docs/recovery.md",), alerts=(ALERT,)
)
FACTS = ProjectFacts(documents=DOCUMENTS)


def finding(rule: str, standing: Standing = Standing.OPEN, severity: Severity = Severity.HIGH) -> Result:
    """A finding of that rule, in `app.py`."""
    answers = Answers("It fails.", "Nobody.", "Not.", "Change it.", "Little.")
    found = Finding(
        rule, f"it is {rule}", Location("app.py", 7), severity, Confidence.HIGH, answers, "it is gone"
    )
    return Result(found, "0" * 16, standing, "settled" if standing is Standing.SUPPRESSED else "")


def review(
    *results: Result,
    rules: tuple[str, ...] = RULES,
    system: System | None = None,
    threshold: Severity = Severity.MEDIUM,
) -> Review:
    """A review by all rules there are, which found these."""
    nothing = System((), {}, (), {}, (), (), (), (), (), ())
    return Review(
        "app", system or nothing, results, (), 30, 2000, rules, threshold, Confidence.MEDIUM, STANDARD, 0.1
    )


def claim(subject: Subject, verdict: Verdict = Verdict.PASSED, origin: Origin = Origin.MEASURED) -> Claim:
    """A claim about that subject with one figure."""
    return Claim(
        f"{subject}-claim", subject, verdict, f"The {subject} is {verdict}.", (Figure("it", 1, "s", origin),)
    )


def measurement(name: str, *claims: Claim, why: str = "", verdict: Verdict | None = None) -> Measurement:
    """An experiment with these claims."""
    return Measurement(name, verdict or worst([c.verdict for c in claims]), "It holds.", claims, why=why)


def proof(*changed: Measurement, without: str = "") -> Proof:
    """A proof in which all is well, but for the experiments given; one may be left out."""
    given = {
        "steady": measurement("steady", claim(Subject.LATENCY), claim(Subject.ERRORS)),
        "peak": measurement("peak", claim(Subject.LATENCY), claim(Subject.ERRORS)),
        "knee": measurement("knee", claim(Subject.CAPACITY)),
        "database-paused": measurement(
            "database-paused",
            *map(claim, (Subject.RECOVERY, Subject.INTEGRITY, Subject.REFUSAL, Subject.PAGING)),
        ),
        "open-to-anyone": measurement("open-to-anyone", claim(Subject.SECURITY)),
    }
    given |= {m.experiment: m for m in changed}
    given.pop(without, None)
    others = tuple(Skipped(e.name(), "not of this test", applies=False) for e in all_experiments())
    made = proofs.proof(*given.values(), skipped=others, assumptions=(), profile="full")
    return msgspec.structs.replace(made, verdict=worst([m.verdict for m in made.measurements]))
