"""Reads what a coverage tool wrote: `coverage.json` of coverage.py, or XML as Cobertura has it."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

import msgspec
from msgspec import Struct

from mainstay.model.project import CoverageReport, FileCoverage

LARGEST = 64 * 1024 * 1024  # bytes


class CoverageUnreadable(Exception):
    """A file that is no coverage report; the message is a sentence that begins with its path."""


class _Entry(Struct):
    executed_lines: list[int] = []
    missing_lines: list[int] = []


class _Report(Struct):
    files: dict[str, _Entry]


def read_coverage(path: Path) -> CoverageReport:
    """The report in `path`; raises CoverageUnreadable."""
    try:
        if path.stat().st_size > LARGEST:
            raise CoverageUnreadable(f"{path}: it is larger than {LARGEST // 1024**2} MiB.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CoverageUnreadable(f"{path}: it could not be read: {error.strerror}.") from None
    except (UnicodeError, ValueError):
        raise CoverageUnreadable(f"{path}: this is not UTF-8 text.") from None
    files = _of_json(path, text) if text.lstrip()[:1] == "{" else _of_xml(path, text)
    if not files:
        raise CoverageUnreadable(f"{path}: no line of code is in it.")
    return CoverageReport(str(path), tuple(sorted(files, key=lambda file: file.path)))


def _of_json(path: Path, text: str) -> list[FileCoverage]:
    try:
        report = msgspec.json.decode(text, type=_Report)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CoverageUnreadable(f"{path}: this is no report of coverage.py: {error}.") from None
    return [
        FileCoverage(_posix(name), frozenset(entry.executed_lines), frozenset(entry.missing_lines))
        for name, entry in report.files.items()
        if entry.executed_lines or entry.missing_lines
    ]


def _of_xml(path: Path, text: str) -> list[FileCoverage]:
    if "<!ENTITY" in text:  # no coverage tool defines one, and a few lines of them could fill the memory
        raise CoverageUnreadable(f"{path}: it defines entities, which no coverage report does.")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - it defines no entities
    except (ElementTree.ParseError, RecursionError) as error:
        raise CoverageUnreadable(f"{path}: this is neither JSON nor XML: {error}.") from None
    if root.tag != "coverage":
        raise CoverageUnreadable(f"{path}: its root is `{root.tag}`, not `coverage`.")
    reached: dict[str, set[int]] = {}
    missed: dict[str, set[int]] = {}
    for name, line, hits in _lines(root):
        (reached if hits else missed).setdefault(name, set()).add(line)
    return [
        FileCoverage(
            name,
            frozenset(reached.get(name, ())),
            frozenset(missed.get(name, set()) - reached.get(name, set())),
        )
        for name in reached.keys() | missed.keys()
    ]


def _lines(root: ElementTree.Element) -> Iterator[tuple[str, int, int]]:
    """File, line and how often it ran; a file may come several times, once for each class in it."""
    sources = [found.text.strip() for found in root.iterfind("sources/source") if found.text]
    base = sources[0] if len(sources) == 1 else ""  # of several, nobody says which one is meant
    for entry in root.iter("class"):
        name = str(PurePosixPath(_posix(base)) / _posix(entry.get("filename", "")))
        for line in entry.iter("line"):
            number, hits = line.get("number", ""), line.get("hits", "")
            if re.fullmatch(r"\d{1,9}", number) and re.fullmatch(r"\d{1,18}", hits):
                yield name, int(number), int(hits)


def _posix(path: str) -> str:
    return path.replace("\\", "/")
