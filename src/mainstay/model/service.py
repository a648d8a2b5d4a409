"""A service as its owner declares it to be proved: what runs, what it needs, who calls it and how often.

Texts may hold placeholders: `{port}` is the process's own port, `{port.metrics}` another one of its ports,
`{folder}` a private folder, `{python}` the interpreter that runs Mainstay, `{env.NAME}` a variable of the
shell, `{database.url}` a field of the dependency named `database`.  `{{` is a brace.
"""

from enum import StrEnum
from typing import Any

from msgspec import Struct

from mainstay.model.location import Location


class Process(Struct, frozen=True):
    """A program of the service: a web server, a worker, a scheduler."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = {}  # beside what all processes get
    count: int = 1
    serves: bool = False  # requests of the load go to it
    ready: str = ""  # a path that answers 2xx when it is; without one, it has to stay alive
    ready_within: float = 60.0  # seconds
    stop_within: float = 30.0  # seconds between SIGTERM and its end
    metrics: str = ""  # a path of its port, or `{port.metrics}/metrics`
    workers: int = 1  # processes that serve inside one instance
    labels: dict[str, str] = {}  # what Prometheus adds to its metrics; `job` is its name if nothing is said


class DependencyKind(StrEnum):
    """What a dependency is, and so how it is played."""

    POSTGRES = "postgres"
    REDIS = "redis"
    HTTP = "http"
    COMMAND = "command"  # a stand-in of the project's own, started like a process


class StandInAnswer(Struct, frozen=True):
    """What the stand-in of an HTTP dependency answers to one kind of request."""

    on: str  # "POST /v1/charges", "GET /v1/charges/{id}"
    status: int = 200
    body: Any = None  # JSON; texts may hold `{n}`, `{id}`, `{body.reference}`, `{header.x-request-id}`
    headers: dict[str, str] = {}
    effect: bool | None = None  # whether it changes something; None: what its method says


class Dependency(Struct, frozen=True):
    """Something the service cannot do its work without, or can."""

    name: str
    kind: DependencyKind
    command: tuple[str, ...] = ()  # of kind COMMAND
    ready: str = ""  # of kind COMMAND: a path that answers
    version: int = 0  # of PostgreSQL; 0: any
    extensions: tuple[str, ...] = ()  # of PostgreSQL
    openapi: str = ""  # of kind HTTP: the file that says what it answers
    answers: tuple[StandInAnswer, ...] = ()
    idempotency_header: str = ""  # a repeat with the same value gets the first answer again


class Actor(Struct, frozen=True):
    """Someone who calls: the headers he sends, and the command that prints his credentials."""

    name: str
    tenant: str = ""
    command: tuple[str, ...] = ()  # what it prints last is `{output}`
    request: str = ""  # or a request that logs in: "POST /login"
    form: dict[str, str] = {}  # sent as a form with `request`
    body: Any = None  # sent as JSON with `request`
    request_headers: dict[str, str] = {}  # sent with `request`
    token: str = ""  # where the answer holds `{output}`: "access_token"
    headers: dict[str, str] = {}  # `{"Authorization": "Bearer {output}"}`


class Action(Struct, frozen=True):
    """An operation as the load calls it.

    Texts may hold `{marker}` (unlike any other text of the run), `{key}` (an idempotency key),
    `{number}` and the name of a pool: `{order}` is a value that an earlier action gave.
    """

    name: str
    method: str
    path: str
    weight: float = 1.0  # its share of the mix; 0 for what only fills a pool
    actor: str = ""  # the first one, when empty
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: Any = None  # JSON
    form: dict[str, str] = {}
    takes: tuple[str, ...] = ()  # pools whose values are used up: each serves one request
    gives: dict[str, str] = {}  # pool -> where in the answer its value is: "id", "items.0.id"
    expects: tuple[int, ...] = ()  # statuses that are success; none: every 2xx
    key_header: str = ""  # "Idempotency-Key"
    stored: str = ""  # SQL: the markers in the database, one row for each time applied
    reads: str = ""  # the path that shows what it wrote, `{made}` being the id in its answer
    waived: str = ""  # why a write is not critical
    guessed: bool = False  # by Mainstay, from the schema

    @property
    def writes(self) -> bool:
        """Whether it changes something, by its method."""
        return self.method.upper() not in ("GET", "HEAD", "OPTIONS")


class Signature(Struct, frozen=True):
    """How a notice shows who sent it: a keyed digest (HMAC) in a header."""

    header: str  # "X-Signature"
    secret: str  # the name of the key in the environment of the service's processes
    algorithm: str = "sha256"
    over: str = "{body}"  # what is signed: "{timestamp}.{body}"
    value: str = "{digest}"  # of the header: "sha256={digest}", "t={timestamp},v1={digest}"
    base64: bool = False  # the digest; else it is hexadecimal


class Notice(Struct, frozen=True):
    """What another service sends to this one when something has happened there: a webhook."""

    action: Action  # never part of the load; pools in its texts are what it speaks of
    signature: Signature | None = None


class Invariant(Struct, frozen=True):
    """What holds at any time: SQL that yields no row, or an expression over a JSON answer."""

    name: str
    sql: str = ""
    request: str = ""  # "GET /totals"
    holds: str = ""  # "debit == credit", over the answer to `request`


class Waiver(Struct, frozen=True):
    """An experiment that is left out, and why."""

    experiment: str
    reason: str


class Frequency(Struct, frozen=True):
    """How often something happens in 30 days, and who says so."""

    event: str  # the name of an experiment
    a_month: float
    source: str = ""  # where the figure comes from; without one it is an assumption


class Load(Struct, frozen=True):
    """Requests a second."""

    expected: float = 20.0
    peak: float = 60.0
    timeout: float = 10.0  # seconds a caller waits
    arrivals: str = "poisson"  # or "constant"
    scenario: str = ""  # a Python file with journeys, see docs/prove.md


class Declaration(Struct, frozen=True):
    """The `[prove]` of a configuration."""

    root: str  # the folder that commands run in
    processes: tuple[Process, ...]
    dependencies: tuple[Dependency, ...] = ()
    environment: dict[str, str] = {}
    migrate: tuple[tuple[str, ...], ...] = ()  # commands
    seed: tuple[tuple[str, ...], ...] = ()
    actors: tuple[Actor, ...] = ()
    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()
    load: Load = Load()
    openapi: str = ""  # a file, or the path at which the service shows it
    guess_the_rest: bool = False  # beside declared actions, too; where none is declared, all are guessed
    alerts: tuple[str, ...] = ()  # files with Prometheus rules
    invariants: tuple[Invariant, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    frequencies: tuple[Frequency, ...] = ()
    secrets: tuple[str, ...] = ()  # names in the environment whose values may appear nowhere
    request_id_header: str = ""  # "X-Request-ID"
    public: tuple[str, ...] = ()  # "GET /health": operations that anyone may call
    longest_wait: float = (
        30.0  # seconds: the longest timeout in the service, of a pool, a statement or a call
    )
    location: Location | None = None
