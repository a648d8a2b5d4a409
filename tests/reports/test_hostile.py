"""A repository can hold anything, its names too; no report may carry it out raw."""

import json as reader
from collections.abc import Callable
from functools import partial
from html import unescape
from pathlib import Path

import pytest

from mainstay.budgets import STANDARD
from mainstay.model.finding import Answers, Confidence, Finding, Hop, Severity
from mainstay.model.location import Location
from mainstay.model.review import Notice, Result, Review, Standing
from mainstay.model.system import (
    Bound,
    Datastore,
    Deadline,
    Dependency,
    Gap,
    Guard,
    Job,
    Operation,
    System,
)
from mainstay.reports import formats, html, json, map_json, map_text, sarif, text
from tests.reports import fake

BAD = (
    "a\x1b[2J\x07\r\x9b1m\u202e\u2066\u200b\u2028\x7f\udcff\n"
    "</script><script>alert(1)</script>\"'`{{7*7}}[x](y:z)"
)


def hostile(root: Path) -> Review:
    """A review in which every text is BAD."""
    here = Location(BAD, 1, 1)
    finding = Finding(
        rule="query-per-row",
        message=BAD,
        location=here,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        answers=Answers(BAD, BAD, BAD, BAD, BAD),
        clears=BAD,
        path=(Hop(here, BAD), Hop(Location("a.py", 1), BAD)),
        siblings=(here,),
        subject=BAD,
    )
    near = Finding(
        "query-per-row", BAD, Location("a.py", 1), *(Severity.LOW, Confidence.LOW), finding.answers, BAD
    )
    function = fake.function(BAD, here)
    whole = System(
        files=(),
        functions={BAD: function},
        sources=(function,),
        classes={},
        operations=(Operation(BAD, BAD, BAD, here, BAD, BAD, (Guard(BAD, here, False, why=BAD),), (BAD,)),),
        jobs=(Job(BAD, BAD, BAD, here),),
        dependencies=(
            Dependency(BAD, BAD, here, Deadline(Bound.UNBOUNDED, None, BAD, here, BAD), True, True),
        ),
        datastores=(Datastore(BAD, (BAD,), here),),
        flows=(),
        gaps=(Gap(here, BAD),),
    )
    (root / "a.py").write_text(
        f"x = '{BAD.encode('utf-8', 'replace').decode()}'\n", encoding="utf-8", newline=""
    )
    results = (
        Result(finding, BAD, Standing.OPEN),
        Result(near, BAD, Standing.PREVIEW),
        Result(finding, BAD, Standing.SUPPRESSED, BAD),
        Result(finding, BAD, Standing.BASELINED),
    )
    name = ("query-per-row",)
    return Review(
        str(root),
        whole,
        results,
        (Notice(BAD, here),),
        1,
        1,
        name,
        Severity.LOW,
        Confidence.LOW,
        STANDARD,
        0.0,
    )


def printed_as(name: str, review: Review) -> str:
    return formats()[name].render(review, fake.RULES)


PRINTED: dict[str, Callable[[Review], str]] = {
    **{name: partial(printed_as, name) for name in formats()},
    "map as text": lambda review: map_text.render(review.system, STANDARD),
    "map as json": lambda review: map_json.render(review.system, STANDARD),
}


@pytest.mark.parametrize("form", PRINTED)
def test_every_character_prints(tmp_path: Path, form: str) -> None:
    page = PRINTED[form](hostile(tmp_path))
    raw = {character for character in page if not character.isprintable()}
    assert raw <= {"\n"}
    page.encode("utf-8")


def test_the_page_runs_nothing(tmp_path: Path) -> None:
    page = html.render(hostile(tmp_path), fake.RULES)
    assert "<script" not in page
    assert "{{7*7}}" in unescape(page)
    assert "style=" not in page


def test_json_keeps_every_character_that_json_can_hold(tmp_path: Path) -> None:
    found = reader.loads(json.render(hostile(tmp_path), fake.RULES))["findings"][0]
    assert found["message"] == BAD.replace("\udcff", "\\udcff")


def test_sarif_makes_no_link_of_a_name(tmp_path: Path) -> None:
    run = reader.loads(sarif.render(hostile(tmp_path), fake.RULES))["runs"][0]
    assert "](" not in run["results"][0]["message"]["text"].replace("\\]", "")
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.startswith("a%1B%5B2J%07%0D")
    assert "%FF" in uri


def test_text_shows_what_is_hidden(tmp_path: Path) -> None:
    page = text.render(hostile(tmp_path), fake.RULES, colour=True)
    assert r"a\x1b[2J\x07\x0d\x9b1m\u202e\u2066\u200b\u2028\x7f\udcff" in page
