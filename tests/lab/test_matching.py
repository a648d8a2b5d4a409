"""Texts are found for the patterns that schemas hold, and no pattern keeps us busy."""

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mainstay.lab.matching import fits, matching


@pytest.mark.parametrize(
    ("pattern", "shortest", "longest"),
    [
        (r"^[A-Z]{2}\d{2}[A-Z0-9]{4,20}$", 0, None),
        (r"^\+[1-9]\d{6,14}$", 0, None),
        (r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$", 20, 30),
        (r"^[a-z][a-z0-9_-]*$", 10, 10),
        (r"\.csv$", 0, None),
        (r"^#?[0-9a-fA-F]{6}$", 0, None),
    ],
)
def test_simple_patterns_are_met(pattern: str, shortest: int, longest: int | None) -> None:
    found = matching(pattern, shortest, longest)
    assert found is not None
    assert re.search(pattern, found)
    assert shortest <= len(found) <= (longest or 100)


@settings(max_examples=300, deadline=None)
@example("[[]", 0)  # Python warns of this one
@given(st.text(alphabet=r"^$[]{}()|\d*+?.a-Z09,", max_size=20), st.integers(0, 20))
def test_any_pattern_is_met_or_given_up(pattern: str, shortest: int) -> None:
    found = matching(pattern, shortest, shortest + 20)
    assert found is None or (fits(found, pattern) and len(found) >= shortest)


def test_a_pattern_that_would_take_years_is_not_tried() -> None:
    began = time.monotonic()
    assert not fits("a" * 40 + "!", "^(a+)+$")
    assert not fits("a" * 40 + "!", "^([a-z]+)*$")
    assert not fits("a" * 40 + "!", "^(a|a)+$")
    assert not fits("a" * 300, "^(.*a){20}b$")
    assert not fits("a" * 90, "^" + ".*" * 9 + "b$")
    assert not fits("a" * 40, "^(.a*)*b$")
    assert fits("a-b-c", "^[a-z]+(?:-[a-z]+)*$")
    assert time.monotonic() - began < 5
