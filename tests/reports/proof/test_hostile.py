"""A service can answer and log anything; no report may carry it out raw."""

from html import unescape
from xml.etree import ElementTree

import pytest

from mainstay.ready import gates
from mainstay.reports.proof import formats
from tests.reports.proof import fake


@pytest.mark.parametrize("name", formats())
def test_every_character_prints(name: str) -> None:
    proof = fake.hostile()
    page = formats()[name].render(proof, families={fake.BAD: fake.BAD}, gates=gates(None, proof))
    assert {character for character in page if not character.isprintable()} <= {"\n"}
    page.encode("utf-8")


def test_the_formats_are_these() -> None:
    endings = {name: form.ENDING for name, form in formats().items()}
    assert endings == {"html": ".html", "json": ".json", "junit": ".xml", "markdown": ".md", "text": ".txt"}


def test_the_page_runs_nothing() -> None:
    page = formats()["html"].render(fake.hostile())
    assert "<script" not in page
    assert "{{7*7}}" in unescape(page)


def test_xml_stays_well_formed() -> None:
    root = ElementTree.fromstring(formats()["junit"].render(fake.hostile()))
    messages = [found.get("message") or "" for found in root.iter("failure")]
    assert any("</script><script>alert(1)</script>]]>" in message for message in messages)
