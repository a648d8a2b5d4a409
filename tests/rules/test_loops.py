"""How large a loop is: what its collection is made of, through variables, wrappers and calls."""

from collections.abc import Callable
from textwrap import dedent, indent

import pytest

from mainstay.model.system import System
from mainstay.rules.loops import LOOPS, Collection, Collections, Size

Link = Callable[[dict[str, str]], System]

HEAD = """
from django.db import models
from fastapi import FastAPI

app = FastAPI()
KINDS = load()

class Order(models.Model): ...

def page(limit):
    return Order.objects.all()[:limit]

def rows():
    return Order.objects.all()

def row_by_row():
    for order in Order.objects.all():
        yield order

def circle():
    return circle()

def typed() -> list[int]: ...
"""


def size(link: Link, body: str, head: str = "def work(request=None):") -> Collection:
    """What the last loop of a function goes over."""
    text = f"{HEAD}\n{head}\n{indent(dedent(body).strip(), '    ')}\n"
    system = link({"app.py": text})
    function = system.functions["app.work"]
    loop = max(at for at, scope in enumerate(function.body.scopes) if scope.kind in LOOPS)
    return Collections(system).of_loop(function, loop)


@pytest.mark.parametrize(
    "over",
    [
        "[1, 2, 3]",
        "'abc'",
        "range(10)",
        "range(0, len(rows()), 100)",
        "Order.objects.all()[:50]",
        "KINDS",
        "chunked(rows(), 100)",
        "sorted({'a': 1, 'b': 2})",
        "[*KINDS, 'other']",
        "KINDS if request else [1]",
        "[kind.lower() for kind in KINDS]",
    ],
)
def test_what_is_written_down_cut_or_counted_is_small(link: Link, over: str) -> None:
    assert size(link, f"for item in {over}:\n    print(item)").size is Size.SMALL


@pytest.mark.parametrize(
    "over",
    [
        "Order.objects.all()",
        "rows()",
        "row_by_row()",
        "list(rows())",
        "enumerate(rows())",
        "map(str, rows())",
        "range(len(rows()))",
        "rows() or []",
        "KINDS if request else rows()",
        "[*rows(), None]",
        "[order.id for order in rows()]",
        "[item for kind in KINDS for item in rows()]",
        "[item for order in rows() for item in KINDS]",
        "{order.id: order for order in rows()}.values()",
    ],
)
def test_rows_stay_rows_however_they_are_handed_on(link: Link, over: str) -> None:
    assert size(link, f"for item in {over}:\n    print(item)").size is Size.ROWS


@pytest.mark.parametrize("over", ["request.cached[0]", "circle()", "lambda: 0", "unknown.things"])
def test_what_cannot_be_told_is_unknown(link: Link, over: str) -> None:
    assert size(link, f"for item in {over}:\n    print(item)").size is Size.UNKNOWN


@pytest.mark.parametrize("fill", ["found.append(order)", "found[order.id] = order", "found.update(order)"])
def test_a_container_filled_in_a_loop_over_rows_is_as_large(link: Link, fill: str) -> None:
    text = f"found = make()\nfor order in rows():\n    {fill}\nfor item in found:\n    print(item)"
    assert size(link, text).size is Size.ROWS


def test_a_function_that_says_it_gives_a_list_is_known_to_its_caller_only(link: Link) -> None:
    found = size(link, "for item in typed():\n    print(item)")
    assert (found.size, found.words) == (Size.GIVEN, "the items that typed gives")


def test_a_loop_variable_may_say_that_it_is_a_page(link: Link) -> None:
    assert size(link, "for page in rows():\n    print(page)").size is Size.SMALL


def test_a_limit_is_told_and_whose_it_is(link: Link) -> None:
    head = "from sqlalchemy import select\nfrom sqlalchemy.orm import Session\n"
    head += "def work(session: Session, most):"
    for limit, page in (("50", False), ("most", True)):
        text = f"for row in session.execute(select(Order).limit({limit})):\n    print(row)"
        found = size(link, text, head)
        assert (found.size, found.limited, found.page) == (Size.ROWS, True, page)
    found = size(link, "for row in session.execute(select(Order)):\n    print(row)", head)
    assert (found.size, found.limited, found.page) == (Size.ROWS, False, False)


def test_a_body_and_a_list_that_the_requester_sends(link: Link) -> None:
    head = "@app.post('/')\ndef work(ids: list[int], body: dict):"
    given = size(link, "for item in ids:\n    print(item)", head)
    assert (given.size, given.words) == (Size.REQUEST, "ids, which the requester gives")
    inside = size(link, "for item in body.lines:\n    print(item)", head)
    assert (inside.size, inside.words) == (Size.REQUEST, "body.lines, which the requester gives")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("work([1, 2])", Size.SMALL),
        ("work(rows())", Size.ROWS),
        ("work(items=rows())", Size.ROWS),
        ("work(unknown())", Size.GIVEN),
        ("", Size.GIVEN),
    ],
)
def test_a_parameter_is_what_callers_give(link: Link, call: str, expected: Size) -> None:
    text = f"for item in items:\n    print(item)\n{call}"
    found = size(
        link, f"for item in items:\n    print(item)\n\ndef other():\n    {call or 'pass'}", "def work(items):"
    )
    assert text
    assert found.size is expected


def test_a_method_is_given_its_arguments_behind_itself(link: Link) -> None:
    system = link(
        {
            "app.py": HEAD
            + """
class Mailer:
    def send(self, orders):
        for order in orders:
            print(order)

def nightly(mailer: Mailer):
    mailer.send(rows())
"""
        }
    )
    function = system.functions["app.Mailer.send"]
    assert Collections(system).of_loop(function, 1).size is Size.ROWS
