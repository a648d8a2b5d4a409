"""Findings that were there before: a file of their fingerprints."""

import json
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from mainstay.model.review import Result, Standing
from mainstay.sources.reading import Unreadable, content_of


class BaselineError(Exception):
    """The baseline cannot be used; says which and why."""


class _Entry(Struct, frozen=True):
    fingerprint: str


class _File(Struct, frozen=True):
    findings: tuple[_Entry, ...]


def read_baseline(path: Path) -> frozenset[str]:
    """The fingerprints kept in the file at `path`; raises BaselineError."""
    try:
        kept = msgspec.json.decode(content_of(str(path)), type=_File)
    except Unreadable as error:
        raise BaselineError(f"{path}: the baseline cannot be read: {error}") from error
    except msgspec.DecodeError as error:
        raise BaselineError(f"{path}: this is no baseline of Mainstay: {error}") from error
    return frozenset(entry.fingerprint for entry in kept.findings)


def write_baseline(results: Iterable[Result]) -> str:
    """The text of a baseline that holds every finding not suppressed in place, one to a line."""
    entries = [
        {
            "fingerprint": result.fingerprint,
            "rule": result.finding.rule,
            "path": result.finding.location.path,
            "message": result.finding.message,
        }
        for result in results
        if result.standing is not Standing.SUPPRESSED
    ]
    entries.sort(key=lambda entry: (entry["path"], entry["rule"], entry["fingerprint"]))
    lines = ",\n".join("  " + json.dumps(entry) for entry in entries)
    return '{"mainstay": 1, "findings": [\n' + lines + "\n]}\n"
