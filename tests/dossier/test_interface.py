"""The chapter on what can be asked of the service."""

from mainstay.dossier.interface import chapter
from mainstay.model.dossier import Artefact, Grid, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def grids(text: str) -> dict[str, Grid]:
    return {one.title: one for one in chapter(read(text, "spec.yaml")).parts if isinstance(one, Grid)}


def statements(text: str) -> list[Statement]:
    parts = chapter(read(text, "spec.yaml")).parts
    return [item for one in parts if isinstance(one, Statements) for item in one.items]


def asked(text: str) -> list[str]:
    return [one.said for one in statements(text) if one.origin is Origin.OPEN]


def test_each_operation_says_what_it_takes_and_answers() -> None:
    assert (
        "`refund`",
        "`POST /v1/charges/{id}/refunds`",
        "`amount_minor`, `amount_currency`, `Idempotency-Key`",
        "201, 400, 401, 403, 404, 409, 422, 429, 503",
    ) in [row.cells for row in grids(PAYMENTS)["What can be asked"].rows]


def test_each_status_says_when() -> None:
    rows = [row.cells for row in grids(PAYMENTS)["What is answered"].rows]
    assert (
        "`charge`",
        "202",
        "accepted; `processor` is asked afterwards, and the row tells what came of it",
    ) in rows


def test_each_refusal_that_occurs_says_what_to_do() -> None:
    advice = {row.cells[0] for row in grids(PAYMENTS)["What to do about a refusal"].rows}
    assert advice == {"400", "401", "403", "404", "409", "422", "429", "503"}


def test_every_line_says_what_it_rests_on() -> None:
    for text in (PAYMENTS, BOOKINGS):
        for grid in grids(text).values():
            assert all(row.sum and len(row.cells) == len(grid.heads) for row in grid.rows)
        assert all(one.sum and one.origin is not Origin.MEASURED for one in statements(text))


def test_secrets_are_named_as_never_shown() -> None:
    assert any(one.said == "No answer holds `Charge.card_token`." for one in statements(PAYMENTS))


def test_who_issues_tokens_is_a_question() -> None:
    assert any(said.startswith("Who issues the tokens?") for said in asked(PAYMENTS))
    assert not any("tokens" in said for said in asked(BOOKINGS))


def test_what_is_created_and_never_read_is_a_question() -> None:
    assert [said for said in asked(PAYMENTS) if "Nothing reads one `Refund`" in said]


def test_what_is_personal_and_shown_to_anyone_is_a_question() -> None:
    shown = BOOKINGS.replace("name: text(80) unique", "name: text(80) unique personal")
    assert "`list_rooms` shows `name` to anyone at all. Is that meant?" in asked(shown)


def test_the_document_comes_as_a_file() -> None:
    (artefact,) = [one for one in chapter(read(PAYMENTS, "s")).parts if isinstance(one, Artefact)]
    assert artefact.path == "openapi.yaml"
    assert artefact.text.startswith("openapi: 3.1.0\n")
