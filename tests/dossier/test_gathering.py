"""All that is assumed and all that is open can be read in one place."""

from mainstay.dossier import dossier
from mainstay.dossier.gathering import gathered
from mainstay.model.dossier import Chapter, Grid, Row, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.sources.specification import read
from tests.sources.specification.texts import PAYMENTS

ASSUMED = Statement("It takes 10 ms.", Origin.ASSUMED, "twice that needs twice as many")
OPEN = Row(("`mail`", "who runs it?"), Origin.OPEN, "nobody says it")


def test_the_ledgers_hold_what_others_assume_and_ask() -> None:
    one = Chapter(
        "one", "The first", "", (Statements((ASSUMED, Statement("It is so."))), Grid(("a", "b"), (OPEN,)))
    )
    ledgers = (Chapter("assumptions", "Assumed", "", ()), Chapter("questions", "Open", "", ()))
    first, assumptions, questions = gathered((one, *ledgers))
    assert first == one
    (grid,) = assumptions.parts
    assert isinstance(grid, Grid)
    assert [row.cells for row in grid.rows] == [
        ("The first", "It takes 10 ms.", "twice that needs twice as many")
    ]
    (grid,) = questions.parts
    assert isinstance(grid, Grid)
    assert [row.cells for row in grid.rows] == [("The first", "`mail`; who runs it?", "nobody says it")]


def test_a_ledger_stays_as_it_is_where_there_is_nothing_to_gather() -> None:
    ledger = Chapter("questions", "Open", "", (Statements((Statement("Who pays?", Origin.OPEN),)),))
    assert gathered((ledger,)) == (ledger,)


def test_no_open_line_of_a_dossier_is_missing_there() -> None:
    chapters = dossier(read(PAYMENTS, "p.yaml")).chapters
    asked = {
        item.said
        for chapter in chapters
        for part in chapter.parts
        if isinstance(part, Statements)
        for item in part.items
        if item.origin is Origin.OPEN
    }
    (last,) = (chapter for chapter in chapters if chapter.name == "questions")
    told = {item.said for part in last.parts if isinstance(part, Statements) for item in part.items}
    told |= {row.cells[1] for part in last.parts if isinstance(part, Grid) for row in part.rows}
    assert asked <= told
