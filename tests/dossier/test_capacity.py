"""The arithmetic is told with its sums, and what was assumed with what changes if it is wrong."""

from mainstay.dossier.capacity import chapter
from mainstay.model.dossier import Grid, Statements
from mainstay.model.proof import Origin
from mainstay.sources.specification import read
from tests.sources.specification.texts import PAYMENTS


def test_every_line_says_where_it_comes_from() -> None:
    grid, statements = chapter(read(PAYMENTS, "spec.yaml")).parts
    assert isinstance(grid, Grid)
    assert isinstance(statements, Statements)
    assert grid.rows[0].cells == ("`charge`", "120/s", "200 ms", "24.00")
    assert (grid.rows[0].origin, grid.rows[0].sum) == (Origin.DERIVED, "120/s × 0.2 s = 24.00")
    assert grid.rows[1].origin is Origin.ASSUMED
    said = {statement.said: statement for statement in statements.items}
    assert said["4 processes carry the peak."].sum == "⌈200/s × 10 ms / 60% of a core⌉ = 4"
    assert said["A request takes 10 ms of one core."].origin is Origin.ASSUMED
    assert all(statement.sum for statement in statements.items)


def test_a_database_that_has_to_be_configured_is_told() -> None:
    text = PAYMENTS.replace("peak: 200/s}", "peak: 2000/s}")
    statements = chapter(read(text, "spec.yaml")).parts[1]
    assert isinstance(statements, Statements)
    assert "set `max_connections`, which is 100 when nobody sets it" in statements.items[-1].said
