"""Short records of the decisions."""

from mainstay.dossier.decisions import RECORDS, WHY, chapter
from mainstay.model.dossier import Grid, Statements
from mainstay.plan.choices import Subject
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def _records(text: str) -> list[Statements]:
    return [part for part in chapter(read(text, "spec.yaml")).parts if isinstance(part, Statements)]


def test_every_decision_has_words() -> None:
    assert set(RECORDS) == set(WHY) == set(Subject)


def test_each_record_has_a_context_a_choice_alternatives_and_a_price() -> None:
    for record in (*_records(PAYMENTS), *_records(BOOKINGS)):
        assert [item.said.partition(":")[0] for item in record.items] == [
            "Context",
            "Choice",
            "Instead of",
            "Given up",
        ]
        assert all(item.sum for item in record.items)


def test_records_are_numbered_without_a_gap() -> None:
    for text in (PAYMENTS, BOOKINGS):
        numbers = [int(record.title.partition(".")[0]) for record in _records(text)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_record_names_what_it_is_about() -> None:
    locks = next(record for record in _records(PAYMENTS) if "Hold the row" in record.title)
    assert locks.items[0].sum == "`locks`: `refund`"


def test_each_operation_says_which_side_it_is_on_when_the_network_splits() -> None:
    grid = next(part for part in chapter(read(PAYMENTS, "spec.yaml")).parts if isinstance(part, Grid))
    assert [row.cells for row in grid.rows][:2] == [
        ("`charge`", "the database", "consistency: it refuses with 503"),
        ("`charge`", "`processor`", "availability: it answers, and the other side follows"),
    ]
