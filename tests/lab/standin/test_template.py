"""The texts of a stand-in's answers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.lab.standin.template import Scene, TemplateError, compile_value, escaped, filled

SCENE = Scene(
    number=7,
    path={"id": "ch_1"},
    query={"page": "2"},
    headers={"x-request-id": "r1"},
    body={"reference": "a", "amount": 500, "paid": True, "lines": [{"sku": "s"}], "none": None},
)


def fill(value: Any) -> Any:
    return filled(compile_value(value), SCENE)


def test_texts_take_over_from_the_request() -> None:
    body = {
        "id": "ch_{n}",
        "shown": "{path.id}/{query.page}/{header.X-Request-Id}",
        "lines": ["{body.lines.0.sku}", 1, None],
        "said": "{body.reference} {body.missing}{body.paid}",
    }
    assert fill(body) == {
        "id": "ch_7",
        "shown": "ch_1/2/r1",
        "lines": ["s", 1, None],
        "said": "a true",
    }


def test_a_text_that_is_one_value_becomes_it() -> None:
    assert fill(["{n}", "{body.amount}", "{body.lines}", "{body.missing}", "{body.lines.3}", "{id}"]) == [
        7,
        500,
        [{"sku": "s"}],
        None,
        None,
        "ch_1",
    ]


def test_new_ids_differ() -> None:
    one, other = fill(["{uuid}", "{uuid}"])
    assert one != other
    assert len(one) == 36


def test_doubled_braces_are_braces() -> None:
    assert fill("{{n}} }}") == "{n} }"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_what_is_escaped_stands_for_itself(value: Any) -> None:
    assert fill(escaped(value)) == value


@pytest.mark.parametrize("text", ["{nobody}", "{", "a}", "{body.}", "{}", "{path}"])
def test_what_is_unknown_is_an_error_beforehand(text: str) -> None:
    with pytest.raises(TemplateError):
        compile_value({"a": [text]})
