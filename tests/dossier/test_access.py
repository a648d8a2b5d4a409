"""The matrix of operations and callers."""

from mainstay.dossier.access import chapter
from mainstay.model.dossier import Grid, Statements
from mainstay.model.proof import Origin
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def _grid(text: str) -> Grid:
    part = chapter(read(text, "spec.yaml")).parts[0]
    assert isinstance(part, Grid)
    return part


def test_each_operation_has_a_row_and_each_caller_a_column() -> None:
    grid = _grid(PAYMENTS)
    assert grid.heads == ("operation", "`shop`", "`auditor`")
    assert [row.cells[0] for row in grid.rows] == ["`charge`", "`refund`", "`get_charge`", "`list_charges`"]
    assert grid.rows[1].cells[1:] == (
        "allowed with `refund`, its own rows; 404 for another's",
        "refused: 403",
    )


def test_each_row_quotes_what_it_follows_from() -> None:
    assert [row.sum for row in _grid(PAYMENTS).rows][:3] == [
        "by: shop with charge",
        "by: shop with refund",
        "by: shop, auditor",
    ]


def test_a_caller_who_shows_nothing_says_why() -> None:
    known = chapter(read(BOOKINGS, "spec.yaml")).parts[1]
    assert isinstance(known, Statements)
    assert known.items[1].said == "`guest` is anyone, and shows nothing: prices are no secret."


def test_gaps_are_open_questions() -> None:
    open_ = chapter(read(PAYMENTS, "spec.yaml")).parts[2]
    assert isinstance(open_, Statements)
    assert [item.said for item in open_.items] == [
        "What is the scope `read` of `auditor` for?",
        "Whose `Charge` rows does `auditor` see?",
    ]
    assert {item.origin for item in open_.items} == {Origin.OPEN}
