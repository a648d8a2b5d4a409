"""`operations`: what can be asked of the service, by whom, and what it does."""

import re

from msgspec import Struct

from mainstay.model.specification import Field, Grant, Operation
from mainstay.sources.specification.amounts import rate, seconds
from mainstay.sources.specification.faults import Faults
from mainstay.sources.specification.fields import NAME, field
from mainstay.sources.specification.nodes import Node, Table, Text
from mainstay.sources.specification.phrases import Phrase
from mainstay.sources.specification.tables import Keys

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
DEEDS = ("creates", "reads", "lists", "changes", "removes")
DETAILS = ("locks", "moves", "takes", "calls", "emits", "critical", "budget", "load", "limit")
KEYS = (*METHODS, "by", *DEEDS, *DETAILS)
PATH = re.compile(r"/(?:[a-z0-9_-]+|\{[a-z][a-z0-9_]*\})(?:/(?:[a-z0-9_-]+|\{[a-z][a-z0-9_]*\}))*")
WRITING = ("creates", "changes", "removes", "moves")


class _Amounts(Struct, frozen=True):
    """What an operation has of its own, where it differs from the service."""

    p95: float | None = None
    expected: float | None = None
    peak: float | None = None


def operation(name: Text, node: Node, faults: Faults) -> Operation | None:
    """The operation of that name; None, and a fault, when it cannot be called."""
    keys = Keys(node, f"the operation `{name.value}`", KEYS, faults)
    if not NAME.fullmatch(name.value):
        said = f"`{name.value}` is no name for an operation; write small letters: `list_charges`."
        faults.add(name.location, said)
    request = _request(keys, name)
    if request is None:
        return None
    method, path = request
    deeds = {deed: text.value for deed in DEEDS if (text := keys.text(deed, like="Charge")) is not None}
    moved = _moves(keys)
    if len(deeds) > 1:
        first, second = list(deeds)[:2]
        faults.add(
            keys.table.key(second), f"`{name.value}` {first} and {second} at once; make two operations of it."
        )
    _check_method(keys, method, deeds, bool(moved))
    listed, list_by = _list(keys)
    own = _amounts(keys)
    locks = keys.text("locks", like="charge")
    limit = keys.text("limit", like="10/min")
    takes, inputs = _takes(keys, faults)
    return Operation(
        name.value,
        name.location,
        method,
        path,
        _by(keys, name),
        creates=deeds.get("creates", ""),
        reads=deeds.get("reads", ""),
        lists=listed,
        changes=deeds.get("changes", ""),
        removes=deeds.get("removes", ""),
        list_by=list_by,
        locks=locks.value if locks is not None else "",
        moves=moved,
        takes=takes,
        inputs=inputs,
        limit=rate(limit, faults) if limit is not None else None,
        calls=tuple(text.value for text in keys.texts("calls")),
        emits=tuple(text.value for text in keys.texts("emits")),
        critical=keys.flag("critical"),
        p95=own.p95,
        expected=own.expected,
        peak=own.peak,
    )


def _request(keys: Keys, name: Text) -> tuple[str, str] | None:
    methods = [method for method in METHODS if keys.has(method)]
    if len(methods) != 1:
        said = "has no method and path" if not methods else f"has {len(methods)} methods"
        keys.faults.add(name.location, f"`{name.value}` {said}; write one, such as `POST: /charges`.")
        return None
    path = keys.text(methods[0], like="/charges")
    if path is None:
        return None
    if not PATH.fullmatch(path.value):
        said = f"`{path.value}` is no path; write small letters between slashes: `/charges/{{id}}/refunds`."
        keys.faults.add(path.location, said)
        return None
    return methods[0], path.value


def _by(keys: Keys, name: Text) -> tuple[Grant, ...]:
    texts = keys.texts("by")
    if not texts:
        said = f"nobody may call `{name.value}`; say who may: `by: shop with charge`."
        keys.faults.add(name.location, said)
    grants = []
    for text in texts:
        phrase = Phrase(text)
        caller = phrase.take().value
        scope = phrase.take().value if phrase.took("with") else ""
        if not phrase.over or not caller:
            keys.faults.add(
                text.location, f"`{text.value}` is no caller; write `shop`, or `shop with charge`."
            )
        grants.append(Grant(caller, scope))
    return tuple(grants)


def _list(keys: Keys) -> tuple[str, tuple[str, ...]]:
    """`Charge by status, created_at`."""
    text = keys.text("lists", like="Charge by created_at")
    if text is None:
        return "", ()
    entity, _, fields = text.value.partition(" by ")
    return entity.strip(), tuple(field.strip() for field in fields.split(",") if field.strip())


def _moves(keys: Keys) -> tuple[tuple[str, str], ...]:
    """`charge -> refunded`."""
    found = []
    for text in keys.texts("moves"):
        phrase = Phrase(text)
        what, arrow, state = phrase.take(), phrase.take(), phrase.take()
        if arrow.value != "->" or not state.value or not phrase.over:
            keys.faults.add(text.location, "`moves` says what gets which state: `moves: charge -> refunded`.")
            continue
        found.append((what.value, state.value))
    return tuple(found)


def _takes(keys: Keys, faults: Faults) -> tuple[tuple[str, ...], tuple[Field, ...]]:
    """Names of fields, or a phrase for each of what is not stored as it comes."""
    node = keys.table.get("takes")
    if not isinstance(node, Table):
        return tuple(text.value for text in keys.texts("takes")), ()
    found: list[Field] = []
    for key, value in node.items:
        if not isinstance(value, Text):
            said = f"`{key.value}` is described by a phrase: `takes: {{password: text(200) secret}}`."
            faults.add(key.location, said)
        elif (one := field(key, Phrase(value), (), faults)) is not None:
            found.append(one)
    return (), tuple(found)


def _check_method(keys: Keys, method: str, deeds: dict[str, str], moved: bool) -> None:
    """A GET that writes is repeated by everything between the caller and us."""
    writes = moved or any(deed in WRITING for deed in deeds)
    place = keys.table.key(method)
    if method == "GET" and writes:
        keys.faults.add(place, "a GET changes nothing, and this one writes; make it a POST.")
    if method == "GET" and not deeds:
        keys.faults.add(place, "nothing says what this GET shows; add `reads: Charge` or `lists: Charge`.")
    if "removes" in deeds and method != "DELETE":
        keys.faults.add(place, f"what removes is a DELETE, and this is a {method}.")
    if method == "DELETE" and "removes" not in deeds:
        keys.faults.add(place, "nothing says what this DELETE removes; add `removes: Charge`.")
    if "creates" in deeds and method not in ("POST", "PUT"):
        keys.faults.add(place, f"what creates is a POST, and this is a {method}.")


def _amounts(keys: Keys) -> _Amounts:
    p95 = _inner(keys, "budget", "p95", "50ms")
    expected, peak = _inner(keys, "load", "expected", "5/s"), _inner(keys, "load", "peak", "20/s")
    return _Amounts(
        seconds(p95, keys.faults) if p95 is not None else None,
        rate(expected, keys.faults) if expected is not None else None,
        rate(peak, keys.faults) if peak is not None else None,
    )


def _inner(keys: Keys, table: str, name: str, like: str) -> Text | None:
    node = keys.table.get(table)
    if node is None:
        return None
    known = ("p95",) if table == "budget" else ("expected", "peak")
    if not isinstance(node, Table):
        keys.faults.add(keys.table.key(table), f"`{table}` is a mapping: `{table}: {{{name}: {like}}}`.")
        return None
    if name == known[0]:  # the keys are looked at once
        Keys(node, f"`{table}`", known, keys.faults)
    found = node.get(name)
    if found is not None and not isinstance(found, Text):
        keys.faults.add(node.key(name), f"`{name}` is an amount: `{name}: {like}`.")
        return None
    return found if isinstance(found, Text) else None
