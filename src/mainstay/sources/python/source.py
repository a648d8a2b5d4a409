"""From the bytes of a file to text that can be parsed, with a note of what was in the way."""

import codecs
import re
from collections.abc import Callable

from msgspec import Struct
from tree_sitter import Node

from mainstay.model.code import Unread

MAX_BYTES = 5_000_000

_COOKIE = re.compile(rb"^(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]+)")
_BLANK_OR_COMMENT = re.compile(rb"[ \t\f]*(?:#[^\n]*)?\n")
_CODECS = re.compile(r"ascii|latin|iso8859|cp\d|koi8|mac|gb|big5|shift|euc|johab|hz|tis|kz|ptcp|utf-8")
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\v\b\x1b\x1a")) + b"\x7f"
_SAMPLE = 8192
_WIDEST_LINE = 10_000  # bytes before a node that are looked at to count its column in characters


class NotText(Exception):
    """The file holds nothing to read; the message is a sentence saying why."""


class Source(Struct):
    """A file's text in two forms that share their offsets.

    `data` is UTF-8.  `text` shows each byte of it as one character, so that a slice by byte offsets
    needs no decoding; `spoken` gives the characters a slice stands for.
    """

    data: bytes
    text: str
    wide: bool
    unread: list[Unread]

    @property
    def lines(self) -> int:
        """How many lines there are; a last line without a newline counts."""
        return self.data.count(b"\n") + (not self.data.endswith(b"\n") and bool(self.data))

    @property
    def place(self) -> Callable[[Node], tuple[int, int]]:
        """A function from a node to the line and column of its start, from 1, in characters."""
        return self._wide_place if self.wide else _place

    @property
    def end_place(self) -> Callable[[Node], tuple[int, int]]:
        """A function from a node to the line and column just behind its end, from 1, in characters."""
        return self._wide_end_place if self.wide else _end_place

    def _wide_place(self, node: Node) -> tuple[int, int]:
        row, column = node.start_point
        return row + 1, self.column(node.start_byte, column)

    def _wide_end_place(self, node: Node) -> tuple[int, int]:
        row, column = node.end_point
        return row + 1, self.column(node.end_byte, column)

    def column(self, offset: int, column: int) -> int:
        """The column from 1 in characters of the byte at `offset`, `column` bytes into its line."""
        before = self.text[offset - column : offset] if column < _WIDEST_LINE else ""
        return (column if before.isascii() else len(spoken(before))) + 1


def _place(node: Node) -> tuple[int, int]:
    row, column = node.start_point
    return row + 1, column + 1


def _end_place(node: Node) -> tuple[int, int]:
    row, column = node.end_point
    return row + 1, column + 1


def spoken(piece: str) -> str:
    """The characters that a slice of `Source.text` stands for."""
    return piece if piece.isascii() else piece.encode("latin-1").decode("utf-8", "ignore")


def text_of(source: bytes) -> Source:
    """The text of a file, or `NotText`."""
    if len(source) > MAX_BYTES:
        raise NotText(f"larger than {MAX_BYTES // 1_000_000} MB")
    if _is_binary(source):
        raise NotText("not text")
    unread: list[Unread] = []
    data = _as_utf8(source.removeprefix(codecs.BOM_UTF8), unread)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\0" in data:
        unread.append(_unread(data, data.index(b"\0"), "a NUL byte at line {line}"))
        data = data.replace(b"\0", b" ")
    return Source(data, data.decode("latin-1"), not data.isascii(), unread)


def _is_binary(source: bytes) -> bool:
    """Whether more than one byte in a hundred is a control character no text has."""
    sample = source[:_SAMPLE]
    return 100 * (len(sample) - len(sample.translate(None, _CONTROLS))) > len(sample)


def _as_utf8(source: bytes, unread: list[Unread]) -> bytes:
    codec = _declared(source)
    if codec == "utf-8" and source.isascii():
        return source
    try:
        text = source.decode(codec)
    except UnicodeDecodeError as error:
        unread.append(_unread(source, error.start, f"not valid {codec.upper()} at line {{line}}"))
        text = source.decode(codec, "replace")
    return source if codec == "utf-8" and not unread else text.encode("utf-8", "replace")


def _declared(source: bytes) -> str:
    """The codec a coding cookie in the first two lines names, where it is one we trust; or utf-8."""
    if b"coding" not in source[:400]:
        return "utf-8"
    first_two = source[:400].replace(b"\r", b"\n")
    cookie = _COOKIE.match(first_two)
    if not cookie or (
        cookie.start(1) > first_two.find(b"\n") > -1 and not _BLANK_OR_COMMENT.match(first_two)
    ):
        return "utf-8"
    try:
        name = codecs.lookup(cookie[1].decode("ascii", "replace")).name
    except LookupError:
        return "utf-8"
    return name if _CODECS.match(name) else "utf-8"


def _unread(data: bytes, offset: int, why: str) -> Unread:
    line = data.count(b"\n", 0, offset) + 1
    return Unread(line, why.format(line=line), line)
