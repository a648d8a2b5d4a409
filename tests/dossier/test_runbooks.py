"""The runbook as a page."""

import re

import pytest

from mainstay.dossier.runbooks import chapter, page
from mainstay.model.dossier import Artefact, Grid
from mainstay.plan.alerts import alerts
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def _page(text: str) -> str:
    return page(read(text, "spec.yaml"))


def _section(text: str, title: str) -> str:
    return _page(text).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("text", [PAYMENTS, BOOKINGS])
def test_the_address_of_every_alert_is_a_heading(text: str) -> None:
    headings = [line.removeprefix("## ") for line in _page(text).splitlines() if line.startswith("## ")]
    addresses = {f"RUNBOOK.md#{heading.lower().replace(' ', '-')}" for heading in headings}
    assert {alert.runbook for alert in alerts(read(text, "spec.yaml"))} <= addresses


@pytest.mark.parametrize("text", [PAYMENTS, BOOKINGS])
def test_every_section_tells_how_it_shows_what_to_look_at_what_to_do_and_when_it_is_over(text: str) -> None:
    for title in re.findall(r"^## (.*)$", _page(text), re.MULTILINE):
        section = _section(text, title)
        for said in ("How it shows:", "What to look at:", "What to do:", "It is over ", ", call "):
            assert said in section, title


def test_a_failing_need_is_over_when_nothing_waits_any_more() -> None:
    section = _section(PAYMENTS, "processor is down")
    assert "then all that was owed is settled" in section
    assert "dead_at is not null" in section


def test_commands_stand_in_fences_that_are_closed() -> None:
    for text in (PAYMENTS, BOOKINGS):
        fences = [line for line in _page(text).splitlines() if line.strip().startswith("```")]
        assert len(fences) % 2 == 0
        assert {fence.strip() for fence in fences[1::2]} == {"```"}


def test_only_a_service_with_keys_says_that_repeats_are_safe() -> None:
    assert "nothing doubles" in _page(PAYMENTS)
    assert "nothing doubles" not in _page(BOOKINGS.replace(", critical: true", ""))


def test_the_chapter_has_the_page_and_a_line_for_each_section() -> None:
    found = chapter(read(PAYMENTS, "spec.yaml"))
    artefact = next(part for part in found.parts if isinstance(part, Artefact))
    assert (artefact.path, artefact.text) == ("RUNBOOK.md", _page(PAYMENTS))
    grid = next(part for part in found.parts if isinstance(part, Grid))
    assert len(grid.rows) == artefact.text.count("\n## ")
    assert all(row.sum for row in grid.rows)
