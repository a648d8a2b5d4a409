"""What a stand-in answers and remembers."""

import json
from typing import Any

import pytest

from mainstay.lab.standin.messages import Behave
from mainstay.lab.standin.player import Player
from mainstay.lab.standin.routes import RouteError
from mainstay.lab.standin.wire import Request
from mainstay.model.service import StandInAnswer

CHARGE = StandInAnswer("POST /v1/charges", 201, {"id": "ch_{n}", "reference": "{body.reference}"})
KEY = "Idempotency-Key"


def request(method: str, target: str, body: Any = None, **headers: str) -> Request:
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request(method, target, {k.replace("_", "-"): v for k, v in headers.items()}, content, True)


def ask(player: Player, method: str, target: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    reply = player.answer(request(method, target, body, **headers))
    return reply.status, json.loads(reply.body) if reply.body else None


def test_the_most_particular_path_answers() -> None:
    player = Player(
        [
            StandInAnswer("GET /v1/{kind}/{id}", body={"kind": "{path.kind}"}),
            StandInAnswer("GET /v1/charges/{id}", body={"id": "{path.id}"}),
            StandInAnswer("GET /v1/charges/all", body=["all"]),
            StandInAnswer("GET /files/{name}.csv", body="{path.name}", headers={"content-type": "text/csv"}),
        ]
    )
    assert ask(player, "GET", "/v1/charges/all") == (200, ["all"])
    assert ask(player, "GET", "/v1/charges/a%20b?x=1") == (200, {"id": "a b"})
    assert ask(player, "GET", "/v1/refunds/1") == (200, {"kind": "refunds"})
    assert player.answer(request("GET", "http://bus.test/files/x.csv")).body == b"x"
    assert ask(player, "GET", "/v2")[0] == 404
    assert ask(player, "DELETE", "/v1/charges/all")[0] == 405


def test_a_repeat_of_a_key_gets_the_first_answer_and_has_no_effect() -> None:
    player = Player([CHARGE], KEY)
    body = {"reference": "a", "amount": 1}
    first = ask(player, "POST", "/v1/charges", body, idempotency_key="k")
    repeat = ask(player, "POST", "/v1/charges", {"amount": 1, "reference": "a"}, idempotency_key="k")
    other = ask(player, "POST", "/v1/charges", {"reference": "b"}, idempotency_key="k")
    without = ask(player, "POST", "/v1/charges", body)
    assert first == repeat == (201, {"id": "ch_1", "reference": "a"})
    assert other[0] == 422
    assert without[1]["id"] == "ch_2"
    assert [(asked.key, asked.effect, asked.repeat, asked.status) for asked in player.asked] == [
        ("k", True, False, 201),
        ("k", False, True, 201),
        ("k", False, False, 422),
        ("", True, False, 201),
    ]


def test_a_key_holds_for_its_path_only_and_is_known_after_forgetting() -> None:
    player = Player([CHARGE, StandInAnswer("POST /v1/refunds", 201, {"id": "re_{n}"})], KEY)
    ask(player, "POST", "/v1/charges", {}, idempotency_key="k")
    assert ask(player, "POST", "/v1/refunds", {}, idempotency_key="k") == (201, {"id": "re_2"})
    player.forget()
    ask(player, "POST", "/v1/charges", {}, idempotency_key="k")
    assert [asked.repeat for asked in player.asked] == [True]


def test_without_the_header_declared_a_repeat_is_a_second_effect() -> None:
    player = Player([CHARGE])
    for _ in range(2):
        ask(player, "POST", "/v1/charges", {}, idempotency_key="k")
    assert [asked.effect for asked in player.asked] == [True, True]


def test_what_failed_had_no_effect_and_may_be_repeated() -> None:
    player = Player([CHARGE], KEY)
    player.behaviour = Behave(fail=1.0, status=503)
    assert ask(player, "POST", "/v1/charges", {}, idempotency_key="k")[0] == 503
    player.behaviour = Behave()
    assert ask(player, "POST", "/v1/charges", {}, idempotency_key="k")[0] == 201
    assert [(asked.effect, asked.repeat) for asked in player.asked] == [(False, False), (True, False)]


def test_a_share_fails() -> None:
    player = Player([CHARGE])
    player.behaviour = Behave(fail=0.3)
    statuses = [ask(player, "POST", "/v1/charges", {})[0] for _ in range(1000)]
    assert 230 < statuses.count(500) < 370
    assert sum(asked.effect for asked in player.asked) == statuses.count(201)


def test_garbage_comes_after_the_effect_and_none_of_it_is_the_answer() -> None:
    player = Player([CHARGE], KEY)
    player.behaviour = Behave(garbage=True)
    replies = [player.answer(request("POST", "/v1/charges", {}, idempotency_key=str(n))) for n in range(4)]
    assert all(asked.effect for asked in player.asked)
    assert {reply.status for reply in replies} == {201}
    assert len({reply.body for reply in replies}) == 4
    assert not any(b"ch_" in reply.body and reply.body.endswith(b"}") for reply in replies)
    player.behaviour = Behave()
    assert ask(player, "POST", "/v1/charges", {}, idempotency_key="0") == (
        201,
        {"id": "ch_1", "reference": None},
    )


def test_declared_refusals_and_reads_have_no_effect_unless_it_is_said() -> None:
    player = Player(
        [
            StandInAnswer("POST /declined", 402, {"error": "declined"}),
            StandInAnswer("GET /tick", effect=True),
            StandInAnswer("POST /search", body=[], effect=False),
        ]
    )
    for method, path in (("POST", "/declined"), ("GET", "/tick"), ("POST", "/search")):
        ask(player, method, path, {})
    assert [asked.effect for asked in player.asked] == [False, True, False]


def test_a_get_without_a_body_of_its_own_shows_what_was_made() -> None:
    player = Player([CHARGE, StandInAnswer("GET /v1/charges/{id}")])
    assert ask(player, "GET", "/v1/charges/ch_1")[0] == 404
    _, made = ask(player, "POST", "/v1/charges", {"reference": "order-1"})
    assert ask(player, "GET", "/v1/charges/ch_1") == (200, made)
    assert ask(player, "GET", "/v1/charges/order-1") == (200, made)


def test_requests_are_remembered_with_their_body_cut_short() -> None:
    player = Player([CHARGE])
    ask(player, "POST", "/v1/charges?x=1", b"a" * 10_000)
    ask(player, "POST", "/v1/charges", b"\xff\x00")
    ask(player, "POST", "/v1/charges", b"[" * 5000)
    long, odd, deep = player.asked
    assert (long.method, long.path, len(long.body), len(long.digest)) == ("POST", "/v1/charges?x=1", 4096, 64)
    assert odd.body == "�\x00"
    assert deep.status == 201
    assert long.at <= odd.at


def test_a_form_is_read_like_json() -> None:
    player = Player([CHARGE])
    reply = ask(
        player, "POST", "/v1/charges", b"reference=a+b", content_type="application/x-www-form-urlencoded"
    )
    assert reply[1]["reference"] == "a b"


def test_a_header_cannot_be_smuggled_in() -> None:
    player = Player([StandInAnswer("POST /", 200, {}, {"X-Echo": "{body.a}"})])
    reply = player.answer(request("POST", "/", {"a": "1\r\nSet-Cookie: x"}))
    assert ("X-Echo", "1  Set-Cookie: x") in reply.headers


@pytest.mark.parametrize("on", ["POST", "/v1", "POST v1", "", "POST /a b"])
def test_what_is_no_request_is_an_error_beforehand(on: str) -> None:
    with pytest.raises(RouteError, match="is no request"):
        Player([StandInAnswer(on)])
