"""Lines for a terminal or a pipe: wrapped to a width, coloured or not."""

import unicodedata

from mainstay.model.finding import Severity
from mainstay.reports.visible import visible

NARROWEST, WIDEST = 40, 100  # beyond, lines are hard to read

STYLES = {
    "critical": "1;97;41",
    "high": "1;31",
    "medium": "33",
    "low": "36",
    "passed": "1;32",
    "failed": "1;31",
    "inconclusive": "1;33",
    "bold": "1",
    "dim": "2",
    "rule": "35",
    "place": "4",
}


class Paint:
    """Writes text in a named style of `STYLES`, or plainly when there is no colour."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self._colour and text else text

    def severity(self, severity: Severity, text: str = "") -> str:
        """The severity's word, or `text`, in its colour."""
        return self(text or severity.word, severity.word)


def clamp(width: int) -> int:
    """The width to write for on a terminal of `width` columns."""
    return max(NARROWEST, min(WIDEST, width))


def cells(text: str) -> int:
    """How many columns `text` fills."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def cut(text: str, width: int) -> str:
    """`text`, cut to `width` columns with an ellipsis."""
    if cells(text) <= width:
        return text
    kept, used = [], 1
    for character in text:
        used += _cells(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept) + "…"


def wrap(text: str, width: int, indent: str = "", later: str | None = None) -> list[str]:
    """`text` in lines of at most `width` columns, made visible; a word that is longer stays whole.

    The first line begins with `indent`, the others with `later` or the same.
    """
    later = indent if later is None else later
    lines, line, used = [], indent, cells(indent)
    empty = True
    for word in visible(text).split(" "):
        if not word:
            continue
        length = cells(word)
        if not empty and used + 1 + length > width:
            lines.append(line)
            line, used, empty = later, cells(later), True
        if not empty:
            line, used = line + " ", used + 1
        line, used, empty = line + word, used + length, False
    return [*lines, line] if not empty else lines


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
