"""The map: as text, as JSON and as a picture."""

import json
from itertools import pairwise
from typing import Any

import pytest

from mainstay.budgets import STANDARD
from mainstay.model.location import Location
from mainstay.model.system import Bound, Deadline, Operation, System
from mainstay.reports import map_json, map_picture, map_text, system_map
from tests.reports import fake

PAGE = """\
Operations (3)
  shop.routes.health.router
    GET    /live  unguarded
  shop.routes.orders.router
    GET    /orders  authenticated
           reads customers, orders
    POST   /orders  authenticated
           writes charges, orders; calls [1] [2]

Jobs (1)
  schedule
    confirm_all  may be delivered twice
           reads orders; calls [3]

Calls out of the process (3)
    [1] processor  shop/payments.py:13
        deadline none (requests has no default); inside a transaction
    [2] rates  shop/rates.py:5
        deadline 2 s (timeout=2 given); retried; inside a transaction
    [3] smtp  shop/mail.py:6
        deadline unknown

Stores (1)
  postgresql  shop/db.py:5
    charges (written), customers (read), orders (read and written)

1 operation asks nobody who they are. 1 call out waits without a bound. The
longest deadline is 2 s, 10 times the budget of 200 ms for the 95th percentile
(2 / 0.2). 1 place could not be read and may hold more.
"""

EMPTY = System((), {}, (), {}, (), (), (), (), (), ())


def test_the_whole_page() -> None:
    assert map_text.render(fake.system(), STANDARD) == PAGE


def test_nothing_seen() -> None:
    assert map_text.render(EMPTY, STANDARD) == "No operation, job, call out or store was seen.\n"
    assert map_picture.draw(system_map.build(EMPTY)).boxes == ()


@pytest.mark.parametrize(
    ("deadline", "words"),
    [
        (Deadline(Bound.BOUNDED, 2.0, "timeout=2 given"), "2 s (timeout=2 given)"),
        (Deadline(Bound.BOUNDED, 0.25), "0.25 s"),
        (Deadline(Bound.BOUNDED, None, "its wrapper gives one"), "bounded (its wrapper gives one)"),
        (Deadline(Bound.UNBOUNDED, None, "requests has no default"), "none (requests has no default)"),
        (Deadline(Bound.CALLER, parameter="timeout"), "its caller decides (parameter timeout)"),
        (Deadline(Bound.CALLER), "its caller decides"),
        (Deadline(Bound.UNKNOWN), "unknown"),
    ],
)
def test_deadlines_say_what_they_rest_on(deadline: Deadline, words: str) -> None:
    assert system_map.waits(deadline) == words


def load(system: System) -> Any:
    return json.loads(map_json.render(system, STANDARD))


def test_json_refers_to_calls_by_number() -> None:
    page = load(fake.system())
    assert page["mainstay"] == 1
    place_order = page["operations"][2]
    assert (place_order["method"], place_order["path"]) == ("POST", "/orders")
    assert (place_order["writes"], place_order["calls"]) == (["charges", "orders"], [1, 2])
    assert place_order["access"] == "authenticated"
    assert page["calls"][0]["deadline"] == {
        "bound": "unbounded",
        "seconds": None,
        "why": "requests has no default",
        "says": "none (requests has no default)",
        "figure": "derived",
        "decided_at": None,
    }
    assert page["calls"][2]["deadline"]["figure"] == "open question"


def test_what_runs_later_is_told_apart() -> None:
    whole = fake.system()
    later = fake.function(
        "shop.tasks.confirm_all", Location("shop/tasks.py", 9), ["shop.mail.confirm"], how="task"
    )
    page = load(replaced(whole, functions=whole.functions | {later.name: later}))
    assert (page["jobs"][0]["calls"], page["jobs"][0]["calls_later"]) == ([], [3])


def test_recursion_ends() -> None:
    whole = fake.system()
    turning = fake.function("shop.rates.rate", Location("shop/rates.py", 4), ["shop.payments.charge"])
    page = load(replaced(whole, functions=whole.functions | {turning.name: turning}))
    assert page["operations"][2]["calls"] == [1, 2]


def replaced(system: System, **changes: Any) -> System:
    held = {name: getattr(system, name) for name in System.__struct_fields__}
    return System(**held | changes)


# --- the picture -----------------------------------------------------------------------------------


def test_a_small_system_is_drawn_whole() -> None:
    picture = map_picture.draw(system_map.build(fake.system()))
    assert [(box.kind, box.title, len(box.rows)) for box in picture.boxes] == [
        ("router", "shop.routes.orders.router", 2),
        ("router", "shop.routes.health.router", 1),
        ("job", "jobs: schedule", 1),
        ("store", "postgresql", 3),
        ("call", "processor", 1),
        ("call", "rates", 1),
        ("call", "smtp", 1),
    ]
    assert sorted((line.kind, line.bad) for line in picture.lines) == [
        ("call", False),
        ("call", False),
        ("call", True),
        ("read", False),
        ("read", False),
        ("write", False),
    ]
    assert picture.left_out == ()


def large(number: int) -> System:
    """So many operations in routers of ten."""
    whole = fake.system()
    here = Location("shop/routes.py", 1)
    operations = tuple(
        Operation("GET", f"/{n}", "shop.payments.charge", here, f"shop.routes.r{n // 10:03}", "fastapi", ())
        for n in range(number)
    )
    return replaced(whole, operations=operations)


def test_a_large_system_is_cut_and_says_so() -> None:
    picture = map_picture.draw(system_map.build(large(300)))
    left = [box for box in picture.boxes if box.kind in ("router", "job")]
    assert len(left) == map_picture.GROUPS
    assert left[-1].kind == "job"
    assert (len(left[0].rows), left[0].more) == (map_picture.FEW_ROWS, "+5 more")
    assert picture.left_out == ("19 more groups with 190 operations and jobs",)
    assert picture.height < 2500


def test_boxes_do_not_overlap() -> None:
    for number in (0, 5, 24, 25, 300):
        picture = map_picture.draw(system_map.build(large(number)))
        for side in (0, map_picture.RIGHT):
            boxes = [box for box in picture.boxes if box.x == side]
            for above, below in pairwise(boxes):
                assert above.bottom < below.y
            assert all(row.y + map_picture.ROW <= box.bottom for box in boxes for row in box.rows)
            assert all(box.bottom <= picture.height for box in boxes)
