"""The failure modes in words, each with its sum and its origin."""

from mainstay.dossier.failure_modes import chapter
from mainstay.model.dossier import Chapter, Grid, Row, Statements
from mainstay.model.proof import Origin
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def _chapter(text: str) -> Chapter:
    return chapter(read(text, "spec.yaml"))


def _row(text: str, title: str, how: str) -> Row:
    grids = [part for part in _chapter(text).parts if isinstance(part, Grid) and part.title == title]
    return next(row for row in grids[0].rows if row.cells[0].startswith(how))


def test_there_is_a_grid_for_each_thing_that_fails() -> None:
    titles = [part.title for part in _chapter(PAYMENTS).parts if isinstance(part, Grid)]
    assert titles == [
        "When `processor` fails",
        "When `receipts` fails",
        "When the database fails",
        "When `payments` fails",
    ]


def test_operations_of_the_same_fate_are_told_together() -> None:
    row = _row(PAYMENTS, "When `processor` fails", "down")
    assert row.cells[1] == (
        "`charge`: 202 accepted, and settled when it is back; `refund`, `get_charge`, `list_charges`: as ever"
    )
    assert row.cells[5] == "`dependency-down`"


def test_a_time_that_rests_on_a_setting_is_assumed_and_shows_its_sum() -> None:
    row = _row(PAYMENTS, "When `processor` fails", "half-open")
    assert row.origin is Origin.ASSUMED
    assert "20 calls / 2/s + 2 s = 12 s" in row.sum


def test_what_no_experiment_shows_is_said_and_asked() -> None:
    assert _row(PAYMENTS, "When `receipts` fails", "down").cells[5] == "nothing yet"
    parts = _chapter(PAYMENTS).parts[-1]
    assert isinstance(parts, Statements)
    assert "What is `receipts` run on?" in [item.said for item in parts.items]
    assert {item.origin for item in parts.items} == {Origin.OPEN}


def test_a_write_without_a_key_is_an_open_question() -> None:
    parts = _chapter(BOOKINGS).parts[-1]
    assert isinstance(parts, Statements)
    assert "May `add_room`, `cancel` happen twice?" in [item.said for item in parts.items]


def test_every_line_says_where_it_comes_from_and_nothing_was_measured() -> None:
    for text in (PAYMENTS, BOOKINGS):
        for part in _chapter(text).parts:
            assert isinstance(part, Grid | Statements)
            for line in part.rows if isinstance(part, Grid) else part.items:
                assert line.sum
                assert line.origin is not Origin.MEASURED


def test_every_row_has_as_many_cells_as_heads() -> None:
    for part in _chapter(PAYMENTS).parts:
        if isinstance(part, Grid):
            assert {len(row.cells) for row in part.rows} == {len(part.heads)}
