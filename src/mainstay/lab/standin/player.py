"""What a stand-in answers, and what it remembers.  It does no input or output of its own."""

import hashlib
import json
import random
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct

from mainstay.lab.standin.messages import Asked, Behave
from mainstay.lab.standin.routes import Route, routes
from mainstay.lab.standin.template import Scene, filled, filled_text
from mainstay.lab.standin.wire import Request
from mainstay.model.service import StandInAnswer

MOST_ASKED = 200_000  # requests that are remembered
MOST_TEXT = 64 << 20  # characters of their bodies, together
MOST_MADE = 50_000  # things that can be shown, and keys that are known
EXCERPT = 4096  # characters of one body

_NO_BODY = (204, 205, 304)
_PAGE = b"<!DOCTYPE html><html><body><h1>Welcome</h1><p>It works.</p></body></html>"


class Reply(Struct, frozen=True):
    """An answer as it goes over the wire."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class _First(Struct, frozen=True):
    """The first request of a key, and what it was answered."""

    sense: str  # of its body
    reply: Reply


class Player:
    """Answers requests as declared.  An effect takes place when the request is heard, before any delay."""

    def __init__(self, answers: Sequence[StandInAnswer], idempotency_header: str = "") -> None:
        """Raises RouteError and TemplateError."""
        self._routes = routes(answers)
        self._header = idempotency_header.lower()
        self._firsts: OrderedDict[tuple[str, str, str], _First] = OrderedDict()
        self._made: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._number = 0
        self._text = 0
        self._garbage = 0
        self._chance = random.Random(1)  # noqa: S311 - the same requests fail in each run, and no one guards them
        self.behaviour = Behave()
        self.asked: list[Asked] = []
        self.untold = 0

    def answer(self, request: Request) -> Reply:
        """What the request is answered; it is remembered."""
        key = request.headers.get(self._header, "") if self._header else ""
        reply, effect, repeat = self._answer(request, key)
        if self.behaviour.garbage:
            reply = self._spoiled(reply)
        self._remember(request, key, reply.status, effect, repeat)
        return reply

    def forget(self) -> None:
        """Requests so far are told no more; what was done under which key stays known."""
        self.asked.clear()
        self._text = self.untold = 0

    def _answer(self, request: Request, key: str) -> tuple[Reply, bool, bool]:
        if self.behaviour.fail and self._chance.random() < self.behaviour.fail:
            return _problem(self.behaviour.status, "the stand-in was told to fail"), False, False
        path, _, query = _origin_form(request.target).partition("?")
        route, parameters = self._route(request.method, path)
        if route is None:
            return self._unknown(path), False, False
        place = (key, request.method, path)
        sense = _sense(request.body) if key and route.effect else ""
        if sense and (first := self._firsts.get(place)) is not None:
            if first.sense != sense:
                return _problem(422, "another request had this idempotency key"), False, False
            return first.reply, False, True
        reply = self._new(route, request, parameters, query)
        if sense and reply.status < 500:
            _keep(self._firsts, place, _First(sense, reply))
        return reply, route.effect, False

    def _route(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        wanted = "GET" if method == "HEAD" else method
        for route in self._routes:
            if route.method == wanted and (parameters := route.match(path)) is not None:
                return route, parameters
        return None, {}

    def _unknown(self, path: str) -> Reply:
        others = sorted({route.method for route in self._routes if route.match(path) is not None})
        if not others:
            return _problem(404, "the stand-in knows no such path")
        problem = _problem(405, "the stand-in knows this path by another method")
        return Reply(405, (*problem.headers, ("Allow", ", ".join(others))), problem.body)

    def _new(self, route: Route, request: Request, parameters: dict[str, str], query: str) -> Reply:
        if route.shows:
            shown = self._made.get((route.shows, next(reversed(parameters.values()))))
            return (
                _json(route.status, shown) if shown is not None else _problem(404, "there is no such thing")
            )
        self._number += 1
        given = dict(parse_qsl(query, keep_blank_values=True))
        scene = Scene(self._number, parameters, given, request.headers, _read(request))
        body = filled(route.body, scene)
        if route.method == "POST" and route.effect:
            self._make(request, body)
        headers = {name: filled_text(value, scene) for name, value in route.headers.items()}
        return _json(route.status, body, headers)

    def _make(self, request: Request, body: Any) -> None:
        """What was made can be shown under each short value in it: its id, or the reference of its maker."""
        if isinstance(body, dict):
            path = _origin_form(request.target).partition("?")[0]
            for value in body.values():
                if (
                    isinstance(value, str | int)
                    and not isinstance(value, bool)
                    and 0 < len(str(value)) <= 200
                ):
                    _keep(self._made, (path, str(value)), body)

    def _spoiled(self, reply: Reply) -> Reply:
        """An answer of the right status that cannot be read: each kind in turn."""
        self._garbage += 1
        json_type = (("Content-Type", "application/json"),)
        match self._garbage % 4:
            case 0:
                return Reply(reply.status, json_type, b"")
            case 1:
                return Reply(reply.status, (("Content-Type", "text/html"),), _PAGE)
            case 2:
                return Reply(reply.status, json_type, reply.body[: len(reply.body) // 2] or b"{")
            case _:
                return Reply(reply.status, json_type, b'{"unexpected": null}')

    def _remember(self, request: Request, key: str, status: int, effect: bool, repeat: bool) -> None:
        if len(self.asked) >= MOST_ASKED:
            self.untold += 1
            return
        text = request.body[:EXCERPT].decode("utf-8", "replace") if self._text < MOST_TEXT else ""
        self._text += len(text)
        digest = hashlib.sha256(request.body).hexdigest()
        path = request.target.encode("utf-8", "replace").decode()
        key = key.encode("utf-8", "replace").decode()
        self.asked.append(
            Asked(time.monotonic(), request.method, path, key, digest, text, status, effect, repeat)
        )


def _keep(memory: "OrderedDict[Any, Any]", key: Any, value: Any) -> None:
    memory[key] = value
    if len(memory) > MOST_MADE:
        memory.popitem(last=False)


def _origin_form(target: str) -> str:
    """The path and query of a target, which a client of a proxy writes with the host before it."""
    if target.startswith("http://"):
        return "/" + target.removeprefix("http://").partition("/")[2]
    return target


def _read(request: Request) -> Any:
    """The body as JSON, or as the fields of a form; None when it is neither."""
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        return json.loads(request.body) if request.body else None
    except (ValueError, RecursionError):
        return None


def _sense(body: bytes) -> str:
    """The same for two bodies that say the same, in whatever order."""
    try:
        body = json.dumps(json.loads(body), sort_keys=True).encode()
    except (ValueError, RecursionError):
        pass
    return hashlib.sha256(body).hexdigest()


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Reply:
    lines = tuple((name, _one_line(value)) for name, value in (headers or {}).items())
    if body is None or status in _NO_BODY:
        return Reply(status, lines, b"")
    if not any(name.lower() == "content-type" for name, _ in lines):
        lines = (("Content-Type", "application/json"), *lines)
    elif isinstance(body, str) and not any("json" in value.lower() for _, value in lines):
        return Reply(status, lines, body.encode("utf-8", "replace"))
    return Reply(status, lines, json.dumps(body).encode())


def _one_line(value: str) -> str:
    return "".join(character if character.isprintable() else " " for character in value)


def _problem(status: int, said: str) -> Reply:
    return _json(status, {"error": said}, {})
