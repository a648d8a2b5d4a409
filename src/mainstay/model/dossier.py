"""A dossier: everything that follows from a specification, and where each line of it comes from."""

from msgspec import Struct

from mainstay.model.proof import Origin
from mainstay.model.specification import Specification


class Statement(Struct, frozen=True):
    """One sentence, and what it rests on."""

    said: str  # names between backticks
    origin: Origin = Origin.DERIVED
    sum: str = ""  # how it was derived: "50/s x 0.12 s = 6"


class Statements(Struct, frozen=True, tag="statements"):
    """Sentences, one below the other."""

    items: tuple[Statement, ...]
    title: str = ""


class Row(Struct, frozen=True):
    """One line of a grid."""

    cells: tuple[str, ...]  # names between backticks
    origin: Origin = Origin.DERIVED
    sum: str = ""


class Grid(Struct, frozen=True, tag="grid"):
    """Lines with the same columns."""

    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    title: str = ""


class Box(Struct, frozen=True):
    """Something in a picture."""

    name: str
    kind: str  # "caller", "service", "database", "need"
    note: str = ""


class Arrow(Struct, frozen=True):
    """From one box to another."""

    start: str
    end: str
    note: str = ""


class Picture(Struct, frozen=True, tag="picture"):
    """Boxes and arrows, from left to right by kind."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    title: str = ""


class Artefact(Struct, frozen=True, tag="artefact"):
    """A file that follows from the specification: it is shown, and written beside the dossier."""

    path: str  # "openapi.yaml"
    language: str  # "yaml", "sql", "json", "markdown"
    text: str
    title: str = ""


Part = Statements | Grid | Picture | Artefact


class Chapter(Struct, frozen=True):
    """One subject of a dossier."""

    name: str  # "failure-modes"
    title: str  # "What happens when something fails"
    lead: str  # one sentence: what is to be learned here
    parts: tuple[Part, ...]


class Dossier(Struct, frozen=True):
    """All chapters, in the order in which they are read."""

    specification: Specification
    chapters: tuple[Chapter, ...]

    @property
    def artefacts(self) -> tuple[Artefact, ...]:
        """The files that come with it."""
        return tuple(p for chapter in self.chapters for p in chapter.parts if isinstance(p, Artefact))
