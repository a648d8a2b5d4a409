"""A stand for small services, written in the tests, without a lab around them."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from msgspec import Struct

from mainstay.experiments.base import Experiment
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.proxy.control import FaultProxy
from mainstay.model.api import Api
from mainstay.model.proof import Band, Claim, Verdict
from mainstay.model.service import Action, Actor, Declaration, Notice, Process
from mainstay.sources import openapi

OWNER = {"Authorization": "Bearer owner-secret-1"}
STRANGER = {"Authorization": "Bearer stranger-secret-2"}


class Request(Struct, frozen=True):
    """What a service of a test is asked."""

    method: str
    path: str  # without its query
    query: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def tenant(self) -> str:
        """Of whoever calls; empty for nobody."""
        return {
            text: text.split()[1].split("-")[0]
            for text in (OWNER["Authorization"], STRANGER["Authorization"])
        }.get(self.headers.get("authorization", ""), "")

    @property
    def json(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(self.body))


Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]
Handler = Callable[[Request], Answer]


class Served(BaseHTTPRequestHandler):
    """Hands each request to the function of the test; what that raises is a 500 with its traceback."""

    handler: ClassVar[Handler]

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        asked = Request(self.command, path, query, headers, self.rfile.read(length))
        status, content, *more = type(self).handler(asked)
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (more[0] if more else {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  # as the base class calls them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class calls it
        """Say nothing."""


class FakeTrial:
    """Of a trial, what experiments without load and database use."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.notes: list[str] = []
        self.records: list[Any] = []
        self.deaths: list[str] = []
        self.known: set[str] = set()
        self.bands: list[Band] = []
        self.places: tuple[Any, ...] = ()

    def band(self, what: str) -> ExitStack:
        return ExitStack()

    def go_on(self, seconds: float) -> None:
        """No time passes."""


class Found(Struct, frozen=True):
    """What an experiment said."""

    claims: dict[str, Claim]
    notes: list[str]

    @property
    def failed(self) -> list[str]:
        return [name for name, claim in self.claims.items() if claim.verdict is Verdict.FAILED]

    @property
    def verdicts(self) -> dict[str, Verdict]:
        return {name: claim.verdict for name, claim in self.claims.items()}


Try = Callable[..., Found]
MakeStand = Callable[..., Stand]


@pytest.fixture
def make_stand(tmp_path: Path) -> Iterator[MakeStand]:
    """Serves a function of the test on 127.0.0.1 and gives the stand on which it can be tried."""
    with ExitStack() as stack:

        def make(
            handler: Handler,
            actions: Sequence[Action] = (),
            *,
            document: Mapping[str, Any] | None = None,
            public: Sequence[str] = (),
            actors: Sequence[Actor] = (Actor("ada", "one"), Actor("bob", "two")),
            headers: Mapping[str, Mapping[str, str]] | None = None,
            notices: Sequence[Notice] = (),
            programs: Sequence[Any] = (),
        ) -> Stand:
            bound = type("Bound", (Served,), {"handler": staticmethod(handler)})
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), bound))
            server.daemon_threads = False  # closing waits for all answers
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
            stack.callback(server.shutdown)
            return stand_on(
                f"http://127.0.0.1:{server.server_port}",
                tuple(actions),
                None if document is None else openapi.read(json.dumps(document).encode(), "document"),
                Declaration(
                    str(tmp_path),
                    (Process("web", ("web",), serves=True),),
                    actors=tuple(actors),
                    public=tuple(public),
                    notices=tuple(notices),
                ),
                headers or {"ada": OWNER, "bob": STRANGER, "anonymous": {}},
                list(programs),
            )

        yield make


@pytest.fixture
def attempt() -> Try:
    """Runs an experiment on a stand."""

    def run(experiment: Experiment, stand: Stand) -> Found:
        trial = FakeTrial(stand)
        assert experiment.applies(stand) == ""
        assert 0 < experiment.seconds(stand) < 60
        claims = {claim.name: claim for claim in experiment.run(cast(Trial, trial))}
        return Found(claims, trial.notes)

    return run


def stand_on(
    address: str,
    actions: tuple[Action, ...],
    api: Api | None,
    declaration: Declaration,
    headers: Mapping[str, Mapping[str, str]],
    programs: list[Any],
) -> Stand:
    """A stand that reaches one address, without dependencies."""
    service = SimpleNamespace(
        addresses=[address],
        headers=headers,
        database=None,
        database_name="",
        standins={},
        instances=[],
        programs=programs,
    )
    stand = Stand.__new__(Stand)
    stand.service = cast(Any, service)
    stand.declaration = declaration
    stand.actions = actions
    stand.api = api
    stand.prefix = "mstest00"
    stand.proxy = cast(FaultProxy, None)
    stand.homes = cast(Any, None)
    stand.startup = 0.5
    stand._callers = 0
    return stand
