"""Transactions that begin by themselves: from the first write or lock to the commit."""

from collections.abc import Mapping

from mainstay.link.draft import Draft
from mainstay.link.effects import Summary
from mainstay.model.code import Call
from mainstay.model.effect import WRITES, EffectKind, Enclosure, EnclosureKind
from mainstay.model.location import Location

BEGINS = WRITES | {EffectKind.LOCK}
ENDS = frozenset({EffectKind.COMMIT, EffectKind.ROLLBACK})


def implied(draft: Draft, summaries: Mapping[str, Summary]) -> tuple[Enclosure, ...]:
    """The transactions of a body that no `with` shows: a write, then later a commit.

    A session of SQLAlchemy, or a connection of the DB-API, begins one at its first statement and
    holds it until commit or rollback.  Bodies that never commit are left to their callers.
    """
    begun = -1
    found: list[Enclosure] = []
    for at in sorted(draft.direct.keys() | draft.edges.keys()):
        kinds = {effect.kind for effect in draft.direct.get(at, ())}
        below: set[EffectKind] = set()
        for edge in draft.edges.get(at, ()):
            if edge.now:
                below |= {effect.kind for effect in summaries.get(edge.function, ())}
        if (kinds | below) & ENDS:
            if begun >= 0 and at > begun:
                found.append(_between(draft, begun, at))
            begun = -1
        elif begun < 0 and (kinds | below) & BEGINS and not _already(draft, at):
            begun = at
    return tuple(found)


def _already(draft: Draft, at: int) -> bool:
    return any(e.kind is EnclosureKind.TRANSACTION and e.holds(at) for e in draft.enclosures)


def _between(draft: Draft, begun: int, ended: int) -> Enclosure:
    first = draft.body.statements[begun]
    assert isinstance(first, Call)
    place = Location(draft.file.path, first.line, first.column, first.end_line, first.end_column)
    target = draft.targets.get(begun)
    name = target.name if target else ""
    return Enclosure(
        EnclosureKind.TRANSACTION, begun + 1, ended, place, "begun by this write", name, begun, implied=True
    )
