"""Reads what a service shows at /metrics: Prometheus' text format 0.0.4, and OpenMetrics as it is found.

As in Prometheus, one line that cannot be read spoils the whole scrape.  Timestamps and exemplars are read
over: a sample counts from when we asked for it.
"""

import re

from msgspec import Struct

Labels = tuple[tuple[str, str], ...]  # sorted by name

_SERIES = re.compile(
    r"""(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)?[ \t]*
        (?P<labels>\{(?:[^"{}]|"(?:[^"\\]|\\.)*+")*+\})?""",
    re.VERBOSE,
)
_LABEL = re.compile(
    r"""[ \t]*(?:(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)|"(?P<quoted>(?:[^"\\]|\\.)*+)")[ \t]*
        (?P<pair>=[ \t]*"(?P<value>(?:[^"\\]|\\.)*+)")?[ \t]*(?:,|$)""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)")
_PARTS = ("_total", "_bucket", "_count", "_sum", "_created", "_info")
_REMEMBERED = 100_000
_LONGEST = 120


class NotExposition(Exception):
    """The text is not metrics; the message says which line and why."""


class Sample(Struct, frozen=True, gc=False):
    """One value of one series."""

    name: str
    labels: Labels
    value: float


class Exposition(Struct, frozen=True):
    """One answer of /metrics: its samples, and the type that each metric family declares ("" for none)."""

    samples: tuple[Sample, ...]
    types: dict[str, str]


class Reader:
    """Reads one target's answers; it remembers the series it has seen, since they come again each time."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, Labels]] = {}

    def read(self, text: str, *, openmetrics: bool = False) -> Exposition:
        """The samples in `text`; raises NotExposition.  OpenMetrics has to end in `# EOF`."""
        samples: list[Sample] = []
        types: dict[str, str] = {}
        ended = False
        for number, line in enumerate(text.split("\n"), 1):
            line = line.strip(" \t\r")
            if not line:
                continue
            if line.startswith("#"):
                ended = ended or line == "# EOF"
                _declare(line, types)
                continue
            samples.append(self._sample(line, number))
        if openmetrics and not ended:
            raise NotExposition("the metrics are cut off: OpenMetrics without its `# EOF`")
        return Exposition(tuple(samples), types)

    def _sample(self, line: str, number: int) -> Sample:
        match = _SERIES.match(line)
        if match is None or not match.group():
            raise _wrong(line, number, "no metric name")
        key = match.group()
        known = self._seen.get(key)
        if known is None:
            known = _series(match, line, number)
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[key] = known
        name, labels = known
        rest = line[match.end() :].split(None, 1)
        if not rest:
            raise _wrong(line, number, "no value")
        return Sample(name, labels, _value(rest[0], line, number))


def family(name: str, types: dict[str, str]) -> str | None:
    """The declared metric family that a sample called `name` belongs to."""
    if name in types:
        return name
    for part in _PARTS:
        if name.endswith(part) and name.removesuffix(part) in types:
            return name.removesuffix(part)
    return None


def _declare(line: str, types: dict[str, str]) -> None:
    words = line.split(None, 3)
    if len(words) < 3 or words[0] != "#" or words[1] not in ("TYPE", "HELP"):
        return
    if words[1] == "TYPE":
        types[words[2]] = words[3].strip().lower() if len(words) > 3 else ""
    else:
        types.setdefault(words[2], "")


def _series(match: re.Match[str], line: str, number: int) -> tuple[str, Labels]:
    name = match["name"] or ""
    labels: dict[str, str] = {}
    inside = (match["labels"] or "{}")[1:-1].strip()
    at = 0
    while at < len(inside):
        label = _LABEL.match(inside, at)
        if label is None or label.end() == at:
            raise _wrong(line, number, "its labels cannot be read")
        at = label.end()
        found = label["name"] if label["name"] is not None else _unescaped(label["quoted"])
        if label["pair"] is not None:
            labels[found] = _unescaped(label["value"])
        elif label["name"] is None and not name:
            name = found  # {"a name with dots"}
        else:
            raise _wrong(line, number, "its labels cannot be read")
    if not name:
        raise _wrong(line, number, "no metric name")
    return name, tuple(sorted((key, value) for key, value in labels.items() if value))


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text)


def _value(text: str, line: str, number: int) -> float:
    try:
        if "_" not in text:  # Python reads 1_000
            return float(text)
    except ValueError:
        pass
    raise _wrong(line, number, "its value is not a number")


def _wrong(line: str, number: int, why: str) -> NotExposition:
    shown = line if len(line) <= _LONGEST else line[:_LONGEST] + "..."
    return NotExposition(f"line {number} is not a sample, {why}: {shown!r}")
