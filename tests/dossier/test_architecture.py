"""What there is: callers on one side, what the service leans on at the other."""

from mainstay.dossier.architecture import chapter
from mainstay.model.dossier import Arrow, Box, Grid, Picture
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def test_the_picture_has_everyone_in_it() -> None:
    picture = chapter(read(PAYMENTS, "p.yaml")).parts[0]
    assert isinstance(picture, Picture)
    assert [box.name for box in picture.boxes] == [
        "shop",
        "auditor",
        "payments",
        "PostgreSQL",
        "processor",
        "receipts",
    ]
    assert Box("payments", "service", "99.9%, p95 200 ms") in picture.boxes
    assert Arrow("shop", "payments", "charge, refund, get_charge") in picture.arrows
    assert Arrow("payments", "processor", "charge") in picture.arrows


def test_the_parts_say_what_happens_without_a_need() -> None:
    grid = chapter(read(PAYMENTS, "p.yaml")).parts[1]
    assert isinstance(grid, Grid)
    told = {row.cells[0]: row.cells[1:] for row in grid.rows}
    assert told["`processor`"] == (
        "asked over HTTP",
        "within 2 s; when it is down, those operations accept, and settle when it is back",
    )
    text = PAYMENTS.replace("when_down: accept and settle later", "when_down: degrade to the last known rate")
    (degraded,) = [
        row.cells[2]
        for part in chapter(read(text.replace("p95: 200ms", "p95: 3s"), "p.yaml")).parts
        if isinstance(part, Grid)
        for row in part.rows
        if row.cells[0] == "`processor`"
    ]
    assert degraded.endswith("those operations go on with the last known rate")


def test_who_sees_everything_is_told() -> None:
    grid = chapter(read(BOOKINGS, "b.yaml")).parts[1]
    assert isinstance(grid, Grid)
    assert "who sees everyone's rows" in grid.rows[0].cells[1]
    assert "who sees its own rows" in grid.rows[1].cells[1]
