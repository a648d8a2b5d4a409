"""Both exports: what they send is what our driver sends, in the same mix."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec import structs

from mainstay.lab.load.templates import Prepared, compile_all
from mainstay.lab.load.tokens import Tokens
from mainstay.model.service import Action
from tests.exports import engines, shop
from tests.lab.load.scripted import Heard, Scripted

Engine = Callable[..., dict[str, Any]]

BOTH = pytest.mark.parametrize(("name", "engine"), [("Locust", engines.locust), ("k6", engines.k6)])
FOLDED = {"charset", "host", "user-agent", "connection", "content-length", "accept-encoding", "authorization"}


def said(path: str, headers: dict[str, str], body: bytes | None) -> tuple[Any, ...]:
    """A request without what is different in each: its markers, ids and the engine's own headers."""
    address = urlsplit(path)
    kept = {name: alike(text) for name, text in headers.items() if name not in FOLDED}
    text = alike((body or b"").decode())
    form = kept.get("content-type", "").startswith("application/x-www-form")
    content = parse_qs(text) if form else json.loads(text) if text else None
    return (
        alike(address.path),
        {name: list(map(alike, values)) for name, values in parse_qs(address.query).items()},
        kept,
        content,
    )


def alike(text: str) -> str:
    text = re.sub(r"(lo|k|run)[a-z0-9]*(m|k)[0-9a-z]{5}\b", "TOKEN", text)
    return re.sub(r"\d{5,}|(?<=[/ -])\d+|(?<=:)\d+", "7", text)


def ours(action: Action) -> Prepared:
    template = compile_all(shop.ACTIONS, shop.HEADERS)[action.name]
    values: dict[str, str | int] = {"customer": 7, "order": "o-7"}
    drawn: dict[str, str | int | float] = {pool: values[pool] for pool in (*template.takes, *template.uses)}
    return template.prepare(Tokens("run"), 1, drawn)


@BOTH
def test_each_request_is_the_one_that_our_driver_sends(name: str, engine: Engine, tmp_path: Path) -> None:
    file = engines.written(tmp_path, name, shop.declaration())
    with Scripted(shop.Shop()) as server:
        engine(file, server.address, 60)
    heard = {}
    for request in server.heard:
        heard[kind_of(request)] = said(request.path, request.headers, request.body)
    for action in shop.ACTIONS:
        sent = ours(action)
        headers = dict(line.decode().split(": ", 1) for line in sent.headers)
        headers = {header.lower(): text for header, text in headers.items()}
        wanted = said(sent.path, headers, sent.body)
        assert heard[sent.method, wanted[0], headers["authorization"]] == wanted


def kind_of(request: Heard) -> tuple[str, str, str]:
    return request.method, alike(urlsplit(request.path).path), request.headers["authorization"]


@BOTH
def test_nothing_fails_in_a_service_that_works(name: str, engine: Engine, tmp_path: Path) -> None:
    service = shop.Shop()
    with Scripted(service) as server:
        told = engine(engines.written(tmp_path, name, shop.declaration()), server.address, 160)
    assert sum(one["failed"] for one in told["load"].values()) == 0
    assert sum(one["sent"] for one in told["load"].values()) == 160
    assert set(told["load"]) == {action.name for action in shop.ACTIONS}
    assert max(service.paid.values()) == 1, "what is taken serves one request"
    assert service.strangers == 0, "an actor uses what the same actor made"


@BOTH
def test_the_mix_is_by_weight(name: str, engine: Engine, tmp_path: Path) -> None:
    often, never = Action("often", "GET", "/a", weight=4), Action("never", "GET", "/b", weight=0)
    declared = shop.declaration(often, Action("rarely", "GET", "/c"), never)
    with Scripted(shop.Shop()) as server:
        told = engine(engines.written(tmp_path, name, declared), server.address, 200)
    assert set(told["load"]) == {"often", "rarely"}
    assert 130 < told["load"]["often"]["sent"] < 190


@BOTH
def test_half_of_the_requests_end_their_connection(name: str, engine: Engine, tmp_path: Path) -> None:
    declared = shop.declaration(Action("read", "GET", "/a"))
    with Scripted(shop.Shop()) as server:
        engine(engines.written(tmp_path, name, declared), server.address, 200)
    closing = Counter(request.headers.get("connection", "") for request in server.heard)["close"]
    assert 70 < closing < 130


@BOTH
def test_no_two_requests_share_a_marker(name: str, engine: Engine, tmp_path: Path) -> None:
    declared = shop.declaration(
        Action("write", "POST", "/a", body=["{marker}", "{key}", "{number}", "{uuid}"])
    )
    with Scripted(shop.Shop()) as server:
        engine(engines.written(tmp_path, name, declared), server.address, 50)
    bodies = [json.loads(request.body) for request in server.heard]
    assert len({text for body in bodies for text in body}) == 4 * 50
    assert all(isinstance(body[2], int) and body[2] < 2**31 for body in bodies)


@BOTH
def test_answers_that_the_action_does_not_expect_are_errors(
    name: str, engine: Engine, tmp_path: Path
) -> None:
    declared = shop.declaration(Action("read", "GET", "/a", expects=(404,)))
    with Scripted(shop.Shop()) as server:
        told = engine(engines.written(tmp_path, name, declared), server.address, 20)
    assert told["load"]["read"] == told["load"]["read"] | {"sent": 20, "failed": 20, "statuses": {"200": 20}}


@BOTH
def test_a_pool_that_runs_dry_is_filled_beside_the_load(name: str, engine: Engine, tmp_path: Path) -> None:
    service = shop.Shop()
    file = engines.written(tmp_path, name, shop.declaration(*shop.ACTIONS[:3]))
    with Scripted(service) as server:
        told = engine(file, server.address, 800, EXPECTED_SECONDS="0.1")
    assert told["load"]["for a pool: add order"]["sent"] > 0
    assert max(service.paid.values()) == 1
    assert sum(one["failed"] for one in told["load"].values()) == 0


@BOTH
def test_headers_that_are_missing_are_named(name: str, engine: Engine, tmp_path: Path) -> None:
    file = engines.written(tmp_path, name, shop.declaration())
    (tmp_path / "headers.json").write_text('{"alice": {}}')
    with pytest.raises(engines.Ended, match=r"headers\.json has no header Authorization for alice"):
        engine(file, "http://127.0.0.1:9", 1)


@BOTH
def test_a_secret_that_is_missing_is_named(name: str, engine: Engine, tmp_path: Path) -> None:
    file = engines.written(tmp_path, name, shop.declaration())
    with pytest.raises(engines.Ended, match="SHOP_KEY is not"):
        engine(file, "http://127.0.0.1:9", 1, SHOP_KEY="")


@BOTH
def test_hostile_names_and_texts_stay_texts(name: str, engine: Engine, tmp_path: Path) -> None:
    nasty = 'a"b\'c`${1}\\n"""\n*/ </script>\u2028 __proto__'
    action = Action(
        nasty, "POST", "/a", body={"__proto__": nasty.replace("{", "{{").replace("}", "}}"), nasty: 1}
    )
    declared = structs.replace(shop.declaration(action), root=f"/srv/{nasty}".replace("*/", ""))
    with Scripted(shop.Shop()) as server:
        told = engine(engines.written(tmp_path, name, declared), server.address, 3)
    assert list(told["load"]) == [nasty]
    assert json.loads(server.heard[-1].body) == {"__proto__": nasty, nasty: 1}
