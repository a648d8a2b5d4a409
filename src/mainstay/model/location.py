"""Where a fact is, and how it came to be known."""

from enum import StrEnum

from msgspec import Struct


class Basis(StrEnum):
    """How a fact is known: read in an artefact, derived from other facts, or observed running."""

    READ = "read"
    DERIVED = "derived"
    OBSERVED = "observed"


class Location(Struct, frozen=True, order=True, gc=False):
    """A region of a file; lines and columns count from 1, `path` is relative to the reviewed root."""

    path: str
    line: int
    column: int = 1
    end_line: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"
