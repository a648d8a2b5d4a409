"""`[prove]`: the service as its owner declares it.  Reading it runs nothing; only `mainstay prove` does."""

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from mainstay.configuration.source import RATES, TIMES, Source
from mainstay.model.location import Location
from mainstay.model.service import (
    Action,
    Actor,
    Declaration,
    Dependency,
    DependencyKind,
    Frequency,
    Invariant,
    Load,
    Notice,
    Process,
    Signature,
    StandInAnswer,
    Waiver,
)
from mainstay.suppressions import suggestion

Command = str | tuple[str, ...]
ARRIVALS = ("poisson", "constant")
LONGEST_WAIT_S = 30.0  # what many pools and servers wait when nobody tells them otherwise


class _Process(Struct, frozen=True, rename="kebab"):
    command: Command
    environment: dict[str, str] = {}
    count: int = 1
    serves: bool = False
    ready: str = ""
    ready_within: str | None = None
    stop_within: str | None = None
    metrics: str = ""
    workers: int = 1
    labels: dict[str, str] = {}


class _Answer(Struct, frozen=True, rename="kebab"):
    on: str
    status: int = 200
    body: Any = None
    headers: dict[str, str] = {}
    effect: bool | None = None


class _Dependency(Struct, frozen=True, rename="kebab"):
    kind: str
    command: Command = ()
    ready: str = ""
    version: int = 0
    extensions: tuple[str, ...] = ()
    openapi: str = ""
    answer: tuple[_Answer, ...] = ()
    idempotency_header: str = ""


class _Actor(Struct, frozen=True, rename="kebab"):
    tenant: str = ""
    command: Command = ()
    request: str = ""
    form: dict[str, str] = {}
    body: Any = None
    request_headers: dict[str, str] = {}
    token: str = ""
    headers: dict[str, str] = {}


class _Action(Struct, frozen=True, rename="kebab"):
    request: str
    name: str = ""
    weight: float = 1.0
    actor: str = ""
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: Any = None
    form: dict[str, str] = {}
    takes: tuple[str, ...] = ()
    gives: dict[str, str] = {}
    expects: tuple[int, ...] = ()
    key_header: str = ""
    stored: str = ""
    reads: str = ""
    waived: str = ""


class _Signature(Struct, frozen=True):
    header: str
    secret: str
    algorithm: str = "sha256"
    over: str = "{body}"
    value: str = "{digest}"
    base64: bool = False


class _Notice(Struct, frozen=True):
    request: str
    name: str = ""
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: Any = None
    form: dict[str, str] = {}
    signature: _Signature | None = None


class _Invariant(Struct, frozen=True):
    name: str
    sql: str = ""
    request: str = ""
    holds: str = ""


class _Waiver(Struct, frozen=True):
    experiment: str
    reason: str


class _Frequency(Struct, frozen=True, rename="kebab"):
    a_month: float
    source: str = ""


class _Load(Struct, frozen=True):
    expected: str | None = None
    peak: str | None = None
    timeout: str | None = None
    arrivals: str = "poisson"
    scenario: str = ""


class _Prove(Struct, frozen=True, rename="kebab"):
    """The table as it is written."""

    process: dict[str, dict[str, Any]] = {}
    dependency: dict[str, dict[str, Any]] = {}
    actor: dict[str, dict[str, Any]] = {}
    action: tuple[dict[str, Any], ...] = ()
    notice: tuple[dict[str, Any], ...] = ()
    invariant: tuple[dict[str, Any], ...] = ()
    waive: tuple[dict[str, Any], ...] = ()
    frequency: dict[str, dict[str, Any]] = {}
    load: dict[str, Any] = {}
    environment: dict[str, str] = {}
    migrate: tuple[Command, ...] = ()
    seed: tuple[Command, ...] = ()
    openapi: str = ""
    guess_the_rest: bool = False
    alerts: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    request_id_header: str = ""
    public: tuple[str, ...] = ()
    longest_wait: str | None = None


def declaration(source: Source, raw: Mapping[str, Any]) -> Declaration:
    """What `[prove]` says; raises ConfigurationError with file and line for what makes no sense."""
    return _Reader(source, raw).declaration()


class _Reader:
    def __init__(self, source: Source, raw: Mapping[str, Any]) -> None:
        self._source = source
        source.refuse_unknown(raw, "prove.", _Prove)
        self._table = source.convert(raw, _Prove, "prove.")

    def declaration(self) -> Declaration:
        table = self._table
        found = Declaration(
            root=str(self._source.file.parent.resolve()),
            processes=tuple(self._process(name, entry) for name, entry in table.process.items()),
            dependencies=tuple(self._dependency(name, entry) for name, entry in table.dependency.items()),
            environment=table.environment,
            migrate=self._commands("prove.migrate", table.migrate),
            seed=self._commands("prove.seed", table.seed),
            actors=tuple(self._actor(name, entry) for name, entry in table.actor.items()),
            actions=tuple(self._action(index, entry) for index, entry in enumerate(table.action)),
            notices=tuple(self._notice(index, entry) for index, entry in enumerate(table.notice)),
            load=self._load(table.load),
            openapi=table.openapi,
            guess_the_rest=table.guess_the_rest,
            alerts=table.alerts,
            invariants=tuple(self._invariant(index, entry) for index, entry in enumerate(table.invariant)),
            waivers=tuple(self._waiver(index, entry) for index, entry in enumerate(table.waive)),
            frequencies=tuple(self._frequency(name, entry) for name, entry in table.frequency.items()),
            secrets=table.secrets,
            request_id_header=table.request_id_header,
            public=table.public,
            longest_wait=self._source.amount("prove.longest-wait", table.longest_wait, TIMES, LONGEST_WAIT_S),
            location=Location(self._source.file.name, self._source.line("prove")),
        )
        self._check(found)
        return found

    # --- the parts ---------------------------------------------------------------------------

    def _process(self, name: str, entry: dict[str, Any]) -> Process:
        key = f"prove.process.{name}"
        given = self._entry(key, entry, _Process)
        if given.count < 1 or given.workers < 1:
            raise self._source.at(
                f"{key}.{'count' if given.count < 1 else 'workers'}", "at least 1 is needed"
            )
        return Process(
            name=name,
            command=self._command(f"{key}.command", given.command),
            environment=given.environment,
            count=given.count,
            serves=given.serves,
            ready=given.ready,
            ready_within=self._source.amount(f"{key}.ready-within", given.ready_within, TIMES, 60.0),
            stop_within=self._source.amount(f"{key}.stop-within", given.stop_within, TIMES, 30.0),
            metrics=given.metrics,
            workers=given.workers,
            labels=given.labels,
        )

    def _dependency(self, name: str, entry: dict[str, Any]) -> Dependency:
        key = f"prove.dependency.{name}"
        given = self._entry(key, entry, _Dependency)
        kinds = [kind.value for kind in DependencyKind]
        if given.kind not in kinds:
            problem = f"{given.kind!r} is none of {', '.join(kinds)}.{suggestion(given.kind, kinds)}"
            raise self._source.at(f"{key}.kind", problem)
        kind = DependencyKind(given.kind)
        if kind is DependencyKind.COMMAND and not given.command:
            raise self._source.at(key, "give the `command` that plays it")
        return Dependency(
            name=name,
            kind=kind,
            command=self._command(f"{key}.command", given.command) if given.command else (),
            ready=given.ready,
            version=given.version,
            extensions=given.extensions,
            openapi=given.openapi,
            answers=tuple(
                StandInAnswer(answer.on, answer.status, answer.body, answer.headers, answer.effect)
                for answer in given.answer
            ),
            idempotency_header=given.idempotency_header,
        )

    def _actor(self, name: str, entry: dict[str, Any]) -> Actor:
        key = f"prove.actor.{name}"
        given = self._entry(key, entry, _Actor)
        if given.command and given.request:
            raise self._source.at(key, "give either `command` or `request`, not both")
        return Actor(
            name=name,
            tenant=given.tenant,
            command=self._command(f"{key}.command", given.command) if given.command else (),
            request=given.request,
            form=given.form,
            body=given.body,
            request_headers=given.request_headers,
            token=given.token,
            headers=given.headers,
        )

    def _request(self, key: str, request: str, index: int) -> tuple[str, str]:
        method, _, path = request.strip().partition(" ")
        if not path.strip().startswith("/") or not method.isalpha():
            problem = f"{request!r} is no request, such as 'POST /orders'"
            raise self._source.at(f"{key}.request", problem, index)
        return method.upper(), path.strip()

    def _notice(self, index: int, entry: dict[str, Any]) -> Notice:
        given = self._entry("prove.notice", entry, _Notice, index)
        method, path = self._request("prove.notice", given.request, index)
        action = Action(
            name=given.name or given.request,
            method=method,
            path=path,
            weight=0.0,
            actor="anonymous",
            query=given.query,
            headers=given.headers,
            body=given.body,
            form=given.form,
        )
        sign = given.signature
        if sign is None:
            return Notice(action)
        if "{digest}" not in sign.value or "{body}" not in sign.over:
            problem = "`over` has to hold {body}, and `value` {digest}"
            raise self._source.at("prove.notice.signature", problem, index)
        return Notice(
            action,
            Signature(sign.header, sign.secret, sign.algorithm, sign.over, sign.value, sign.base64),
        )

    def _action(self, index: int, entry: dict[str, Any]) -> Action:
        given = self._entry("prove.action", entry, _Action, index)
        method, path = self._request("prove.action", given.request, index)
        if given.weight < 0:
            raise self._source.at("prove.action.weight", "a share is not negative", index)
        return Action(
            name=given.name or given.request,
            method=method,
            path=path,
            weight=given.weight,
            actor=given.actor,
            query=given.query,
            headers=given.headers,
            body=given.body,
            form=given.form,
            takes=given.takes,
            gives=given.gives,
            expects=given.expects,
            key_header=given.key_header,
            stored=given.stored,
            reads=given.reads,
            waived=given.waived,
        )

    def _invariant(self, index: int, entry: dict[str, Any]) -> Invariant:
        given = self._entry("prove.invariant", entry, _Invariant, index)
        if bool(given.sql) == bool(given.request and given.holds):
            raise self._source.at("prove.invariant", "give either `sql`, or `request` and `holds`", index)
        return Invariant(given.name, given.sql, given.request, given.holds)

    def _waiver(self, index: int, entry: dict[str, Any]) -> Waiver:
        given = self._entry("prove.waive", entry, _Waiver, index)
        if not given.reason.strip():
            raise self._source.at("prove.waive", "give the `reason` why it is left out", index)
        return Waiver(given.experiment, given.reason)

    def _frequency(self, name: str, entry: dict[str, Any]) -> Frequency:
        given = self._entry(f"prove.frequency.{name}", entry, _Frequency)
        if given.a_month < 0:
            raise self._source.at(f"prove.frequency.{name}.a-month", "a frequency is not negative")
        return Frequency(name, given.a_month, given.source)

    def _load(self, entry: dict[str, Any]) -> Load:
        given = self._entry("prove.load", entry, _Load)
        standard = Load()
        expected = self._source.amount("prove.load.expected", given.expected, RATES, standard.expected)
        peak = self._source.amount("prove.load.peak", given.peak, RATES, max(standard.peak, 3 * expected))
        if not 0 < expected <= peak:
            raise self._source.at(
                "prove.load", "the peak is at least the expected load, and both are above 0"
            )
        if given.arrivals not in ARRIVALS:
            problem = f"{given.arrivals!r} is none of {', '.join(ARRIVALS)}"
            raise self._source.at("prove.load.arrivals", problem)
        timeout = self._source.amount("prove.load.timeout", given.timeout, TIMES, standard.timeout)
        return Load(expected, peak, timeout, given.arrivals, given.scenario)

    # --- what does not fit together ----------------------------------------------------------

    def _check(self, found: Declaration) -> None:
        if not found.processes:
            raise self._source.at("prove", "name at least one process: [prove.process.web]")
        if not any(process.serves for process in found.processes):
            raise self._source.at("prove.process", "one process has to serve: `serves = true`")
        for process in found.processes:
            if process.serves and not process.ready:
                problem = "give the path that answers when it is `ready`"
                raise self._source.at(f"prove.process.{process.name}", problem)
        self._check_unlike("prove.process", "prove.dependency", found)
        actors = {actor.name for actor in found.actors}
        for index, action in enumerate(found.actions):
            if action.actor and action.actor not in actors and action.actor != "anonymous":
                problem = f"there is no actor {action.actor!r}.{suggestion(action.actor, actors)}"
                raise self._source.at("prove.action.actor", problem, index)
        names = [action.name for action in found.actions]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise self._source.at("prove.action", f"there are two actions {name!r}", index)

    def _check_unlike(self, one: str, other: str, found: Declaration) -> None:
        """A placeholder names a dependency or a process: they may not share a name."""
        taken = {process.name for process in found.processes} | {"port", "folder", "python", "output"}
        for dependency in found.dependencies:
            if dependency.name in taken:
                problem = f"the name {dependency.name!r} is taken; {one} and {other} share their names"
                raise self._source.at(f"{other}.{dependency.name}", problem)

    def _entry(self, key: str, raw: object, shape: type[Any], nth: int = 0) -> Any:
        self._source.refuse_unknown(raw, f"{key}.", shape, nth)
        return self._source.convert(raw, shape, f"{key}.", nth)

    def _commands(self, key: str, commands: Iterable[Command]) -> tuple[tuple[str, ...], ...]:
        return tuple(self._command(key, command) for command in commands)

    def _command(self, key: str, command: Command) -> tuple[str, ...]:
        try:
            words = tuple(shlex.split(command)) if isinstance(command, str) else command
        except ValueError as error:
            raise self._source.at(key, f"this is no command: {error}") from None
        if not words:
            raise self._source.at(key, "the command is empty")
        return words
