"""What the command lines of a deployment start, in words that a laboratory can repeat."""

import re
import shlex
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from pathlib import PurePosixPath

from msgspec import Struct

from mainstay.sources.compose import interpolated

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})
WRAPPERS = frozenset(
    {
        "exec",
        "time",
        "nohup",
        "opentelemetry-instrument",
        "ddtrace-run",
        "dumb-init",
        "tini",
        "--",
        "catchsegv",
    }
)
RUNNERS = frozenset({"poetry", "uv", "pipenv", "pdm", "hatch", "rye"})  # `poetry run X`
SERVERS = frozenset(
    {"uvicorn", "gunicorn", "hypercorn", "granian", "daphne", "fastapi", "flask", "manage.py"}
)
MODULES = frozenset(
    {"uvicorn", "gunicorn", "hypercorn", "granian", "daphne", "fastapi", "flask", "celery", "alembic"}
    | {"dramatiq", "arq"}
)
"""Programs that `python -m` starts too, and so with the interpreter that is meant."""

_SEPARATORS = frozenset({"&&", ";", "||", "|", "&", "\n"})
_QUEUES = frozenset(
    {"rq", "rqworker", "dramatiq", "arq", "huey_consumer", "huey_consumer.py", "taskiq", "procrastinate"}
)
_MANAGED_WORKERS = frozenset(
    {"qcluster", "process_tasks", "rqworker", "run_huey", "rqscheduler", "procrastinate", "db_worker"}
)
_WORKER_NAME = re.compile(
    r"(?:^|[._/-])(?:worker|consumer|scheduler|beat|daemon|poller|relay|dispatcher)s?(?:$|[._/-])"
)
_FLAGS = {  # options that take no value; every other one is followed by one
    "uvicorn": frozenset(
        {
            "--factory",
            "--reload",
            "--proxy-headers",
            "--no-proxy-headers",
            "--no-access-log",
            "--access-log",
            "--use-colors",
            "--no-use-colors",
            "--server-header",
            "--no-server-header",
            "--date-header",
            "--no-date-header",
        }
    ),
    "gunicorn": frozenset(
        {
            "--reload",
            "--daemon",
            "-D",
            "--preload",
            "--capture-output",
            "--disable-redirect-access-to-syslog",
            "--enable-stdio-inheritance",
            "-R",
            "--reuse-port",
            "--no-control-socket",
        }
    ),
    "fastapi": frozenset({"--reload", "--no-reload", "--proxy-headers", "--no-proxy-headers"}),
    "hypercorn": frozenset({"--reload", "--debug"}),
    "granian": frozenset({"--reload", "--factory", "--access-log", "--no-access-log"}),
    "flask": frozenset(
        {"--debug", "--reload", "--no-reload", "--no-debug", "--with-threads", "--without-threads"}
    ),
}  # fmt: skip - tables read best in rows
_KEPT = {  # what of a deployment's options holds in the laboratory too; its addresses, files and users do not
    "uvicorn": frozenset({"--factory", "--workers", "--timeout-graceful-shutdown", "--timeout-keep-alive",
                          "--loop", "--http",
                          "--limit-concurrency", "--backlog", "--root-path", "--no-access-log", "--app-dir",
                          "--lifespan",
                          "--limit-max-requests", "--interface", "--log-level"}),
    "gunicorn": frozenset({"-w", "--workers", "-k", "--worker-class", "--threads", "-t", "--timeout",
                           "--graceful-timeout", "--keep-alive", "--max-requests", "--max-requests-jitter",
                           "--preload", "--worker-connections",
                           "-c", "--config", "--pythonpath", "--chdir", "--log-level", "--reuse-port"}),
    "fastapi": frozenset({"--workers", "--root-path", "--app"}),
    "hypercorn": frozenset({"-w", "--workers", "-k", "--worker-class", "--graceful-timeout", "--keep-alive"}),
    "granian": frozenset({"--workers", "--interface", "--threads", "--loop", "--factory", "--backpressure"}),
    "daphne": frozenset({"--http-timeout", "-t", "--application-close-timeout"}),
    "flask": frozenset({"--app", "-A", "--with-threads"}),
}  # fmt: skip
_WORKER_OPTIONS = ("-w", "--workers")


class Kind(StrEnum):
    """What a command does for a service."""

    SERVER = "server"
    WORKER = "worker"
    MIGRATION = "migration"
    SEED = "seed"
    OTHER = "other"


class Command(Struct, frozen=True):
    """A program and its arguments, without shell, wrapper and interpreter: `uvicorn app:app`.

    `python -m payments.worker` has the program `python`.
    """

    words: tuple[str, ...]

    @property
    def program(self) -> str:
        return PurePosixPath(self.words[0]).name

    @property
    def kind(self) -> Kind:
        return _kind(self)


class Server(Struct, frozen=True):
    """A web server as a deployment starts it."""

    program: str
    target: str = ""  # "app.main:app"; of manage.py the path of the script
    options: tuple[str, ...] = ()
    workers: int = 1

    def words(self) -> tuple[str, ...]:
        """Its command line on our port; the interpreter is the caller's affair."""
        place, port = "127.0.0.1", "{port}"
        match self.program:
            case "gunicorn" | "hypercorn":
                return (self.program, self.target, "--bind", f"{place}:{port}", *self.options)
            case "daphne":
                return (self.program, "-b", place, "-p", port, *self.options, self.target)
            case "fastapi":
                return ("fastapi", "run", "--host", place, "--port", port, *self.options, self.target)
            case "flask":
                app = () if {"--app", "-A"} & set(self.options) or not self.target else ("--app", self.target)
                return ("flask", *app, *self.options, "run", "--host", place, "--port", port)
            case "manage.py":
                return (self.target, "runserver", "--noreload", f"{place}:{port}")
            case _:
                return (self.program, self.target, "--host", place, "--port", port, *self.options)


def commands(words: Sequence[str]) -> Iterator[Command]:
    """The commands in a command line, those that a shell is given included."""
    words = [interpolated(word) for word in words]
    if not words:
        return
    if (
        PurePosixPath(words[0]).name in SHELLS
        and len(words) > 2
        and words[1].startswith("-")
        and "c" in words[1]
    ):
        yield from shell_commands(words[2])
        return
    for part in _separated(words):
        plain = unwrapped(part)
        if plain:
            yield Command(tuple(plain))


def shell_commands(text: str) -> Iterator[Command]:
    """The commands in a text for the shell; what a shell itself does is passed over."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        line = interpolated(line.strip().replace('"$@"', "").replace("$@", ""))
        if not line or line.startswith("#"):
            continue
        try:
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            lexer.commenters = "#"
            words = list(lexer)
        except ValueError:
            continue  # a quotation over several lines
        for part in _separated(words):
            plain = unwrapped(part)
            if plain:
                yield Command(tuple(plain))


def unwrapped(words: Sequence[str]) -> list[str]:
    """The command itself, without what it is wrapped in: `exec`, `poetry run`, `python -m`, `tini --`."""
    rest = list(words)
    while rest:
        name = PurePosixPath(rest[0]).name
        if (
            name in WRAPPERS
            or re.fullmatch(r"[A-Za-z_]\w*=.*", rest[0])
            or rest[0] in ("then", "do", "else", "if")
        ):
            rest = rest[1:]
            if name in ("dumb-init", "tini"):
                rest = _without_options(rest)
        elif name in RUNNERS and len(rest) > 1 and "run" in rest[1:3]:
            rest = _without_options(rest[rest.index("run") + 1 :])
        elif (name == "newrelic-admin" and rest[1:2] == ["run-program"]) or name in ("gosu", "su-exec"):
            rest = rest[2:]
        elif name.startswith(("wait-for", "wait_for")) and "--" in rest:
            rest = rest[rest.index("--") + 1 :]
        elif re.fullmatch(r"python[\d.]*", name):
            return _interpreted(rest)
        else:
            break
    return rest


def server(command: Command) -> Server | None:
    """The web server that a command starts, None when it starts none."""
    if command.kind is not Kind.SERVER:
        return None
    program = command.program
    if program == "manage.py":
        return Server(program, command.words[0])
    kept: list[str] = []
    positional: list[str] = []
    rest = list(command.words[1:])
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            positional.append(word)
            continue
        option, equals, text = word.partition("=")
        flag = option in _FLAGS.get(program, ())
        if not flag and not equals:
            text = rest.pop(0) if rest else ""
        if option in _KEPT.get(program, ()) and (flag or text):
            kept.extend((option,) if flag else (option, text))
    positional = [
        word for word in positional if not (program in ("fastapi", "flask") and word in ("run", "dev"))
    ]
    return Server(program, positional[-1] if positional else "", tuple(kept), _workers(kept))


def _workers(options: Sequence[str]) -> int:
    for option, text in pairwise(options):
        if option in _WORKER_OPTIONS and text.isdigit():
            return max(1, int(text))
    return 1


def _kind(command: Command) -> Kind:
    program, rest = command.program, command.words[1:]
    first = next((word for word in rest if not word.startswith("-")), "")
    if program == "alembic":
        return Kind.MIGRATION if "upgrade" in rest else Kind.OTHER
    if program in ("manage.py", "django-admin"):
        return _managed(first)
    if program == "flask" and "db" in rest:
        return Kind.MIGRATION if "upgrade" in rest else Kind.OTHER
    if program in ("flask", "fastapi"):
        return Kind.SERVER if {"run", "dev"} & set(rest) else Kind.OTHER
    if program in SERVERS:
        return Kind.SERVER
    if program == "celery":
        return Kind.WORKER if {"worker", "beat"} & set(rest) else Kind.OTHER
    if program in _QUEUES:
        return Kind.WORKER
    if program in ("aerich", "yoyo", "piccolo"):
        return Kind.MIGRATION
    return _scripted(rest) if program == "python" else Kind.OTHER


def _managed(first: str) -> Kind:
    if first.startswith("runserver"):
        return Kind.SERVER
    if first == "migrate":
        return Kind.MIGRATION
    if first in _MANAGED_WORKERS or _WORKER_NAME.search(first):
        return Kind.WORKER
    return Kind.SEED if re.search(r"seed|loaddata|load_|create|init|ensure", first) else Kind.OTHER


def _scripted(rest: Sequence[str]) -> Kind:
    """What a script or module of the project does, by its name."""
    name = next((word for word in rest if not word.startswith("-")), "").removesuffix(".py").lower()
    said = " ".join((name, *rest[1:])).lower()
    if re.search(r"migrat|schema|upgrade", said):
        return Kind.MIGRATION
    if _WORKER_NAME.search(name):
        return Kind.WORKER
    return (
        Kind.SEED
        if re.search(r"seed|initial|init_|_init|init$|fixture|bootstrap|pre_?start", said)
        else Kind.OTHER
    )


def _interpreted(words: list[str]) -> list[str]:
    """`python -m uvicorn x` is `uvicorn x`; a module or script of the project stays Python's."""
    rest = words[1:]
    while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c"):
        rest = rest[2:] if rest[0] in ("-W", "-X") else rest[1:]
    if len(rest) > 1 and rest[0] == "-m":
        return rest[1:] if rest[1] in MODULES else ["python", *rest]
    if rest and PurePosixPath(rest[0]).name == "manage.py":
        return rest
    return ["python", *rest] if rest else []


def _without_options(words: list[str]) -> list[str]:
    while words and words[0].startswith("-"):
        words = words[1:]
    return words


def _separated(words: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for word in words:
        if word in _SEPARATORS:
            yield part
            part = []
        else:
            part.append(word)
    yield part
