"""The decisions that the specification calls for, and what each is about."""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from mainstay.model.specification import (
    ApartRule,
    Field,
    FieldKind,
    Operation,
    Specification,
    TotalRule,
    UniqueRule,
    WhenDown,
)
from mainstay.plan.alerts import later


class Subject(StrEnum):
    """What is decided."""

    TRANSACTION = "one-transaction"
    EVENTUAL = "acid-or-eventual"
    PARTITION = "when-the-network-splits"
    IDEMPOTENCY = "idempotency-keys"
    OUTBOX = "outbox"
    PESSIMISTIC = "row-locks"
    OPTIMISTIC = "versions"
    RULES = "rules-in-the-database"
    PAGES = "keyset-pages"
    IDS = "random-ids"
    ENUMS = "states-as-text"
    RETRIES = "retry-budget"
    MONEY = "minor-units"
    TENANCY = "tenants-in-one-schema"


class Split(StrEnum):
    """The side of CAP that an operation is on when it is cut off from something.

    Consistency, availability: S. Gilbert and N. Lynch, "Brewer's conjecture and the feasibility of
    consistent, available, partition-tolerant web services", 2002.
    """

    CONSISTENT = "consistent: it refuses"
    AVAILABLE = "available: it answers, and the other side follows"
    REDUCED = "available: it answers with less"


class Cut(Struct, frozen=True):
    """One operation that is cut off from one part."""

    operation: str
    part: str  # "database", or a need
    side: Split


class Decision(Struct, frozen=True):
    """One decision."""

    subject: Subject
    concerns: tuple[str, ...]  # operations, needs, entities or fields of the specification
    cuts: tuple[Cut, ...] = ()  # of the decision about splits


def decisions(specification: Specification) -> tuple[Decision, ...]:
    """Those that the specification calls for, in the order of their subjects."""
    found = ((subject, tuple(dict.fromkeys(_concerned(specification, subject)))) for subject in Subject)
    return tuple(
        Decision(subject, concerns, cuts(specification) if subject is Subject.PARTITION else ())
        for subject, concerns in found
        if concerns
    )


def cuts(specification: Specification) -> tuple[Cut, ...]:
    """Each operation, cut off from the database and from each need that it uses."""
    return tuple(cut for operation in specification.operations for cut in _cuts(specification, operation))


def _cuts(specification: Specification, operation: Operation) -> Iterator[Cut]:
    yield Cut(operation.name, "database", Split.CONSISTENT)
    for need in specification.needs:
        if need.name not in (*operation.calls, *operation.emits):
            continue
        settles = need.when_down is WhenDown.SETTLE_LATER and operation.method != "GET"
        sent = need.name in operation.emits and need.when_down is not WhenDown.REFUSE
        if settles or sent:
            yield Cut(operation.name, need.name, Split.AVAILABLE)
        elif need.when_down is WhenDown.DEGRADE:
            yield Cut(operation.name, need.name, Split.REDUCED)
        else:
            yield Cut(operation.name, need.name, Split.CONSISTENT)


def _concerned(specification: Specification, subject: Subject) -> Iterator[str]:
    match subject:
        case Subject.TRANSACTION:
            yield from (o.name for o in specification.operations if o.writes)
        case Subject.EVENTUAL:
            yield from (cut.part for cut in cuts(specification) if cut.side is Split.AVAILABLE)
        case Subject.PARTITION:
            yield from (o.name for o in specification.operations)
        case Subject.IDEMPOTENCY:
            yield from (o.name for o in specification.operations if o.critical and o.writes)
        case Subject.OUTBOX:
            yield from (name for o in specification.operations for name in later(specification, o))
        case Subject.RETRIES:
            yield from (need.name for need in specification.needs if need.idempotency_header)
        case Subject.IDS | Subject.TENANCY:
            yield from (entity.name for entity in specification.entities)
        case Subject.PESSIMISTIC | Subject.OPTIMISTIC | Subject.PAGES:
            yield from _by_operation(specification, subject)
        case Subject.RULES | Subject.ENUMS | Subject.MONEY:
            yield from _by_data(specification, subject)


def _by_operation(specification: Specification, subject: Subject) -> Iterator[str]:
    for operation in specification.operations:
        changes = operation.changes or operation.moves or operation.removes
        if (
            (subject is Subject.PESSIMISTIC and operation.locks)
            or (subject is Subject.OPTIMISTIC and changes and not operation.locks)
            or (subject is Subject.PAGES and operation.lists)
        ):
            yield operation.name


def _by_data(specification: Specification, subject: Subject) -> Iterator[str]:
    for entity in specification.entities:
        if subject is Subject.RULES:
            if any(isinstance(rule, (TotalRule, UniqueRule, ApartRule)) for rule in entity.rules):
                yield entity.name
            continue
        kind = FieldKind.ENUM if subject is Subject.ENUMS else FieldKind.MONEY
        yield from (f"{entity.name}.{name}" for name in _named(entity.fields, kind))


def _named(fields: tuple[Field, ...], kind: FieldKind) -> Iterator[str]:
    return (field.name for field in fields if field.kind is kind)
