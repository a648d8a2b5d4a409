"""Planted secrets and personal data that turn up where they may not: in logs, dumps and answers."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from msgspec import Struct

from mainstay.lab.logs import LogError, harmless, overlapping, stretch

_SHORTEST = 6  # characters of a planted value; a shorter one turns up by chance
_BESIDE = 60  # bytes shown to either side of a leak


class Leak(Struct, frozen=True):
    """A planted value that turned up where it may not."""

    name: str
    path: Path
    offset: int  # of the first time
    times: int
    form: str  # "plain", "URL-encoded", "JSON-escaped", "base64"
    excerpt: str  # what stands around it, all planted values masked


def planted(paths: Iterable[Path], values: Mapping[str, str]) -> list[Leak]:
    """Planted values, by name, that stand in the files: plain, URL-encoded, JSON-escaped or in base64.

    Raises LogError for a value that is so short that it would turn up by chance.
    """
    for name, value in values.items():
        if len(value) < _SHORTEST:
            raise LogError(f"the planted value {name!r} is too short to be looked for")
    forms = [(name, form, text) for name, value in values.items() for form, text in _forms(value)]
    return [leak for path in paths for leak in _leaks(path, forms)]


def _forms(value: str) -> Iterator[tuple[str, bytes]]:
    """How a value may be written, each way once."""
    plain = value.encode()
    ways = [
        ("plain", plain),
        *(
            ("URL-encoded", text.encode())
            for text in (quote(value), quote(value, safe=""), quote_plus(value))
        ),
        *(("JSON-escaped", json.dumps(value, ensure_ascii=flag)[1:-1].encode()) for flag in (True, False)),
        ("JSON-escaped", json.dumps(value)[1:-1].replace("/", "\\/").encode()),
        *(("base64", text) for text in _base64(plain)),
    ]
    seen: set[bytes] = set()
    for form, text in ways:
        if text not in seen:
            seen.add(text)
            yield form, text


def _base64(plain: bytes) -> Iterator[bytes]:
    """The characters that stand for `plain` in base64, wherever in a longer text it begins."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + plain)
        whole = (shift + len(plain)) * 8 // 6  # characters that no later byte changes
        core = encoded[(shift * 8 + 5) // 6 : whole]
        if len(core) >= 8:
            yield core
            yield core.translate(bytes.maketrans(b"+/", b"-_"))


def _leaks(path: Path, forms: list[tuple[str, str, bytes]]) -> Iterator[Leak]:
    found: dict[tuple[str, str], Leak] = {}
    longest = max((len(text) for _, _, text in forms), default=1)
    for start, part, fresh in overlapping(path, longest):
        lowered = part.lower()
        for name, form, text in forms:
            place, wanted = (lowered, text.lower()) if form == "URL-encoded" else (part, text)
            hits = [match.start() for match in re.finditer(re.escape(wanted), place)]
            hits = [at for at in hits if at + len(text) > fresh]  # the others were seen with the part before
            if not hits:
                continue
            before = found.get((name, form))
            times = len(hits) + (before.times if before else 0)
            offset = before.offset if before else start + hits[0]
            found[name, form] = Leak(name, path, offset, times, form, "")
    for leak in found.values():
        yield Leak(
            leak.name, path, leak.offset, leak.times, leak.form, _masked(path, leak.offset, forms, longest)
        )


def _masked(path: Path, offset: int, forms: list[tuple[str, str, bytes]], longest: int) -> str:
    """What stands at a place, without any planted value; the window is wide enough to cut none in two."""
    start = max(0, offset - _BESIDE - longest)
    window = stretch(path, start, offset + _BESIDE + 2 * longest)
    here = offset - start
    spans: list[tuple[int, int, str]] = []
    lowered = window.lower()
    for name, form, text in forms:
        place, wanted = (lowered, text.lower()) if form == "URL-encoded" else (window, text)
        spans += [(match.start(), match.end(), name) for match in re.finditer(re.escape(wanted), place)]
    shown, at = "", 0
    left, right = max(0, here - _BESIDE), here + longest + _BESIDE
    for begins, ends, name in sorted(spans):
        if ends <= at or begins > right:
            continue
        if begins > at:
            shown += _part(window, max(at, left), begins)
        shown += f"[{name}]" if ends > left else ""
        at = ends
    shown += _part(window, max(at, left), min(len(window), max(at, here) + _BESIDE))
    return harmless(shown.strip())


def _part(window: bytes, start: int, end: int) -> str:
    """The part of a window, within the line that it is in."""
    return window[start:end].decode("utf-8", "replace").replace("\n", " ") if end > start else ""
