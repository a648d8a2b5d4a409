"""A second look at a file whose syntax is broken.

One bracket too few can cost the parser the rest of the file.  So the file is cut where functions,
classes and statements of the module begin, each piece is parsed by itself, and those that are
broken are replaced by `pass`: what is left reads as if the broken pieces were empty.
"""

import re
from itertools import pairwise

from msgspec import Struct
from tree_sitter import Tree

from mainstay.model.code import Unread
from mainstay.sources.python.broken import NOT_UNDERSTOOD, broken_in
from mainstay.sources.python.grammar import ParseStopped, parse

MAX_BYTES = 1_000_000
"""Larger files are generated; they get no second look."""

MAX_PIECES = 5_000
"""Pieces of one file that are parsed by themselves."""

_START = re.compile(
    rb"^(?:([ \t]*)(@|(?:async[ \t]+)?def\b|class\b)|(?!(?:else|elif|except|finally|case)\b)[A-Za-z_])",
    re.MULTILINE,
)
_SMALL = 3  # lines; a smaller hole is not worth a second look


class Piece(Struct):
    """A stretch of source that makes sense by itself: a function, the head of a class, a statement."""

    start: int
    indent: int
    is_class: bool
    end: int = 0


class Recovered(Struct):
    """What is left of a file when its broken pieces are taken out, each still on its line."""

    data: bytes
    tree: Tree
    unread: list[Unread]


def recover(data: bytes, tree: Tree) -> Recovered:
    """The file as it is, or without its broken pieces where that loses fewer lines."""
    whole = Recovered(data, tree, broken_in(tree))
    if _lost(whole.unread) <= _SMALL or len(data) > MAX_BYTES:
        return whole
    pieces = _pieces(data)
    if not 1 < len(pieces) <= MAX_PIECES:
        return whole
    try:
        broken = [piece for piece in pieces if _is_broken(data, piece)]
        left = _without(data, broken)
        again = parse(left)
    except ParseStopped:
        return whole
    holes = _holes(data, broken)
    holes += broken_in(again)
    return Recovered(left, again, holes) if _lost(holes) < _lost(whole.unread) else whole


def _lost(unread: list[Unread]) -> int:
    return sum(each.end_line - each.line + 1 for each in unread)


def _pieces(data: bytes) -> list[Piece]:
    """Cut where a definition begins that is not inside a function, or a statement of the module."""
    pieces = [Piece(0, 0, False)]
    inside = -1  # the indent of the function or statement we are in; -1 in a class
    is_decorated = False
    for match in _START.finditer(data):
        word, indent = match[2] or b"", len(match[1] or b"")
        if word and -1 < inside < indent:
            continue
        if not (word and is_decorated):
            pieces.append(Piece(match.start(), indent, word == b"class"))
        is_decorated = word == b"@"
        pieces[-1].is_class = word == b"class"
        inside = -1 if word in (b"class", b"@") else indent
    for piece, following in pairwise(pieces):
        piece.end = following.start
    pieces[-1].end = len(data)
    return [piece for piece in pieces if piece.start < piece.end]


def _is_broken(data: bytes, piece: Piece) -> bool:
    code = data[piece.start : piece.end]
    if _ends_open(code):
        code += b"\n" + b" " * (piece.indent + 1) + b"pass\n"
    return parse(b"if 1:\n" + code if piece.indent else code).root_node.has_error


def _ends_open(code: bytes) -> bool:
    """Whether a block should follow the last line of `code` that is not blank or a comment."""
    for line in reversed(code.splitlines()):
        stripped = line.strip()
        if stripped and not stripped.startswith(b"#"):
            return stripped.endswith(b":")
    return False


def _without(data: bytes, broken: list[Piece]) -> bytes:
    """The source with `pass` for each broken piece, or `if 1:` for the head of a class."""
    left = bytearray(data)
    for piece in broken:
        code = re.sub(rb"[^\n]", b" ", data[piece.start : piece.end])
        word = b"if 1:" if piece.is_class else b"pass"
        end = piece.indent + len(word)
        if b"\n" not in code[:end] and len(code) >= end:
            code = code[: piece.indent] + word + code[end:]
        left[piece.start : piece.end] = code
    return bytes(left)


def _holes(data: bytes, broken: list[Piece]) -> list[Unread]:
    """The lines of the broken pieces, neighbours together."""
    holes: list[Unread] = []
    line, offset = 1, 0
    for piece in broken:
        line += data.count(b"\n", offset, piece.start)
        last = line + data.count(
            b"\n", piece.start, piece.start + len(data[piece.start : piece.end].rstrip())
        )
        offset = piece.start
        first = holes.pop().line if holes and holes[-1].end_line >= line - 1 else line
        holes.append(Unread(first, NOT_UNDERSTOOD, last))
    return holes
