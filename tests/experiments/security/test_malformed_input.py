"""No broken request crashes a service or makes it tell how it is built."""

import json
import traceback
from typing import Any

import pytest

from mainstay.experiments.security import malformed_input
from mainstay.experiments.security.malformed_input import Answered, MalformedInput, handled
from mainstay.lab.caller import Told
from mainstay.lab.malformed import Malformed
from mainstay.model.proof import Verdict
from mainstay.model.record import Failure
from mainstay.model.service import Action

ORDER = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "integer"}}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "shop", "version": "1"},
    "paths": {
        "/orders": {
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": ORDER}}},
                "responses": {"201": {"description": "made"}},
            }
        }
    },
}
ACTIONS = [Action("order", "POST", "/orders", body={"amount": 1}, key_header="Idempotency-Key")]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(malformed_input, "PATIENCE_S", 5.0)


def careful(request: Any) -> Any:
    try:
        amount = json.loads(request.body)["amount"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 422, {"detail": "no order"}
    if type(amount) is not int or not 0 < amount < 1000:
        return 422, {"detail": "no amount"}
    return 201, {"id": "order-1"}


def test_a_careful_service_passes(make_stand: Any, attempt: Any) -> None:
    found = attempt(MalformedInput(), make_stand(careful, ACTIONS, document=DOCUMENT))
    assert found.verdicts == {
        "broken-requests-are-refused": Verdict.PASSED,
        "errors-show-no-internals": Verdict.PASSED,
    }
    assert found.claims["broken-requests-are-refused"].figures[0].value > 20


def test_what_crashes_on_a_right_request_is_named_and_not_judged(make_stand: Any, attempt: Any) -> None:
    found = attempt(MalformedInput(), make_stand(lambda _: (500, "no mail"), ACTIONS, document=DOCUMENT))
    assert found.claims["broken-requests-are-refused"].verdict is Verdict.INCONCLUSIVE
    assert found.notes == ["POST /orders is not judged: a request with nothing wrong got 500, too"]


def test_crashes_are_told_by_operation_and_kind(make_stand: Any, attempt: Any) -> None:
    def careless(request: Any) -> Any:
        try:
            amount = json.loads(request.body)["amount"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return 422, {}
        return (500, "oops") if isinstance(amount, float) else careful(request)

    found = attempt(MalformedInput(), make_stand(careless, ACTIONS, document=DOCUMENT))
    assert found.failed == ["broken-requests-are-refused"]
    claim = found.claims["broken-requests-are-refused"]
    assert "crash, in POST /orders" in claim.said
    assert "POST /orders, where `amount` has a fraction: 500 oops" in claim.evidence


def test_a_trace_in_an_answer_is_a_leak(make_stand: Any, attempt: Any) -> None:
    def talkative(request: Any) -> Any:
        try:
            json.loads(request.body)
        except ValueError:
            return 400, {"detail": traceback.format_exc()}
        except RecursionError:
            return 400, {}
        return careful(request)

    found = attempt(MalformedInput(), make_stand(talkative, ACTIONS, document=DOCUMENT))
    assert found.failed == ["errors-show-no-internals"]
    assert "a stack trace" in found.claims["errors-show-no-internals"].said
    assert "where the body is no JSON: 400" in " ".join(found.claims["errors-show-no-internals"].evidence)


def test_what_happens_only_once_is_not_counted(make_stand: Any, attempt: Any) -> None:
    seen: list[int] = []

    def busy(request: Any) -> Any:
        seen.append(1)
        return (503, {}) if len(seen) == 3 else careful(request)

    found = attempt(MalformedInput(), make_stand(busy, ACTIONS, document=DOCUMENT))
    assert found.failed == []
    assert found.notes == ["1 broken requests failed once and not again; they are not counted"]


def test_every_request_has_a_key_of_its_own(make_stand: Any, attempt: Any) -> None:
    """Otherwise the first answer would stand for all."""
    keys: list[str] = []
    document = json.loads(json.dumps(DOCUMENT))
    document["paths"]["/orders"]["post"]["parameters"] = [
        {"name": "Idempotency-Key", "in": "header", "required": True, "schema": {"type": "string"}}
    ]

    def answer(request: Any) -> Any:
        keys.append(request.headers.get("idempotency-key", ""))
        return careful(request)

    attempt(MalformedInput(), make_stand(answer, ACTIONS, document=document))
    own = [key for key in keys if key.startswith("mp")]
    assert len(own) == len(set(own)) > 20


def test_being_hung_up_on_in_the_middle_of_megabytes_is_no_crash() -> None:
    big = Malformed("POST /x", "the body is far too long", "POST", "/x", {}, b"x" * (2 << 20))
    small = Malformed("POST /x", "the body is empty", "POST", "/x", {}, b"")
    cut = Told(failure=Failure.CUT)
    assert not Answered(big, cut).crashed
    assert Answered(small, cut).crashed


def test_a_process_that_died_fails_it_whatever_was_answered() -> None:
    one = Answered(Malformed("GET /x", "x", "GET", "/x"), Told(status=400))
    claim = handled([one], [], ["web ended with status -11"])
    assert claim.verdict is Verdict.FAILED
    assert "web ended with status -11" in claim.said
