"""Example values are ones that their schemas allow, and the same each time."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from mainstay.lab.values import NoExample, Values, allowed, flat, words
from mainstay.model.api import Api, Schema

API = Api("x", "3.1.0", (), {"#/Node": Schema(types=("object",), properties={"next": Schema(ref="#/Node")})})


def value(name: str = "value", **schema: Any) -> Any:
    return Values(API).value(Schema(**schema), name)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"types": ("integer",)}, 1),
        ({"types": ("integer",), "exclusive_minimum": 0, "maximum": 5}, 1),
        ({"types": ("integer",), "minimum": 10, "multiple_of": 4}, 12),
        ({"types": ("integer",), "maximum": -3}, -3),
        ({"types": ("number",), "exclusive_minimum": 0, "exclusive_maximum": 1}, 0.5),
        ({"maximum": 0}, 0),
        ({"types": ("boolean",)}, True),
        ({"types": ("null",)}, None),
        ({"types": ("string", "null"), "max_length": 3}, "exa"),
        ({"types": ("string",), "min_length": 9, "max_length": 9}, "examplexx"),
        ({"types": ("string",), "pattern": "^[A-Z]{3}$"}, "EUR"),
        ({"types": ("string",), "pattern": r"^ch_\d{4}-[a-f]+$", "min_length": 12}, "ch_1111-aaaa"),
        ({"types": ("string",), "format": "uuid"}, "7f9c24e5-2f6a-4e0b-8a57-3b1d0c9e6f42"),
        ({"enum": (None, "b")}, "b"),
        ({"types": ("string",), "examples": ("too long", "ok"), "max_length": 3}, "ok"),
        ({"types": ("array",), "items": Schema(types=("integer",))}, [1]),
        ({"types": ("array",), "items": Schema(types=("integer",)), "min_items": 2}, [1, 1]),
        ({"types": ("array",), "max_items": 0}, []),
        ({"any_of": (Schema(types=("null",)), Schema(types=("integer",)))}, 1),
        ({"ref": "#/Node"}, {}),
        ({}, "example"),
    ],
)
def test_a_value_is_small_and_allowed(schema: dict[str, Any], expected: object) -> None:
    assert value(**schema) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": ()},
        {"types": ("integer",), "minimum": 2, "maximum": 1},
        {"types": ("integer",), "exclusive_minimum": 0, "exclusive_maximum": 1},
        {"types": ("string",), "min_length": 2, "max_length": 1},
        {"types": ("string",), "min_length": 10**9},
        {"types": ("string",), "pattern": "(?=x)y"},
        {"types": ("string",), "pattern": "("},
        {"types": ("string",), "pattern": "^(a+)+$"},
        {"types": ("array",), "min_items": 10**9},
        {"any_of": (Schema(types=("null",)),)},
    ],
)
def test_where_nothing_fits_it_is_said(schema: dict[str, Any]) -> None:
    with pytest.raises(NoExample, match="value"):
        value(**schema)


def test_what_is_nested_in_itself_ends() -> None:
    endless = Schema(types=("object",), required=("next",), properties={"next": Schema(ref="#/Endless")})
    api = Api("x", "3.1.0", (), {"#/Endless": endless})
    with pytest.raises(NoExample, match="nested in itself"):
        Values(api).value(Schema(ref="#/Endless"))
    circle = Api("x", "3.1.0", (), {"#/A": Schema(all_of=(Schema(ref="#/A"),))})
    assert flat(circle, Schema(ref="#/A")).types == ()


def test_what_is_told_and_what_is_answered_differ() -> None:
    schema = Schema(
        types=("object",),
        required=("id", "name", "secret"),
        properties={
            "id": Schema(types=("integer",), read_only=True),
            "name": Schema(types=("string",)),
            "secret": Schema(types=("string",), write_only=True),
            "note": Schema(types=("string",)),
        },
    )
    assert Values(API).value(schema) == {"name": "example", "secret": "example"}
    assert Values(API, answers=True).value(schema) == {"id": 1, "name": "example", "note": "example"}


def test_all_of_is_one_schema() -> None:
    parts = (
        Schema(types=("object",), required=("a",), properties={"a": Schema(types=("integer",), minimum=3)}),
        Schema(required=("b",), properties={"b": Schema(types=("boolean",))}),
    )
    assert value(all_of=parts) == {"a": 3, "b": True}
    assert value(all_of=(Schema(minimum=3), Schema(types=("integer",), minimum=5, maximum=9))) == 5


def test_a_wish_and_the_authors_example_come_first() -> None:
    schema = Schema(
        types=("object",),
        required=("a", "b", "c"),
        properties={
            "a": Schema(types=("string",)),
            "b": Schema(types=("string",)),
            "c": Schema(enum=("{c}",)),
        },
    )
    values = Values(
        API, lambda name, _: "wished" if name == "a" else UNSET, lambda one: one.replace("{", "{{")
    )
    assert values.value(schema, given={"a": "given", "b": "given"}) == {
        "a": "wished",
        "b": "given",
        "c": "{{c}",
    }


def test_names_say_what_schemas_leave_open() -> None:
    def text(name: str, **schema: Any) -> Any:
        return value(name, types=("string",), **schema)

    assert text("billingCurrency") == "EUR"
    assert text("new_password", min_length=8, max_length=40) == "Example-Passw0rd-1"
    assert text("since", format="date-time") < text("until", format="date-time")
    assert text("expires_at", format="date").startswith("2099")
    assert words("orderId") == words("order_id") == words("Order-ID") == ["order", "id"]


@settings(max_examples=200, deadline=None)
@given(st.integers(-50, 50), st.integers(0, 60), st.sampled_from([None, 1, 3, 0.5]), st.booleans())
def test_a_number_is_within_its_bounds(low: int, width: int, step: float | None, whole: bool) -> None:
    kind = "integer" if whole else "number"
    try:
        found = value(types=(kind,), minimum=low, maximum=low + width, multiple_of=step)
    except NoExample:
        assert step is not None
        return
    assert low <= found <= low + width
    assert not whole or isinstance(found, int)
    assert step is None or found % step == 0


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from(["", "email", "uuid", "date", "uri"]))
def test_a_text_has_its_length_or_there_is_none(shortest: int, more: int, form: str) -> None:
    schema = Schema(types=("string",), min_length=shortest, max_length=shortest + more, format=form)
    try:
        found = Values(API).value(schema)
    except NoExample:
        assert form
        return
    assert allowed(schema, found)
