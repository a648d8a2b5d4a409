"""How the data is stored, what keeps each rule, and how the tables change later without a stop."""

from collections.abc import Iterator

from mainstay.model.dossier import Artefact, Chapter, Grid, Part, Row, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.model.specification import Auth, FieldKind, Operation, Specification
from mainstay.plan.sql import ddl
from mainstay.plan.tables import Column, Exclusion, Schema, Table, schema

PLACE = 30
_DAY = 86_400  # seconds


def chapter(specification: Specification) -> Chapter:
    """The tables, the rules, the indexes, and how all of them are changed."""
    plan = schema(specification)
    parts: list[Part] = [
        *map(_columns, plan.tables),
        *_grid("What keeps each rule", ("rule", "of", "kept by", "refused with"), _rules(plan)),
        *_grid("How rows are found", ("index", "columns", "for"), _indexes(plan)),
        Statements(tuple(_choices(specification, plan)), "Why it is so"),
        Statements(tuple(_first(plan)), "How the first version is laid down"),
        _changes(),
        Artefact("schema.sql", "sql", ddl(plan), "The schema"),
    ]
    open_ones = tuple(_questions(specification))
    if open_ones:
        parts.insert(-1, Statements(open_ones, "What only the owner can say"))
    return Chapter(
        "schema",
        "How the data is stored",
        "Every rule that the database can keep is a constraint: it holds for every program, at any hour.",
        tuple(parts),
    )


def _grid(title: str, heads: tuple[str, ...], rows: Iterator[Row]) -> Iterator[Grid]:
    found = tuple(rows)
    if found:
        yield Grid(heads, found, title)


# Tables


def _columns(table: Table) -> Grid:
    rows = tuple(
        Row((f"`{one.name}`", f"`{one.type}`", _holds(one)), sum=_from(one)) for one in table.columns
    )
    return Grid(("column", "type", "holds"), rows, f"`{table.name}`, for `{table.entity}`")


def _holds(column: Column) -> str:
    said = [] if column.nullable else ["always there"]
    if column.default:
        said.append(f"`{column.default}` where nothing is said")
    first = ", ".join(said) or "may be absent"
    return f"{first}. {column.note}".strip()


def _from(column: Column) -> str:
    return f"the field `{column.field}`" if column.field else "every row has it"


def _rules(plan: Schema) -> Iterator[Row]:
    for table in plan.tables:
        locked = {guard.rule: _lock(guard.table) for guard in table.guarded}
        for kept in table.kept:
            by = _KEPT[kept.by] + locked.get(kept.rule, "")
            refused = f"{kept.status}" + (f", `{kept.name}`" if kept.name else "")
            yield Row((f"`{kept.rule}`", f"`{table.entity}`", by, refused), sum=kept.why or _why(kept.by))


_KEPT = {
    "check": "a check of the row",
    "unique": "a unique index",
    "exclusion": "an exclusion of ranges",
    "lock and trigger": "a lock, and a trigger as the second line",
    "trigger": "a trigger on each change",
    "service": "the service alone",
}


def _why(by: str) -> str:
    if by == "lock and trigger":
        return "no constraint adds up rows; two requests at once would each see a total without the other"
    if by == "trigger":
        return "a check sees the new state of a row and not the one before"
    if by == "exclusion":
        return "the index holds the intervals, so that of two at once one waits and is refused"
    return "the row, or the index, shows it"


def _lock(table: str) -> str:
    return (
        f"; the row of `{table}` is locked first" if table else "; an advisory lock of the value comes first"
    )


def _indexes(plan: Schema) -> Iterator[Row]:
    for table in plan.tables:
        for index in table.indexes:
            columns = ", ".join(f"`{column}`" for column in index.columns)
            yield Row((f"`{index.name}`", columns, index.why), sum=f"needed for {index.why}")


# Why


def _choices(specification: Specification, plan: Schema) -> Iterator[Statement]:
    kinds = {field.kind for entity in specification.entities for field in entity.fields}
    yield Statement(
        "Ids are random UUIDs that the service makes.",
        sum="a number that counts up tells how many there are and which comes next",
    )
    yield from _tenancy(plan)
    if FieldKind.MONEY in kinds:
        yield Statement(
            "Money is a whole number of minor units and a currency of three letters.",
            sum="fractions in binary do not add up: 0.1 + 0.2 is not 0.3",
        )
        yield Statement(
            "A limit of an amount counts minor units: `money <= 1000` is 10.00 EUR.",
            Origin.ASSUMED,
            "the specification says no currency; if main units are meant, the checks have to be multiplied",
        )
    if FieldKind.ENUM in kinds:
        yield Statement(
            "An enum is a text with a check and no type of its own.",
            sum="a check can be replaced in one step, both ways; no value can be taken out of an enum type",
        )
    yield from _intervals(plan)
    yield from _totals(plan)
    for table in plan.tables:
        for one in table.retention:
            yield Statement(
                f"`{one.field}` of `{table.entity}` is erased {one.seconds / _DAY:g} days after "
                "`created_at`; until then the service insists on it. The column is empty afterwards.",
                Origin.ASSUMED,
                f"`keep` says how long, not from when; {one.seconds:g} s / {_DAY} s = {one.seconds / _DAY:g} "
                "days, a month having 30. If it runs from the last use, the job needs that time",
            )


def _tenancy(plan: Schema) -> Iterator[Statement]:
    yield Statement(
        "A row belongs to a tenant, and a reference leads only to a row of the same tenant.",
        sum="each foreign key holds `tenant_id` on both sides",
    )
    if any(table.foreign_keys for table in plan.tables):
        yield Statement(
            "A row that refers to another one has its tenant, even if one adds it who sees all.",
            sum="the foreign key refuses any other tenant",
        )
    for table in plan.tables:
        if table.shared and table.uniques:
            yield Statement(
                f"What is unique in `{table.name}` is so among the rows of everyone.",
                sum="who adds rows sees those of everyone, or is nobody who could have rows of his own",
            )


def _intervals(plan: Schema) -> Iterator[Statement]:
    found: list[Exclusion] = [one for table in plan.tables for one in table.exclusions]
    if not found:
        return
    yield Statement(
        "The end of an interval is not part of it: one may begin where another ends.",
        Origin.ASSUMED,
        "it is so for rooms, shifts and nights; if ends count, `[)` becomes `[]` in the exclusion",
    )
    yield Statement(
        "Equal values in an exclusion are compared as ranges of one value, without the extension btree_gist.",
        sum="ranges are part of every PostgreSQL, and the extension is not: some servers do not bring it",
    )


def _totals(plan: Schema) -> Iterator[Statement]:
    for table in plan.tables:
        for guard in table.guarded:
            yield Statement(
                f"Transactions that touch `{guard.rule}` run at READ COMMITTED.",
                sum="after the wait for the lock, a new statement sees what was committed meanwhile; "
                "at REPEATABLE READ it would not, and two totals could both fit",
            )


# Changes


def _first(plan: Schema) -> Iterator[Statement]:
    tables = ", ".join(f"`{table.name}`" for table in plan.tables)
    yield Statement(
        f"The first migration makes {tables} in one transaction, then the tables of the runtime.",
        sum="PostgreSQL undoes a broken migration whole: there is no half of it",
    )
    yield Statement(
        "Migrations run before the new version starts, under a role of their own; the service has no "
        "right to change tables.",
        sum="who breaks into the service must not be able to drop what it keeps",
    )
    yield Statement(
        "Each migration waits at most 2 s for a lock (`lock_timeout`), then gives up and is tried again.",
        Origin.ASSUMED,
        "while it waits, all requests on the table wait behind it; longer than callers wait is too long",
    )
    yield Statement(
        "During a release the version before and the new one run side by side, so that each step has to suit "
        "both: first what is added (expand), a release later what is taken away (contract).",
        sum="old and new processes share the tables until the last old one has ended",
    )


# What is done in each of two releases.  Large tables decide: nothing here reads a whole table under a lock.
_STEPS = (
    (
        "a new optional field",
        "Add the column, nullable. The new version writes it.",
        "Nothing.",
        "to add a nullable column touches no row",
    ),
    (
        "a new field that is always there",
        "Add it nullable, fill old rows in batches, and add `CHECK (x IS NOT NULL) NOT VALID`.",
        "Validate the check, set NOT NULL, drop the check.",
        "the version before does not know the column; to validate does not stop writers",
    ),
    (
        "a field is renamed or gets another type",
        "Add the new column; write both; fill it in batches; read the new one.",
        "Stop writing the old one, and drop it a release later.",
        "to change the type rewrites the table under a lock, and a new name breaks the version before",
    ),
    (
        "a field goes",
        "Drop its NOT NULL; stop reading and writing it.",
        "Drop the column.",
        "the version before still reads it",
    ),
    (
        "an enum gets a value",
        "Replace the check by a wider one (`NOT VALID`, then validate). Nobody writes the value yet.",
        "Begin to write it.",
        "the version before has to be gone before it meets a value that it does not know",
    ),
    (
        "an enum loses a value",
        "Stop writing it; move the rows that have it.",
        "Replace the check by a narrower one (`NOT VALID`, then validate).",
        "the version before still writes it",
    ),
    (
        "a move is added or goes",
        "Replace the function by one that allows the old and the new moves.",
        "Replace it by one that allows the new moves only.",
        "`CREATE OR REPLACE FUNCTION` takes no lock of the table",
    ),
    (
        "a limit or an order gets narrower",
        "Let the service keep it; repair old rows; add the check `NOT VALID`.",
        "Validate it; drop the wider one.",
        "a check that old rows break cannot be validated",
    ),
    (
        "a value becomes unique",
        "Let the service refuse doubles; clear old ones; build the index `CONCURRENTLY`.",
        "Attach it as a constraint (`UNIQUE USING INDEX`).",
        "otherwise all writers wait while it is built; it runs outside a transaction",
    ),
    (
        "a new reference",
        "Add the column and its index `CONCURRENTLY`; add the key `NOT VALID`.",
        "Validate the key.",
        "a new key otherwise reads both tables under a lock",
    ),
    (
        "intervals must no longer meet",
        "Refuse them in the service, under a lock of the row they share; clear old ones.",
        "Add the exclusion in a quiet hour: it locks the table while it is built.",
        "PostgreSQL has no exclusion that is built beside writers",
    ),
    (
        "a total gets a limit",
        "Let the service lock and refuse; repair old rows.",
        "Add the function and its triggers.",
        "a trigger looks at new changes only, so that old rows have to be right before",
    ),
    (
        "an entity comes",
        "Make its table. Nobody knows it yet.",
        "Begin to use it.",
        "the version before does not miss what it does not know",
    ),
    (
        "an entity goes",
        "Stop using it; drop the keys that lead to it.",
        "Drop the table, after a backup that was restored once.",
        "a dropped table comes back from a backup only",
    ),
)


def _changes() -> Grid:
    rows = tuple(Row((what, first, second), sum=why) for what, first, second, why in _STEPS)
    return Grid(
        ("change", "first release (expand)", "second release (contract)"),
        rows,
        "How tables change without a stop",
    )


# Questions


def _questions(specification: Specification) -> Iterator[Statement]:
    for operation in specification.operations:
        yield from _empty_list(specification, operation)
        yield from _absent_keys(specification, operation)


def _empty_list(specification: Specification, operation: Operation) -> Iterator[Statement]:
    """Who adds no rows has none of his own to see."""
    for grant in operation.by if operation.lists or operation.reads else ():
        caller = specification.caller(grant.caller)
        if caller is None or caller.sees_all or caller.auth is Auth.NOBODY:
            continue
        creating = [one for one in specification.operations if one.creates == operation.entity]
        if creating and not any(caller.name == one.caller for each in creating for one in each.by):
            yield Statement(
                f"`{caller.name}` may `{operation.name}`, but adds no `{operation.entity}` and sees only his "
                "own rows. Does he belong to the tenant of who adds them, or should he have `sees: all`?",
                Origin.OPEN,
                "rows belong to the tenant of the caller who adds them",
            )


def _absent_keys(specification: Specification, operation: Operation) -> Iterator[Statement]:
    """An absent value has no place in an order, and a page after it cannot be asked for."""
    table = schema(specification).table(operation.lists)
    if table is None:
        return
    for column in table.columns:
        if column.nullable and column.field in operation.list_by:
            yield Statement(
                f"`{operation.name}` sorts by `{column.field}`, which can be absent. Where do these stand?",
                Origin.OPEN,
                "an absent value is neither greater nor smaller than any other",
            )
