"""The small phrases that a specification is made of, word by word, each word with its place."""

import re
from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.location import Location
from mainstay.sources.specification.nodes import Text

_WORD = re.compile(r"\s*(->|<=|>=|[<>=|,()]|[^\s<>=|,()]+)")


class Word(Struct, frozen=True):
    """A word or a sign of a phrase."""

    location: Location
    value: str


class Phrase:
    """The words of a text, taken one after the other."""

    def __init__(self, text: Text, words: tuple[Word, ...] | None = None) -> None:
        self.text = text
        self._words = tuple(_words(text)) if words is None else words
        self._at = 0

    @property
    def place(self) -> Location:
        """Where the next word stands, or the last one when there is none."""
        if self._at < len(self._words):
            return self._words[self._at].location
        return self._words[-1].location if self._words else self.text.location

    @property
    def over(self) -> bool:
        return self._at >= len(self._words)

    def peek(self, ahead: int = 0) -> str:
        """The next word, which stays where it is; empty at the end."""
        at = self._at + ahead
        return self._words[at].value if at < len(self._words) else ""

    def take(self) -> Word:
        """The next word; an empty one at the end."""
        if self.over:
            return Word(self.place, "")
        self._at += 1
        return self._words[self._at - 1]

    def took(self, *words: str) -> bool:
        """Whether the next words are these; then they are taken."""
        if tuple(self.peek(n) for n in range(len(words))) != words:
            return False
        self._at += len(words)
        return True

    def rest(self) -> str:
        """What is left, as one text."""
        left = " ".join(word.value for word in self._words[self._at :])
        self._at = len(self._words)
        return left

    def parts(self, sign: str) -> Iterator["Phrase"]:
        """The phrases between these signs, outside of brackets."""
        part: list[Word] = []
        depth = 0
        for word in self._words[self._at :]:
            depth += (word.value == "(") - (word.value == ")")
            if word.value == sign and depth == 0:
                yield Phrase(self.text, tuple(part))
                part = []
            else:
                part.append(word)
        self._at = len(self._words)
        yield Phrase(self.text, tuple(part))


def _words(text: Text) -> Iterator[Word]:
    """Columns are told as long as the text is on one line, as it is written without quotes."""
    place = text.location
    one_line = "\n" not in text.value
    for found in _WORD.finditer(text.value):
        column = place.column + found.start(1) if one_line else place.column
        yield Word(Location(place.path, place.line, column), found[1])
