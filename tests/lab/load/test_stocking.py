"""Pools that are filled before a load, and what the load does with them."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from mainstay.lab.lab import Lab
from mainstay.lab.load.control import LoadError
from mainstay.model.service import Action
from tests.lab.load.driving import driving, whole
from tests.lab.load.scripted import Heard, Reply, Scripted

CUSTOMER = Action("add customer", "POST", "/customers", weight=0, body={}, gives={"customer": "id"})
ORDER = Action("add order", "POST", "/orders", weight=0, body={"of": "{customer}"}, gives={"order": "id"})
PAY = Action("pay", "POST", "/orders/{order}/pay", takes=("order",))
POOLED = (CUSTOMER, ORDER, PAY)


def made(numbers: Iterator[int]) -> Callable[[Heard], Reply]:
    return lambda heard: Reply(201, json.dumps({"id": next(numbers)}).encode())


def test_pools_are_stocked_with_what_they_need_themselves_first(lab: Lab) -> None:
    with Scripted(made(count(1))) as server, driving(lab, server.address, actions=POOLED) as driver:
        records = driver.stock({"order": 40}, within=10)
        again = driver.stock({"order": 40}, within=10)
    sent = Counter(record.action for record in records)
    assert sent == {"add customer": 20, "add order": 40}
    assert [record.action for record in records[:20]] == ["add customer"] * 20
    assert all(record.stocking and record.ok and record.made for record in records)
    assert again == []


def test_what_a_load_takes_is_taken_once_and_what_is_missing_is_counted(lab: Lab) -> None:
    with Scripted(made(count(1))) as server, driving(lab, server.address, actions=POOLED) as driver:
        stocked = {record.made for record in driver.stock({"order": 10}, within=10)}
        assert driver.needs(100, 0.16) == {"order": 16 + 4 * 4 + 1}
        driver.start(100, 0.16, arrivals="constant")
        records = whole(driver)
        assert driver.starved == 6
    taken = [record.taken[0] for record in records]
    assert len(taken) == len(set(taken)) == 10
    assert set(taken) <= stocked


def test_what_the_load_gives_it_may_use(lab: Lab) -> None:
    actions = (Action("add", "POST", "/orders", gives={"order": "id"}), PAY)
    with Scripted(made(count(1))) as server, driving(lab, server.address, actions=actions) as driver:
        driver.start(200, 0.5, arrivals="constant")
        records = whole(driver)
        starved = driver.starved
    paid = {record.taken[0] for record in records if record.action == "pay"}
    assert len(paid) > 10
    assert paid <= {record.made for record in records if record.action == "add"}
    assert len(records) + starved == 100


def test_each_actor_uses_what_it_made_itself(lab: Lab) -> None:
    actions = (
        Action("add", "POST", "/a", weight=0, gives={"thing": "id"}),
        Action("add as bob", "POST", "/b", weight=0, actor="bob", gives={"thing": "id"}),
        Action("see", "GET", "/see/{thing}"),
        Action("see as bob", "GET", "/see/{thing}", actor="bob"),
    )
    with Scripted(made(count(1))) as server, driving(lab, server.address, actions=actions) as driver:
        stocked = driver.stock({"thing": 3}, within=10)
        driver.start(100, 0.3)
        whole(driver)
    own = {who: {f"/see/{one.made}" for one in stocked if one.actor == who} for who in ("alice", "bob")}
    assert {who: len(paths) for who, paths in own.items()} == {"alice": 3, "bob": 3}
    for heard in server.heard:
        if heard.path.startswith("/see"):
            assert heard.path in own[heard.headers["x-who"]]


def test_stocking_that_fails_says_with_what(lab: Lab) -> None:
    with (
        Scripted(lambda heard: Reply(422, b'{"detail":\n"no such\x1b[2J plan"}')) as server,
        driving(lab, server.address, actions=POOLED) as driver,
        pytest.raises(LoadError) as caught,
    ):
        driver.stock({"order": 5}, within=10)
    assert str(caught.value) == (
        "The values of the pool `customer` could not be made: 0 of 5. "
        '`add customer` answered 422: {"detail": "no such [2J plan"}'
    )
    assert {record.status for record in caught.value.records} == {422}


def test_stocking_that_takes_too_long_says_so(lab: Lab) -> None:
    with (
        Scripted(lambda heard: None) as server,
        driving(lab, server.address, actions=POOLED) as driver,
        pytest.raises(LoadError, match=r"The values of the pool `customer` (did not come in time|could not)"),
    ):
        driver.stock({"order": 5}, within=0.5)


def test_an_answer_without_the_value_is_told(lab: Lab) -> None:
    with (
        Scripted(lambda heard: Reply(201, b'{"ID": 1}')) as server,
        driving(lab, server.address, actions=POOLED) as driver,
        pytest.raises(
            LoadError, match="`add customer` answered 201, but its answer holds no text or number at `id`"
        ),
    ):
        driver.stock({"order": 5}, within=5)


def test_a_pool_that_needs_itself_cannot_be_stocked(lab: Lab) -> None:
    actions = (Action("split", "POST", "/{part}/split", gives={"part": "id"}),)
    with driving(lab, "127.0.0.1:1", actions=actions) as driver:
        with pytest.raises(LoadError, match="To give `part`, the action `split` needs one to begin with"):
            driver.stock({"part": 5}, within=5)
        with pytest.raises(LoadError, match="No action gives `nothing`"):
            driver.stock({"nothing": 5}, within=5)
        with pytest.raises(LoadError, match=r"`split` needs `\{part\}`, and that pool is empty"):
            driver.once(["split"])
