"""A specification that promises what cannot be is wrong before there is any code."""

from mainstay.plan.arithmetic import contradictions
from mainstay.sources.specification import read
from tests.sources.specification.texts import PAYMENTS

REFUSING = PAYMENTS.replace("when_down: accept and settle later", "when_down: refuse", 1)


def said(text: str) -> list[str]:
    return [f"{each.location.line}: {each.said}" for each in contradictions(read(text, "spec.yaml"))]


def test_what_is_settled_later_costs_the_caller_nothing() -> None:
    assert said(PAYMENTS) == []


def test_a_path_whose_deadlines_exceed_its_budget() -> None:
    (told,) = said(REFUSING)
    assert told == (
        "33: `charge` may wait 2 s for `processor` = 2 s, and its budget is 200 ms; shorten the timeout, "
        "settle it later, or give it its own `budget: {p95: 2s}`."
    )
    assert said(REFUSING.replace("timeout: 2s", "timeout: 150ms")) == []
    assert said(REFUSING.replace("load: {peak: 120/s}", "budget: {p95: 2s}")) == []


def test_a_hard_need_that_promises_less_than_the_service() -> None:
    quick = REFUSING.replace("timeout: 2s", "timeout: 150ms")
    (told,) = said(quick.replace("kind: http\n", "kind: http\n    availability: 99.5%\n"))
    assert "cannot be there 99.9% of the time: it needs 99.5% of `processor` = 99.5%" in told
    assert "let it degrade or settle later when `processor` is down" in told
    assert said(quick.replace("kind: http\n", "kind: http\n    availability: 99.99%\n")) == []


def test_a_soft_need_may_promise_less() -> None:
    soft = PAYMENTS.replace("kind: http\n", "kind: http\n    availability: 90%\n")
    assert said(soft) == []
