"""`data`: what is stored, field by field, with its moves and rules."""

import re
from collections.abc import Sequence

from mainstay.model.specification import Entity, Field, Move, Rule
from mainstay.sources.specification.faults import Faults
from mainstay.sources.specification.fields import field
from mainstay.sources.specification.nodes import Many, Node, Table, Text
from mainstay.sources.specification.phrases import Phrase
from mainstay.sources.specification.rules import moves, rule

NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,39}")


def entity(name: Text, node: Node, entities: Sequence[str], faults: Faults) -> Entity | None:
    """The entity of that name; None, and a fault, when it is none."""
    if not NAME.fullmatch(name.value):
        faults.add(
            name.location, f"`{name.value}` is no name for an entity; write a capital first: `Charge`."
        )
        return None
    if not isinstance(node, Table) or not node.items:
        faults.add(
            name.location, f"`{name.value}` has no fields; write `{name.value}: {{amount: money > 0}}`."
        )
        return None
    fields: list[Field] = []
    moved: tuple[Move, ...] = ()
    rules: tuple[Rule, ...] = ()
    for key, value in node.items:
        if key.value == "moves":
            moved = _moves(key, value, faults)
        elif key.value in ("rule", "rules"):
            rules += tuple(_rules(key, value, faults))
        elif key.value == "id":
            _identity(value, faults)
        elif not isinstance(value, Text):
            faults.add(
                key.location, f"`{key.value}` is described by a phrase: `{key.value}: text(200) optional`."
            )
        elif (found := field(key, Phrase(value), entities, faults)) is not None:
            fields.append(found)
    return Entity(name.value, name.location, tuple(fields), moved, rules)


def _identity(node: Node, faults: Faults) -> None:
    """Ids are random, so that nobody can count or guess them."""
    if not isinstance(node, Text) or node.value.strip() != "uuid":
        faults.add(node.location, "every row has an `id: uuid`; write that, or leave it out.")


def _moves(key: Text, node: Node, faults: Faults) -> tuple[Move, ...]:
    if not isinstance(node, Text):
        faults.add(key.location, "`moves` is one text: `moves: pending -> captured | failed`.")
        return ()
    return moves(node, faults)


def _rules(key: Text, node: Node, faults: Faults) -> list[Rule]:
    texts = node.items if isinstance(node, Many) else (node,)
    found: list[Rule] = []
    for text in texts:
        if not isinstance(text, Text):
            faults.add(key.location, f"`{key.value}` is a text, or a list of them.")
        elif (one := rule(text, faults)) is not None:
            found.append(one)
    return found
