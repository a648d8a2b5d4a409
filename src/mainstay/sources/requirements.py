"""Which packages a project asks for, by the files in which Python projects say so."""

import re
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser, Error
from pathlib import Path
from typing import Any

LARGEST = 2 << 20  # bytes
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRAS = re.compile(r"\[([^\]]*)\]")


def required(folder: Path) -> frozenset[str]:
    """The names of the packages, normalised (`psycopg2-binary`), extras as `psycopg[binary]` too.

    Files that cannot be read say nothing.
    """
    found: set[str] = set()
    for file in _files(folder):
        for text in _entries(file):
            found |= _names(text)
    return frozenset(found)


def normal(name: str) -> str:
    """The name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _files(folder: Path) -> Iterator[Path]:
    for pattern in ("requirements*.txt", "requirements*.in", "requirements/*.txt", "requirements/*.in"):
        yield from sorted(folder.glob(pattern))
    for name in ("pyproject.toml", "setup.cfg", "Pipfile"):
        yield folder / name


def _entries(file: Path) -> Iterator[str]:
    try:
        if not file.is_file() or file.stat().st_size > LARGEST:
            return
        text = file.read_text("utf-8", errors="replace")
    except OSError:
        return
    try:
        if file.name in ("pyproject.toml", "Pipfile"):
            yield from _of_table(tomllib.loads(text))
        elif file.name == "setup.cfg":
            parser = ConfigParser(interpolation=None)
            parser.read_string(text)
            yield from parser.get("options", "install_requires", fallback="").splitlines()
        else:
            yield from (line for line in text.splitlines() if not line.lstrip().startswith(("#", "-")))
    except (tomllib.TOMLDecodeError, Error, RecursionError):
        return


def _of_table(table: dict[str, Any]) -> Iterator[str]:
    """PEP 621, Poetry and Pipenv; the dependencies that only developers need are left out."""
    project = table.get("project")
    listed = project.get("dependencies") if isinstance(project, dict) else None
    yield from (each for each in listed or () if isinstance(each, str))
    optional = project.get("optional-dependencies") if isinstance(project, dict) else None
    for group in optional.values() if isinstance(optional, dict) else ():
        yield from (each for each in group if isinstance(each, str))
    tool = table.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    for named in (poetry.get("dependencies") if isinstance(poetry, dict) else None, table.get("packages")):
        for name, how in named.items() if isinstance(named, dict) else ():
            extras = how.get("extras") if isinstance(how, dict) else None
            yield f"{name}[{','.join(map(str, extras))}]" if isinstance(extras, list) else name


def _names(text: str) -> set[str]:
    found = _NAME.match(text)
    if found is None:
        return set()
    name = normal(found[1])
    extras = _EXTRAS.search(text)
    parts = extras[1].split(",") if extras else ()
    return {name, *(f"{name}[{normal(extra.strip())}]" for extra in parts)}
