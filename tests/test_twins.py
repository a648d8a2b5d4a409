"""The two payment services: the reviewer finds what is wrong with one, and nothing in the other."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mainstay.configuration import Configuration
from mainstay.model.review import Result
from mainstay.review import Reach, review
from mainstay.rules.catalogue import all_rules
from mainstay.sources.cache import Cache

ROOT = Path(__file__).resolve().parent.parent
FLAWED, SOUND = ROOT / "examples" / "payments_flawed", ROOT / "examples" / "payments"
FLAWS: list[dict[str, Any]] = tomllib.loads((FLAWED / "flaws.toml").read_text())["flaw"]
SPOKEN_FOR = [flaw for flaw in FLAWS if "rule" in flaw]


def results(folder: Path) -> tuple[Result, ...]:
    return review(Reach((folder,), jobs=2, cache=Cache(None)), Configuration()).review.results


@pytest.fixture(scope="module")
def found() -> set[tuple[str, str, int]]:
    """Rule, file and line of every finding in the flawed service, siblings included."""
    places = set()
    for result in results(FLAWED):
        finding = result.finding
        for location in (finding.location, *finding.siblings):
            places.add((finding.rule, location.path, location.line))
    return places


def test_the_list_is_as_long_as_it_was_meant_to_be() -> None:
    assert len(FLAWS) >= 25
    assert sum(bool(flaw["crosses"]) for flaw in FLAWS) >= 15
    assert len(SPOKEN_FOR) >= 15
    assert len({flaw["id"] for flaw in FLAWS}) == len(FLAWS)


@pytest.mark.parametrize("flaw", FLAWS, ids=[flaw["id"] for flaw in FLAWS])
def test_each_flaw_stands_where_the_list_says(flaw: dict[str, Any]) -> None:
    lines = (FLAWED / flaw["file"]).read_text().splitlines()
    assert lines[flaw["line"] - 1] == flaw["text"]


@pytest.mark.parametrize("flaw", SPOKEN_FOR, ids=[flaw["id"] for flaw in SPOKEN_FOR])
def test_each_flaw_that_a_rule_speaks_for_is_found_at_its_line(
    flaw: dict[str, Any], found: set[tuple[str, str, int]]
) -> None:
    assert flaw["rule"] in {rule.name() for rule in all_rules()}
    assert (flaw["rule"], flaw["file"], flaw["line"]) in found


def test_the_sound_service_is_clean() -> None:
    assert [(r.finding.rule, str(r.finding.location)) for r in results(SOUND)] == []


def test_neither_service_quiets_the_reviewer() -> None:
    for folder in (FLAWED, SOUND):
        texts = [path.read_text() for path in folder.rglob("*.py")]
        assert not any("mainstay:" in text for text in texts)
        for file in folder.rglob("mainstay.toml"):
            assert tomllib.loads(file.read_text()).keys() == {"prove"}
        assert "tool.mainstay" not in (folder / "pyproject.toml").read_text()
