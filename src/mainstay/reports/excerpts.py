"""The lines of source that a report quotes.

The tree may be anybody's: nothing outside the root is opened, nothing that is no regular file,
and of each file only the lines asked for are kept.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from mainstay.model.location import Location

LARGEST = 8 * 1024 * 1024  # bytes; larger files are not quoted
LONGEST = 400  # characters of one line
TALLEST = 6  # lines that are marked as one place


class Line(Struct, frozen=True):
    """One quoted line, printable but for tabs, which are spaces already."""

    number: int
    text: str
    marked: bool = False


class Excerpts:
    """Quotes the places it was built for; each file is read once, at the first quotation."""

    def __init__(self, root: str, places: Iterable[Location], around: int = 0) -> None:
        base = Path(root)
        self._base = base if base.is_dir() else base.parent
        self._real = self._base.resolve()
        self._around = around
        self._wanted: dict[str, set[int]] = defaultdict(set)
        for place in places:
            self._wanted[place.path].update(range(place.line - around, place.line + around + 1))
        self._lines: dict[str, dict[int, str]] = {}

    def line(self, place: Location) -> str:
        """The line at `place` without its indentation; "" when there is none to quote."""
        return self._of(place.path).get(place.line, "").strip()

    def block(self, place: Location) -> tuple[Line, ...]:
        """The line at `place` and those around it, less their common indentation; or nothing."""
        held = self._of(place.path)
        if not held.get(place.line, "").strip():
            return ()
        marked = _marked(place)
        numbers = range(place.line - self._around, place.line + self._around + 1)
        lines = [Line(n, held[n], n in marked) for n in numbers if n in held]
        while lines and not lines[0].text.strip():
            del lines[0]
        while lines and not lines[-1].text.strip():
            del lines[-1]
        margin = min(len(x.text) - len(x.text.lstrip()) for x in lines if x.text.strip())
        return tuple(Line(x.number, x.text[margin:], x.marked) for x in lines)

    def _of(self, path: str) -> dict[int, str]:
        if path not in self._lines:
            self._lines[path] = self._read(path, self._wanted.get(path, set()))
        return self._lines[path]

    def _read(self, path: str, wanted: set[int]) -> dict[int, str]:
        try:
            file = (self._base / path).resolve()
            if not file.is_relative_to(self._real) or not file.is_file() or file.stat().st_size > LARGEST:
                return {}
            with file.open("rb") as lines:
                return {n: _text(line) for n, line in enumerate(lines, 1) if n in wanted}
        except (OSError, ValueError, RuntimeError):  # gone, unreadable, a NUL in its name, a loop of links
            return {}


def _marked(place: Location) -> range:
    """The lines a place covers; of a long one, the first alone says where to look."""
    last = max(place.line, place.end_line)
    return range(place.line, last + 1 if last - place.line < TALLEST else place.line + 1)


def _text(line: bytes) -> str:
    text = line.decode("utf-8", "replace").rstrip("\r\n").removeprefix("\ufeff").expandtabs(4).rstrip()
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
