"""The threats in words."""

from mainstay.dossier.threat_model import DANGERS, chapter
from mainstay.model.dossier import Grid, Statements
from mainstay.model.proof import Origin
from mainstay.plan.threats import Side, Stride
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def test_every_threat_has_words() -> None:
    assert set(DANGERS) == {(side, stride) for side in Side for stride in Stride}


def test_each_boundary_is_a_grid_of_six() -> None:
    grids = [part for part in chapter(read(PAYMENTS, "spec.yaml")).parts if isinstance(part, Grid)]
    assert [grid.title for grid in grids][1] == "payments → processor"
    assert {len(grid.rows) for grid in grids} == {6}
    assert {len(row.cells) for grid in grids for row in grid.rows} == {len(grids[0].heads)}


def test_secret_and_personal_fields_are_named_first() -> None:
    kept = chapter(read(PAYMENTS, "spec.yaml")).parts[0]
    assert isinstance(kept, Statements)
    assert ["`Charge.card_token`" in kept.items[0].said, "`Charge.payer_email`" in kept.items[1].said] == [
        True,
        True,
    ]


def test_no_secret_at_all_is_a_question() -> None:
    kept = chapter(read(BOOKINGS, "spec.yaml")).parts[0]
    assert isinstance(kept, Statements)
    assert [item.origin for item in kept.items] == [Origin.OPEN]


def test_what_nothing_stands_against_is_open() -> None:
    grids = [part for part in chapter(read(PAYMENTS, "spec.yaml")).parts if isinstance(part, Grid)]
    rows = [row for grid in grids for row in grid.rows]
    assert all((row.origin is Origin.OPEN) == (row.cells[3] == "nothing") for row in rows)


def test_each_question_is_asked_once() -> None:
    open_ = chapter(read(PAYMENTS, "spec.yaml")).parts[-1]
    assert isinstance(open_, Statements)
    said = [item.said for item in open_.items]
    assert len(set(said)) == len(said)
    assert {item.origin for item in open_.items} == {Origin.OPEN}
