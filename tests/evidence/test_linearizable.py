"""The search, against trying all orders."""

from collections.abc import Sequence
from itertools import chain, combinations, permutations
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.evidence.linearizable import Answer, Model, Operation, Register, check, claim
from mainstay.model.proof import Verdict


def _brute(operations: Sequence[Operation], model: Model) -> bool:
    """Whether some order of all known operations, and of any of the others, explains the answers."""
    known = [one for one in operations if one.end < inf]
    others = [one for one in operations if one.end == inf]
    some = chain.from_iterable(combinations(others, size) for size in range(len(others) + 1))
    return any(_possible(order, model) for chosen in some for order in permutations([*known, *chosen]))


def _possible(order: Sequence[Operation], model: Model) -> bool:
    state = model.initial
    for at, operation in enumerate(order):
        if any(later.end < operation.start for later in order[at + 1 :]):
            return False
        fits, state = model.apply(state, operation)
        if not fits:
            return False
    return True


@st.composite
def _histories(draw: st.DrawFn) -> list[Operation]:
    operations = []
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, 6))
        end = start + draw(st.integers(0, 4))
        if draw(st.booleans()):
            unknown = draw(st.integers(0, 3)) == 0
            value = draw(st.integers(0, 2))
            operations.append(Operation(start, inf if unknown else end, ("write", value)))
        else:
            operations.append(Operation(start, end, ("read",), draw(st.integers(0, 2))))
    return operations


@settings(max_examples=200, deadline=None)
@given(_histories())
def test_it_agrees_with_trying_all_orders(operations: list[Operation]) -> None:
    expected = Answer.PASS if _brute(operations, Register(0)) else Answer.FAIL
    assert check(operations, Register(0)) is expected


def _history(size: int, clients: int, seed: int, unknown: float) -> list[Operation]:
    """What callers of a real register see, each operation happening somewhere between call and answer."""
    chance = Random(seed)
    free = [0.0] * clients
    planned = []
    for number in range(size):
        client = min(range(clients), key=free.__getitem__)
        start = free[client] + chance.random()
        end = start + chance.random() * 3
        free[client] = end
        planned.append((chance.uniform(start, end), start, end, number))
    value, operations = 0, []
    for _, start, end, number in sorted(planned):
        if chance.random() < 0.5:
            value = number
            end = inf if chance.random() < unknown else end
            operations.append(Operation(start, end, ("write", number)))
        else:
            operations.append(Operation(start, end, ("read",), value))
    return operations


def _with_a_stale_read(operations: list[Operation]) -> list[Operation]:
    last = max(one.end for one in operations if one.end < inf)
    stale = Operation(last + 3, last + 4, ("read",), -2)
    return [*operations, Operation(last + 1, last + 2, ("write", -1)), stale]


@pytest.mark.parametrize("seed", range(5))
def test_a_long_true_history_passes_and_one_with_a_stale_read_fails(seed: int) -> None:
    operations = _history(2000, 4, seed, unknown=0.0)
    assert check(operations, Register(0)) is Answer.PASS
    assert check(_with_a_stale_read(operations), Register(0)) is Answer.FAIL


@pytest.mark.parametrize("seed", range(5))
def test_so_do_shorter_ones_with_writes_that_got_no_answer(seed: int) -> None:
    operations = _history(100, 3, seed, unknown=0.1)
    assert check(operations, Register(0)) is Answer.PASS
    assert check(_with_a_stale_read(operations), Register(0)) is Answer.FAIL


def test_a_read_may_see_a_write_without_an_answer_and_then_it_happened() -> None:
    write = Operation(0, inf, ("write", 1))
    seen = Operation(1, 2, ("read",), 1)
    gone = Operation(3, 4, ("read",), 0)
    assert check([write, seen], Register(0)) is Answer.PASS
    assert check([write, gone], Register(0)) is Answer.PASS
    assert check([write, seen, gone], Register(0)) is Answer.FAIL


def test_when_its_steps_run_out_it_does_not_know() -> None:
    assert check(_history(200, 4, 1, unknown=0.05), Register(0), steps=50) is Answer.UNDECIDED


def test_a_claim_fails_by_one_object_and_is_not_settled_by_an_undecided_one() -> None:
    assert claim({"a": Answer.PASS}).verdict is Verdict.PASSED
    assert claim({"a": Answer.PASS, "b": Answer.UNDECIDED}).verdict is Verdict.INCONCLUSIVE
    assert claim({}).verdict is Verdict.INCONCLUSIVE
    failed = claim({"a": Answer.FAIL, "b": Answer.UNDECIDED})
    assert (failed.verdict, failed.evidence) == (Verdict.FAILED, ("a",))
