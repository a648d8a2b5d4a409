"""The declared service, running: its dependencies behind the fault proxy, its processes, its callers."""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from mainstay.lab.client import NoAnswer, Reply, ask
from mainstay.lab.lab import Lab, LabError, Program
from mainstay.lab.last_lines import last_lines
from mainstay.lab.placeholders import fill, names
from mainstay.lab.postgres import Postgres, missing_extension
from mainstay.lab.proxy.control import FaultProxy
from mainstay.lab.redis import Redis
from mainstay.lab.standin.control import StandIn
from mainstay.model.service import Actor, Declaration, Dependency, DependencyKind, Process

POLL_S = 0.05
COMMAND_S = 300.0  # a migration, a seed or a login that takes longer is stuck
HURRY_S = 0.5  # between two experiments
READY_S = 2.0  # one question whether it is ready
SETTLED_S = 0.5  # a process without a readiness path has to stay alive this long
LOCAL = "127.0.0.1"
KEPT = frozenset("HOME LANG LANGUAGE LD_LIBRARY_PATH LOGNAME PATH SHELL TMPDIR TZ USER".split())


class NotReady(LabError):
    """The service did not come up; the message says how it ended, with the last lines of its log."""


class Instance:
    """One of the processes that a declared process stands for."""

    def __init__(
        self,
        process: Process,
        number: int,
        program: Program,
        ports: Mapping[str, int],
        root: Path | None = None,
    ) -> None:
        self.root = root  # where its code is, when it is another version
        self.process = process
        self.number = number
        self.program = program
        self.ports = ports
        self.dismissed = False  # ended on purpose: nobody brings it back

    @property
    def name(self) -> str:
        return _named(self.process, self.number)

    @property
    def address(self) -> str:
        return f"http://{LOCAL}:{self.ports['port']}"


class Service:
    """Starts and stops what a declaration names.

    `prepare` starts the dependencies and fills the database; `start` brings up the processes and returns
    when they are ready.  All traffic to the dependencies goes through `proxy`, except after
    `start(direct=True)`, which is how capacity is measured.
    """

    def __init__(
        self, lab: Lab, declaration: Declaration, proxy: FaultProxy, say: Callable[[str], None]
    ) -> None:
        self.lab = lab
        self.declaration = declaration
        self.proxy = proxy
        self.instances: list[Instance] = []
        self.databases: dict[str, Postgres] = {}
        self.caches: dict[str, Redis] = {}
        self.standins: dict[str, StandIn] = {}
        self.commands: dict[str, Program] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self._say = say
        self._direct: dict[str, int] = {}
        self._proxied: dict[str, int] = {}
        self._folder = lab.subfolder("service")
        self._settled = False  # the service's role in its databases is an ordinary one, as in production

    # --- what the experiments ask ------------------------------------------------------------

    @property
    def database(self) -> Postgres | None:
        """The PostgreSQL of the service: the first one that is declared."""
        return next(iter(self.databases.values()), None)

    @property
    def database_name(self) -> str:
        """The name of its dependency, and so of its place in the proxy."""
        return next(iter(self.databases), "")

    @property
    def serving(self) -> list[Instance]:
        """The instances that requests go to."""
        return [instance for instance in self.instances if instance.process.serves]

    @property
    def addresses(self) -> list[str]:
        return [instance.address for instance in self.serving]

    @property
    def programs(self) -> list[Program]:
        return [instance.program for instance in self.instances]

    def metrics(self) -> list[tuple[Instance, str]]:
        """The instances that show metrics, each with its address."""
        return [
            (instance, self._metrics_address(instance))
            for instance in self.instances
            if instance.process.metrics
        ]

    # --- its life ----------------------------------------------------------------------------

    def prepare(self) -> None:
        """Start the dependencies, migrate, seed, and get the credentials that commands print."""
        for dependency in self.declaration.dependencies:
            self._play(dependency)
        self._furnish()

    def migrate(self, root: Path | None = None) -> None:
        """Run the migrations, those of another version when its folder is given; raises LabError."""
        if self._settled:
            for database in self.databases.values():
                database.unsettle()
            self._settled = False
        for number, command in enumerate(self.declaration.migrate, 1):
            self._finish(f"migration-{number}", command, "the migration", root)

    def remake(self, root: Path) -> None:
        """An empty database, migrated and seeded by the version in that folder, with new credentials."""
        for database in self.databases.values():
            database.drop_database(database.database)
            database.create_database(database.database)
        self.headers.clear()
        self._furnish(root)

    def _furnish(self, root: Path | None = None) -> None:
        self.migrate(root)
        for number, command in enumerate(self.declaration.seed, 1):
            self._finish(f"seed-{number}", command, "the seed", root)
        for actor in self.declaration.actors:
            if not actor.request:
                self.headers[actor.name] = self._credentials_by_command(actor, root)
        self.headers["anonymous"] = {}

    def start(self, *, direct: bool = False, root: Path | None = None, only: Sequence[str] = ()) -> None:
        """Start every process and wait until it is ready; raises NotReady."""
        if self.instances:
            self.stop()
        for process in self.declaration.processes:
            if only and process.name not in only:
                continue
            for number in range(1, process.count + 1):
                self.instances.append(self.launch(process, number, direct=direct, root=root))
        for instance in self.instances:
            self.await_ready(instance)
        self._settle()
        for actor in self.declaration.actors:
            if actor.request:  # anew each time: a token may live for minutes only
                try:
                    self.headers[actor.name] = self._credentials_by_request(actor)
                except LabError:
                    if actor.name not in self.headers:
                        raise  # else it is a request that registers: it works once, and what it gave holds

    def _settle(self) -> None:
        """Nothing is made at the first start any more: whoever serves is no superuser."""
        if not self._settled:
            for database in self.databases.values():
                database.settle()
            self._settled = True

    def relaunch(self, instance: Instance) -> Instance:
        """The same instance on the same ports, as a supervisor starts it after it has ended."""
        return self.launch(instance.process, instance.number, ports=instance.ports, root=instance.root)

    def launch(
        self,
        process: Process,
        number: int = 1,
        *,
        direct: bool = False,
        root: Path | None = None,
        ports: Mapping[str, int] | None = None,
    ) -> Instance:
        """Start one instance of a process, and do not wait until it is ready."""
        if ports is None:
            ports = {name: self.lab.port() for name in ("port", *sorted(self._extra_ports(process)))}
        values = self._values(direct) | {name: str(port) for name, port in ports.items()}
        where = f"prove.process.{process.name}"
        program = self.lab.start(
            _named(process, number),
            [fill(word, values, f"{where}.command") for word in process.command],
            environment=self._environment(values, process.environment, where),
            cwd=root or Path(self.declaration.root),
        )
        return Instance(process, number, program, ports, root)

    def await_ready(self, instance: Instance, within: float | None = None) -> float:
        """Wait until it is ready and say how many seconds that took; raises NotReady."""
        began = time.monotonic()
        ends = began + (instance.process.ready_within if within is None else within)
        asked = 0
        while time.monotonic() < ends:
            self._check_alive(instance)
            if instance.process.ready:
                if self.is_ready(instance):
                    self._check_port(instance)
                    return time.monotonic() - began
            elif time.monotonic() - instance.program.started >= SETTLED_S:
                return time.monotonic() - began
            asked += 1
            if asked % 20 == 0:
                self._check_elsewhere(instance, time.monotonic() - began)
            time.sleep(POLL_S)
        problem = f"{instance.name} was not ready within {instance.process.ready_within:g} s"
        raise NotReady(f"{problem}: {self._last_answer(instance)}.", instance.program.tail())

    def is_ready(self, instance: Instance) -> bool:
        """Whether its readiness path answers 2xx now."""
        with suppress(NoAnswer):
            return 200 <= self._ask_ready(instance).status < 300
        return False

    def stop(self, grace: float = 5.0) -> None:
        """End every process: asked first, then killed after `grace` seconds."""
        for instance in self.instances:
            instance.program.signal(15)
        ends = time.monotonic() + grace
        for instance in self.instances:
            instance.program.end(grace=min(instance.process.stop_within, max(0.0, ends - time.monotonic())))
        self.instances.clear()

    def restart(self, *, direct: bool = False, root: Path | None = None) -> None:
        """A fresh start for the next experiment: no fault, nothing held in memory, and no time to drain."""
        self.stop(grace=HURRY_S)
        for name in self._proxied:
            self.proxy.clear(name)
        for standin in self.standins.values():
            standin.behave()
        for database in self.databases.values():
            database.ensure_running()
        self.start(direct=direct, root=root)

    def swap_database(self, name: str, server: Postgres) -> Postgres:
        """Put another server in the place of a database, for those started from now on; the one before.

        It has to hold what the other one holds.
        """
        before, self.databases[name] = self.databases[name], server
        self._direct[name] = server.port
        self.proxy.aim(name, (LOCAL, server.port))
        return before

    # --- dependencies ------------------------------------------------------------------------

    def _play(self, dependency: Dependency) -> None:
        self._direct[dependency.name] = port = self._start_dependency(dependency)
        self._proxied[dependency.name] = self.proxy.open(dependency.name, (LOCAL, port))

    def _start_dependency(self, dependency: Dependency) -> int:
        name = dependency.name
        match dependency.kind:
            case DependencyKind.POSTGRES:
                database = Postgres(
                    self.lab, name, version=dependency.version, extensions=dependency.extensions
                )
                database.start()
                self._say(f"{name}: {database.choice}")
                self.databases[name] = database
                return database.port
            case DependencyKind.REDIS:
                self.caches[name] = cache = Redis(self.lab, name)
                cache.start()
                return cache.port
            case DependencyKind.HTTP:
                self.standins[name] = standin = StandIn(self.lab, dependency, Path(self.declaration.root))
                return standin.port
            case DependencyKind.COMMAND:
                return self._start_command(dependency)

    def _start_command(self, dependency: Dependency) -> int:
        port = self.lab.port()
        process = Process(dependency.name, dependency.command, ready=dependency.ready)
        values = self._constants() | {"port": str(port)}
        where = f"prove.dependency.{dependency.name}"
        program = self.lab.start(
            dependency.name,
            [fill(word, values, f"{where}.command") for word in dependency.command],
            environment=self._inherited(),
            cwd=Path(self.declaration.root),
        )
        self.await_ready(Instance(process, 1, program, {"port": port}))
        self.commands[dependency.name] = program
        return port

    # --- commands and credentials ------------------------------------------------------------

    def _finish(self, name: str, command: Sequence[str], what: str, root: Path | None = None) -> str:
        values = self._values(direct=True)
        values |= {port: str(self.lab.port()) for port in ("port", *sorted(self._extra_ports()))}
        done = self.lab.run(
            name,
            [fill(word, values, "prove") for word in command],
            environment=self._environment(values, {}, "prove.environment"),
            cwd=root or Path(self.declaration.root),
            timeout=COMMAND_S,
        )
        if done.status:
            lines = last_lines(done.log)
            hint = _hint(lines)
            raise LabError(f"{what} `{' '.join(command)}` ended with status {done.status}.{hint}", lines)
        return done.output

    def _credentials_by_command(self, actor: Actor, root: Path | None = None) -> dict[str, str]:
        output = ""
        if actor.command:
            what = f"the actor {actor.name}'s command"
            printed = self._finish(f"actor-{actor.name}", actor.command, what, root)
            output = next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), "")
            if not output:
                raise LabError(f"prove.actor.{actor.name}: its command printed nothing")
        return self._headers(actor, output)

    def _credentials_by_request(self, actor: Actor) -> dict[str, str]:
        where = f"prove.actor.{actor.name}"
        method, _, path = actor.request.partition(" ")
        url = f"{self.addresses[0]}{path}"
        try:
            reply = ask(
                method,
                url,
                headers=actor.request_headers,
                form=dict(actor.form) or None,
                json=actor.body,
                timeout=self.declaration.load.timeout,
            )
        except NoAnswer as error:
            raise LabError(f"{where}: no answer to `{actor.request}`: {error}") from error
        if not 200 <= reply.status < 300:
            raise LabError(f"{where}: `{actor.request}` was answered with {reply.status}: {reply.text[:300]}")
        return self._headers(actor, _token(reply, actor.token, where))

    def _headers(self, actor: Actor, output: str) -> dict[str, str]:
        where = f"prove.actor.{actor.name}.headers"
        return {name: fill(text, {"output": output}, where) for name, text in actor.headers.items()}

    # --- placeholders ------------------------------------------------------------------------

    def _constants(self) -> dict[str, str]:
        shell = {f"env.{name}": text for name, text in os.environ.items()}
        return shell | {
            "python": sys.executable,
            "folder": str(self._folder),
            "root": self.declaration.root,
        }

    def _values(self, direct: bool) -> dict[str, str]:
        values = self._constants()
        for name, port in (self._direct if direct else self._proxied).items():
            for field, value in self._fields(name, port).items():
                values[f"{name}.{field}"] = value
        return values

    def _fields(self, name: str, port: int) -> dict[str, str]:
        if name in self.databases:
            return self.databases[name].fields(port)
        if name in self.caches:
            return self.caches[name].fields(port)
        return {"host": LOCAL, "port": str(port), "url": f"http://{LOCAL}:{port}"}

    def _environment(self, values: Mapping[str, str], own: Mapping[str, str], where: str) -> dict[str, str]:
        wanted = {**self.declaration.environment, **own}
        return self._inherited() | {name: fill(text, values, where) for name, text in wanted.items()}

    def _inherited(self) -> dict[str, str]:
        """What any program needs, and nothing of the shell's own: its DATABASE_URL may be a real one."""
        kept = {name: text for name, text in os.environ.items() if name in KEPT or name.startswith("LC_")}
        return kept | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}

    def _extra_ports(self, process: Process | None = None) -> set[str]:
        """The further ports that a process is given, or any command when it is none."""
        texts = list(self.declaration.environment.values())
        if process is not None:
            texts += [*process.command, *process.environment.values(), process.metrics]
        return {name for text in texts for name in names(text) if name.startswith("port.")}

    def _metrics_address(self, instance: Instance) -> str:
        text = instance.process.metrics
        if text.startswith("/"):
            return f"{instance.address}{text}"
        values = {name: str(port) for name, port in instance.ports.items()}
        return f"http://{LOCAL}:{fill(text, values, f'prove.process.{instance.process.name}.metrics')}"

    # --- readiness ---------------------------------------------------------------------------

    def _ask_ready(self, instance: Instance) -> Reply:
        return ask("GET", f"{instance.address}{instance.process.ready}", timeout=READY_S)

    def _last_answer(self, instance: Instance) -> str:
        try:
            reply = self._ask_ready(instance)
        except NoAnswer as error:
            return f"{instance.process.ready} gives no answer ({error})"
        return f"{instance.process.ready} answers {reply.status}"

    def _check_alive(self, instance: Instance) -> None:
        program = instance.program
        status = program.status()
        if status is None:
            return
        if program.forked_away():
            problem = (
                f"{instance.name} ended with status {status} and left processes behind: it has to stay in "
                "the foreground (look for an option such as `--no-daemon`)"
            )
        else:
            how = f"signal {-status}" if status < 0 else f"status {status}"
            problem = f"{instance.name} ended with {how} before it was ready"
        lines = program.tail()
        raise NotReady(f"{problem}.{_hint(lines)}", lines)

    def _check_port(self, instance: Instance) -> None:
        """An answer proves nothing as long as someone else may have given it."""
        if instance.ports["port"] not in instance.program.listens():
            raise NotReady(
                f"port {instance.ports['port']} answers, but {instance.name} does not listen on it"
            )

    def _check_elsewhere(self, instance: Instance, seconds: float) -> None:
        """Say early that it listens where nobody asked it to."""
        ports = instance.program.listens()
        if instance.process.serves and ports and instance.ports["port"] not in ports and seconds > 3:
            listed = ", ".join(map(str, sorted(ports)))
            raise NotReady(
                f"{instance.name} listens on port {listed} instead of {instance.ports['port']}: "
                "give it `{port}` in its command or environment.",
                instance.program.tail(),
            )


def _named(process: Process, number: int) -> str:
    return process.name if process.count == 1 else f"{process.name}-{number}"


def _hint(lines: Sequence[str]) -> str:
    """What a known message in a log means."""
    extension = missing_extension("\n".join(lines))
    return f" {extension}" if extension else ""


def _token(reply: Reply, path: str, where: str) -> str:
    if not path:
        return reply.body.decode(errors="replace").strip()
    value: object = None
    with suppress(msgspec.DecodeError):
        value = msgspec.json.decode(reply.body)
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if not isinstance(value, str):
        raise LabError(f"{where}.token: there is no text at `{path}` in the answer")
    return value
