"""What went wrong with something that a lab runs."""

from collections.abc import Sequence


class LabError(Exception):
    """One clear sentence, and the last lines of the log of what it is about."""

    def __init__(self, sentence: str, lines: Sequence[str] = ()) -> None:
        self.sentence = sentence
        self.lines = tuple(lines)
        super().__init__(sentence)

    def __str__(self) -> str:
        if not self.lines:
            return self.sentence
        return "\n".join((self.sentence, "The last lines of its log:", *(f"  {line}" for line in self.lines)))
