"""The page: whole, self-contained, and in order."""

import re
from base64 import b64encode
from hashlib import sha256

import msgspec
import pytest

from mainstay.budgets import STANDARD
from mainstay.model.proof import Band, Proof, Verdict, Window
from mainstay.reports.proof import html
from mainstay.rules.failure.call_without_deadline import CallWithoutDeadline
from tests.reports.proof import fake
from tests.reports.test_html import Page


@pytest.fixture
def text() -> str:
    return html.render(fake.proof(), families=fake.FAMILIES, gates=fake.GATES)


def article(text: str, experiment: str) -> str:
    parts = re.findall(r"<article.*?</article>", text, flags=re.DOTALL)
    return next(str(part) for part in parts if f'<span class="name">{experiment}</span>' in part)


def test_elements_nest_and_links_lead_somewhere(text: str) -> None:
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert len(page.links) > 10


def test_it_loads_and_runs_nothing(text: str) -> None:
    page = Page(text)
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "object", "form"})
    assert page.attributes.isdisjoint({"src", "style", "onload", "onclick", "xlink:href"})
    style = re.search(r"<style>(.*?)</style>", text, flags=re.DOTALL)
    assert style is not None
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in text.replace("&#39;", "'")
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_the_same_proof_gives_the_same_bytes(text: str) -> None:
    assert text == html.render(fake.proof(), families=fake.FAMILIES, gates=fake.GATES)


def test_the_verdict_and_the_gates_are_on_top(text: str) -> None:
    headline, gates, experiments = (
        text.index('<h1 class="void">Void: 1 of 7 experiments'),
        text.index('id="gates"'),
        text.index('id="experiments"'),
    )
    assert headline < gates < experiments
    assert "database-paused: the fault outlives its cause." in text


def test_the_experiments_stand_worst_first(text: str) -> None:
    names = re.findall(r'<article class="experiment (\w+)" id="experiment-(\d+)"', text)
    assert [verdict for verdict, _ in names] == [
        "void", "failed", "failed", "inconclusive", "passed", "passed", "passed"
    ]  # fmt: skip
    assert [int(number) for _, number in names] == list(range(1, 8))


def test_a_failure_has_everything_that_is_known_of_it(text: str) -> None:
    paused = article(text, "database-paused")
    for held in (
        "outlives its cause",
        '<text class="label"',
        "the database is paused",
        "budget 200 ms",
        "POST /orders at 14.2 s: timed out after 10 s",
        "refused but applied",
        "QueuePool limit of size 5 overflow 10 reached",
        "web-1, 14.4 s after it began",
        CallWithoutDeadline.paragraphs()[0],
        "<code>mainstay explain call-without-deadline</code>",
        "Half of the load came on fresh connections.",
    ):
        assert held in paused, held


@pytest.mark.parametrize("origin", ["measured", "derived: 5 s + 31 s", "assumed", "open question"])
def test_each_figure_is_marked_with_its_origin(text: str, origin: str) -> None:
    assert f'<span class="origin">{origin}</span>' in article(text, "database-paused")


def test_what_nobody_measured_stands_out(text: str) -> None:
    paused = article(text, "database-paused")
    assert len(re.findall(r'class="unsettled"', paused)) == 2


def test_a_curve_is_drawn_and_a_map_is_a_table(text: str) -> None:
    assert 'class="chart curve"' in article(text, "knee")
    assert "It held up to 210/s, and no longer at 240/s." in article(text, "knee")
    grid = article(text, "metastability")
    assert grid.count('class="held"') == 11
    assert grid.count('class="lost"') == 5


def test_what_passed_is_folded(text: str) -> None:
    assert "<details>" in article(text, "steady")
    assert "<details>" not in article(text, "database-paused")


def test_what_was_left_out_and_assumed_is_listed(text: str) -> None:
    assert "waived by the project: one instance by design" in text
    assert "A stall of the database happens once a month." in text


def test_loosened_budgets_are_shown_beside_the_standard_ones() -> None:
    budgets = msgspec.structs.replace(STANDARD, p95=0.5)
    text = html.render(fake.proof(budgets=budgets))
    assert "Budgets of this project: p95 500 ms (standard: 200 ms)." in text
    assert '<td class="number differs">500 ms</td><td class="number">200 ms</td>' in text


@pytest.mark.parametrize(
    "proof",
    [
        msgspec.structs.replace(fake.proof(), measurements=(), verdict=Verdict.INCONCLUSIVE),
        fake.proof(fake.VOID, skipped=(), assumptions=()),
        fake.proof(msgspec.structs.replace(fake.VOID, windows=(Window(0, 2, 0, 0, None, None, None),))),
        fake.proof(msgspec.structs.replace(fake.SLOWED, bands=(Band("late", 90.0, 9e9),))),
        fake.hostile(),
    ],
    ids=["nothing measured", "void", "nothing due", "a band without end", "hostile"],
)
def test_unusual_proofs_make_whole_pages(proof: Proof) -> None:
    page = Page(html.render(proof))
    assert "nan" not in " ".join(page.ids)


def test_no_number_of_a_drawing_is_out_of_bounds(text: str) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert not re.search(r'="[^"]*(?:nan|inf)\b', re.sub(r'aria-label="[^"]*"', "", drawings))
    assert not re.search(r'(?:width|height)="-', drawings)
