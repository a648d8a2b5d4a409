"""Text of a repository nobody trusts, made safe to look at.

File names and contents can hold terminal escapes, line breaks and characters that turn the
reading direction round.  Everything that does not print is written out (`\\x1b`, `\\u202e`), so
that what a person sees is what the file holds.
"""

import unicodedata


def visible(text: str) -> str:
    """`text` on one line, every character in it printable."""
    return text if text.isprintable() else "".join(map(_shown, text))


def readable(text: str) -> str:
    """`text` as it is, but for lone surrogates, which no file in UTF-8 can hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character in "\t\n" or unicodedata.category(character) == "Zs":
        return " "
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
