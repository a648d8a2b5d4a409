"""Python source, read with tree-sitter into the statements and scopes of `mainstay.model.code`."""

from mainstay.sources.python.reader import READER_VERSION, read_python

__all__ = ["READER_VERSION", "read_python"]
