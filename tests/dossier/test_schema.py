"""The chapter on how the data is stored."""

from mainstay.dossier.schema import chapter
from mainstay.model.dossier import Artefact, Grid, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def grids(text: str) -> dict[str, Grid]:
    return {one.title: one for one in chapter(read(text, "spec.yaml")).parts if isinstance(one, Grid)}


def statements(text: str) -> list[Statement]:
    parts = chapter(read(text, "spec.yaml")).parts
    return [item for one in parts if isinstance(one, Statements) for item in one.items]


def test_each_table_shows_its_columns() -> None:
    assert ("`amount_minor`", "`bigint`", "always there.") in [
        row.cells for row in grids(PAYMENTS)["`charges`, for `Charge`"].rows
    ]


def test_each_rule_says_what_keeps_it() -> None:
    rows = [row.cells for row in grids(PAYMENTS)["What keeps each rule"].rows]
    assert (
        "`sum(amount) by charge <= charge.amount`",
        "`Refund`",
        "a lock, and a trigger as the second line; the row of `charges` is locked first",
        "409, `refunds_charge_amount_total`",
    ) in rows


def test_a_service_without_rules_has_no_empty_grid() -> None:
    for grid in grids(BOOKINGS).values():
        assert grid.rows


def test_every_line_says_what_it_rests_on() -> None:
    for text in (PAYMENTS, BOOKINGS):
        for grid in grids(text).values():
            assert all(row.sum and len(row.cells) == len(grid.heads) for row in grid.rows)
        assert all(one.sum and one.origin is not Origin.MEASURED for one in statements(text))


def test_the_bound_of_an_interval_and_the_start_of_a_retention_are_assumed() -> None:
    assumed = [one.said for one in statements(BOOKINGS + "") if one.origin is Origin.ASSUMED]
    assert any("end of an interval" in said for said in assumed)
    assumed = [one.said for one in statements(PAYMENTS) if one.origin is Origin.ASSUMED]
    assert any("`payer_email` of `Charge` is erased 720 days" in said for said in assumed)


def test_a_list_that_stays_empty_is_a_question() -> None:
    asked = [one.said for one in statements(PAYMENTS) if one.origin is Origin.OPEN]
    assert any(said.startswith("`auditor` may `list_charges`") for said in asked)
    answered = PAYMENTS.replace("scopes: [read]", "scopes: [read], sees: all")
    assert not [one for one in statements(answered) if one.origin is Origin.OPEN]


def test_a_list_by_what_can_be_absent_is_a_question() -> None:
    asked = statements(BOOKINGS + "  notes: {GET: /bookings, by: desk, lists: Booking by note}\n")
    assert any("`notes` sorts by `note`" in one.said for one in asked if one.origin is Origin.OPEN)


def test_later_changes_are_told_in_two_releases() -> None:
    grid = grids(PAYMENTS)["How tables change without a stop"]
    assert len(grid.heads) == 3
    assert all(all(row.cells) for row in grid.rows)


def test_the_schema_comes_as_a_file() -> None:
    (artefact,) = [one for one in chapter(read(PAYMENTS, "s")).parts if isinstance(one, Artefact)]
    assert artefact.path == "schema.sql"
    assert "CREATE TABLE charges" in artefact.text
