"""Who may do what: every operation against every caller."""

from enum import StrEnum

from msgspec import Struct

from mainstay.model.specification import Auth, Caller, Operation, Specification
from mainstay.plan.tables import sees_all


class Rows(StrEnum):
    """Whose rows an operation touches for a caller."""

    NONE = "none"
    OWN = "own"  # of the tenant that his token names
    ALL = "all"


class Gap(StrEnum):
    """What the specification leaves open about access."""

    SCOPE_UNUSED = "a scope that no operation asks for"
    SEES_NOTHING = "a caller who reads rows that he can never own"
    PUBLIC_ROWS = "anyone reads rows that belong to tenants"
    PUBLIC_WRITE = "anyone writes"


class Cell(Struct, frozen=True):
    """One operation for one caller."""

    operation: str
    caller: str
    allowed: bool
    scope: str  # that he needs; empty: his credentials alone
    rows: Rows
    refused: int  # the status of what he may not do: 401 without credentials, 403; 0 where all is allowed
    others: int  # the status for a row of somebody else: 404, as if there were none; 0 where there is none


class Question(Struct, frozen=True):
    """A gap, and where it is."""

    gap: Gap
    caller: str
    about: str  # a scope, an entity or an operation


class Matrix(Struct, frozen=True):
    """All of it: cells by operation, then by caller."""

    cells: tuple[Cell, ...]
    questions: tuple[Question, ...]

    def cell(self, operation: str, caller: str) -> Cell | None:
        """What that caller may do with that operation."""
        return next((c for c in self.cells if (c.operation, c.caller) == (operation, caller)), None)


def matrix(specification: Specification) -> Matrix:
    """What is not granted is refused; a row of another tenant is not there."""
    anyone = {caller.name for caller in specification.callers if caller.auth is Auth.NOBODY}
    cells = (_cell(o, c, anyone) for o in specification.operations for c in specification.callers)
    return Matrix(tuple(cells), tuple(_questions(specification)))


def _cell(operation: Operation, caller: Caller, anyone: set[str]) -> Cell:
    grants = [grant for grant in operation.by if grant.caller == caller.name]
    if any(grant.caller in anyone for grant in operation.by):  # whoever is known is anyone, too
        return Cell(operation.name, caller.name, True, "", Rows.ALL, 0, 0)
    if not grants:
        status = 401 if caller.auth is Auth.NOBODY else 403
        return Cell(operation.name, caller.name, False, "", Rows.NONE, status, 0)
    named = "{" in operation.path
    return Cell(
        operation.name,
        caller.name,
        True,
        grants[0].scope,
        Rows.ALL if caller.sees_all else Rows.OWN,
        403 if grants[0].scope else 0,
        404 if named and not caller.sees_all else 0,
    )


def _questions(specification: Specification) -> list[Question]:
    found = []
    for caller in specification.callers:
        asked = {g.scope for o in specification.operations for g in o.by if g.caller == caller.name}
        found += [Question(Gap.SCOPE_UNUSED, caller.name, s) for s in caller.scopes if s not in asked]
        found += (
            _public(specification, caller) if caller.auth is Auth.NOBODY else _blind(specification, caller)
        )
    return found


def _public(specification: Specification, caller: Caller) -> list[Question]:
    his = [o for o in specification.operations if any(g.caller == caller.name for g in o.by)]
    read = dict.fromkeys(o.reads or o.lists for o in his if o.reads or o.lists)
    wrote = [o.name for o in his if o.method != "GET"]
    return [
        *(Question(Gap.PUBLIC_ROWS, caller.name, one) for one in read if _has_owners(specification, one)),
        *(Question(Gap.PUBLIC_WRITE, caller.name, name) for name in wrote),
    ]


def _has_owners(specification: Specification, entity: str) -> bool:
    """Whether somebody makes such rows who sees his own only."""
    makers = [sees_all(specification, o) for o in specification.operations if o.creates == entity]
    return any(False in seen for seen in makers)


def _blind(specification: Specification, caller: Caller) -> list[Question]:
    """Who sees his own rows only, and has no operation that makes one, sees nothing."""
    if caller.sees_all:
        return []
    his = [o for o in specification.operations if any(g.caller == caller.name for g in o.by)]
    made = {o.creates for o in his}
    wanted = dict.fromkeys(o.entity for o in his if o.entity and not o.creates)
    return [Question(Gap.SEES_NOTHING, caller.name, entity) for entity in wanted if entity not in made]
