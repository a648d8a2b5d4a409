"""The schema for editors allows what is right, and marks what its words can tell is wrong."""

import re
from typing import Any

import jsonschema
import pytest
import yaml

from mainstay.sources.specification.schema import schema
from tests.sources.specification.test_faults import CALLERS, NEEDS, OPERATIONS, SECTIONS
from tests.sources.specification.texts import BOOKINGS, PAYMENTS

VALIDATOR = jsonschema.Draft202012Validator(schema())


def loaded(text: str) -> Any:
    """As an editor reads it."""
    return yaml.safe_load(text)


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("text", [PAYMENTS, BOOKINGS])
def test_what_is_right_is_allowed(text: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(loaded(text))] == []


def test_half_of_what_is_wrong_is_marked_while_it_is_written() -> None:
    broken = [*SECTIONS, *CALLERS, *NEEDS, *OPERATIONS]
    marked = [new for old, new, _, _ in broken if _is_marked(PAYMENTS.replace(old, new, 1))]
    assert len(marked) >= len(broken) / 2
    assert "timeout: 0s" not in marked  # what only the reader knows


def test_every_key_of_the_top_is_described() -> None:
    for key, value in schema()["properties"].items():
        assert re.fullmatch(r"[A-Z].+\.", value["description"]), key


def _is_marked(text: str) -> bool:
    try:
        return not VALIDATOR.is_valid(loaded(text))
    except yaml.YAMLError:
        return True
