"""Live, ready and drain."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from mainstay_runtime.health import Health


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def run(what: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(what)


def client(health: Health) -> TestClient:
    app = FastAPI()
    app.include_router(health.router())
    return TestClient(app)


async def fine() -> None:
    pass


def fine_on_a_thread() -> None:
    assert threading.current_thread() is not threading.main_thread()


async def failing() -> None:
    raise ConnectionError("postgresql://app:hunter2@db")


async def hanging() -> None:
    await asyncio.sleep(60)


def test_alive_never_asks_what_the_service_needs() -> None:
    answer = client(Health({"database": failing})).get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_ready_if_all_checks_are() -> None:
    answer = client(Health({"database": fine, "queue": fine_on_a_thread})).get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": {"database": "ok", "queue": "ok"}}


def test_unready_tells_the_names_of_what_failed_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    health = Health(
        {"database": failing, "queue": fine, "files": lambda: False, "slow": hanging}, within=0.05
    )
    answer = client(health).get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "unready",
        "checks": {"database": "failed", "queue": "ok", "files": "failed", "slow": "late"},
    }
    assert caplog.records


def test_checks_are_asked_at_once() -> None:
    health = Health(dict.fromkeys("abcdef", hanging) | {"g": fine}, within=0.1)
    begun = time.monotonic()
    run(health.ready())
    assert time.monotonic() - begun < 0.4


def test_an_answer_is_kept_for_a_moment_and_shared_by_probes_that_come_meanwhile() -> None:
    clock, asked = Clock(), 0

    async def count() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)

    health = Health({"database": count}, cached=1.0, clock=clock)

    async def probes() -> list[int]:
        counts = []
        await asyncio.gather(*(health.ready() for _ in range(20)))
        counts.append(asked)
        clock.now += 0.9
        await health.ready()
        counts.append(asked)
        clock.now += 0.2
        await health.ready()
        return [*counts, asked]

    assert run(probes()) == [1, 1, 2]


def test_a_check_that_hangs_on_its_thread_is_not_started_again() -> None:
    clock, begun, go = Clock(), 0, threading.Event()

    def hang() -> None:
        nonlocal begun
        begun += 1
        go.wait(5)

    health = Health({"files": hang}, within=0.05, cached=0.0, clock=clock)

    async def probes() -> list[str]:
        found = [(await health.ready()).checks["files"] for _ in range(4)]
        go.set()
        await asyncio.sleep(0.1)
        return [*found, (await health.ready()).checks["files"]]

    assert run(probes()) == ["late"] * 4 + ["ok"]
    assert begun == 2


def test_each_change_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    broken = True

    async def check() -> None:
        if broken:
            raise ConnectionError("away")

    health = Health({"database": check}, cached=0.0)

    async def probes() -> None:
        nonlocal broken
        for _ in range(3):
            await health.ready()
        broken = False
        for _ in range(3):
            await health.ready()

    with caplog.at_level(logging.INFO, "mainstay_runtime.health"):
        run(probes())
    assert [line.getMessage() for line in caplog.records] == ["check database: failed", "check database: ok"]


def test_draining_is_unready_at_once_and_asks_nothing_any_more() -> None:
    health = Health({"database": failing})
    health.drain()
    health.drain()
    answer = client(health).get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "draining", "checks": {}}
    assert health.leaving()


SERVICE = """
import asyncio, sys
from contextlib import asynccontextmanager
import uvicorn
from fastapi import FastAPI
from mainstay_runtime import middleware
from mainstay_runtime.health import Health

health = Health()

@asynccontextmanager
async def lifespan(app):
    with health.draining(pause=0.6):
        yield
    print("closed", flush=True)

app = FastAPI(lifespan=lifespan)
app.include_router(health.router())
app.add_middleware(middleware.Leaving, leaving=health.leaving)

@app.get("/slow")
async def slow():
    await asyncio.sleep(0.5)
    return "whole"

uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""


def test_on_sigterm_the_server_is_unready_first_serves_on_and_then_ends(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "service.py").write_text(SERVICE)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "service.py", str(port)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        _until(lambda: _status(port, "/readyz") == 200)
        process.send_signal(signal.SIGTERM)
        _until(lambda: _status(port, "/readyz") == 503)
        process.send_signal(signal.SIGTERM)  # changes nothing
        assert _status(port, "/livez") == 200
        with urlopen(f"http://127.0.0.1:{port}/slow", timeout=5) as answer:
            assert answer.read() == b'"whole"'
            assert answer.headers["Connection"] == "close"
        out, _ = process.communicate(timeout=5)
        assert out == b"closed\n"
    finally:
        process.kill()
        process.communicate()


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 8
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def _status(port: int, path: str) -> int:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except OSError:
        return 0
