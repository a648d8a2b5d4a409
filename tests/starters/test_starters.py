"""Specifications to begin with are right, short, and say why."""

import pytest

from mainstay.dossier import dossier
from mainstay.plan.arithmetic import contradictions
from mainstay.sources.specification import read
from mainstay.starters import starter, starters


def test_there_is_one_for_each_common_service() -> None:
    assert starters() == ("authentication", "bookings", "payments")


@pytest.mark.parametrize("name", starters())
def test_it_is_right_and_leaves_nothing_to_be_assumed(name: str) -> None:
    found = read(starter(name), f"{name}.yaml")
    assert contradictions(found) == ()
    assert found.assumptions == ()
    assert any(operation.critical for operation in found.operations)


@pytest.mark.parametrize("name", starters())
def test_it_fits_a_screen_and_begins_with_what_it_is(name: str) -> None:
    lines = starter(name).splitlines()
    assert lines[0].startswith("# ")
    assert len(lines) <= 52
    assert max(map(len, lines)) <= 115


@pytest.mark.parametrize("name", starters())
def test_it_has_a_dossier(name: str) -> None:
    assert {chapter.name for chapter in dossier(read(starter(name), "s.yaml")).chapters} >= {
        "architecture",
        "capacity",
        "assumptions",
        "questions",
    }


def test_an_unknown_name_is_no_starter() -> None:
    with pytest.raises(LookupError):
        starter("../payments")
