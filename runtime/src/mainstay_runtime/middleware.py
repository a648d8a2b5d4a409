"""What every request passes before a route sees it. Pure ASGI: streams stay streams, contexts stay whole.

`install(app)` puts all of them in order. From the outside in: the id of the request, what is refused when
too much is under way, the deadline, the size of the body. Each can also be added alone with
`app.add_middleware`.
"""

import asyncio
import re
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

import anyio
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mainstay_runtime import deadline, events, problem
from mainstay_runtime.redaction import REQUEST_ID
from mainstay_runtime.refused import Full

NEVER_REFUSED = ("/livez", "/readyz", "/metrics")
"""A probe that is refused because the service is busy restarts it, and then it is busier."""

_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{7,127}", re.ASCII)
_MIB = 1_048_576


def install(
    app: FastAPI,
    *,
    at_once: int = 100,
    seconds: float = 10.0,
    body: int = _MIB,
    longer: Mapping[str, float] | None = None,
    larger: Mapping[str, int] | None = None,
    leaving: Callable[[], bool] | None = None,
) -> None:
    """All of them around the app, in order. Call it after `problem.install`.

    At most `at_once` requests under way, `seconds` for each and `body` bytes of content, or what `longer`
    and `larger` say for paths that begin so. `leaving` tells whether the process is about to end:
    `health.Health.leaving`.
    """
    # The one that is added last is outermost.
    app.add_middleware(BodyLimit, most=body, larger=larger)
    app.add_middleware(Deadline, seconds=seconds, longer=longer)
    app.add_middleware(Shedding, at_once=at_once)
    if leaving is not None:
        app.add_middleware(Leaving, leaving=leaving)
    app.add_middleware(RequestId)


def route(scope: Scope) -> str:
    """The template of the path that was matched, such as `/v1/charges/{id}`; empty if none was.

    FastAPI (0.165) keeps the prefixes of included routers apart from the route, which by itself would say
    `/charges/{id}` for each of two routers that hold one. A mounted app's prefix is put before.
    """
    included = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(included, "path", None) or getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return ""
    mounted: str = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
    return mounted + path if "app_root_path" in scope else path


class RequestId:
    """Gives each request an id: the caller's if that is well formed, a new one otherwise; the answer bears
    it, too.

    Log lines have it from `redaction.REQUEST_ID`, the application as `request.state.request_id`.
    """

    def __init__(self, app: ASGIApp, header: str = "X-Request-Id") -> None:
        self._app = app
        self._header = header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(self._header, "")
        request_id = given if _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[self._header] = request_id
            await send(message)

        before = REQUEST_ID.set(request_id)
        try:
            await self._app(scope, receive, marked)
        finally:
            REQUEST_ID.reset(before)


class Shedding:
    """At most `at_once` requests are under way; what comes beyond is refused at once, with 503.

    Work for callers who have given up is the worst kind: a queue that has once grown longer than callers
    wait serves nobody any more. `at_once` follows from Little's law: requests a second times the seconds
    one takes, with some room.
    """

    def __init__(
        self,
        app: ASGIApp,
        at_once: int,
        exempt: Collection[str] = NEVER_REFUSED,
        after: float = 2.0,
        name: str = "requests",
    ) -> None:
        if at_once < 1:
            raise ValueError("at_once: at least 1")
        self._app = app
        self._at_once = at_once
        self._exempt = frozenset(exempt)
        self._after = after
        self._name = name
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._exempt:
            await self._app(scope, receive, send)
        elif self._inside >= self._at_once:
            events.tell("shedding", self._name, "refused")
            await problem.refusal(Full(self._name, self._after))(scope, receive, send)
        else:
            self._inside += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._inside -= 1


class Deadline:
    """Puts a deadline in force for each request: what its caller asks for in a header, at most `seconds`.

    When it passes, the caller gets a 504 at once, if nothing was answered yet; code that awaits is
    cancelled. A thread cannot be: the request stays under way (and counts for `Shedding`) until its thread
    is back, because threads that nobody counts would pile up. So give each client in such code
    `timeout=deadline.timeout(...)`. A response that has begun is cut off, so that its reader sees that it
    is not whole. What runs after the response (background tasks) has no deadline.
    """

    def __init__(self, app: ASGIApp, seconds: float, longer: Mapping[str, float] | None = None) -> None:
        self._app = app
        self._seconds = seconds
        self._longer = longer or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = _by_path(self._longer, scope["path"], self._seconds)
        seconds = deadline.from_headers(Headers(scope=scope), most)
        await _Timed(self._app, seconds, send).run(scope, receive)


class _Timed:
    """One request under its deadline."""

    def __init__(self, app: ASGIApp, seconds: float, send: Send) -> None:
        self._app = app
        self._seconds = seconds
        self._send = send
        self._begun = self._ended = self._late = False
        self._cancelling = anyio.CancelScope()  # unlike a task's own, this lets threads that work come back
        self._answer: asyncio.Task[None] | None = None
        self._after = ExitStack()

    async def run(self, scope: Scope, receive: Receive) -> None:
        timer = asyncio.get_running_loop().call_later(self._seconds, self._expire, scope, receive)
        try:
            with deadline.within(self._seconds, name="request"), self._after, self._cancelling:
                await self._app(scope, receive, self._pass)
        except Exception:
            if not self._late:
                raise
            # The caller has its answer already; what failed since did so for want of time.
        finally:
            timer.cancel()
            if self._answer is not None:
                await self._answer
        if self._late and self._answer is None and not self._ended:
            raise deadline.Exceeded("request: its answer was cut off")

    async def _pass(self, message: Message) -> None:
        if self._answer is not None:
            return  # the 504 is what the caller gets
        if message["type"] == "http.response.start":
            self._begun = True
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self._ended = True
            self._after.enter_context(deadline.without())
        await self._send(message)

    def _expire(self, scope: Scope, receive: Receive) -> None:
        if self._ended:
            return
        self._late = True
        events.tell("deadline", "request", "exceeded")
        if not self._begun:
            self._answer = asyncio.get_running_loop().create_task(problem.late()(scope, receive, self._send))
        self._cancelling.cancel()


class BodyLimit:
    """Refuses content of more than `most` bytes with 413: before reading if its length is told, else while
    reading.

    `larger` gives paths that begin so a limit of their own, the longest beginning first.
    """

    def __init__(self, app: ASGIApp, most: int = _MIB, larger: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._most = most
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = _by_path(self._larger, scope["path"], self._most)
        told = Headers(scope=scope).get("content-length", "")
        if told.isascii() and told.isdigit() and int(told) > most:
            await _too_large(most)(scope, receive, send)
            return
        read, begun = 0, False
        refused = HTTPException(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _more_than(most), headers={"Connection": "close"}
        )

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise refused  # of this kind, since FastAPI turns others that come while it reads into a 400
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except HTTPException as error:
            if error is not refused or begun:
                raise
            await _too_large(most)(scope, receive, send)


class Leaving:
    """While the process is about to end, asks callers to close their connections, and to open new ones
    elsewhere.

    Those who keep theirs would use it until the moment that it is closed, and lose a request.
    """

    def __init__(self, app: ASGIApp, leaving: Callable[[], bool]) -> None:
        self._app = app
        self._leaving = leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and self._leaving():
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, closing if scope["type"] == "http" else send)


def _by_path(larger: Mapping[str, Any], path: str, otherwise: Any) -> Any:
    beginnings = [beginning for beginning in larger if path.startswith(beginning)]
    return larger[max(beginnings, key=len)] if beginnings else otherwise


def _more_than(most: int) -> str:
    return f"the content has more than {most} bytes"


def _too_large(most: int) -> problem.Answer:
    # The rest of the content would be read as the next request.
    return problem.Answer(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _more_than(most), headers={"Connection": "close"}
    )
