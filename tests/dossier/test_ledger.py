"""What was assumed, and what only the owner can answer."""

from mainstay.dossier import assumptions, questions
from mainstay.model.dossier import Grid, Statements
from mainstay.model.proof import Origin
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def test_each_assumption_says_what_changes_if_it_is_wrong() -> None:
    (grid,) = assumptions.chapter(read(BOOKINGS, "b.yaml")).parts
    assert isinstance(grid, Grid)
    assert len(grid.rows) == 6
    assert all(row.origin is Origin.ASSUMED and row.cells[3] for row in grid.rows)
    assert grid.rows[-1].cells[:3] == ("`load.peak`", "80/s", "4 times the expected load")


def test_where_all_is_said_nothing_is_assumed() -> None:
    found = assumptions.chapter(read(PAYMENTS, "p.yaml"))
    assert (found.lead, found.parts) == (
        "The specification says all that it can; what was assumed beside it follows.",
        (),
    )


def test_a_service_that_says_no_load_is_a_small_one() -> None:
    (grid,) = assumptions.chapter(read(BOOKINGS.replace("load: {expected: 20/s}\n", ""), "b.yaml")).parts
    assert isinstance(grid, Grid)
    assert grid.rows[-1].cells[:2] == ("`load`", "10/s, at most 40/s")
    (grid,) = assumptions.chapter(read(BOOKINGS.replace("{expected: 20/s}", "{peak: 20/s}"), "b.yaml")).parts
    assert isinstance(grid, Grid)
    assert grid.rows[-1].cells[:2] == ("`load.expected`", "5/s")


def test_what_is_open_is_asked_with_its_reason() -> None:
    text = PAYMENTS.replace("personal keep 24mo", "personal").replace("header Idempotency-Key", "no")
    (statements,) = questions.chapter(read(text, "p.yaml")).parts
    assert isinstance(statements, Statements)
    asked = {item.said: item for item in statements.items}
    assert "How long is `Charge.payer_email` kept?" in asked
    assert "What makes a repeated request to `processor` safe?" in asked
    assert all(item.origin is Origin.OPEN and item.sum for item in statements.items)
