"""The dashboard as a person reads of it."""

import json

import pytest

from mainstay.dossier.dashboards import PLACE, chapter
from mainstay.model.dossier import Artefact, Grid, Statements
from mainstay.model.proof import Origin
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


@pytest.mark.parametrize("spec", [PAYMENTS, BOOKINGS])
def test_each_panel_says_what_it_is_read_for_and_what_it_shows(spec: str) -> None:
    panels, statements, file = chapter(read(spec, "spec.yaml")).parts
    assert isinstance(panels, Grid)
    assert isinstance(statements, Statements)
    assert isinstance(file, Artefact)
    assert PLACE == 65
    shown = json.loads(file.text)["panels"]
    assert [row.cells[0] for row in panels.rows] == [panel["title"] for panel in shown]
    for row, panel in zip(panels.rows, shown, strict=True):
        assert row.cells[1]
        assert all(f"`{target['expr']}`" in row.sum for target in panel["targets"])
    assert {said.origin for said in statements.items} == {Origin.ASSUMED}
    assert file.path == "dashboard.json"


def test_a_line_is_told_with_its_unit() -> None:
    panels = chapter(read(PAYMENTS, "spec.yaml")).parts[0]
    assert isinstance(panels, Grid)
    lines = {row.cells[0]: row.cells[2] for row in panels.rows}
    assert lines["p95: get_charge"] == "50 ms"
    assert lines["Requests by status"] == "200/s"
    assert lines["Disk left"] == "10 %"
    assert lines["Age of the backup"] == "36 h"
    assert lines["Under way"] == ""
