"""What was taken where the specification says nothing."""

from mainstay.model.dossier import Chapter, Grid, Row
from mainstay.model.proof import Origin
from mainstay.model.specification import Assumption, Specification

PLACE = 95
CONSEQUENCES = {
    "budgets.availability": "fewer replicas and no second zone are needed for less; more for more",
    "budgets.errors": "the alerts and the number of requests of a proof follow from it",
    "budgets.p95": "threads, pool and timeouts follow from it",
    "budgets.recovery": "how the backup is restored follows from it",
    "budgets.data_loss": "where losing minutes is fine, a nightly dump does instead of a continuous archive",
    "load": "everything in the chapter on capacity changes with it",
    "load.expected": "the alerts' windows and the proof's steady load follow from it",
    "load.peak": "everything in the chapter on capacity changes with it",
}


def chapter(specification: Specification) -> Chapter:
    """The ledger of assumptions."""
    rows = tuple(_row(assumption) for assumption in specification.assumptions)
    lead = "The specification does not say these. Write them into it, and the dossier is made anew."
    if not rows:
        return Chapter(
            "assumptions",
            "What was assumed",
            "The specification says all that it can; what was assumed beside it follows.",
            (),
        )
    grid = Grid(("key", "taken", "why", "what changes if it is wrong"), rows)
    return Chapter("assumptions", "What was assumed", lead, (grid,))


def _row(assumption: Assumption) -> Row:
    cells = (f"`{assumption.key}`", assumption.value, assumption.why, CONSEQUENCES[assumption.key])
    return Row(cells, Origin.ASSUMED)
