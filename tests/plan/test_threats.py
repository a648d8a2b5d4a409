"""Six kinds of threat at each boundary, and what stands against them."""

from mainstay.plan.threats import Mitigation, Side, Stride, Threat, Unresolved, threats
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def _threats(text: str) -> tuple[Threat, ...]:
    return threats(read(text, "spec.yaml"))


def _threat(text: str, end: str, stride: Stride, start: str = "") -> Threat:
    found = [t for t in _threats(text) if t.boundary.end == end and t.stride is stride]
    return next(t for t in found if t.boundary.start.startswith(start))


def test_each_boundary_has_all_six_kinds() -> None:
    found = _threats(PAYMENTS)
    ends = dict.fromkeys((t.boundary.start, t.boundary.end) for t in found)
    assert list(ends) == [
        ("callers", "payments"),
        ("payments", "processor"),
        ("payments", "receipts"),
        ("payments", "database"),
        ("operators", "payments"),
    ]
    for start, end in ends:
        kinds = [t.stride for t in found if (t.boundary.start, t.boundary.end) == (start, end)]
        assert kinds == list(Stride)


def test_a_threat_names_the_secret_and_personal_fields_that_it_is_about() -> None:
    told = _threat(PAYMENTS, "processor", Stride.DISCLOSURE)
    assert told.concerns == ("Charge.card_token", "Charge.payer_email")
    assert Unresolved.NEED_KEEPS in told.unresolved
    kept = _threat(PAYMENTS, "database", Stride.DISCLOSURE)
    assert {Mitigation.ENCRYPTED_COLUMN, Mitigation.RETENTION} <= set(kept.mitigations)
    assert Unresolved.KEYS_KEPT in kept.unresolved


def test_what_is_not_there_is_not_defended() -> None:
    kept = _threat(BOOKINGS, "database", Stride.DISCLOSURE)
    assert Mitigation.ENCRYPTED_COLUMN not in kept.mitigations
    assert kept.concerns == ("Room", "Booking")
    assert not [t for t in _threats(BOOKINGS) if t.boundary.side is Side.NEED]


def test_keys_and_tokens_leave_different_questions() -> None:
    assert Unresolved.ISSUER in _threat(PAYMENTS, "payments", Stride.SPOOFING, "callers").unresolved
    spoofed = _threat(BOOKINGS, "bookings", Stride.SPOOFING, "callers").unresolved
    assert set(spoofed) == {Unresolved.KEY_ROTATION, Unresolved.PUBLIC}


def test_a_need_without_credentials_is_an_open_question() -> None:
    assert Unresolved.NEED_CREDENTIALS in _threat(PAYMENTS, "receipts", Stride.SPOOFING).unresolved
    assert _threat(PAYMENTS, "processor", Stride.SPOOFING).unresolved == ()


def test_only_critical_writes_are_told_apart_when_they_are_repeated() -> None:
    assert Mitigation.IDEMPOTENCY in _threat(PAYMENTS, "payments", Stride.TAMPERING, "callers").mitigations
    loose = PAYMENTS.replace("critical: true, ", "").replace(", critical: true", "")
    assert Mitigation.IDEMPOTENCY not in _threat(loose, "payments", Stride.TAMPERING, "callers").mitigations


def test_every_threat_concerns_something() -> None:
    for text in (PAYMENTS, BOOKINGS):
        assert all(threat.concerns for threat in _threats(text))
