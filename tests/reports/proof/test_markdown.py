"""What stands in a pull request."""

import re

import msgspec
import pytest
from markdown_it import MarkdownIt

from mainstay.reports.proof import markdown
from tests.reports.proof import fake


@pytest.fixture
def page() -> str:
    return markdown.render(fake.proof(), families=fake.FAMILIES, gates=fake.GATES)


def shown(page: str) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(page))


def test_it_begins_with_the_verdict(page: str) -> None:
    assert page.startswith("### Void: 1 of 7 experiments was void by our own fault")


def test_the_table_has_every_experiment_worst_first(page: str) -> None:
    rows = re.findall(r"(?m)^\| (\w+) \| `([\w-]+)`", page)
    assert rows == [
        ("void", "two-versions"),
        ("failed", "idempotent-retry"),
        ("failed", "database-paused"),
        ("inconclusive", "database-slowed"),
        ("passed", "steady"),
        ("passed", "knee"),
        ("passed", "metastability"),
    ]


def test_a_failure_is_told_with_its_claims(page: str) -> None:
    assert "- **failed** `recovers-in-time`: Requests still failed 31 s after" in page
    assert "  - +9 more\n" in page
    assert "- Ledger: 900 writes" in page
    assert "`call-without-deadline`" in page


def test_what_passed_is_in_the_table_only(page: str) -> None:
    assert "#### passed" not in page
    assert "no-acknowledged-write-lost" not in page


def test_gates_are_one_line(page: str) -> None:
    assert "Error handling failed, Documentation inconclusive." in page


def test_it_is_rendered_as_a_table_and_headings(page: str) -> None:
    html = shown(page)
    assert html.count("<tr>") == 8
    assert html.count("<h4>") == 4


@pytest.mark.parametrize(
    "text", ["ask @admin", "see #12", "https://a.example/x", "a|b", "**bold** _it_", "<img src=x>", "`x` ``y"]
)
def test_text_of_the_service_stays_text(text: str) -> None:
    hostile = msgspec.structs.replace(fake.RETRIED, hypothesis=text, notes=(text,))
    claim = msgspec.structs.replace(fake.RETRIED.claims[0], said=text, evidence=(text,))
    html = shown(markdown.render(fake.proof(msgspec.structs.replace(hostile, claims=(claim,)))))
    plain = re.sub(r"<(code|/code)>", "", html)
    assert not re.search(r"<(img|em|a)\b", html)
    assert "<strong>bold" not in html
    outside = re.sub(r"<code>.*?</code>", "", html, flags=re.DOTALL)
    assert not re.search(r"@\w|#\d|://", outside)
    said = re.sub(r"&lt;", "<", re.sub(r"&gt;", ">", re.sub(r"&quot;", '"', plain)))
    assert said.count(text) >= 2


def test_a_long_proof_stays_below_what_hosts_take() -> None:
    many = tuple(msgspec.structs.replace(fake.PAUSED, experiment=f"fault-{n}") for n in range(200))
    page = markdown.render(fake.proof(*many))
    assert len(page) < 60_000
    assert "+140 more" in page
    assert "188 more experiments did not pass." in page
