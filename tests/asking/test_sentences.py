"""Forty sentences, written before the grammar: what each has to give, or that it is refused."""

import pytest

from mainstay.asking import Answer, NotUnderstood, answer
from mainstay.sources.specification import read

# Sentence, verb, starter, and what of the specification differs from the starter's.
UNDERSTOOD: list[tuple[str, str, str, dict[str, float]]] = [
    ("I need a payment API that handles financial transactions", "new", "payments", {}),
    ("set up user authentication with lockout", "new", "authentication", {}),
    ("Build a booking service for rooms", "new", "bookings", {}),
    ("create a reservation system", "new", "bookings", {}),
    ("I want to charge cards and pay refunds", "new", "payments", {}),
    ("payments at 100 requests per second", "new", "payments", {"expected": 100, "peak": 400}),
    ("a payment service with a peak of 500/s", "new", "payments", {"peak": 500}),
    ("payment api, p95 under 100 ms", "new", "payments", {"p95": 0.1}),
    ("login and registration with password reset", "new", "authentication", {}),
    ("We need sign-in for our users, 99.95% available", "new", "authentication", {"availability": 0.9995}),
    ("bookings for a hotel with e-mail confirmation", "new", "bookings", {}),
    ("design a payment service", "design", "payments", {}),
    ("a billing backend for 50 rps, at most 300 rps", "new", "payments", {"expected": 50, "peak": 300}),
    ("make me a checkout", "new", "payments", {}),
    ("appointment scheduling without double booking", "new", "bookings", {}),
    ("room reservations that recover within 2 minutes", "new", "bookings", {"recovery": 120}),
    ("user accounts with sessions and audit", "new", "authentication", {}),
    ("an API for refunds with less than 0.05% errors", "new", "payments", {"errors": 0.0005}),
    (
        "authentication with 20 requests per second and 80/s at peak",
        "new",
        "authentication",
        {"expected": 20, "peak": 80},
    ),
    ("payments that send receipts over a queue", "new", "payments", {}),
    ("a payment API with Stripe", "new", "payments", {}),
    ("a booking API with four nines", "new", "bookings", {"availability": 0.9999}),
    ("review this backend", "review", "", {}),
    ("check my code", "review", "", {}),
    ("prove that my service survives", "prove", "", {}),
    ("load test my service", "prove", "", {}),
    ("is my backend ready for production?", "ready", "", {}),
    ("break my service and see whether it comes back", "prove", "", {}),
]
REFUSED = [
    "",
    "hello",
    "make it fast",
    "I need a website",
    "a blockchain for cats",
    "delete all my data",
    "payments and bookings in one service",
    "a payment service without idempotency",
    "what is the weather",
    "deploy to production",
    "a payment API with 5 bananas",
    "a payment API with a p95 of 10 requests per second",
]


def test_there_are_forty() -> None:
    assert len(UNDERSTOOD) + len(REFUSED) == 40
    assert len(REFUSED) == 12


@pytest.mark.parametrize(("sentence", "verb", "starter", "changes"), UNDERSTOOD, ids=lambda v: str(v)[:50])
def test_it_is_understood(sentence: str, verb: str, starter: str, changes: dict[str, float]) -> None:
    found = answer(sentence)
    assert isinstance(found, Answer)
    assert (found.verb, found.starter) == (verb, starter)
    if not starter:
        assert found.specification == ""
        return
    before, after = read(answer(starter).specification, "s"), read(found.specification, "s")
    known = {
        "expected": (before.load.expected, after.load.expected),
        "peak": (before.load.peak, after.load.peak),
        "p95": (before.budgets.p95, after.budgets.p95),
        "errors": (before.budgets.errors, after.budgets.errors),
        "availability": (before.budgets.availability, after.budgets.availability),
        "recovery": (before.budgets.recovery, after.budgets.recovery),
    }
    for name, (was, is_) in known.items():
        assert is_ == pytest.approx(changes.get(name, was)), name


@pytest.mark.parametrize("sentence", REFUSED)
def test_it_is_refused(sentence: str) -> None:
    with pytest.raises(NotUnderstood):
        answer(sentence)
