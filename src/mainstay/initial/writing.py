"""Sections as TOML.  Texts may come from a tree that nobody trusts: each stays inside its quotes."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mainstay.initial.section import Entry, Section

WIDTH = 110
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def written(sections: Iterable[Section]) -> str:
    """The sections, a blank line between two."""
    return "\n".join("".join(f"{line}\n" for line in _lines(section)) for section in sections)


def value(found: Any) -> str:
    """A value on one line."""
    if isinstance(found, str):
        return quoted(found)
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int | float):
        return repr(found)
    if isinstance(found, Mapping):
        return f"{{{', '.join(f'{key(name)} = {value(each)}' for name, each in found.items())}}}"
    if isinstance(found, Sequence):
        return f"[{', '.join(map(value, found))}]"
    raise TypeError(f"{type(found).__name__} is no value of TOML")


def quoted(text: str) -> str:
    """A basic string."""
    return f'"{"".join(map(_character, text))}"'


def key(name: str) -> str:
    """A key, bare where that is possible."""
    return name if _BARE.fullmatch(name) else quoted(name)


def comment(text: str) -> str:
    """A comment: whatever the text holds, it is one line."""
    line = " ".join(text.split())
    return "# " + "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if code < 0x20 or 0x7F <= code < 0xA0:
        return f"\\u{code:04x}"
    if 0xD800 <= code < 0xE000:  # half of a character, as a file name that is not UTF-8 gives
        return "\\ufffd"
    # What turns the direction of writing, or has no width, would show something else than what is there.
    return character if character.isprintable() else f"\\U{code:08x}"


def _lines(section: Section) -> Iterator[str]:
    header = ".".join(map(key, section.name))
    lines = [f"[[{header}]]" if section.listed else f"[{header}]"]
    if section.why:
        lines[:0] = _folded(section.why)
    for entry in section.entries:
        lines.extend(_of_entry(entry))
    for line in lines:
        yield f"# {line.removeprefix('# ')}" if section.left_out else line


def _of_entry(entry: Entry) -> Iterator[str]:
    line = f"{key(entry.key)} = {value(entry.value)}"
    guess = comment(f"guess: {entry.why}") if entry.why else ""
    if len(line) > WIDTH and isinstance(entry.value, tuple) and len(entry.value) > 1:
        line = "\n".join((f"{key(entry.key)} = [", *(f"    {value(each)}," for each in entry.value), "]"))
    if guess and ("\n" in line or len(line) + 2 + len(guess) > WIDTH):
        yield from _folded(guess.removeprefix("# "))
        guess = ""
    first, *more = line.split("\n")
    yield f"{first}  {guess}" if guess else first
    yield from more


def _folded(text: str) -> Iterator[str]:
    """A comment on as many lines as it takes."""
    line = "#"
    for word in comment(text)[2:].split(" "):
        if len(line) + 1 + len(word) > WIDTH and line != "#":
            yield line
            line = "#"
        line = f"{line} {word}"
    yield line
