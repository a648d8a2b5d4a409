"""Whether what callers saw of one object could have happened one thing after another.

The search of J. Wing and C. Gong, "Testing and verifying concurrent objects" (1993), with the memory of
states of G. Lowe, "Testing for linearizability" (2017).  It takes exponential time at worst, so it has a
budget of steps and may answer that it does not know.  Split a history by key first: that is sound, and much
faster.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct

from mainstay.model.proof import Claim, Figure, Subject, Verdict

STEPS = 1_000_000  # a few seconds


class Operation(Struct, frozen=True):
    """One call and its answer; without an answer (`end` is infinite) it may have happened later, or never.

    Leave out reads without an answer: they tell nothing.
    """

    start: float
    end: float
    call: Any  # what the model understands
    answer: Any = None


class Answer(StrEnum):
    """What the search found."""

    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    UNDECIDED = "undecided"


class Model(Protocol):
    """An object that does one thing at a time."""

    @property
    def initial(self) -> Hashable: ...

    def apply(self, state: Hashable, operation: Operation) -> tuple[bool, Hashable]:
        """Whether the answer is possible in this state, and the state after it."""


class Register(Struct, frozen=True):
    """A value that is read, `("read",)`, and written, `("write", value)`."""

    initial: Any = None

    def apply(self, state: Hashable, operation: Operation) -> tuple[bool, Hashable]:
        if operation.call[0] == "write":
            return True, operation.call[1]
        return operation.answer == state, state


def check(operations: Sequence[Operation], model: Model, steps: int = STEPS) -> Answer:
    """Look for an order that explains all answers; operations that overlap may be in either order."""
    events = _events(operations)
    left = sum(math.isfinite(operation.end) for operation in operations)
    following = [*range(1, len(events) + 1), 0]  # a ring of the events that are left; the last is its head
    before = [len(events), *range(len(events))]
    head = len(events)
    returns = {number: at for at, (number, is_call) in enumerate(events) if not is_call}
    state, done = model.initial, 0
    seen: set[tuple[int, Hashable]] = set()
    taken: list[tuple[int, Hashable]] = []
    at = following[head]
    while left:
        steps -= 1
        if steps < 0:
            return Answer.UNDECIDED
        number, is_call = events[at] if at != head else (0, False)
        if is_call:
            possible, after = model.apply(state, operations[number])
            key = (done | 1 << number, after)
            if possible and key not in seen:
                seen.add(key)
                taken.append((at, state))
                state, done = after, key[0]
                _unlink(at, following, before)
                if number in returns:
                    _unlink(returns[number], following, before)
                    left -= 1
                at = following[head]
            else:
                at = following[at]
            continue
        if not taken:  # an answer came before anything that could explain it
            return Answer.FAIL
        at, state = taken.pop()
        number = events[at][0]
        done &= ~(1 << number)
        if number in returns:
            _relink(returns[number], following, before)
            left += 1
        _relink(at, following, before)
        at = following[at]
    return Answer.PASS


def claim(
    answers: Mapping[str, Answer], *, name: str = "linearizable", subject: Subject = Subject.INTEGRITY
) -> Claim:
    """One claim over all keys."""
    failed = sorted(key for key, answer in answers.items() if answer is Answer.FAIL)
    undecided = sum(answer is Answer.UNDECIDED for answer in answers.values())
    if failed:
        verdict = Verdict.FAILED
    elif undecided or not answers:
        verdict = Verdict.INCONCLUSIVE
    else:
        verdict = Verdict.PASSED
    text = f"Of {len(answers)} objects, {len(failed)} answered in a way that no order of the calls explains"
    return Claim(
        name=name,
        subject=subject,
        verdict=verdict,
        said=f"{text}; {undecided} undecided." if undecided else f"{text}.",
        figures=(Figure("objects", len(answers)), Figure("undecided", undecided)),
        evidence=tuple(failed[:20]),
    )


def _events(operations: Sequence[Operation]) -> list[tuple[int, bool]]:
    """Calls and answers in order of time, (number, whether a call); at the same moment, calls first."""
    moments = [(operation.start, 0, number) for number, operation in enumerate(operations)]
    moments += [
        (operation.end, 1, number)
        for number, operation in enumerate(operations)
        if math.isfinite(operation.end)
    ]
    return [(number, kind == 0) for _, kind, number in sorted(moments)]


def _unlink(at: int, following: list[int], before: list[int]) -> None:
    following[before[at]], before[following[at]] = following[at], before[at]


def _relink(at: int, following: list[int], before: list[int]) -> None:
    following[before[at]] = before[following[at]] = at
