"""What every request passes: its id, shedding, its deadline, the size of its body."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, Request
from fastapi.responses import StreamingResponse
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message

from mainstay_runtime import deadline, events, middleware, problem
from mainstay_runtime.redaction import REQUEST_ID


@dataclass
class Got:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    after: float = 0.0


async def ask(
    app: ASGIApp,
    path: str,
    headers: dict[str, str] | None = None,
    parts: Iterable[bytes] = (),
    method: str = "GET",
) -> Got:
    """One request as a server makes it; `parts` come without a length."""
    waiting = [*parts]
    asked, got = 0, Got()
    begun = time.monotonic()

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        if asked > 1 and not waiting:  # the caller stays and waits for the answer
            await asyncio.Event().wait()
        part = waiting.pop(0) if waiting else b""
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            got.status = message["status"]
            got.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            got.after = time.monotonic() - begun
        else:
            got.parts.append(message["body"])

    named = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    await app(
        {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": "",
            "scheme": "http", "query_string": b"", "headers": named, "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80), "http_version": "1.1", "asgi": {"version": "3.0"},
        },
        receive,
        send,
    )  # fmt: skip
    return got


def run(what: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(what)


class Service:
    """An app with a route of each kind, and what happened in them."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.go = threading.Event()
        self.app = FastAPI()
        problem.install(self.app)
        router = APIRouter(prefix="/v1")
        router.add_api_route("/things/{id}", self.thing)
        router.add_api_route("/hang", self.hang)
        router.add_api_route("/thread", self.thread)
        router.add_api_route("/stream", self.stream)
        router.add_api_route("/slow-stream", self.slow_stream)
        router.add_api_route("/background", self.background)
        router.add_api_route("/body", self.body, methods=["POST"])
        router.add_api_route("/livez", self.thing)
        self.app.include_router(router)

    async def thing(self, request: Request) -> dict[str, object]:
        left = deadline.left()
        return {"id": REQUEST_ID.get(), "state": request.state.request_id, "left": left}

    async def hang(self) -> None:
        try:
            await asyncio.sleep(30)
        finally:
            self.seen.append("cancelled")

    def thread(self) -> None:
        self.seen.append(deadline.left())
        self.go.wait(10)
        self.seen.append("thread ended")

    async def stream(self) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            self.seen.append("second part made")
            yield b"two"

        return StreamingResponse(parts())

    async def slow_stream(self) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            await asyncio.sleep(30)

        return StreamingResponse(parts())

    async def background(self, tasks: BackgroundTasks) -> None:
        async def later() -> None:
            await asyncio.sleep(0.15)
            self.seen.append(deadline.left())

        tasks.add_task(later)

    async def body(self, request: Request) -> int:
        return len(await request.body())


@pytest.fixture
def service() -> Service:
    return Service()


def test_a_request_without_an_id_gets_one_and_the_answer_bears_it(service: Service) -> None:
    middleware.install(service.app)
    answer = TestClient(service.app).get("/v1/things/7")
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.json()["id"] == answer.json()["state"] == answer.headers["x-request-id"]
    assert REQUEST_ID.get() == ""


@pytest.mark.parametrize(
    "given", ["short", "a" * 200, "with space in it", "line\\nbreak-in-it", "<script>alert(1)"]
)
def test_an_id_that_is_not_well_formed_is_not_taken(service: Service, given: str) -> None:
    middleware.install(service.app)
    assert TestClient(service.app).get("/v1/things/7", headers={"X-Request-Id": given}).json()["id"] != given


def test_a_well_formed_id_is_taken_and_is_on_errors_too(service: Service) -> None:
    middleware.install(service.app)
    client = TestClient(service.app)
    given = {"X-Request-Id": "0af7651916cd43dd8448eb211c80319c"}
    assert client.get("/v1/things/7", headers=given).json()["id"] == given["X-Request-Id"]
    assert client.get("/nowhere", headers=given).headers["x-request-id"] == given["X-Request-Id"]


def test_the_deadline_is_what_the_caller_asks_for_but_not_more_than_allowed(service: Service) -> None:
    service.app.add_middleware(middleware.Deadline, seconds=5.0, longer={"/v1/things/slow": 60.0})
    service.app.add_middleware(middleware.RequestId)
    client = TestClient(service.app)
    asked = [
        client.get("/v1/things/7", headers={"X-Request-Timeout-Ms": given}).json()["left"]
        for given in ("2000", "9000", "soon")
    ]
    assert [round(left) for left in asked] == [2, 5, 5]
    assert round(client.get("/v1/things/slow").json()["left"]) == 60


def test_what_hangs_is_cancelled_and_answered_at_the_deadline(service: Service) -> None:
    service.app.add_middleware(middleware.Deadline, seconds=0.1)
    got = run(ask(service.app, "/v1/hang"))
    assert got.status == 504
    assert got.headers["content-type"] == "application/problem+json"
    assert 0.09 <= got.after < 1
    assert service.seen == ["cancelled"]


def test_a_thread_that_hangs_is_answered_in_time_and_counts_until_it_is_back(service: Service) -> None:
    service.app.add_middleware(middleware.Deadline, seconds=0.1)
    service.app.add_middleware(middleware.Shedding, at_once=1)

    async def both() -> tuple[Got, Got, Got]:
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        end = events.listen(lambda event: answered.set_result(None) if event.what == "exceeded" else None)
        first = asyncio.create_task(ask(service.app, "/v1/thread"))
        await answered
        end()
        second = await ask(service.app, "/v1/stream")
        assert not first.done()
        service.go.set()
        return await first, second, await ask(service.app, "/v1/stream")

    first, second, third = run(both())
    assert (first.status, second.status, third.status) == (504, 503, 200)
    assert first.after < 1
    assert service.seen[0] == pytest.approx(0.1, abs=0.09)  # the thread knew how long it had
    assert "thread ended" in service.seen


def test_a_response_that_has_begun_is_cut_at_the_deadline(service: Service) -> None:
    service.app.add_middleware(middleware.Deadline, seconds=0.1)
    with pytest.raises(deadline.Exceeded):
        run(ask(service.app, "/v1/slow-stream"))


def test_what_runs_after_the_response_has_no_deadline(service: Service) -> None:
    service.app.add_middleware(middleware.Deadline, seconds=0.1)

    async def left_afterwards() -> float | None:
        assert (await ask(service.app, "/v1/background")).status == 200
        return deadline.left()

    assert run(left_afterwards()) is None
    assert service.seen == [None]


def test_parts_of_a_stream_are_sent_as_they_are_made(service: Service) -> None:
    middleware.install(service.app, leaving=lambda: False)
    got = run(ask(service.app, "/v1/stream"))
    assert got.parts == [b"one", b"two", b""]


def test_beyond_so_many_at_once_requests_are_refused_and_probes_are_not(service: Service) -> None:
    told: list[events.Event] = []
    end = events.listen(told.append)
    service.app.add_middleware(middleware.RequestId)
    service.app.add_middleware(middleware.Shedding, at_once=3, exempt=["/v1/livez"])

    async def many() -> tuple[list[Got], Got, Got]:
        tasks = [asyncio.create_task(ask(service.app, "/v1/thread")) for _ in range(10)]
        await asyncio.gather(*tasks[3:])
        probe = await ask(service.app, "/v1/livez")
        service.go.set()
        return await asyncio.gather(*tasks), probe, await ask(service.app, "/v1/things/7")

    try:
        got, probe, afterwards = run(many())
    finally:
        end()
    assert sorted(one.status for one in got) == [200] * 3 + [503] * 7
    assert {one.headers["retry-after"] for one in got if one.status == 503} == {"2"}
    assert probe.status == afterwards.status == 200
    assert [event.what for event in told if event.kind == "shedding"] == ["refused"] * 7


def test_a_place_is_given_back_when_a_request_is_cancelled(service: Service) -> None:
    service.app.add_middleware(middleware.Shedding, at_once=1)

    async def cancelled() -> Got:
        task = asyncio.create_task(ask(service.app, "/v1/hang"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await ask(service.app, "/v1/stream")

    assert run(cancelled()).status == 200


def test_a_body_that_tells_its_length_is_refused_unread(service: Service) -> None:
    service.app.add_middleware(middleware.BodyLimit, most=10)
    client = TestClient(service.app)
    assert client.post("/v1/body", content=b"x" * 10).text == "10"
    answer = client.post("/v1/body", content=b"x" * 11)
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_that_grows_beyond_is_refused_while_it_is_read(service: Service) -> None:
    service.app.add_middleware(middleware.BodyLimit, most=10, larger={"/v1": 20, "/v1/body": 30})
    parts = [b"x" * 10] * 3
    assert run(ask(service.app, "/v1/body", parts=parts, method="POST")).status == 200
    got = run(ask(service.app, "/v1/body", parts=[*parts, b"x"], method="POST"))
    assert got.status == 413
    assert got.headers["content-type"] == "application/problem+json"


def test_a_length_that_lies_does_not_help(service: Service) -> None:
    service.app.add_middleware(middleware.BodyLimit, most=10)
    got = run(ask(service.app, "/v1/body", {"Content-Length": "1"}, [b"x" * 11], "POST"))
    assert got.status == 413


def test_another_app_within_is_limited_too() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass

    assert run(ask(middleware.BodyLimit(app, most=3), "/", parts=[b"xx", b"xx"])).status == 413


def test_connections_are_closed_only_while_leaving(service: Service) -> None:
    leaving = False
    middleware.install(service.app, leaving=lambda: leaving)
    assert "connection" not in run(ask(service.app, "/v1/things/7")).headers
    leaving = True
    assert run(ask(service.app, "/v1/things/7")).headers["connection"] == "close"


def test_the_template_of_a_path_holds_the_prefixes_of_routers_and_mounts() -> None:
    templates: list[str] = []

    class Asks:
        def __init__(self, app: ASGIApp) -> None:
            self._app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self._app(scope, receive, send)
            if scope["type"] == "http":
                templates.append(middleware.route(scope))

    outer, inner = APIRouter(prefix="/v1"), APIRouter(prefix="/charges")
    inner.add_api_route("/{id}", lambda id: id)  # noqa: A006
    outer.include_router(inner)
    mounted = FastAPI()
    mounted.add_api_route("/x/{y}", lambda y: y)
    app = FastAPI()
    app.include_router(outer)
    app.mount("/sub", mounted)
    app.add_middleware(Asks)
    client = TestClient(app)
    for path in ("/v1/charges/7", "/sub/x/3", "/nowhere"):
        client.get(path)
    TestClient(app, root_path="/api").get("/v1/charges/7")
    assert templates == ["/v1/charges/{id}", "/sub/x/{y}", "", "/v1/charges/{id}"]
