"""What has to fit together in a specification: every name means something, and something that can be."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from mainstay.model.specification import (
    ApartRule,
    Entity,
    Field,
    FieldKind,
    NeedKind,
    Operation,
    OrderRule,
    Rule,
    Specification,
    TotalRule,
    UniqueRule,
)
from mainstay.sources.specification.faults import Faults

OWN = ("created_at", "id")  # fields that every row has
COUNTED = (FieldKind.INTEGER, FieldKind.MONEY)
ORDERED = (*COUNTED, FieldKind.TIME, FieldKind.DATE)


def check(found: Specification, faults: Faults) -> None:
    """Add a fault for everything that is named and not there, or cannot be what it is named as."""
    for entity in found.entities:
        _Entity(found, entity, faults).check()
    for operation in found.operations:
        _Operation(found, operation, faults).check()
    _check_requests(found, faults)
    _check_unused(found, faults)


class _Entity:
    """One entity's fields, moves and rules."""

    def __init__(self, whole: Specification, entity: Entity, faults: Faults) -> None:
        self._whole, self._entity, self._faults = whole, entity, faults
        self._names = [field.name for field in entity.fields]

    def check(self) -> None:
        for field in self._entity.fields:
            self._check_field(field)
        self._check_moves()
        for rule in self._entity.rules:
            self._check_rule(rule)

    def _check_field(self, field: Field) -> None:
        if field.sealed and field.unique:
            how = "secret, and what is stored encrypted" if field.secret else "hashed, and what is stored so"
            self._faults.add(field.location, f"`{field.name}` is {how} cannot be compared; drop `unique`.")
        if field.secret and field.hashed:
            said = f"`{field.name}` is secret (it can be read back) and hashed (it cannot); keep one."
            self._faults.add(field.location, said)
        if field.optional and field.default is not None:
            said = f"`{field.name}` is optional and has a default; it can only be one of both."
            self._faults.add(field.location, said)
        if field.keep is not None and not field.personal:
            said = (
                f"`{field.name}` is kept for a time only, but not personal; say `personal`, or drop `keep`."
            )
            self._faults.add(field.location, said)

    def _check_moves(self) -> None:
        entity = self._entity
        states = {state for move in entity.moves for state in (move.before, move.after)}
        if states and entity.state is None:
            enums = [field for field in entity.fields if field.kind is FieldKind.ENUM]
            named = ", ".join(sorted(states))
            said = f"`{entity.name}` moves between {named}, and no field of it has these values; "
            said += f"add them to `{enums[0].name}`." if enums else f"add `status: enum({named})`."
            self._faults.add(entity.location, said)

    def _check_rule(self, rule: Rule) -> None:
        match rule:
            case TotalRule():
                self._check_total(rule)
            case UniqueRule():
                for name in rule.fields:
                    self._named(rule, name)
            case ApartRule():
                self._check_apart(rule)
            case OrderRule():
                left, right = self._named(rule, rule.left), self._named(rule, rule.right)
                if left and right and (left.kind is not right.kind or left.kind not in ORDERED):
                    said = (
                        f"`{rule.left}` ({left.kind}) and `{rule.right}` ({right.kind}) cannot be compared."
                    )
                    self._faults.add(rule.location, f"{said} Compare two times, dates or numbers.")

    def _check_total(self, rule: TotalRule) -> None:
        summed = self._named(rule, rule.field) if rule.field else None
        if summed is not None and summed.kind not in COUNTED:
            self._faults.add(
                rule.location, f"`{rule.field}` is a {summed.kind}, and only numbers and money add up."
            )
        shared = self._named(rule, rule.by)
        of, _, name = rule.limit.partition(".")
        if re.fullmatch(r"\d+", rule.limit) or shared is None:
            return
        if not name or of != rule.by or shared.kind is not FieldKind.REFERENCE:
            right = f"write a number, or a field of what `by` points to: `{rule.by}.amount`."
            self._faults.add(rule.location, f"`{rule.limit}` is no limit; {right}")
            return
        other = self._whole.entity(shared.entity)
        limit = other.field(name) if other is not None else None
        if other is not None and limit is None:
            self._faults.unknown(
                rule.location, f"field of {other.name}", name, [f.name for f in other.fields]
            )
        elif limit is not None and limit.kind not in COUNTED:
            self._faults.add(
                rule.location, f"`{rule.limit}` is a {limit.kind}, and no number to compare with."
            )

    def _check_apart(self, rule: ApartRule) -> None:
        ends = [self._named(rule, rule.start), self._named(rule, rule.end)]
        kinds = {end.kind for end in ends if end is not None}
        if all(ends) and (len(kinds) > 1 or not kinds <= {FieldKind.TIME, FieldKind.DATE, FieldKind.INTEGER}):
            said = f"`{rule.start}` and `{rule.end}` are no interval; make both `time`, or both `date`."
            self._faults.add(rule.location, said)
        for name in rule.by:
            self._named(rule, name)
        state = self._entity.state
        for word in rule.states:
            if state is None or word not in state.values:
                known = state.values if state is not None else ()
                self._faults.unknown(rule.location, f"state of {self._entity.name}", word, known)

    def _named(self, rule: Rule, name: str) -> Field | None:
        found = self._entity.field(name)
        if found is None:
            self._faults.unknown(rule.location, f"field of {self._entity.name}", name, self._names)
        elif found.sealed:
            said = f"`{name}` is stored so that the database cannot read it, and no rule can be kept over it"
            self._faults.add(rule.location, f"{said}; drop the rule, or store it plainly.")
        return found


class _Operation:
    """What one operation names."""

    def __init__(self, whole: Specification, operation: Operation, faults: Faults) -> None:
        self._whole, self._operation, self._faults = whole, operation, faults

    def check(self) -> None:
        self._check_callers()
        entity = self._check_entity()
        self._check_needs()
        for what, state in self._operation.moves:
            self._check_move(what, state)
        if self._operation.locks:
            self._pointed(self._operation.locks, "locks")
        if entity is not None:
            self._check_fields(entity)

    def _check_callers(self) -> None:
        place = self._operation.location
        known = [caller.name for caller in self._whole.callers]
        for grant in self._operation.by:
            caller = self._whole.caller(grant.caller)
            if caller is None:
                self._faults.unknown(place, "caller", grant.caller, known)
            elif grant.scope and grant.scope not in caller.scopes:
                self._faults.unknown(place, f"scope of {caller.name}", grant.scope, caller.scopes)

    def _check_entity(self) -> Entity | None:
        name = self._operation.entity
        if not name:
            if not self._operation.moves and not self._operation.calls and not self._operation.emits:
                said = f"nothing says what `{self._operation.name}` does"
                self._faults.add(self._operation.location, f"{said}; add `creates: ...` or `moves: ...`.")
            return None
        found = self._whole.entity(name)
        if found is None:
            known = [entity.name for entity in self._whole.entities]
            self._faults.unknown(self._operation.location, "entity", name, known)
        return found

    def _check_needs(self) -> None:
        place = self._operation.location
        known = [need.name for need in self._whole.needs]
        for name in (*self._operation.calls, *self._operation.emits):
            need = self._whole.need(name)
            if need is None:
                self._faults.unknown(place, "need", name, known)
            elif name in self._operation.calls and need.kind is NeedKind.QUEUE:
                self._faults.add(place, f"`{name}` is a queue: it is not called; write `emits: {name}`.")
            elif name in self._operation.emits and need.kind is NeedKind.HTTP:
                self._faults.add(
                    place, f"`{name}` is asked over HTTP and takes no messages; write `calls: {name}`."
                )

    def _check_move(self, what: str, state: str) -> None:
        entity = self._pointed(what, "moves")
        if entity is None:
            return
        field = entity.state
        if field is None:
            said = f"`{entity.name}` has no states to move between; add `moves: pending -> {state}` to it."
            self._faults.add(self._operation.location, said)
        elif state not in field.values:
            self._faults.unknown(self._operation.location, f"state of {entity.name}", state, field.values)
        elif all(move.after != state for move in entity.moves):
            said = f"nothing moves to `{state}` by the moves of `{entity.name}`"
            self._faults.add(self._operation.location, f"{said}; add it there, or leave it out here.")

    def _pointed(self, name: str, word: str) -> Entity | None:
        """The entity that `charge` means: a reference of what the operation is about, or its own name."""
        about = self._whole.entity(self._operation.entity)
        field = about.field(name) if about is not None else None
        wanted = field.entity if field is not None else "".join(part.capitalize() for part in name.split("_"))
        found = self._whole.entity(wanted)
        if found is None:
            known = [entity.name.lower() for entity in self._whole.entities]
            self._faults.unknown(self._operation.location, f"entity to `{word}`", name, known)
        return found

    def _check_fields(self, entity: Entity) -> None:
        names = [field.name for field in entity.fields]
        for name in self._operation.list_by:
            field = entity.field(name)
            if field is None and name not in OWN:
                self._faults.unknown(
                    self._operation.location, f"field of {entity.name}", name, (*names, *OWN)
                )
            elif field is not None and not field.shown:
                said = f"`{name}` is secret, and a list by it would tell it; leave it out."
                self._faults.add(self._operation.location, said)
        for name in self._operation.takes:
            if entity.field(name) is None:
                self._faults.unknown(self._operation.location, f"field of {entity.name}", name, names)


def _check_requests(found: Specification, faults: Faults) -> None:
    """One request means one operation."""
    seen = Counter[str]()
    for operation in found.operations:
        request = f"{operation.method} {re.sub(r'{[^}]*}', '{}', operation.path)}"
        if seen[request]:
            said = f"`{operation.method} {operation.path}` is another operation's already; change its path."
            faults.add(operation.location, said)
        seen[request] += 1


def _check_unused(found: Specification, faults: Faults) -> None:
    """What nobody uses is a slip, or a part that was forgotten."""
    used = set(_used(found))
    for caller in found.callers:
        if caller.name not in used:
            faults.add(
                caller.location,
                f"`{caller.name}` may call nothing; add it to an operation's `by`, or leave it out.",
            )
    for need in found.needs:
        if need.name not in used:
            said = f"nothing uses `{need.name}`; add it to an operation's `calls` or `emits`, or drop it."
            faults.add(need.location, said)


def _used(found: Specification) -> Iterator[str]:
    for operation in found.operations:
        yield from _all((grant.caller for grant in operation.by), operation.calls, operation.emits)


def _all(*parts: Iterator[str] | Sequence[str]) -> Iterator[str]:
    for part in parts:
        yield from part
