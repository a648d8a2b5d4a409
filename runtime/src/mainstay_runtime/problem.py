"""What goes wrong, told to callers as RFC 9457 problem details: one media type, one shape, no internals.

`install(app)` once; then raise a `Problem` anywhere, or let a guard refuse. Whatever nobody expected
becomes a 500 that says nothing but the id of the request, under which the log holds the rest.
"""

import json
import logging
import math
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, get_args

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core.core_schema import ErrorType
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mainstay_runtime import deadline
from mainstay_runtime.redaction import REQUEST_ID
from mainstay_runtime.refused import Refused

MEDIA_TYPE = "application/problem+json"
PLACES = 20
"""At most so many places are listed of a request that is wrong.

A body of a million mistakes gets a short answer.
"""

BLANK = "about:blank"  # RFC 9457, 4.2.1: the title is then the phrase of the status
_IANA = "https://iana.org/assignments/http-problem-types"  # proposed in draft-ietf-httpapi-ratelimit-headers
_STANDARD = ("type", "title", "status", "detail")
_LONGEST = 200  # characters of a name that the caller chose
# pydantic's own words hold no values, but for these; a service's validators may say anything.
_TRUSTED = frozenset(get_args(ErrorType)) - {"value_error", "assertion_error", "union_tag_invalid"}

_log = logging.getLogger(__name__)


class Problem(Exception):
    """Something that the caller is told. Make a class of each kind that callers have to tell apart:

        class NotEnough(Problem):
            type, title, status = "/problems/not-enough", "The balance is too low", 409

        raise NotEnough("42.00 EUR are missing", balance="8.00")

    `detail` is about this occurrence and goes to the caller as it is; so do the further members, as JSON.
    """

    type: ClassVar[str] = BLANK
    title: ClassVar[str] = ""
    status: ClassVar[int] = 400

    def __init__(self, detail: str = "", *, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        if taken := sorted(set(members) & set(_STANDARD)):
            raise TypeError(f"{', '.join(taken)}: members of every problem, set by its class")
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members


class Answer(Response):
    """A problem as a response. An empty `title` stands for the phrase of the status."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        type: str = BLANK,  # noqa: A002 - its name in the RFC
        title: str = "",
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        body: dict[str, Any] = {"type": type, "title": title or _phrase(status), "status": status}
        if detail:
            body["detail"] = detail
        # ASCII, since what callers send and we repeat (names of fields) need not be writable as UTF-8
        content = json.dumps(body | members, default=str, allow_nan=False).encode()
        super().__init__(content, status, dict(headers or {}))


def install(app: FastAPI) -> None:
    """Answer all of it with problems. Call it before any `add_middleware`: those are then around it."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(deadline.Exceeded, _late)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(_Unexpected)
    # For what the service's own middlewares raise: the server logs those itself.
    app.add_exception_handler(Exception, _outside)


def responses(*what: int | type[Problem]) -> dict[int | str, dict[str, Any]]:
    """What `responses=` of a route, a router or an app takes: a schema for each status or class of problem.

    Classes that share a status are listed together.
    """
    by_status: dict[int, list[type[Problem] | None]] = {}
    for one in what:
        if isinstance(one, int):
            by_status.setdefault(one, [])
        else:
            by_status.setdefault(one.status, []).append(one)
    return {
        status: {
            "description": "; ".join(dict.fromkeys(_title(kind, status) for kind in kinds or [None])),
            "content": {MEDIA_TYPE: {"schema": _schema(status, kinds)}},
        }
        for status, kinds in by_status.items()
    }


def retry_after(seconds: float | None, otherwise: float = 1.0) -> dict[str, str]:
    """The header, in whole seconds and at least one: less would be "at once" (RFC 9110, 10.2.3)."""
    return {"Retry-After": str(max(1, math.ceil(otherwise if seconds is None else seconds)))}


def refusal(error: Refused) -> Answer:
    """The answer to what a guard refused: 503, or what its class says (`status`, `type`, `title`, `headers`).

    The name of the guard stays inside: it would tell callers how the service is built.
    """
    status = int(getattr(error, "status", HTTPStatus.SERVICE_UNAVAILABLE))
    busy = status == HTTPStatus.SERVICE_UNAVAILABLE
    # Coming again changes nothing about a key that was reused, so that it is told only where it helps.
    later = busy or status == HTTPStatus.TOO_MANY_REQUESTS or error.after is not None
    return Answer(
        status,
        str(getattr(error, "detail", "")),
        type=str(getattr(error, "type", f"{_IANA}#temporary-reduced-capacity" if busy else BLANK)),
        title=str(getattr(error, "title", "The service cannot take this on at the moment" if busy else "")),
        headers=(retry_after(error.after) if later else {}) | dict(getattr(error, "headers", {})),
        **getattr(error, "members", {}),
    )


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return Answer(
        error.status, error.detail, type=error.type, title=error.title, headers=error.headers, **error.members
    )


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return refusal(error)


async def _late(_: Request, __: Exception) -> Response:
    return late()


def late() -> Answer:
    """The answer when the time that the request had is over. What it began may have happened."""
    return Answer(HTTPStatus.GATEWAY_TIMEOUT, "the time for this request is over; it may have taken effect")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code in (204, 304):  # these have no body
        return Response(status_code=error.status_code, headers=headers)
    detail: object = error.detail
    if isinstance(detail, Mapping):
        members = {str(name): value for name, value in detail.items() if name not in _STANDARD}
        return Answer(error.status_code, str(detail.get("detail", "")), headers=headers, **members)
    if not isinstance(detail, str):
        return Answer(error.status_code, headers=headers, errors=detail)
    return Answer(error.status_code, "" if detail == _phrase(error.status_code) else detail, headers=headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = error.errors()
    more: dict[str, Any] = {"omitted": len(wrong) - PLACES} if len(wrong) > PLACES else {}
    return Answer(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "the request does not have the form that this operation takes",
        errors=[_place(one) for one in wrong[:PLACES]],
        **more,
    )


def _place(wrong: Mapping[str, Any]) -> dict[str, object]:
    """Where, in what way; never what was sent."""
    where, *steps = wrong["loc"] or ("body",)
    place: dict[str, object] = {"in": str(where)[:_LONGEST], "detail": _words(wrong), "code": wrong["type"]}
    if wrong["type"] == "json_invalid":
        place["position"] = steps[0] if steps else 0
    elif where == "body":
        place["pointer"] = "#" + "".join(f"/{_step(step)}" for step in steps)[:_LONGEST]
    else:
        place["name"] = ".".join(str(step) for step in steps)[:_LONGEST]
    return place


def _step(step: object) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return str(step).replace("~", "~0").replace("/", "~1")


def _words(wrong: Mapping[str, Any]) -> str:
    said = str(wrong["msg"])
    if wrong["type"] in _TRUSTED or not _repeats(said, wrong.get("input")):
        return said[:_LONGEST]
    return "is not valid"


def _repeats(said: str, sent: object) -> bool:
    if isinstance(sent, Mapping):
        return any(_repeats(said, one) for one in sent.values())
    if isinstance(sent, Sequence) and not isinstance(sent, str | bytes):
        return any(_repeats(said, one) for one in sent)
    text = sent.decode(errors="replace") if isinstance(sent, bytes) else str(sent)
    return bool(text) and re.search(rf"(?<!\w){re.escape(text)}(?!\w)", said) is not None


def _unexpected(scope: Scope) -> Answer:
    request_id = REQUEST_ID.get() or scope.get("state", {}).get("request_id", "")
    members: dict[str, Any] = {"request_id": request_id} if request_id else {}
    return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, **members)


async def _outside(request: Request, error: Exception) -> Response:
    return _unexpected(request.scope)


class _Unexpected:
    """Around the routes and within the middlewares, so that those see a response as any other."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if started:
                raise  # the server cuts the connection: the only way left to say that this is not all
            _log.exception("unexpected error in %s", scope["method"])
            await _unexpected(scope)(scope, receive, send)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Problem"


def _title(kind: type[Problem] | None, status: int) -> str:
    return (kind.title if kind else "") or _phrase(status)


def _schema(status: int, kinds: Sequence[type[Problem] | None]) -> dict[str, Any]:
    uris = [kind.type for kind in kinds if kind]
    properties: dict[str, Any] = {
        "type": {"type": "string", "format": "uri-reference", **({"enum": uris} if uris else {})},
        "title": {"type": "string"},
        "status": {"type": "integer", "const": status},
        "detail": {"type": "string"},
    }
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and not uris:
        properties["errors"] = {"type": "array", "maxItems": PLACES, "items": _PLACE}
    return {
        "title": "Problem",
        "type": "object",
        "properties": properties,
        "required": ["type", "title", "status"],
    }


_PLACE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "in": {"type": "string", "enum": ["body", "query", "path", "header", "cookie"]},
        "pointer": {"type": "string", "description": "in the body, as in RFC 6901"},
        "name": {"type": "string", "description": "of the parameter"},
        "position": {
            "type": "integer",
            "description": "of the character at which the body ceases to be JSON",
        },
        "detail": {"type": "string"},
        "code": {"type": "string"},
    },
    "required": ["in", "detail", "code"],
}
