"""The last lines of a log, made safe to show: a service may print anything."""

import os
import unicodedata
from pathlib import Path

LINES = 20
_READ = 64 * 1024  # bytes from the end
_WIDTH = 400  # characters of a line


def last_lines(log: Path, lines: int = LINES) -> tuple[str, ...]:
    """The last `lines` lines that are not blank, printable and of some 400 characters; none if unreadable."""
    try:
        with log.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - _READ)
            file.seek(start)
            text = file.read(_READ).decode("utf-8", "replace")
    except OSError:
        return ()
    found = text.split("\n")
    if start and len(found) > 1:
        del found[0]  # it began before what was read
    return tuple(_shown(line.rstrip("\r")) for line in found if line.strip())[-lines:]


def _shown(line: str) -> str:
    text = line[: _WIDTH + 1]
    text = text if text.isprintable() else "".join(map(_character, text))
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"


def _character(character: str) -> str:
    if character.isprintable():
        return character
    if character == "\t" or unicodedata.category(character) == "Zs":
        return " "
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
