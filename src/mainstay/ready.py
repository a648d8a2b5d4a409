"""The verb `ready`: the evidence of `review` and `prove`, joined into the six gates."""

from collections.abc import Iterator
from pathlib import Path

from mainstay import __version__
from mainstay.budgets import STANDARD, Budgets
from mainstay.gates.catalogue import all_gates
from mainstay.model.gate import GateResult, Readiness
from mainstay.model.project import ProjectFacts
from mainstay.model.proof import Proof, Verdict, worst
from mainstay.model.review import Review
from mainstay.reports.proof import summary
from mainstay.reports.proof.json import ProofUnreadable as ProofUnreadable
from mainstay.reports.proof.json import read_proof

_STATUSES = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.ERROR: 2, Verdict.INCONCLUSIVE: 3}


def ready(
    review: Review | None, proof: Proof | None, facts: ProjectFacts | None, budgets: Budgets = STANDARD
) -> Readiness:
    """Whether the service is ready for production; `budgets` are those that the project asks for now.

    None is evidence that nobody has; the gates that need it are inconclusive.  The whole is no better than
    its worst gate, and no better than the proof.
    """
    judged = gates(review, proof, facts)
    verdicts = [gate.verdict for gate in judged]
    if proof is not None:
        verdicts.append(proof.verdict)
        if proof.budgets != budgets:
            verdicts.append(Verdict.INCONCLUSIVE)
    return Readiness(
        version=__version__,
        verdict=worst(verdicts),
        gates=judged,
        cautions=tuple(_cautions(judged, proof, budgets)),
    )


def gates(
    review: Review | None, proof: Proof | None, facts: ProjectFacts | None = None
) -> tuple[GateResult, ...]:
    """What each of the six gates says of this evidence, in their order."""
    return tuple(gate().judge(review, proof, facts) for gate in all_gates())


def read_proof_file(path: Path) -> Proof:
    """The proof in a result file; raises OSError and ProofUnreadable, each with its place."""
    return read_proof(path.read_bytes())


def exit_status(verdict: Verdict) -> int:
    """The exit status that tells a verdict: 0 passed, 1 failed, 2 void by our own fault, 3 undecided."""
    return _STATUSES[verdict]


def _cautions(judged: tuple[GateResult, ...], proof: Proof | None, budgets: Budgets) -> Iterator[str]:
    """What a reader should know beside the gates."""
    if proof is None:
        changed = summary.changed_budgets(budgets, STANDARD)
        if changed:
            yield f"Budgets of this project: {changed}."
        return
    if proof.budgets != budgets:
        since = summary.changed_budgets(budgets, proof.budgets).replace("standard", "measured against")
        yield f"The budgets have changed since the proof: {since}. Measure again."
    yield from summary.cautions(proof)
    if proof.profile == "quick":
        yield "The proof is of the quick profile; the full one does every experiment."
    if proof.verdict not in (Verdict.PASSED, *(gate.verdict for gate in judged)):
        word = "void by our own fault" if proof.verdict is Verdict.ERROR else str(proof.verdict)
        yield f"The proof as a whole is {word}."
