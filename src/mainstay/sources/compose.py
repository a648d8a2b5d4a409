"""Reads a Compose file: which containers make up the service, and what they are told.

Nothing is run and no other file is opened.  `${NAME:-text}` becomes its text; a variable without one becomes
nothing, since what it holds is the deployment's affair.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

LARGEST = 1 << 20  # bytes
NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<how>:?[-+?])(?P<text>[^{}]*))?\}|(?P<plain>\w+))"
)
_URL = re.compile(r"https?://[^/\s\"']+(?P<path>/[^\s\"';|&]*)?")


class ComposeError(Exception):
    """A Compose file that cannot be used; one sentence that begins with the file."""


class Container(Struct, frozen=True):
    """A service of a Compose file."""

    name: str
    image: str = ""
    build: str | None = None  # the folder it is built from, as written; None: it is not built
    dockerfile: str = ""  # below that folder, when one is named
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    folder: str = ""  # `working_dir`
    environment: dict[str, str | None] = {}  # None: taken over from whoever starts it
    needs: dict[str, str] = {}  # container -> what it waits for: "service_healthy"
    health: str = ""  # the path that its health check asks for
    once: bool = False  # others wait until it has ended well

    @property
    def runs(self) -> tuple[str, ...]:
        """What it starts, as far as the file says."""
        return (*self.entrypoint, *self.command)


class Compose(Struct, frozen=True):
    """A Compose file."""

    file: Path
    containers: tuple[Container, ...] = ()

    @property
    def own(self) -> tuple[Container, ...]:
        """The containers that are built from the tree."""
        return tuple(each for each in self.containers if each.build is not None)

    def of_image(self, *words: str) -> Container | None:
        """The first container whose image is called by one of these words: "postgres", "redis"."""
        for each in self.containers:
            name = re.split(r"[:@]", each.image.rpartition("/")[2])[0]
            if any(word in name for word in words) and each.build is None:
                return each
        return None


def read_compose(file: Path) -> Compose:
    """The containers of a Compose file; raises ComposeError."""
    try:
        from mainstay.sources.yaml_text import YamlError, parse
    except ImportError:
        raise ComposeError(
            f"{file.name}: Compose files are read with PyYAML, which mainstay[prove] brings."
        ) from None
    try:
        if file.stat().st_size > LARGEST:
            raise ComposeError(f"{file.name}: it is larger than {LARGEST >> 20} MB.")
        document = parse(file.read_text("utf-8"))
    except OSError as error:
        raise ComposeError(f"{file.name}: it could not be read: {error.strerror}.") from error
    except (YamlError, UnicodeDecodeError) as error:
        raise ComposeError(f"{file.name}: this is no valid YAML: {error}.") from error
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict):
        raise ComposeError(f"{file.name}: it names no services.")
    waited = _waited_for(services)
    return Compose(
        file,
        tuple(_container(str(name), raw, waited) for name, raw in services.items() if isinstance(raw, dict)),
    )


def interpolated(text: str, values: Mapping[str, str] | None = None) -> str:
    """The text with its variables filled in: from `values`, else by the default beside them, else empty."""
    known = values or {}

    def value(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name = match["name"] or match["plain"]
        if match["how"] in ("+", ":+"):
            return ""
        default = match["text"] or "" if match["how"] in ("-", ":-") else ""
        return known.get(name, default)

    return _VARIABLE.sub(value, text)


def _container(name: str, raw: Mapping[str, Any], waited: set[str]) -> Container:
    build = raw.get("build")
    context, dockerfile = build, ""
    if isinstance(build, dict):
        context, dockerfile = build.get("context", "."), _text(build.get("dockerfile"))
    return Container(
        name=name,
        image=interpolated(_text(raw.get("image"))),
        build=interpolated(context) if isinstance(context, str) else None,
        dockerfile=dockerfile,
        command=words_of(raw.get("command")),
        entrypoint=words_of(raw.get("entrypoint")),
        folder=interpolated(_text(raw.get("working_dir"))),
        environment=_environment(raw.get("environment")),
        needs=_needs(raw.get("depends_on")),
        health=_health(raw.get("healthcheck")),
        once=name in waited,
    )


def words_of(raw: object) -> tuple[str, ...]:
    """A command, written as a list or as one text."""
    if isinstance(raw, list):
        return tuple(_text(word) for word in raw)
    if not isinstance(raw, str):
        return ()
    try:
        return tuple(shlex.split(raw))
    except ValueError:
        return tuple(raw.split())


def _waited_for(services: Mapping[Any, Any]) -> set[str]:
    """The containers that others wait for to end."""
    return {
        name
        for raw in services.values()
        if isinstance(raw, dict)
        for name, condition in _needs(raw.get("depends_on")).items()
        if condition == "service_completed_successfully"
    }


def _needs(raw: object) -> dict[str, str]:
    if isinstance(raw, list):
        return {_text(name): "service_started" for name in raw}
    if not isinstance(raw, dict):
        return {}
    return {
        str(name): _text(how.get("condition")) if isinstance(how, dict) else "service_started"
        for name, how in raw.items()
    }


def _environment(raw: object) -> dict[str, str | None]:
    if isinstance(raw, list):
        pairs = (_text(entry).partition("=") for entry in raw)
        return {name: text if equals else None for name, equals, text in pairs if name}
    if not isinstance(raw, dict):
        return {}
    return {str(name): None if value is None else _text(value) for name, value in raw.items()}


def _health(raw: object) -> str:
    """The path of the address in a health check."""
    test = raw.get("test") if isinstance(raw, dict) else None
    words = " ".join(map(_text, test)) if isinstance(test, list) else _text(test)
    return asked_path(words)


def asked_path(command: str) -> str:
    """The path of the address that a command asks: `curl -f http://localhost:8000/health`."""
    found = _URL.search(command)
    return interpolated(found["path"] or "/") if found else ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
