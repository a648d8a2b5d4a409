"""Values that the service gave."""

import random
from typing import Any

import pytest

from mainstay.lab.load.pools import Empty, Pools, at, needs
from mainstay.lab.load.templates import Template, Value, compile_all
from mainstay.model.service import Action

ACTORS: dict[str, dict[str, str]] = {"alice": {}, "bob": {}}
ACTIONS = [
    Action("add", "POST", "/", weight=1, gives={"order": "id"}),
    Action("add as bob", "POST", "/", weight=0, actor="bob", gives={"order": "id"}),
    Action("see", "GET", "/{order}", weight=2),
    Action("pay", "POST", "/{order}", weight=1, takes=("order",)),
    Action("pay as bob", "POST", "/{order}", weight=1, actor="bob", takes=("order",)),
]
TEMPLATES = compile_all(ACTIONS, ACTORS)


def filled(actor: str, values: list[Value]) -> Pools:
    pools = Pools(random.Random(1))
    for value in values:
        pools.add(actor, "order", value)
    return pools


def draw(pools: Pools, name: str) -> Value:
    return pools.draw(TEMPLATES[name])["order"]


def test_what_is_taken_is_given_to_nobody_else() -> None:
    pools = filled("alice", [1, 2, 3])
    assert {draw(pools, "pay") for _ in range(3)} == {1, 2, 3}
    with pytest.raises(Empty, match="order"):
        draw(pools, "pay")


def test_what_is_used_stays_and_any_of_it_may_come() -> None:
    pools = filled("alice", [1, 2, 3])
    assert {draw(pools, "see") for _ in range(50)} == {1, 2, 3}
    assert pools.size("alice", "order") == 3


def test_an_actor_is_given_only_what_the_same_actor_made() -> None:
    pools = filled("alice", [1])
    with pytest.raises(Empty):
        draw(pools, "pay as bob")
    assert draw(pools, "pay") == 1


def test_a_load_needs_its_share_of_requests_and_a_margin() -> None:
    shares = {"see": 0.5, "pay": 0.25}
    alices: list[Template] = [TEMPLATES[name] for name in ("add", "see", "pay")]
    wanted = needs(alices, shares, 400)
    assert wanted == {"order": 100 + 4 * 10 + 1 + 20}  # taken, its margin, and 20 to choose from
    assert needs(alices, {"add": 1.0}, 400) == {}


def test_what_the_load_gives_itself_may_be_counted_on() -> None:
    shares = {"add": 0.25, "pay": 0.25}
    alices = [TEMPLATES[name] for name in ("add", "pay")]
    assert needs(alices, shares, 400) == {"order": 100 + 4 * 10 + 1}
    assert needs(alices, shares, 400, counting_on=0.5) == {"order": 50 + int(4 * 150**0.5) + 1}
    assert needs(alices, shares, 400, counting_on=1) == {"order": int(4 * 200**0.5) + 1}


def test_where_two_actors_have_a_pool_the_neediest_counts() -> None:
    wanted = needs(list(TEMPLATES.values()), {"pay": 0.01, "pay as bob": 0.25}, 400)
    assert wanted == {"order": 100 + 4 * 10 + 1}


@pytest.mark.parametrize(
    ("answer", "place", "value"),
    [
        ({"id": 7}, "id", 7),
        ({"items": [{"id": "a"}]}, "items.0.id", "a"),
        ([{"id": "a"}], "0.id", "a"),
        ({"id": None}, "id", None),
        ({"id": True}, "id", None),
        ({"id": {"x": 1}}, "id", None),
        ({}, "id", None),
        ({"items": []}, "items.0.id", None),
        ("text", "id", None),
        (None, "id", None),
    ],
)
def test_the_value_at_a_place_of_an_answer(answer: Any, place: str, value: Value | None) -> None:
    assert at(answer, place) == value
