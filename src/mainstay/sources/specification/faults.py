"""What is wrong with a specification: each with its place, what is wrong and what would be right."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from msgspec import Struct

from mainstay.model.location import Location

SHOWN = 12  # words that could have been meant; more help nobody


class Fault(Struct, frozen=True, order=True):
    """One thing that is wrong."""

    location: Location
    said: str

    def __str__(self) -> str:
        return f"{self.location.path}:{self.location.line}:{self.location.column}: {self.said}"


class SpecificationError(Exception):
    """A specification that cannot be used; `faults` are all that was found, in the order of the file."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(map(str, self.faults)))


class Faults:
    """Those found so far: a reader goes on after one, so that all are told at once."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, location: Location, said: str) -> None:
        self.found.append(Fault(location, said))

    def unknown(self, location: Location, what: str, word: str, known: Sequence[str]) -> None:
        """A word that is none of those that can stand there."""
        close = get_close_matches(word, known, 1, 0.6)
        if close:
            right = f"did you mean `{close[0]}`?"
        elif known:
            right = f"one of {', '.join(f'`{each}`' for each in known[:SHOWN])} would do."
        else:
            right = "there is none to name."
        self.add(location, f"there is no {what} `{word}`; {right}")

    def raise_any(self) -> None:
        """Raise SpecificationError when there is at least one."""
        if self.found:
            raise SpecificationError(self.found)
