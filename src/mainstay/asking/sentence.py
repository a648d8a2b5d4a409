"""A sentence, cut into phrases that mean something, amounts with a unit, and words that nobody knows."""

import re
from collections.abc import Iterator

from msgspec import Struct

from mainstay.asking.grammar import Grammar, Meaning, stem

NINES = {"two": 2, "three": 3, "four": 4, "five": 5}
_AMOUNT = re.compile(
    r"(?P<number>\d+(?:\.\d+)?)\s*"
    r"(?P<unit>%|percent|ms|milliseconds?|seconds?|s|minutes?|mins?|min|hours?|h|"
    r"/s|/sec|rps|req/s|requests? (?:per|a|each) second|requests?/s)(?![a-z0-9])"
)
_WORD = re.compile(r"[a-z0-9]+")
RATE, TIME, SHARE = "rate", "time", "share"
_TIMES = {"ms": 0.001, "milli": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "h": 3600.0}


class Amount(Struct, frozen=True):
    """A number with a unit: requests a second, seconds, or a fraction of 1."""

    kind: str
    value: float
    text: str


class Known(Struct, frozen=True):
    """A phrase that means something."""

    text: str
    meanings: tuple[Meaning, ...]


class Unknown(Struct, frozen=True):
    """A word that nobody knows."""

    text: str


Piece = Amount | Known | Unknown


def pieces(text: str, grammar: Grammar) -> tuple[Piece, ...]:
    """The sentence in order; the longest phrase wins."""
    return tuple(_pieces(text.lower().replace("-", " ").replace("'", " "), grammar))


def _pieces(text: str, grammar: Grammar) -> Iterator[Piece]:
    at = 0
    while at < len(text):
        if found := _AMOUNT.match(text, at):
            yield _amount(found)
            at = found.end()
        elif nines := re.match(r"(two|three|four|five) nines", text[at:]):
            yield Amount(SHARE, 1 - 10.0 ** -NINES[nines[1]], nines[0])
            at += nines.end()
        elif word := _WORD.match(text, at):
            piece, at = _longest(text, word.start(), grammar)
            yield piece
        else:
            at += 1


def _longest(text: str, start: int, grammar: Grammar) -> tuple[Piece, int]:
    """The longest phrase that begins there, or the one word; and where it ends."""
    words: list[re.Match[str]] = []
    for found in _WORD.finditer(text, start):
        if words and not text[words[-1].end() : found.start()].isspace():
            break  # a comma ends a phrase
        words.append(found)
        if len(words) == grammar.longest:
            break
    for length in range(len(words), 0, -1):
        meanings = grammar.meanings(tuple(stem(word[0]) for word in words[:length]))
        if meanings:
            end = words[length - 1].end()
            return Known(text[start:end], meanings), end
    return Unknown(words[0][0]), words[0].end()


def _amount(found: re.Match[str]) -> Amount:
    number, unit = float(found["number"]), found["unit"]
    if unit in ("%", "percent"):
        return Amount(SHARE, number / 100, found[0])
    if unit.startswith(("/", "r")):
        return Amount(RATE, number, found[0])
    name = next(name for name in ("milli", "ms", "m", "h", "sec", "s") if unit.startswith(name))
    return Amount(TIME, number * _TIMES[name], found[0])
