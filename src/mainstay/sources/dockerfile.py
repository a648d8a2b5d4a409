"""Reads a Dockerfile: what its last stage starts, and in which folder."""

import re
import shlex
from pathlib import Path

import msgspec
from msgspec import Struct

from mainstay.sources.compose import asked_path

LARGEST = 1 << 20  # bytes
_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)


class Dockerfile(Struct, frozen=True):
    """The last stage of a Dockerfile."""

    file: Path
    image: str = ""  # what its last stage starts from
    folder: str = ""  # the last WORKDIR
    command: tuple[str, ...] = ()  # ENTRYPOINT and CMD; of the shell's form, what the shell is given
    environment: dict[str, str] = {}
    health: str = ""  # the path that its HEALTHCHECK asks for


def read_dockerfile(file: Path) -> Dockerfile | None:
    """What the file says; None when it cannot be read, which leaves only a guess less."""
    try:
        if file.stat().st_size > LARGEST:
            return None
        text = file.read_text("utf-8", errors="replace")
    except OSError:
        return None
    image, folder, health = "", "", ""
    entry: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    for word, rest in _instructions(text):
        match word:
            case "FROM":
                image, folder, health, entry, command, environment = rest.split()[0], "", "", (), (), {}
            case "WORKDIR":
                folder = rest.strip()
            case "ENV":
                environment |= _pairs(rest)
            case "HEALTHCHECK":
                health = asked_path(rest)
            case "ENTRYPOINT":
                entry, command = _words(rest), ()
            case "CMD":
                command = _words(rest)
    return Dockerfile(file, image, folder, (*entry, *command), environment, health)


def _instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction with what follows it, its lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\[ \t]*\n", " ", "\n".join(lines))
    found = (_INSTRUCTION.match(line) for line in whole.splitlines())
    return [(match[1].upper(), match[2]) for match in found if match]


def _words(rest: str) -> tuple[str, ...]:
    try:
        listed = msgspec.json.decode(rest.strip(), type=list[str])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return ("sh", "-c", rest.strip())
    return tuple(listed)


def _pairs(rest: str) -> dict[str, str]:
    try:
        words = shlex.split(rest)
    except ValueError:
        return {}
    if words and "=" not in words[0]:
        return {words[0]: " ".join(words[1:])}
    return {name: text for name, equals, text in (word.partition("=") for word in words) if equals}
