"""The tables of a service: what the database keeps, and which rule each part of it holds.

What a constraint can hold is a constraint: it holds for every program and at any hour, and code does not.
"""

import hashlib
import re
from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.specification import (
    ApartRule,
    Auth,
    Entity,
    Field,
    FieldKind,
    Operation,
    OrderRule,
    Rule,
    Specification,
    TotalRule,
    UniqueRule,
)

NAME_BYTES = 63  # PostgreSQL cuts longer names: NAMEDATALEN - 1
EMAIL = 254  # characters: RFC 5321, section 4.5.3.1.3, less the angle brackets
URL = 2048  # characters; our own bound
HASH = 255  # characters: argon2id with its parameters, salt and hash has about 100
STATE = 50  # characters: the longest value that a specification can name
OWN = ("id", "tenant_id")  # every row begins with these

# PostgreSQL 18, appendix C: words that are no names of columns or tables without quotes.
_RESERVED = frozenset(
    "all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate "
    "collation column concurrently constraint create cross current_catalog current_date current_role "
    "current_schema current_time current_timestamp current_user default deferrable desc distinct do else end "
    "except false fetch for foreign freeze from full grant group having ilike in initially inner intersect "
    "into is isnull join lateral leading left like limit localtime localtimestamp natural not notnull null "
    "offset on only or order outer overlaps placing primary references returning right select session_user "
    "similar some symmetric system_user table tablesample then to trailing true union unique user using "
    "variadic verbose when where window with".split()
)


class Column(Struct, frozen=True):
    """One column."""

    name: str
    type: str  # as PostgreSQL writes it
    nullable: bool = False
    default: str = ""  # an expression; empty: none
    field: str = ""  # of the specification that it holds; empty: every row has it
    secret: bool = False  # the service encrypts it; the key's id is part of the value
    hashed: bool = False  # the service stores a slow hash of it, with its parameters
    personal: bool = False
    note: str = ""


class Unique(Struct, frozen=True):
    """No two rows agree in all of these columns."""

    name: str
    columns: tuple[str, ...]
    folded: tuple[str, ...] = ()  # those that are compared without regard to capitals


class Check(Struct, frozen=True):
    """What holds for each row by itself."""

    name: str
    expression: str  # as PostgreSQL reads it, names quoted where that is needed


class ForeignKey(Struct, frozen=True):
    """Columns that name a row of a table; a row that is named cannot be removed."""

    name: str
    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]


class Index(Struct, frozen=True):
    """Columns by which rows are found."""

    name: str
    columns: tuple[str, ...]
    why: str
    present: str = ""  # only rows that have a value in this column


class Equal(Struct, frozen=True):
    """A column that has to agree in an exclusion: as a range of one value, which needs no extension."""

    column: str
    range_type: str


class Exclusion(Struct, frozen=True):
    """No two rows agree in the columns and meet in the interval; the end is not part of it."""

    name: str
    equal: tuple[Equal, ...]
    range_type: str
    start: str
    end: str
    state: str = ""  # the column whose value decides whether a row counts
    states: tuple[str, ...] = ()  # none: all rows count
    present: tuple[str, ...] = ()  # rows count that have a value in each of these


class MovesTrigger(Struct, frozen=True, tag="moves"):
    """A row begins in one of some states, and goes on by listed moves only."""

    name: str
    column: str
    starts: tuple[str, ...]
    moves: tuple[tuple[str, str], ...]


class TotalTrigger(Struct, frozen=True, tag="total"):
    """What the rows that share some columns add up to; checked under the lock of `Guard`."""

    name: str
    by: tuple[str, ...]
    operator: str
    limit: str  # a number, or a column of the guard's table
    summed: str = ""  # the column; empty: rows are counted
    currency: str = ""  # the column that has to agree in all of the rows
    limit_currency: str = ""  # the column of the guard's table that it has to agree with, too
    locked: str = ""  # the table whose row is locked; empty: a lock of that name and value
    reference: str = ""  # the column that names that row
    late: bool = False  # at the end of the transaction: a total that begins too low


Trigger = MovesTrigger | TotalTrigger


class Guard(Struct, frozen=True):
    """The row that is locked before a rule over several rows is looked at; the trigger is the second line."""

    rule: str
    by: str  # the column
    table: str  # whose row `by` names; empty: no row, an advisory lock of the value
    trigger: str


class Retention(Struct, frozen=True):
    """Personal values that are erased when their time is over, counted from `created_at`."""

    field: str
    columns: tuple[str, ...]
    seconds: float
    index: str


class Kept(Struct, frozen=True):
    """How something that the specification says of rows is kept."""

    rule: str  # as it was written
    by: str  # "check", "unique", "exclusion", "lock and trigger", "trigger", "service"
    name: str = ""  # of what refuses a break of it
    why: str = ""  # where only the service can keep it

    @property
    def status(self) -> int:
        """What a request that breaks it is answered: 409 where other rows or the state before decide."""
        return 409 if self.by in ("unique", "exclusion", "lock and trigger", "trigger") else 422


class Table(Struct, frozen=True):
    """A table, for one entity."""

    name: str
    entity: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]
    uniques: tuple[Unique, ...]
    checks: tuple[Check, ...]
    indexes: tuple[Index, ...]
    exclusions: tuple[Exclusion, ...]
    triggers: tuple[Trigger, ...]
    comment: str
    guarded: tuple[Guard, ...] = ()
    retention: tuple[Retention, ...] = ()
    kept: tuple[Kept, ...] = ()
    version: str = ""  # the column that counts the changes of a row; empty: rows are never changed
    shared: bool = False  # values are unique among the rows of everyone, not of one tenant

    def column(self, name: str) -> Column | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)


class Schema(Struct, frozen=True):
    """All tables.  Those of the runtime, for idempotency keys and the outbox, are made by the runtime."""

    service: str
    tables: tuple[Table, ...]
    ranges: tuple[tuple[str, str], ...] = ()  # types of ranges that exclusions need: name, type of a value

    def table(self, entity: str) -> Table | None:
        """The table of that entity."""
        return next((table for table in self.tables if table.entity == entity), None)


def schema(specification: Specification) -> Schema:
    """The tables that follow from the specification, in its order."""
    tables = tuple(_Plan(specification, entity).table() for entity in specification.entities)
    needed = {
        equal.range_type for table in tables for one in table.exclusions for equal in one.equal
    } & _MADE.keys()
    return Schema(specification.service, tables, tuple((name, _MADE[name]) for name in sorted(needed)))


def quoted(name: str) -> str:
    """A name as PostgreSQL reads it: between quotes if it is a word of the language."""
    return f'"{name}"' if name in _RESERVED else name


def literal(value: str) -> str:
    """A text as PostgreSQL reads it."""
    return "'" + value.replace("'", "''") + "'"


def short(name: str) -> str:
    """A name that PostgreSQL does not cut, and that stays one of a kind."""
    if len(name) <= NAME_BYTES:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: NAME_BYTES - 9]}_{mark}"


def table_name(entity: str) -> str:
    """The table of an entity: `ChargeEntry` -> `charge_entries`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", entity).lower()
    if re.search(r"[^aeiou]y$", words):
        return words[:-1] + "ies"
    return words + ("es" if re.search(r"(?:s|x|z|ch|sh)$", words) else "s")


def columns_of(field: Field) -> tuple[str, ...]:
    """The names of the columns that hold a field: money takes two."""
    if field.kind is FieldKind.REFERENCE:
        return (field.name if field.name.endswith("_id") else f"{field.name}_id",)
    if field.kind is FieldKind.MONEY and not field.sealed:
        return (f"{field.name}_minor", f"{field.name}_currency")
    return (field.name,)


def pointed(specification: Specification, operation: Operation, name: str) -> Entity | None:
    """The entity that `charge` means in an operation: a reference of what it is about, or its own name."""
    about = specification.entity(operation.entity)
    field = about.field(name) if about is not None else None
    if field is not None:
        return specification.entity(field.entity)
    return specification.entity("".join(part.capitalize() for part in name.split("_")))


def starts(entity: Entity) -> tuple[str, ...]:
    """The states in which a row may begin: the default, else those that no move leads to, else all."""
    state = entity.state
    if state is None:
        return ()
    if state.default is not None:
        return (state.default,)
    reached = {move.after for move in entity.moves}
    return tuple(value for value in state.values if value not in reached) or state.values


def sees_all(specification: Specification, operation: Operation) -> frozenset[bool]:
    """Whether those who may call it see the rows of everyone: True, False, or both of them."""
    callers = [specification.caller(grant.caller) for grant in operation.by]
    return frozenset(one.sees_all or one.auth is Auth.NOBODY for one in callers if one is not None)


# What a scalar becomes in an exclusion, and the ranges among them that PostgreSQL does not bring along.
# GiST finds equal scalars only with the extension btree_gist, which not every server has; ranges need none.
_RANGES = {
    FieldKind.UUID: "uuid_range",
    FieldKind.REFERENCE: "uuid_range",
    FieldKind.TEXT: "text_range",
    FieldKind.EMAIL: "text_range",
    FieldKind.URL: "text_range",
    FieldKind.ENUM: "text_range",
    FieldKind.INTEGER: "int8range",
    FieldKind.DATE: "daterange",
    FieldKind.TIME: "tstzrange",
}
_MADE = {"uuid_range": "uuid", "text_range": "text"}
_TYPES = {
    FieldKind.UUID: "uuid",
    FieldKind.INTEGER: "bigint",
    FieldKind.BOOLEAN: "boolean",
    FieldKind.TIME: "timestamptz",
    FieldKind.DATE: "date",
    FieldKind.EMAIL: f"varchar({EMAIL})",
    FieldKind.URL: f"varchar({URL})",
    FieldKind.ENUM: f"varchar({STATE})",
    FieldKind.REFERENCE: "uuid",
}


class _Plan:
    """Works out one table."""

    def __init__(self, specification: Specification, entity: Entity) -> None:
        self._whole, self._entity = specification, entity
        self._name = table_name(entity.name)
        self._shared = _is_shared(specification, entity)
        self._references = [f for f in entity.fields if f.kind is FieldKind.REFERENCE]
        self._uniques: list[Unique] = []
        self._checks: list[Check] = []
        self._exclusions: list[Exclusion] = []
        self._triggers: list[Trigger] = []
        self._guards: list[Guard] = []
        self._kept: list[Kept] = []

    def table(self) -> Table:
        version = self._version()
        for field in self._entity.fields:
            self._add_field(field)
        for rule in self._entity.rules:
            self._add_rule(rule)
        self._add_moves()
        self._add_identity()
        retention = tuple(self._retention())
        return Table(
            self._name,
            self._entity.name,
            tuple(self._columns(version)),
            ("id",),
            tuple(self._foreign_keys()),
            tuple(self._uniques),
            tuple(self._checks),
            tuple(self._indexes(retention)),
            tuple(self._exclusions),
            tuple(self._triggers),
            f"{self._entity.name}: one row for each.",
            tuple(self._guards),
            retention,
            tuple(self._kept),
            version,
            self._shared,
        )

    def _named(self, *parts: str) -> str:
        return short("_".join((self._name, *parts)))

    # Columns

    def _version(self) -> str:
        if not _is_changed(self._whole, self._entity):
            return ""
        return "row_version" if self._entity.field("version") else "version"

    def _columns(self, version: str) -> Iterator[Column]:
        yield Column("id", "uuid", note="Random, made by the service: it cannot be counted or guessed.")
        yield Column("tenant_id", "uuid", note="Whom the row belongs to.")
        for field in self._entity.fields:
            yield from self._field_columns(field)
        if version:
            yield Column(version, "integer", default="1", note="Counts the changes of the row.")
        yield Column("created_at", "timestamptz", default="now()")

    def _field_columns(self, field: Field) -> Iterator[Column]:
        names = columns_of(field)
        # What is erased one day has to be able to be absent; until then the service asks for it.
        nullable = field.optional or field.keep is not None
        for name, kind in zip(names, _types(field), strict=True):
            default = "" if name.endswith("_currency") and len(names) > 1 else self._default(field)
            yield Column(
                name,
                kind,
                nullable,
                default,
                field.name,
                field.secret and _is_hidden(field),
                field.hashed and _is_hidden(field),
                field.personal,
                _note(field),
            )

    def _default(self, field: Field) -> str:
        first = starts(self._entity) if field is self._entity.state else ()
        if len(first) == 1:
            return literal(first[0])
        return _default(field)

    # What holds for one row, or for no two

    def _add_field(self, field: Field) -> None:
        names = columns_of(field)
        if field.unique:
            folded = names if field.kind is FieldKind.EMAIL else ()
            self._add_unique(f"{field.name} unique", field.name, names, folded)
        if _is_hidden(field):
            for limit in field.limits:
                self._only_service(f"{field.name} {limit.operator} {limit.value}")
            return
        for at, limit in enumerate(field.limits):
            name = self._named(field.name, "limit" if not at else f"limit_{at + 1}")
            self._checks.append(Check(name, f"{quoted(names[0])} {limit.operator} {limit.value}"))
            self._kept.append(Kept(f"{field.name} {limit.operator} {limit.value}", "check", name))
        if field.kind is FieldKind.ENUM:
            values = ", ".join(map(literal, field.values))
            self._checks.append(
                Check(self._named(field.name, "values"), f"{quoted(field.name)} IN ({values})")
            )
        if field.kind is FieldKind.MONEY:
            self._add_money(field, *names)

    def _add_money(self, field: Field, minor: str, currency: str) -> None:
        self._checks.append(Check(self._named(currency), f"{currency} ~ '^[A-Z]{{3}}$'"))
        if field.optional or field.keep is not None:
            whole = f"({minor} IS NULL) = ({currency} IS NULL)"
            self._checks.append(Check(self._named(field.name, "whole"), whole))

    def _add_unique(
        self, rule: str, name: str, columns: tuple[str, ...], folded: tuple[str, ...] = ()
    ) -> None:
        scope = () if self._shared else ("tenant_id",)
        made = Unique(self._named(name, "unique"), (*scope, *columns), folded)
        if all((made.columns, made.folded) != (one.columns, one.folded) for one in self._uniques):
            self._uniques.append(made)
        self._kept.append(Kept(rule, "unique", made.name))

    def _add_identity(self) -> None:
        """What a foreign key with its tenant refers to."""
        pointing = (f for e in self._whole.entities for f in e.fields if f.kind is FieldKind.REFERENCE)
        if any(field.entity == self._entity.name for field in pointing):
            self._uniques.append(Unique(self._named("tenant_id_id_unique"), ("tenant_id", "id")))

    # Rules

    def _add_rule(self, rule: Rule) -> None:
        if any(_is_hidden(field) for field in self._fields_of(rule)):
            self._only_service(rule.text)
            return
        match rule:
            case OrderRule():
                self._add_order(rule)
            case UniqueRule():
                fields = [self._field(name) for name in rule.fields]
                columns = tuple(column for field in fields for column in columns_of(field))
                folded = tuple(field.name for field in fields if field.kind is FieldKind.EMAIL)
                self._add_unique(rule.text, "_".join(rule.fields), columns, folded)
            case ApartRule():
                self._add_apart(rule)
            case TotalRule():
                self._add_total(rule)

    def _fields_of(self, rule: Rule) -> Iterator[Field]:
        match rule:
            case OrderRule():
                names: tuple[str, ...] = (rule.left, rule.right)
            case UniqueRule():
                names = rule.fields
            case ApartRule():
                names = (rule.start, rule.end, *rule.by)
            case TotalRule():
                names = (rule.by, *((rule.field,) if rule.field else ()))
                limit = self._limit(rule)
                if limit is not None:
                    yield limit
        yield from map(self._field, names)

    def _field(self, name: str) -> Field:
        found = self._entity.field(name)
        assert found is not None, f"{self._entity.name} has no field {name}, and no reader let it pass"
        return found

    def _only_service(self, rule: str) -> None:
        why = "the value is sealed, and the database cannot read it"
        self._kept.append(Kept(rule, "service", why=why))

    def _add_order(self, rule: OrderRule) -> None:
        left, right = columns_of(self._field(rule.left)), columns_of(self._field(rule.right))
        compared = f"{quoted(left[0])} {rule.operator} {quoted(right[0])}"
        if len(left) > 1:  # amounts in two currencies have no order
            compared = f"{left[1]} = {right[1]} AND {compared}"
        name = self._free(self._named(rule.left, rule.right, "order"), [one.name for one in self._checks])
        self._checks.append(Check(name, compared))
        self._kept.append(Kept(rule.text, "check", name))

    def _add_apart(self, rule: ApartRule) -> None:
        by = [self._field(name) for name in rule.by]
        start, end = self._field(rule.start), self._field(rule.end)
        if any(field.kind not in _RANGES for field in by):
            why = "PostgreSQL has no ranges of such values"
            self._kept.append(Kept(rule.text, "service", why=why))
            return
        equal = [Equal(columns_of(field)[0], _RANGES[field.kind]) for field in by]
        if not self._shared and not any(field.kind is FieldKind.REFERENCE for field in by):
            equal.insert(0, Equal("tenant_id", _RANGES[FieldKind.UUID]))
        state = self._entity.state if rule.states else None
        name = self._free(self._named(*rule.by, "apart"), [one.name for one in self._exclusions])
        made = Exclusion(
            name,
            tuple(equal),
            _RANGES[start.kind],
            start.name,
            end.name,
            state.name if state is not None else "",
            rule.states,
            tuple(columns_of(field)[0] for field in by if field.optional or field.keep is not None),
        )
        self._exclusions.append(made)
        self._kept.append(Kept(rule.text, "exclusion", name))
        self._add_forward(start.name, end.name)

    def _add_forward(self, start: str, end: str) -> None:
        """An interval that takes no time meets nothing, so that the exclusion would let it pass."""
        expression = f"{quoted(start)} < {quoted(end)}"
        said = any(
            isinstance(rule, OrderRule) and (rule.left, rule.operator, rule.right) == (start, "<", end)
            for rule in self._entity.rules
        )
        if not said and all(check.expression != expression for check in self._checks):
            name = self._free(self._named(start, end, "forward"), [one.name for one in self._checks])
            self._checks.append(Check(name, expression))

    def _limit(self, rule: TotalRule) -> Field | None:
        """The field of another entity that is the limit; None where it is a number."""
        _, _, name = rule.limit.partition(".")
        other = self._whole.entity(self._field(rule.by).entity)
        return other.field(name) if name and other is not None else None

    def _add_total(self, rule: TotalRule) -> None:
        by, limit = self._field(rule.by), self._limit(rule)
        summed = columns_of(self._field(rule.field)) if rule.field else ("",)
        bound = columns_of(limit) if limit is not None else (rule.limit,)
        locked = table_name(by.entity) if by.kind is FieldKind.REFERENCE else ""
        column = columns_of(by)[0]
        scope = () if locked or self._shared else ("tenant_id",)
        name = self._free(
            self._named(rule.by, rule.field or "count", "total"), [one.name for one in self._triggers]
        )
        made = TotalTrigger(
            name,
            (*scope, *columns_of(by)),
            rule.operator,
            bound[0],
            summed[0],
            summed[1] if len(summed) > 1 else "",
            bound[1] if len(bound) > 1 and len(summed) > 1 else "",
            locked,
            column if locked else "",
            rule.operator not in ("<", "<="),
        )
        self._triggers.append(made)
        self._guards.append(Guard(rule.text, column, locked, name))
        self._kept.append(Kept(rule.text, "lock and trigger", name))

    def _add_moves(self) -> None:
        state = self._entity.state
        if state is None:
            return
        name = self._named(state.name, "moves")
        listed = tuple((move.before, move.after) for move in self._entity.moves)
        self._triggers.append(MovesTrigger(name, state.name, starts(self._entity), listed))
        said = ", ".join(f"{before} -> {after}" for before, after in listed)
        self._kept.append(Kept(said, "trigger", name))

    def _free(self, name: str, taken: list[str]) -> str:
        """Two rules over the same fields get two names."""
        free, at = name, 1
        while free in taken:
            at += 1
            free = short(f"{name}_{at}")
        return free

    # How rows are found

    def _foreign_keys(self) -> Iterator[ForeignKey]:
        for field in self._references:
            column = columns_of(field)[0]
            target = table_name(field.entity)
            yield ForeignKey(self._named(column, "fkey"), ("tenant_id", column), target, ("tenant_id", "id"))

    def _retention(self) -> Iterator[Retention]:
        for field in self._entity.fields:
            if field.keep is not None:
                yield Retention(
                    field.name, columns_of(field), field.keep, self._named(field.name, "retention")
                )

    def _indexes(self, retention: tuple[Retention, ...]) -> Iterator[Index]:
        served = [one.columns for one in self._uniques if not one.folded]
        for index in (*self._list_indexes(), *self._reference_indexes(), *self._total_indexes()):
            if not any(columns[: len(index.columns)] == index.columns for columns in served):
                served.append(index.columns)
                yield index
        for one in retention:
            why = f"the retention job, for `{one.field}`"
            yield Index(one.index, ("created_at", "id"), why, one.columns[0])

    def _list_indexes(self) -> Iterator[Index]:
        for operation in self._whole.operations:
            if operation.lists != self._entity.name:
                continue
            keys = page_keys(self._entity, operation)
            for all_rows in sorted(sees_all(self._whole, operation)):
                scope = () if all_rows else ("tenant_id",)
                columns = tuple(dict.fromkeys((*scope, *keys)))
                name = self._named(operation.name, *(("all",) if all_rows else ()))
                yield Index(name, columns, f"pages of `{operation.name}`")

    def _reference_indexes(self) -> Iterator[Index]:
        for field in self._references:
            column = columns_of(field)[0]
            why = f"the foreign key to `{table_name(field.entity)}`"
            yield Index(self._named(column, "idx"), ("tenant_id", column), why)

    def _total_indexes(self) -> Iterator[Index]:
        for trigger in self._triggers:
            if isinstance(trigger, TotalTrigger):
                by = ("tenant_id", trigger.reference) if trigger.reference else trigger.by
                yield Index(self._named(*by, "total"), by, f"the sum that `{trigger.name}` looks at")


def page_keys(entity: Entity, operation: Operation) -> tuple[str, ...]:
    """The columns by which a list is sorted; the last two make the order one of single rows."""
    columns: list[str] = []
    for name in operation.list_by:
        field = entity.field(name)
        columns.extend(columns_of(field) if field is not None else (name,))
    return tuple(dict.fromkeys([*(one for one in columns if one != "id"), "created_at", "id"]))


def _is_shared(specification: Specification, entity: Entity) -> bool:
    """Who creates rows sees those of everyone, or belongs to nobody: then names are taken for everyone."""
    making = [sees_all(specification, one) for one in specification.operations if one.creates == entity.name]
    nobody = any(
        caller is not None and caller.auth is Auth.NOBODY
        for one in specification.operations
        if one.creates == entity.name
        for caller in (specification.caller(grant.caller) for grant in one.by)
    )
    return nobody or (bool(making) and all(seen == {True} for seen in making))


def _is_changed(specification: Specification, entity: Entity) -> bool:
    if entity.moves:
        return True
    return any(
        operation.changes == entity.name
        or any(pointed(specification, operation, what) == entity for what, _ in operation.moves)
        for operation in specification.operations
    )


def _is_hidden(field: Field) -> bool:
    """Whether the database cannot read it; a reference has to be readable, or it refers to nothing."""
    return field.sealed and field.kind is not FieldKind.REFERENCE


def _types(field: Field) -> tuple[str, ...]:
    if _is_hidden(field):
        return (f"varchar({HASH})",) if field.hashed else ("bytea",)
    if field.kind is FieldKind.TEXT:
        return (f"varchar({field.length})",)
    if field.kind is FieldKind.MONEY:
        return ("bigint", "char(3)")
    return (_TYPES[field.kind],)


def _default(field: Field) -> str:
    value = field.default
    if value is None or _is_hidden(field):
        return ""
    match field.kind:
        case FieldKind.INTEGER | FieldKind.MONEY if re.fullmatch(r"-?\d+", value):
            return value
        case FieldKind.BOOLEAN if value in ("true", "false"):
            return value
        case FieldKind.TIME if value == "now":
            return "now()"
        case FieldKind.DATE if value == "today":
            return "current_date"
        case FieldKind.TEXT | FieldKind.ENUM | FieldKind.EMAIL | FieldKind.URL:
            return literal(value)
    return ""


def _note(field: Field) -> str:
    said = []
    if field.hashed:
        said.append("Hashed slowly by the service, with a salt; never logged nor shown.")
    elif _is_hidden(field):
        said.append("Secret: encrypted by the service, with the id of its key; never logged nor shown.")
    if field.personal:
        said.append("Personal: never logged.")
    if field.keep is not None:
        said.append(f"Erased after {field.keep / 86_400:g} days.")
    return " ".join(said)
