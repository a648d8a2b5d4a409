"""What the service wrote while it failed: its error events, and whether they name the cause.

A log is bytes of a program nobody trusts: what comes out of here is bounded, and every character prints.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

_MOST = 32 << 20  # bytes that are read of one stretch of a log
_CHUNK = 4 << 20
_LONGEST = 4000  # characters kept of a line
_HEAD, _TAIL = 12, 48  # lines kept of an event
_AROUND = 64 << 10  # bytes read to either side of a place

_CUT = b"\n[mainstay: "  # what capped.py writes where it leaves bytes out
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ERRORS = frozenset("error critical fatal exception alert emergency emerg crit err severe panic".split())
_LEVELS = _ERRORS | frozenset("warning warn info notice debug trace success information".split())
_WORDS = "|".join(sorted(_LEVELS, key=len, reverse=True))
_LEVEL = re.compile(
    rf"""\blevel(?:name)?=["']?(?P<pair>{_WORDS})\b            # level=error
       | \[[ ]*(?P<bracket>{_WORDS})[ ]*\]                     # [error    ], [ERROR]
       | (?<![\w/.'"=-])(?P<upper>{_WORDS.upper()})(?=[\s:|\]>,-]|$)  # ERROR: , - ERROR -""",
    re.VERBOSE,
)
_UPPER_BRACKET = re.compile(rf"\[[ ]*(?P<bracket>{_WORDS})[ ]*\]", re.IGNORECASE)
_STARTS = re.compile(
    r"""\[?\d{4}[-/]\d\d[-/]\d\d | \[?\d\d/\w{3}/\d{4} | \[?\d\d:\d\d:\d\d | \d{1,3}(?:\.\d{1,3}){3}[ :]""",
    re.VERBOSE,
)
_TRACE = "Traceback (most recent call last):"
_CHAIN = ("During handling of the above exception", "The above exception was the direct cause")
_RAISED = re.compile(r"[A-Za-z_][\w.]*(?:: .*|:)?$")
_DJANGO = (
    "Internal Server Error: ",
    "Exception ignored in",
    "Unhandled exception",
    "Task exception was never",
)
_SEARCHED = 120  # characters at the start of a line in which a level is looked for
_CONTINUED = 40  # lines that may follow an exception's last line without being a record of their own

_LEVEL_KEYS = (
    "level",
    "levelname",
    "severity",
    "log.level",
    "log_level",
    "lvl",
    "level_name",
    "severity_text",
)
_TEXT_KEYS = ("message", "msg", "event", "body", "text")
_TRACE_KEYS = "exception exc_info exc_text traceback stack stack_trace error.stack_trace error err".split()


class LogError(Exception):
    """Something asked of a log that cannot be answered; the message is one sentence."""


class Place(Struct, frozen=True):
    """A process's log from a byte on: where an experiment began."""

    process: str
    path: Path
    offset: int = 0


class LogEvent(Struct, frozen=True):
    """One error that a process told: a line, or a traceback with the line above it."""

    process: str
    line_offset: int  # the byte of the log at which it begins
    level: str  # in lower case
    text: str  # the message, and the last line of a traceback
    lines: tuple[str, ...]

    @property
    def spoken(self) -> str:
        """What it says in words: without the code and the file names of a traceback."""
        return "\n".join((self.text, *(line for line in self.lines if not line[:1].isspace())))


class Naming(Struct, frozen=True):
    """In how many error events the cause is named."""

    named: int
    total: int
    words: dict[str, int]  # each word that was found -> events that hold it
    examples: tuple[LogEvent, ...] = ()  # events that do not name it

    @property
    def share(self) -> float | None:
        """A fraction of 1; None when there was no error event at all."""
        return self.named / self.total if self.total else None


class _Record(Struct):
    """An event while it is read."""

    offset: int
    level: str
    text: str
    lines: list[str]
    tracing: bool = False  # inside a traceback
    raised: str = ""  # its last line
    after: int = 0  # lines since

    def keep(self, line: str) -> None:
        if len(self.lines) >= _HEAD + _TAIL:
            del self.lines[_HEAD]
        self.lines.append(line)


def mark(logs: Mapping[str, Path]) -> tuple[Place, ...]:
    """The ends of the processes' logs as they are now, to read from later."""
    return tuple(Place(process, path, _size(path)) for process, path in logs.items())


def events(places: Iterable[Place], until: Iterable[Place] = ()) -> tuple[LogEvent, ...]:
    """The error events from `places` on, up to `until` where a process has an entry there."""
    ends = {place.path: place.offset for place in until}
    return tuple(event for place in places for event in _events(place, ends.get(place.path)))


def naming(found: Sequence[LogEvent], words: Iterable[str]) -> Naming:
    """How many of the events name one of `words`, in any case; short words have to stand alone."""
    patterns = {word: _word(word) for word in words if word}
    counts: dict[str, int] = {}
    silent = []
    for event in found:
        spoken = event.spoken
        hits = [word for word, pattern in patterns.items() if pattern.search(spoken)]
        for word in hits:
            counts[word] = counts.get(word, 0) + 1
        if not hits:
            silent.append(event)
    return Naming(len(found) - len(silent), len(found), counts, tuple(silent[:3]))


def mentioned(places: Iterable[Place], wanted: Iterable[str]) -> frozenset[str]:
    """Which of the wanted texts, say the ids of failed requests, stand in the logs from `places` on."""
    missing = {text: text.encode() for text in wanted if text}
    found: set[str] = set()
    for place in places:
        longest = max(map(len, missing.values()), default=1)
        for _, part in _parts(place.path, place.offset, longest):
            hits = {text for text, form in missing.items() if form in part}
            found |= hits
            for text in hits:
                del missing[text]
    return frozenset(found)


def around(path: Path, offset: int, lines: int = 5) -> tuple[str, ...]:
    """The line at a byte of a log with `lines` lines before and after it, safe to print."""
    start = max(0, offset - _AROUND)
    data = stretch(path, start, offset + _AROUND)
    before = data[: offset - start].decode("utf-8", "replace").split("\n")
    after = data[offset - start :].decode("utf-8", "replace").split("\n")
    here = before.pop() + after[0]
    shown = [*before[max(0, len(before) - lines) :], here, *after[1 : lines + 1]]
    return tuple(harmless(line) for line in shown if line.strip())


def harmless(text: str) -> str:
    """A line with nothing in it that a terminal or a page obeys, cut where it is very long."""
    text = _COLOUR.sub("", text).rstrip("\r\n").replace("\t", "    ")
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _events(place: Place, end: int | None) -> Iterator[LogEvent]:
    current: _Record | None = None
    for offset, raw in _lines(place.path, place.offset, end):
        line = harmless(raw)
        if current is not None and _belongs(line, current):
            continue
        if current is not None:
            yield _finished(current, place.process)
        current = _opened(offset, line, raw)
    if current is not None:
        yield _finished(current, place.process)


def _opened(offset: int, line: str, raw: str) -> _Record | None:
    """The event that a line begins, if it is an error."""
    told = _json(raw)
    if told is not None:
        return _structured(offset, told, line)
    if line.strip() == _TRACE:
        return _Record(offset, "error", "", [line], tracing=True)
    level = _level(line)
    if level in _ERRORS:
        return _Record(offset, level, line.strip(), [line])
    if not level and line.startswith(_DJANGO):
        return _Record(offset, "error", line.strip(), [line])
    return None


def _belongs(line: str, current: _Record) -> bool:
    """Take a line into the event that is being read, if it is part of it."""
    if current.tracing:
        current.keep(line)
        if line and not line[0].isspace() and not line.startswith((_TRACE, *_CHAIN)):
            current.tracing = False
            current.raised = line.strip()
            current.after = 0
        return True
    if line.strip() == _TRACE or line.startswith(_CHAIN):
        current.tracing = True
        current.keep(line)
        return True
    if current.after >= _CONTINUED or _begins(line):
        return False
    current.after += 1
    # Below a plain error line only what is indented or blank belongs to it; below a traceback also the
    # further lines of the exception's message.
    if current.raised or not line or line[0].isspace():
        if line:
            current.keep(line)
        return True
    return False


def _begins(line: str) -> bool:
    """Whether a line is a record of its own."""
    return line.startswith("{") or bool(_STARTS.match(line)) or bool(_level(line)) or line.startswith(_DJANGO)


def _finished(record: _Record, process: str) -> LogEvent:
    text = record.text
    if record.raised and record.raised not in text:
        text = f"{text}: {record.raised}" if text else record.raised
    return LogEvent(process, record.offset, record.level, text, tuple(record.lines))


def _level(line: str) -> str:
    """The level that a line of text carries near its start, in lower case; empty when it has none."""
    if line[:1].isspace():
        return ""
    head = line[:_SEARCHED]
    match = _LEVEL.search(head)
    bracket = _UPPER_BRACKET.search(head)
    if bracket is not None and (match is None or bracket.start() <= match.start()):
        match = bracket
    return match[match.lastgroup or 0].lower() if match else ""


def _structured(offset: int, told: dict[str, Any], line: str) -> _Record | None:
    """The event that a line of JSON is, its traceback spread over lines as it would be in a log of text."""
    key = next((key for key in _TRACE_KEYS if _trace(told.get(key))), "")
    trace = _trace(told.get(key))
    level = _json_level(told) or ("error" if "\n" in trace else "info")
    if level not in _ERRORS:
        return None
    said = next((told[name] for name in _TEXT_KEYS if isinstance(told.get(name), str)), "")
    text = ": ".join(part for part in (said, _last(trace)) if part) or line
    record = _Record(offset, level, harmless(text), [line])
    if "\n" in trace:
        rest = {name: value for name, value in told.items() if name != key}
        record.lines = [harmless(json.dumps(rest, ensure_ascii=False))]
        for part in trace.splitlines():
            record.keep(harmless(part))
    return record


def _json(raw: str) -> dict[str, Any] | None:
    """The line as a JSON object, if it is one."""
    line = raw.strip()
    if not (line.startswith("{") and line.endswith("}")):
        return None
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _json_level(told: dict[str, Any]) -> str:
    for key in _LEVEL_KEYS:
        found = told.get(key)
        if isinstance(found, str) and found:
            return found.strip().lower()
        if isinstance(found, int | float) and not isinstance(found, bool):
            return _numbered(found, told)
    nested = told.get("log")
    return _json_level(nested) if isinstance(nested, dict) else ""


def _numbered(level: float, told: dict[str, Any]) -> str:
    """Python counts 40 as an error; pino and bunyan, which write pid and hostname, as a warning."""
    least = 50 if "hostname" in told and "pid" in told else 40
    return "error" if level >= least else "info"


def _trace(found: Any) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, dict):  # {"type": ..., "message": ..., "stack_trace": ...}
        return ": ".join(
            str(found[key]) for key in ("type", "class", "name", "message", "value") if key in found
        )
    if isinstance(found, list):
        return next((text for one in reversed(found) if (text := _trace(one))), "")
    return ""


def _last(trace: str) -> str:
    """The line of a traceback that names the exception."""
    lines = [line for line in trace.splitlines() if line.strip()]
    named = [line for line in lines if not line[0].isspace() and _RAISED.match(line)]
    return (named or lines or [""])[-1].strip()


def _word(word: str) -> re.Pattern[str]:
    edge = r"(?<![a-z0-9])%s(?![a-z0-9])" if len(word) < 4 or word.isdigit() else "%s"
    return re.compile(edge % re.escape(word), re.IGNORECASE)


def overlapping(path: Path, longest: int) -> Iterator[tuple[int, bytes, int]]:
    """Parts of a file, each with its place and how much of it was in the part before; raises LogError."""
    kept, start = b"", 0
    try:
        with path.open("rb") as file:
            while fresh := file.read(_CHUNK):
                part = kept + fresh
                yield start, part, len(kept)
                kept = part[-(longest - 1) :] if longest > 1 else b""
                start += len(part) - len(kept)
    except OSError as error:
        raise LogError(f"{path} cannot be read: {error.strerror or error}") from error


def _parts(path: Path, offset: int, longest: int) -> Iterator[tuple[int, bytes]]:
    kept = b""
    end = min(_size(path), offset + _MOST)
    while offset < end:
        fresh = stretch(path, offset, min(end, offset + _CHUNK))
        if not fresh:
            return
        yield offset, kept + fresh
        kept = fresh[-longest:]
        offset += len(fresh)


def _lines(path: Path, offset: int, end: int | None) -> Iterator[tuple[int, str]]:
    """The lines of a stretch with the byte at which each begins."""
    size = _size(path)
    if offset > size:
        offset = _after_cut(path)
    stop = min(size if end is None or end < offset else end, offset + _MOST)
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while offset < stop and (raw := file.readline(min(_LONGEST * 16, stop - offset))):
                yield offset, raw.decode("utf-8", "replace").rstrip("\r\n")
                offset += len(raw)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LogError(f"{path} cannot be read: {error.strerror or error}") from error


def _after_cut(path: Path) -> int:
    """Where to read on in a log that has shrunk: behind what was left out of it, or at its start."""
    for start, part, _ in overlapping(path, len(_CUT)):
        at = part.rfind(_CUT)
        if at >= 0:
            return start + at + 1
    return 0


def stretch(path: Path, start: int, end: int) -> bytes:
    """The bytes of a file from `start` to `end`, none when it is not there; raises LogError."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(max(0, end - start))
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise LogError(f"{path} cannot be read: {error.strerror or error}") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
