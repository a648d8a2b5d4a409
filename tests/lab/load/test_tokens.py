"""Texts that stand in one request and in no other."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.lab.load.tokens import MAKERS, Tokens, pattern


def test_a_marker_and_a_key_share_their_serial_and_are_told_apart() -> None:
    tokens = Tokens("run7")
    assert tokens.marker(36) == "run7m00010"
    assert tokens.key(36) == "run7k00010"


@given(st.integers(0, 36**5 - 1), st.integers(0, 36**5 - 1))
def test_no_marker_stands_inside_another(one: int, other: int) -> None:
    tokens = Tokens("ab")
    if one != other:
        assert tokens.marker(one) not in tokens.marker(other)


def test_markers_are_found_in_any_text() -> None:
    tokens = Tokens("zz9")
    text = f'{{"note":"x{tokens.marker(5)}1","key":"{tokens.key(5)}"}}'
    found = [(one["kind"], one["serial"]) for one in pattern("zz9").finditer(text)]
    assert found == [("m", "00005"), ("k", "00005")]


def test_numbers_fit_a_column_of_32_bits_and_differ_between_prefixes() -> None:
    highest = max(Tokens(f"p{n}").number(999_999) for n in range(500))
    assert highest < 2**31
    assert Tokens("one").number(1) != Tokens("two").number(1)


def test_a_uuid_is_a_valid_one_and_its_own() -> None:
    made = {Tokens("p").uuid(n) for n in range(1000)}
    assert len(made) == 1000
    assert {uuid.UUID(one).version for one in made} == {4}


def test_an_email_holds_the_marker() -> None:
    assert Tokens("p").email(1) == "pm00001@example.com"


@pytest.mark.parametrize("prefix", ["", "UPPER", "with-dash", "p%", "x" * 17])
def test_a_prefix_that_a_database_could_not_be_searched_for_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"a prefix is 1 to 16 of a-z and 0-9, not {prefix!r}")):
        Tokens(prefix)


def test_every_maker_makes_a_different_value_for_each_request() -> None:
    tokens = Tokens("p")
    for make in MAKERS.values():
        assert make(tokens, 1) != make(tokens, 2)
