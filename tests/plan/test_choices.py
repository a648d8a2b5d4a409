"""Only those decisions are taken that the specification calls for."""

from mainstay.plan.choices import Cut, Split, Subject, cuts, decisions
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def _concerns(text: str) -> dict[Subject, tuple[str, ...]]:
    return {each.subject: each.concerns for each in decisions(read(text, "spec.yaml"))}


def test_payments_decide_about_money_messages_and_repeats() -> None:
    found = _concerns(PAYMENTS)
    assert found[Subject.TRANSACTION] == ("charge", "refund")
    assert found[Subject.IDEMPOTENCY] == ("charge", "refund")
    assert found[Subject.EVENTUAL] == ("processor", "receipts")
    assert found[Subject.OUTBOX] == ("receipts", "processor")
    assert found[Subject.RETRIES] == ("processor",)
    assert found[Subject.MONEY] == ("Charge.amount", "Refund.amount")
    assert found[Subject.PESSIMISTIC] == ("refund",)
    assert Subject.OPTIMISTIC not in found


def test_bookings_need_nobody_and_decide_nothing_about_it() -> None:
    found = _concerns(BOOKINGS)
    assert not {Subject.EVENTUAL, Subject.OUTBOX, Subject.RETRIES} & set(found)
    assert found[Subject.PESSIMISTIC] == ("book",)
    assert found[Subject.OPTIMISTIC] == ("cancel",)
    assert found[Subject.RULES] == ("Booking",)
    assert found[Subject.PAGES] == ("list_rooms",)


def test_cut_off_from_the_database_every_operation_refuses() -> None:
    for text in (PAYMENTS, BOOKINGS):
        specification = read(text, "spec.yaml")
        sides = {cut.operation: cut.side for cut in cuts(specification) if cut.part == "database"}
        assert sides == {operation.name: Split.CONSISTENT for operation in specification.operations}


def test_cut_off_from_a_need_it_is_what_happens_when_it_is_down() -> None:
    def side(down: str) -> Split:
        text = PAYMENTS.replace("accept and settle later", down)
        found: tuple[Cut, ...] = cuts(read(text, "spec.yaml"))
        return next(cut.side for cut in found if (cut.operation, cut.part) == ("charge", "processor"))

    assert side("accept and settle later") is Split.AVAILABLE
    assert side("degrade to a promise") is Split.REDUCED
    assert side("refuse") is Split.CONSISTENT


def test_a_service_that_takes_no_keys_has_no_record_of_them() -> None:
    text = BOOKINGS.replace(", critical: true", "")
    assert Subject.IDEMPOTENCY not in _concerns(text)
