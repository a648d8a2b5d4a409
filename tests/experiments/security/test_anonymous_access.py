"""Nobody is served without valid credentials."""

import base64
import json
from typing import Any

import pytest

from mainstay.experiments.security.anonymous_access import WITHOUT, AnonymousAccess, broken_ways
from mainstay.model.proof import Verdict
from mainstay.model.service import Action

ACTIONS = (
    Action("order", "POST", "/orders", body={"note": "{marker}"}, gives={"order": "id"}),
    Action("show", "GET", "/orders/{order}"),
    Action("health", "GET", "/health"),
)


def service(closed: Any = None, *, served: tuple[str, ...] = ()) -> Any:
    """A shop; what is in `served` is open to all."""

    def answer(request: Any) -> Any:
        if request.path == "/health":
            return 200, {}
        if not request.tenant and f"{request.method} {request.path[:8]}" not in served:
            return closed(request) if closed else (401, {"detail": "who are you?"})
        return (201, {"id": "order-0001"}) if request.method == "POST" else (200, {"id": "order-0001"})

    return answer


def test_a_service_that_refuses_everybody_passes(make_stand: Any, attempt: Any) -> None:
    found = attempt(AnonymousAccess(), make_stand(service(), ACTIONS, public=["GET /health"]))
    assert found.verdicts == {
        "anyone-is-refused": Verdict.PASSED,
        "broken-credentials-are-refused": Verdict.PASSED,
    }
    assert "2 operations were asked without credentials: 2 refuse." in found.claims["anyone-is-refused"].said
    assert found.notes == ["left out: GET /health (declared public)"]


def test_an_operation_that_serves_anybody_is_named(make_stand: Any, attempt: Any) -> None:
    stand = make_stand(service(served=("GET /orders/",)), ACTIONS, public=["GET /health"])
    found = attempt(AnonymousAccess(), stand)
    assert found.failed == ["anyone-is-refused", "broken-credentials-are-refused"]
    (line,) = found.claims["anyone-is-refused"].evidence
    assert line.startswith("GET /orders/{order} without credentials: 200 ")


def test_what_is_not_declared_public_is_not_public(make_stand: Any, attempt: Any) -> None:
    found = attempt(AnonymousAccess(), make_stand(service(), ACTIONS))
    assert found.failed == ["anyone-is-refused", "broken-credentials-are-refused"]
    assert "GET /health" in found.claims["anyone-is-refused"].said


def test_public_patterns_may_hold_stars(make_stand: Any, attempt: Any) -> None:
    found = attempt(AnonymousAccess(), make_stand(service(), ACTIONS, public=["* /hea*"]))
    assert found.failed == []


def test_a_crash_is_no_refusal(make_stand: Any, attempt: Any) -> None:
    stand = make_stand(service(lambda _: (500, "oops")), ACTIONS, public=["GET /health"])
    found = attempt(AnonymousAccess(), stand)
    assert "500, and no refusal oops" in found.claims["anyone-is-refused"].evidence[0]


def test_not_found_is_a_refusal_for_what_is_there(make_stand: Any, attempt: Any) -> None:
    stand = make_stand(service(lambda _: (404, {})), ACTIONS, public=["GET /health"])
    assert attempt(AnonymousAccess(), stand).failed == []


def test_input_that_is_judged_first_is_noted(make_stand: Any, attempt: Any) -> None:
    stand = make_stand(service(lambda _: (422, {})), ACTIONS, public=["GET /health"])
    found = attempt(AnonymousAccess(), stand)
    assert found.verdicts["anyone-is-refused"] is Verdict.PASSED
    assert any(note.startswith("input is judged before the caller is") for note in found.notes)


@pytest.mark.parametrize(
    ("place", "verdict"), [("/login", Verdict.PASSED), ("/shop", Verdict.FAILED)], ids=["to a login", "on"]
)
def test_a_redirect_tells_by_where_it_leads(
    make_stand: Any, attempt: Any, place: str, verdict: Verdict
) -> None:
    def answer(request: Any) -> Any:
        return 303, "", {"Location": "/shop" if request.tenant else place}

    found = attempt(AnonymousAccess(), make_stand(answer, [Action("home", "GET", "/home")]))
    assert found.verdicts["anyone-is-refused"] is verdict


def test_broken_credentials_keep_their_form() -> None:
    ways = broken_ways({"Authorization": "Bearer abcdefgh12345678"})
    assert list(ways) == [WITHOUT, "with a wrong secret", "with an empty secret"]
    wrong = ways["with a wrong secret"]["Authorization"]
    assert wrong.startswith("Bearer ")
    assert len(wrong) == len("Bearer abcdefgh12345678")
    assert wrong != "Bearer abcdefgh12345678"
    assert ways["with an empty secret"] == {"Authorization": "Bearer"}


def test_a_web_token_is_also_sent_unsigned() -> None:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()).decode().rstrip("=")
    sent = broken_ways({"Authorization": f"Bearer {head}.eyJzdWIiOjF9.c2lnbmF0dXJl"})[
        "with an unsigned token"
    ]
    first, payload, signature = sent["Authorization"].removeprefix("Bearer ").split(".")
    assert json.loads(base64.urlsafe_b64decode(first + "=="))["alg"] == "none"
    assert (payload, signature) == ("eyJzdWIiOjF9", "")
