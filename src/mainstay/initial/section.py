"""A part of a configuration before it is text: a table, its entries, and why each of them was guessed."""

from typing import Any

from msgspec import Struct


class Entry(Struct, frozen=True):
    """A key with its value: a text, number, flag, or a tuple or dict of those."""

    key: str
    value: Any
    why: str = ""  # of a guess: what made us think so


class Section(Struct, frozen=True):
    """A table: `[prove.process.web]`, or one of a list of tables."""

    name: tuple[str, ...]
    entries: tuple[Entry, ...] = ()
    why: str = ""
    listed: bool = False
    left_out: bool = False  # written as comments, for someone to complete


def escaped(text: str) -> str:
    """A text that holds no placeholder: its braces mean braces."""
    return text.replace("{", "{{").replace("}", "}}")
