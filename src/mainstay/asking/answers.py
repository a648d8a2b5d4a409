"""What a sentence asks for: a verb, a starter, and the specification with what the sentence says."""

import re
from collections.abc import Sequence

from msgspec import Struct

from mainstay.asking.grammar import Meaning, grammar
from mainstay.asking.sentence import RATE, SHARE, TIME, Amount, Known, Piece, Unknown, pieces
from mainstay.sources.specification import read
from mainstay.starters import starter as starter_text

RATIO = 4  # of the peak to the expected load, where only one is said
KINDS = {"peak": RATE, "p95": TIME, "recovery": TIME, "errors": SHARE, "availability": SHARE}


class NotUnderstood(Exception):
    """The sentence means nothing to us, or too much; the message says what."""


class Answer(Struct, frozen=True):
    """What was understood."""

    verb: str
    starter: str  # empty for verbs that work on what is there already
    specification: str
    assumed: tuple[str, ...] = ()  # sentences
    questions: tuple[str, ...] = ()


def answer(sentence: str) -> Answer:
    """What the sentence asks for; raises NotUnderstood."""
    found = pieces(sentence, grammar())
    if unknown := [piece.text for piece in found if isinstance(piece, Unknown)]:
        named = ", ".join(f"`{word}`" for word in dict.fromkeys(unknown))
        raise NotUnderstood(f"{named}: nothing is known by that name, and nothing is guessed")
    known = [piece for piece in found if isinstance(piece, Known)]
    verbs = _values(known, "verb")
    starters = list(dict.fromkeys(_values(known, "starter")))
    if len(starters) > 1:
        raise NotUnderstood(
            f"that is {len(starters)} services ({', '.join(starters)}): ask for one at a time"
        )
    if not starters:
        return _on_what_is_there(verbs, found)
    verb = next((verb for verb in verbs if verb in ("design", "new")), "new")
    _check_parts(known, starters[0])
    return _Asked(verb, starters[0], found).answer()


def _on_what_is_there(verbs: Sequence[str], found: Sequence[Piece]) -> Answer:
    usable = [verb for verb in verbs if verb not in ("new", "design")]
    if not usable:
        said = "it names no service that is known" if verbs else "it asks for nothing that is known"
        raise NotUnderstood(f"{said}: say payments, authentication or bookings, or review, prove or ready")
    if any(isinstance(piece, Amount) for piece in found):
        raise NotUnderstood("amounts belong into the configuration of what is there: see mainstay.toml")
    return Answer(usable[0], "", "")


def _check_parts(known: Sequence[Known], starter: str) -> None:
    """What is part of another starter only was meant otherwise than we would read it."""
    for piece in known:
        meant = [meaning for meaning in piece.meanings if meaning.kind in ("part", "need")]
        others = [meaning for meaning in piece.meanings if meaning.kind not in ("part", "need")]
        if meant and not others and all(meaning.starter != starter for meaning in meant):
            raise NotUnderstood(f"`{piece.text}` is no part of {starter}")


def _values(known: Sequence[Known], kind: str) -> list[str]:
    return [meaning.value for piece in known for meaning in piece.meanings if meaning.kind == kind]


class _Asked:
    """A service that is asked for, with its amounts and needs."""

    def __init__(self, verb: str, starter: str, found: Sequence[Piece]) -> None:
        self._verb, self._starter, self._found = verb, starter, found
        self._text = starter_text(starter)
        self._assumed: list[str] = []
        self._said: dict[str, Amount] = {}

    def answer(self) -> Answer:
        for at, piece in enumerate(self._found):
            if isinstance(piece, Amount):
                self._place(at, piece)
            elif isinstance(piece, Known):
                self._name_need(piece)
        self._write()
        if not self._said:
            self._assumed.append("load and budgets are those of the starter, since the sentence says none")
        questions = () if "expected" in self._said else ("How many requests a second are expected?",)
        return Answer(self._verb, self._starter, self._text, tuple(self._assumed), questions)

    def _place(self, at: int, amount: Amount) -> None:
        """What an amount is of: the nearest word that tells, before it or behind it."""
        name = self._nearest(at)
        if name is None:
            name = {RATE: "expected", TIME: "p95", SHARE: "availability"}[amount.kind]
            self._assumed.append(f"{amount.text} is taken for {name}, since no word says what it is of")
        elif name == "peak" and amount.kind is not RATE:
            name = {TIME: "p95", SHARE: "availability"}[amount.kind]
        wanted = KINDS.get(name, RATE)
        if amount.kind != wanted:
            raise NotUnderstood(f"{amount.text} is no {name}: that is a {wanted}")
        if name in self._said:
            raise NotUnderstood(f"{name} is said twice: {self._said[name].text} and {amount.text}")
        self._said[name] = amount

    def _nearest(self, at: int) -> str | None:
        """Words between this amount and its neighbours; those before it win, as in "at most 300/s"."""
        for step in (-1, 1):
            here = at + step
            while 0 <= here < len(self._found) and not isinstance(self._found[here], Amount):
                piece = self._found[here]
                names = _values([piece], "amount") if isinstance(piece, Known) else []
                if names and not (step == 1 and self._is_amount(here + 1)):
                    return names[0]
                here += step
        return None

    def _is_amount(self, at: int) -> bool:
        return at < len(self._found) and isinstance(self._found[at], Amount)

    def _name_need(self, piece: Known) -> None:
        for meaning in piece.meanings:
            if _is_need(meaning, self._starter):
                self._assumed.append(f"`{piece.text}` is the need `{meaning.value}`")

    def _write(self) -> None:
        if "expected" in self._said and "peak" not in self._said:
            peak = self._said["expected"].value * RATIO
            self._said["peak"] = Amount(RATE, peak, f"{peak:g}/s")
            self._assumed.append(f"the peak is {RATIO} times the expected load: {peak:g}/s")
        elif "peak" in self._said and self._said["peak"].value < read(self._text, "").load.expected:
            expected = self._said["peak"].value / RATIO
            self._said["expected"] = Amount(RATE, expected, f"{expected:g}/s")
            self._assumed.append(f"the expected load is a {RATIO}th of the peak: {expected:g}/s")
        for name, amount in self._said.items():
            self._text = _replaced(self._text, name, amount)
        if "expected" in self._said or "peak" in self._said:
            # What one operation was given of the starter's load is no part of another one.
            self._text = re.sub(r",\s*load: \{peak: [^}]*\}", "", self._text)


def _is_need(meaning: Meaning, starter: str) -> bool:
    return meaning.kind == "need" and meaning.starter == starter


def _replaced(text: str, name: str, amount: Amount) -> str:
    """The first mention of that key, in `budgets` or `load`, with another value."""
    written = {
        RATE: f"{amount.value:g}/s",
        TIME: f"{amount.value * 1000:g}ms" if amount.value < 1 else f"{amount.value:g}s",
        SHARE: f"{amount.value * 100:.6g}%",
    }[amount.kind]
    return re.sub(rf"\b{name}: [^,}}]+", f"{name}: {written}", text, count=1)
