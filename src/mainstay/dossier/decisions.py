"""The decisions, as short records: context, choice, alternatives, what is given up."""

from msgspec import Struct

from mainstay.model.dossier import Chapter, Grid, Row, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.model.specification import Specification
from mainstay.plan.choices import Decision, Split, Subject, decisions

PLACE = 90


class Record(Struct, frozen=True):
    """The words of one decision."""

    title: str
    context: str
    choice: str
    alternatives: str
    given_up: str


RECORDS = {
    Subject.TRANSACTION: Record(
        "One transaction for each write",
        "A write touches rows, its idempotency key, an audit row, messages; a crash may come between any.",
        "All of them are one database transaction: all is there, or nothing.",
        "Several commits with a clean-up job; a transaction over several databases.",
        "Everything that must agree has to live in one database.",
    ),
    Subject.EVENTUAL: Record(
        "What is settled at once, and what later",
        "Some parts cannot be in our transaction: they belong to others.",
        "What the service stores is ACID. What these parts do follows, at least once, till both agree.",
        "Wait for them in the request; a two-phase commit, which they do not offer.",
        "For a while the two sides differ: a caller sees a state that says so, and may have to ask again.",
    ),
    Subject.PARTITION: Record(
        "When the network splits",
        "Whoever is cut off has to choose: answer with what may be old, or refuse.",
        "Cut off from the database every operation refuses; cut off from a need it does what the need's "
        "`when_down` says.",
        "Serve reads from a copy and take writes to merge later.",
        "While the database cannot be reached, nothing is served.",
    ),
    Subject.IDEMPOTENCY: Record(
        "A key for each critical write",
        "A caller who hears no answer repeats; without a key nobody can tell a repeat from a second wish.",
        "The caller sends `Idempotency-Key`; key, effect and answer are one transaction, by caller. "
        "A repeat gets the first answer, another body under the same key 422.",
        "Find repeats by their content; let callers choose the row's id.",
        "One more row for each such write, which is deleted later, and callers have to make a key.",
    ),
    Subject.OUTBOX: Record(
        "Messages go through an outbox",
        "A message that is sent before the commit may be about nothing; one sent after it may be forgotten.",
        "The message is a row in the same transaction; a relay sends it until it is taken.",
        "Send it in the request; read the database's log from outside.",
        "A message is late by up to one round of the relay, and may come twice: receivers look at its id.",
    ),
    Subject.PESSIMISTIC: Record(
        "Hold the row while deciding",
        "What is decided depends on rows that another request may be changing.",
        "The row that is named by `locks` is locked first, then read, then changed.",
        "Compare a version and begin again; make the whole transaction serializable.",
        "Writes about the same row wait for one another, at most as long as a statement may take.",
    ),
    Subject.OPTIMISTIC: Record(
        "Compare versions instead of holding rows",
        "A caller changes what he has read a while ago, and nobody can hold a row that long.",
        "A change names the version or the state that it expects, and finds no row if another came first.",
        "The last one wins; a lock from reading to writing.",
        "Who comes second is refused, and has to read again.",
    ),
    Subject.RULES: Record(
        "The database keeps the rules",
        "Two requests that each look first and write then both find room for themselves.",
        "Each rule is a constraint, or a lock with a trigger as a second line.",
        "Look before writing, in the service alone.",
        "A rule can only change with a migration.",
    ),
    Subject.PAGES: Record(
        "Pages by key",
        "A list grows without end.",
        "A page holds at most 100 rows and ends with a key, after which the next one begins.",
        "Page numbers; everything at once.",
        "Nobody can jump to page 17, and there is no count of all.",
    ),
    Subject.IDS: Record(
        "Random ids",
        "Ids are seen by callers, and appear in addresses.",
        "An id is a random UUID that the service makes.",
        "Numbers that count up; UUIDs that begin with the time.",
        "16 bytes instead of 8, and new rows are spread over the whole index.",
    ),
    Subject.ENUMS: Record(
        "States are text with a check",
        "The values change with the years, while two versions run side by side.",
        "A text column with a check, which can be widened and narrowed in two releases.",
        "A type of the database; a table of values; numbers.",
        "Some bytes more for each row.",
    ),
    Subject.RETRIES: Record(
        "Retries have a budget",
        "In an outage each retry is more load on what is already down.",
        "Only what a header makes safe is repeated, at most one call in ten, with a random pause.",
        "Three attempts for everyone; none at all.",
        "In a long outage most calls are tried once only.",
    ),
    Subject.MONEY: Record(
        "Money is whole minor units",
        "Fractions in binary do not add up, and an amount means nothing without its currency.",
        "A 64-bit integer of minor units (cents) and the currency's three letters.",
        "Decimal numbers; one currency for all.",
        "Currencies have different minor units, so what is shown has to be formatted.",
    ),
    Subject.TENANCY: Record(
        "Tenants share the tables",
        "Callers may see their own rows only.",
        "Each row names its tenant, each query asks for it, and no foreign key crosses from one to another.",
        "A schema or a database for each tenant.",
        "A query that forgets its tenant would tell another's rows: that is why each route has a test of it.",
    ),
}
WHY = {
    Subject.TRANSACTION: "operations that write",
    Subject.EVENTUAL: "needs that are settled later",
    Subject.PARTITION: "every operation",
    Subject.IDEMPOTENCY: "`critical: true`",
    Subject.OUTBOX: "`emits`, and needs that are settled later",
    Subject.PESSIMISTIC: "`locks`",
    Subject.OPTIMISTIC: "operations that change rows without `locks`",
    Subject.RULES: "`rule`",
    Subject.PAGES: "`lists`",
    Subject.IDS: "every row has an id",
    Subject.ENUMS: "`enum`",
    Subject.RETRIES: "`idempotent`",
    Subject.MONEY: "`money`",
    Subject.TENANCY: "callers who see their own rows",
}
SIDES = {
    Split.CONSISTENT: "consistency: it refuses with 503",
    Split.AVAILABLE: "availability: it answers, and the other side follows",
    Split.REDUCED: "availability: it answers with less",
}


def chapter(specification: Specification) -> Chapter:
    """Those that the specification calls for."""
    found = decisions(specification)
    parts: list[Statements | Grid] = []
    for number, decision in enumerate(found, start=1):
        parts.append(_record(number, decision))
        if decision.cuts:
            parts.append(_cuts(decision))
    return Chapter(
        "decisions",
        "What was decided, and what it costs",
        "Each decision follows from a word of the specification, and gives something up.",
        tuple(parts),
    )


def _record(number: int, decision: Decision) -> Statements:
    record = RECORDS[decision.subject]
    concerns = ", ".join(f"`{name}`" for name in decision.concerns)
    why = f"{WHY[decision.subject]}: {concerns}"
    return Statements(
        (
            Statement(f"Context: {record.context}", sum=why),
            Statement(f"Choice: {record.choice}", sum=why),
            Statement(f"Instead of: {record.alternatives}", sum=why),
            Statement(f"Given up: {record.given_up}", sum=why),
        ),
        f"{number}. {record.title}",
    )


def _cuts(decision: Decision) -> Grid:
    rows = tuple(
        Row((f"`{cut.operation}`", _part(cut.part), SIDES[cut.side]), Origin.DERIVED, _reason(cut.part))
        for cut in decision.cuts
    )
    return Grid(("operation", "cut off from", "it chooses"), rows, "Which side each operation is on")


def _part(part: str) -> str:
    return "the database" if part == "database" else f"`{part}`"


def _reason(part: str) -> str:
    return "one database holds the truth" if part == "database" else f"`when_down` of `{part}`"
