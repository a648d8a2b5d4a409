"""What always holds for the rows of an entity: `sum(amount) by charge <= charge.amount`."""

from mainstay.model.location import Location
from mainstay.model.specification import ApartRule, Move, OrderRule, Rule, TotalRule, UniqueRule
from mainstay.sources.specification.faults import Faults
from mainstay.sources.specification.fields import NAME, SIGNS
from mainstay.sources.specification.nodes import Text
from mainstay.sources.specification.phrases import Phrase

FORMS = (
    "`sum(amount) by charge <= charge.amount`, `count by room <= room.beds`, `unique room, day`, "
    "`no overlap of starts_at to ends_at by room`, `starts_at < ends_at`"
)


def rule(text: Text, faults: Faults) -> Rule | None:
    """The rule that the phrase says; None, and a fault, when it says none."""
    phrase = Phrase(text)
    if phrase.peek() in ("sum", "count"):
        return _total(text, phrase, faults)
    if phrase.took("unique"):
        return _unique(text, phrase, faults)
    if phrase.took("no", "overlap", "of"):
        return _apart(text, phrase, faults)
    if phrase.peek(1) in SIGNS:
        return _order(text, phrase, faults)
    faults.add(text.location, f"`{text.value}` is no rule that can be kept; write one of {FORMS}.")
    return None


def moves(text: Text, faults: Faults) -> tuple[Move, ...]:
    """`pending -> captured | failed, captured -> refunded`."""
    found: list[Move] = []
    for part in Phrase(text).parts(","):
        before, arrow = part.take(), part.take()
        if not before.value or arrow.value != "->" or part.over:
            said = "moves say which state may follow which; write `pending -> captured | failed`."
            faults.add(before.location if before.value else text.location, said)
            continue
        for after in part.parts("|"):
            state = after.take()
            if not NAME.fullmatch(state.value) or not after.over:
                faults.add(
                    state.location, "between `|` there is one state; write `pending -> captured | failed`."
                )
                continue
            found.append(Move(before.value, state.value))
    return tuple(dict.fromkeys(found))


def _total(text: Text, phrase: Phrase, faults: Faults) -> Rule | None:
    field = ""
    if phrase.take().value == "sum":
        field = phrase.peek(1)
        if not (phrase.took("(", field, ")") and NAME.fullmatch(field)):
            faults.add(phrase.place, "`sum` names a field: `sum(amount) by charge <= charge.amount`.")
            return None
    if not phrase.took("by"):
        faults.add(phrase.place, "a sum or a count is of rows that share a field: put `by charge` behind it.")
        return None
    by, operator, limit = phrase.take(), phrase.take(), phrase.take()
    if operator.value not in SIGNS or not limit.value or not phrase.over:
        faults.add(
            operator.location, f"behind `by {by.value}` stands a limit: `<= {by.value}.amount` or `<= 5`."
        )
        return None
    return TotalRule(text.value, text.location, field, by.value, operator.value, limit.value)


def _unique(text: Text, phrase: Phrase, faults: Faults) -> Rule | None:
    names = _names(phrase, text.location, faults)
    return UniqueRule(text.value, text.location, names) if names else None


def _apart(text: Text, phrase: Phrase, faults: Faults) -> Rule | None:
    start = phrase.take().value
    if not phrase.took("to"):
        faults.add(phrase.place, "an interval has two ends: `no overlap of starts_at to ends_at by room`.")
        return None
    end = phrase.take().value
    by: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    if phrase.took("by"):
        words = []
        while not phrase.over and phrase.peek() != "while":
            words.append(phrase.take().value)
            phrase.took(",")
        by = tuple(words)
    if phrase.took("while"):
        states = tuple(part.take().value for part in phrase.parts("|"))
    if not by or not phrase.over:
        faults.add(
            phrase.place, "say of what intervals do not meet: `no overlap of starts_at to ends_at by room`."
        )
        return None
    return ApartRule(text.value, text.location, start, end, by, states)


def _order(text: Text, phrase: Phrase, faults: Faults) -> Rule | None:
    left, operator, right = phrase.take(), phrase.take(), phrase.take()
    if not right.value or not phrase.over:
        faults.add(operator.location, "two fields are compared: `starts_at < ends_at`.")
        return None
    return OrderRule(text.value, text.location, left.value, operator.value, right.value)


def _names(phrase: Phrase, place: Location, faults: Faults) -> tuple[str, ...]:
    names = []
    for part in phrase.parts(","):
        word = part.take()
        if not NAME.fullmatch(word.value) or not part.over:
            faults.add(word.location if word.value else place, "`unique` names fields: `unique room, day`.")
            return ()
        names.append(word.value)
    return tuple(names)
