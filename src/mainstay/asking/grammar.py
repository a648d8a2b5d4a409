"""The words that are known, and what they mean; `words.toml` has them."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from msgspec import Struct


class Meaning(Struct, frozen=True):
    """What a phrase means."""

    kind: str  # "verb", "starter", "part", "need", "amount", "filler"
    value: str = ""  # "new", "payments", "processor", "peak"
    starter: str = ""  # of a part and a need


class Grammar(Struct, frozen=True):
    """All phrases."""

    phrases: Mapping[tuple[str, ...], tuple[Meaning, ...]]
    longest: int  # words of a phrase

    def meanings(self, words: tuple[str, ...]) -> tuple[Meaning, ...]:
        """What those words mean together; nothing when they are no phrase."""
        return self.phrases.get(words, ())


@cache
def grammar() -> Grammar:
    """The grammar that comes with Mainstay."""
    table = tomllib.loads(files("mainstay.asking").joinpath("words.toml").read_text(encoding="utf-8"))
    phrases: dict[tuple[str, ...], tuple[Meaning, ...]] = {}
    for phrase, meaning in _entries(table):
        words = tuple(map(stem, phrase.split()))
        phrases[words] = (*phrases.get(words, ()), meaning)
    return Grammar(phrases, max(map(len, phrases)))


def stem(word: str) -> str:
    """A word without the endings that change nothing here: `payments`, `booked`."""
    for ending, least in (("ies", 3), ("s", 3)):
        if word.endswith(ending) and len(word) > len(ending) + least and not word.endswith("ss"):
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


def printed() -> str:
    """The grammar as people read it."""
    table = tomllib.loads(files("mainstay.asking").joinpath("words.toml").read_text(encoding="utf-8"))
    lines = ["A sentence is: [verb] starter [parts, needs, amounts with units].", ""]
    for kind, entries in (
        ("verb", table["verbs"]),
        ("starter", table["starters"]),
        ("amount", table["amounts"]),
    ):
        lines += [f"{kind} {name}: {', '.join(words)}" for name, words in entries.items()]
        lines.append("")
    for name, words in table["parts"].items():
        needs = [word for known in table["needs"].get(name, {}).values() for word in known]
        lines.append(f"{name} has: {', '.join([*words, *needs])}")
    lines += [
        "",
        "Amounts: 50/s, 50 rps, 50 requests per second; 200 ms, 2 s, 5 minutes; 99.9 %, three nines.",
    ]
    return "\n".join(lines) + "\n"


def _entries(table: Mapping[str, Mapping[str, list[str]]]) -> Iterator[tuple[str, Meaning]]:
    for kind, section in (("verb", "verbs"), ("starter", "starters"), ("amount", "amounts")):
        for value, phrases in table[section].items():
            yield from ((phrase, Meaning(kind, value)) for phrase in phrases)
    for starter, phrases in table["parts"].items():
        yield from ((phrase, Meaning("part", starter=starter)) for phrase in phrases)
    for starter, needs in table["needs"].items():
        assert isinstance(needs, dict)
        for need, phrases in needs.items():
            yield from ((phrase, Meaning("need", need, starter)) for phrase in phrases)
    yield from ((word, Meaning("filler")) for word in table["filler"]["words"])
