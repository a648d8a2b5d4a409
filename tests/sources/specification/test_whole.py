"""A specification says what there is; what it does not say is assumed, and told."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.model.specification import (
    ApartRule,
    Auth,
    FieldKind,
    Grant,
    Limit,
    Move,
    NeedKind,
    OrderRule,
    TotalRule,
    UniqueRule,
    WhenDown,
)
from mainstay.sources.specification import SpecificationError, read, read_file
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def test_a_payment_service_in_forty_lines() -> None:
    found = read(PAYMENTS, "payments.yaml")
    assert len(PAYMENTS.splitlines()) <= 40
    assert (found.service, found.owner) == ("payments", "payments-team")
    assert (found.budgets.p95, found.budgets.recovery, found.data_loss) == (0.2, 300.0, 0.0)
    assert (found.load.expected, found.load.peak) == (50.0, 200.0)
    assert [entity.name for entity in found.entities] == ["Charge", "Refund"]
    assert [operation.name for operation in found.operations] == [
        "charge",
        "refund",
        "get_charge",
        "list_charges",
    ]
    assert found.assumptions == ()


def test_fields_say_what_they_hold_and_how_they_are_kept() -> None:
    charge = read(PAYMENTS, "payments.yaml").entity("Charge")
    assert charge is not None
    fields = {field.name: field for field in charge.fields}
    assert (fields["order_id"].kind, fields["order_id"].length, fields["order_id"].unique) == (
        FieldKind.TEXT,
        64,
        True,
    )
    assert fields["amount"].limits == (Limit(">", "0"),)
    assert fields["card_token"].secret
    assert (fields["payer_email"].personal, fields["payer_email"].keep) == (True, 24 * 30 * 86_400)
    assert charge.moves == (
        Move("pending", "captured"),
        Move("pending", "failed"),
        Move("captured", "refunded"),
    )
    assert charge.state is fields["status"]
    assert str(fields["amount"].location) == "payments.yaml:14"


def test_rules_are_read_as_what_they_mean() -> None:
    refund = read(PAYMENTS, "p.yaml").entity("Refund")
    booking = read(BOOKINGS, "b.yaml").entity("Booking")
    assert refund is not None
    assert booking is not None
    (total,) = refund.rules
    assert isinstance(total, TotalRule)
    assert (total.field, total.by, total.operator, total.limit) == ("amount", "charge", "<=", "charge.amount")
    apart, order, unique = booking.rules
    assert isinstance(apart, ApartRule)
    assert (apart.start, apart.end, apart.by, apart.states) == ("starts_at", "ends_at", ("room",), ("held",))
    assert isinstance(order, OrderRule)
    assert (order.left, order.operator, order.right) == ("starts_at", "<", "ends_at")
    assert isinstance(unique, UniqueRule)
    assert unique.fields == ("room", "code")


def test_needs_say_what_happens_without_them() -> None:
    found = read(PAYMENTS, "p.yaml")
    processor, receipts = found.needs
    assert (processor.kind, processor.timeout, processor.idempotency_header) == (
        NeedKind.HTTP,
        2.0,
        "Idempotency-Key",
    )
    assert (processor.url, processor.secret) == ("PROCESSOR_URL", "PROCESSOR_KEY")
    assert processor.when_down is WhenDown.SETTLE_LATER
    assert (receipts.kind, receipts.when_down) == (NeedKind.QUEUE, WhenDown.SETTLE_LATER)


def test_operations_say_who_may_and_what_they_do() -> None:
    charge, refund, get_charge, list_charges = read(PAYMENTS, "p.yaml").operations
    assert (charge.method, charge.path, charge.by) == ("POST", "/charges", (Grant("shop", "charge"),))
    assert (charge.creates, charge.calls, charge.emits, charge.critical) == (
        "Charge",
        ("processor",),
        ("receipts",),
        True,
    )
    assert (charge.peak, get_charge.p95) == (120.0, 0.05)
    assert (refund.locks, refund.moves) == ("charge", (("charge", "refunded"),))
    assert get_charge.by == (Grant("shop"), Grant("auditor"))
    assert (list_charges.lists, list_charges.list_by) == ("Charge", ("status", "created_at"))


def test_what_is_not_said_is_assumed_and_told() -> None:
    found = read(BOOKINGS, "b.yaml")
    assert {each.key: each.value for each in found.assumptions} == {
        "budgets.availability": "99.9%",
        "budgets.errors": "0.1%",
        "budgets.p95": "200ms",
        "budgets.recovery": "5min",
        "budgets.data_loss": "0s",
        "load.peak": "80/s",
    }
    assert found.load.peak == 80.0


def test_anyone_may_call_only_with_a_reason() -> None:
    guest = read(BOOKINGS, "b.yaml").caller("guest")
    assert guest is not None
    assert (guest.auth, guest.why) == (Auth.NOBODY, "prices are no secret")


def test_yaml_words_that_older_readers_take_for_others_stay_words() -> None:
    text = BOOKINGS.replace("enum(held, done, gone)", "enum(held, done, gone, no, on, off)")
    booking = read(text, "b.yaml").entity("Booking")
    assert booking is not None
    assert booking.state is not None
    assert booking.state.values[-3:] == ("no", "on", "off")


def test_a_file_is_named_as_it_is_given(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + PAYMENTS.encode())
    assert read_file(file, "shop/spec.yaml").entities[0].location.path == "shop/spec.yaml"
    file.write_bytes(PAYMENTS.encode("utf-16"))
    with pytest.raises(SpecificationError, match=r"^spec\.yaml:1:1: this is not UTF-8; save it as such\.$"):
        read_file(file)


WORDS = st.sampled_from(
    "mainstay: 1 service purpose: data: operations: needs: callers: {GET: /a, by: x} [ ] { } - | , -> "
    "enum( ) text(3) money > sum(a) by b <= b.c no overlap & * ! 'x \" \x00 \u2028 \U0001f600 # \n \t".split(
        " "
    )
)


@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=40).map(" ".join)))
@settings(max_examples=300, deadline=None)
def test_whatever_the_text_is_it_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(SpecificationError):
        read(text, "spec.yaml")


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_specification_with_a_piece_cut_out_or_doubled_is_read_or_refused(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(PAYMENTS)))
    end = data.draw(st.integers(start, min(len(PAYMENTS), start + 60)))
    times = data.draw(st.sampled_from([0, 2]))
    with contextlib.suppress(SpecificationError):
        read(PAYMENTS[:start] + PAYMENTS[start:end] * times + PAYMENTS[end:], "spec.yaml")


def test_what_is_too_large_or_too_deep_is_refused_at_once() -> None:
    with pytest.raises(SpecificationError, match="nested too deeply"):
        read("a: " + "[" * 5000, "spec.yaml")
    with pytest.raises(SpecificationError, match="larger than a specification can be"):
        read("# " + "x" * (1 << 20), "spec.yaml")
