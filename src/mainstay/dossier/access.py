"""Who may do what, in words."""

from collections.abc import Iterator

from mainstay.model.dossier import Chapter, Grid, Row, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.model.specification import Auth, Caller, Operation, Specification
from mainstay.plan.access import Cell, Gap, Matrix, Question, Rows, matrix

PLACE = 45


def chapter(specification: Specification) -> Chapter:
    """Operations against callers, how callers are known, and what is open."""
    found = matrix(specification)
    names = tuple(f"`{caller.name}`" for caller in specification.callers)
    rows = tuple(_row(found, operation, specification) for operation in specification.operations)
    known = tuple(_known(caller) for caller in specification.callers)
    open_ = tuple(_question(question) for question in found.questions)
    parts = (
        Grid(("operation", *names), rows, "Operations and callers"),
        Statements((*known, *_rules(found)), "What every request is asked"),
        *((Statements(open_, "What is open about access"),) if open_ else ()),
    )
    lead = "What is not granted here is refused; each cell becomes a test."
    return Chapter("access", "Who may do what", lead, parts)


def _row(found: Matrix, operation: Operation, specification: Specification) -> Row:
    cells = (found.cell(operation.name, caller.name) for caller in specification.callers)
    by = ", ".join(f"{g.caller} with {g.scope}" if g.scope else g.caller for g in operation.by)
    return Row((f"`{operation.name}`", *(_cell(cell) for cell in cells if cell)), sum=f"by: {by}")


def _cell(cell: Cell) -> str:
    if not cell.allowed:
        return f"refused: {cell.refused}"
    scope = f"with `{cell.scope}`" if cell.scope else "without a scope"
    rows = "all rows" if cell.rows is Rows.ALL else "its own rows"
    others = f"; {cell.others} for another's" if cell.others else ""
    return f"allowed {scope}, {rows}{others}"


def _known(caller: Caller) -> Statement:
    if caller.auth is Auth.NOBODY:
        return Statement(
            f"`{caller.name}` is anyone, and shows nothing: {caller.why}.", sum="the specification"
        )
    sees = "everyone's rows" if caller.sees_all else "its own rows"
    return Statement(f"`{caller.name}` is known by {caller.auth} and sees {sees}.", sum="the specification")


def _rules(found: Matrix) -> Iterator[Statement]:
    yield Statement(
        "Without valid credentials the answer is 401, and without the scope 403.",
        sum="RFC 9110, 15.5.2 and 15.5.4; tested by `anonymous-access`",
    )
    if any(cell.others for cell in found.cells):
        yield Statement(
            "A row of another tenant is answered with 404, like one that does not exist.",
            sum="a 403 would tell that it exists; tested by `cross-tenant-access`",
        )


def _question(question: Question) -> Statement:
    caller, about = f"`{question.caller}`", f"`{question.about}`"
    match question.gap:
        case Gap.SCOPE_UNUSED:
            said = f"What is the scope {about} of {caller} for?"
            why = "no operation asks for it, so a token without it may do as much"
        case Gap.SEES_NOTHING:
            said = f"Whose {about} rows does {caller} see?"
            why = "he sees his own and makes none: unless his tokens name another's tenant, write `sees: all`"
        case Gap.PUBLIC_ROWS:
            said = f"Are all rows of {about} public, whoever made them?"
            why = f"{caller} belongs to no tenant, so no row is his own, and he is shown all"
        case Gap.PUBLIC_WRITE:
            said = f"What keeps {caller} from calling {about} a million times?"
            why = "he shows nothing, so he can only be limited by his address"
    return Statement(said, Origin.OPEN, why)
