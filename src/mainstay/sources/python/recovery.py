"""A second look at a file whose syntax is broken.

One bracket too few can cost the parser the rest of the file.  So the file is cut where functions,
classes and statements of the module begin, each piece is parsed by itself, and those that are
broken are replaced by `pass`: what is left reads as if the broken pieces were empty.
"""

import re

from msgspec import Struct
from tree_sitter import Node, Tree

from mainstay.model.code import Unread
from mainstay.sources.python.broken import NOT_UNDERSTOOD, broken_in
from mainstay.sources.python.grammar import ParseStopped, parse

MAX_PIECES = 5_000
"""Pieces of one file that are parsed by themselves."""
