"""The page: whole, self-contained, and in order."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from mainstay.model.review import Review
from mainstay.reports import html
from tests.reports import fake

VOID = {"meta", "input", "link", "br", "hr", "img"}


class Page(HTMLParser):
    """Checks that elements nest, and gathers ids, links and headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return fake.review(fake.plant(tmp_path))


@pytest.fixture
def text(review: Review) -> str:
    return html.render(review, fake.RULES)


def test_elements_nest_and_links_lead_somewhere(text: str) -> None:
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_nothing_is_loaded_run_or_sent(text: str) -> None:
    page = Page(text)
    assert page.tags.isdisjoint({"script", "img", "iframe", "object", "embed", "link", "form", "base"})
    assert page.attributes.isdisjoint({"src", "style", "action"})
    assert not [name for name in page.attributes if name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    assert "://" not in text


def test_the_policy_allows_the_one_style_sheet(text: str) -> None:
    found = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert found
    digest = b64encode(sha256(found[1].encode()).digest()).decode()
    policy = f"default-src &#39;none&#39;; style-src &#39;sha256-{digest}&#39;"
    assert f'http-equiv="Content-Security-Policy" content="{policy}' in text


def test_the_verdict_comes_first_and_the_worst_finding_next(text: str) -> None:
    assert '<h1 class="failed">Failed: 5 of 6 findings are high or worse.</h1>' in text
    titles = re.findall(r'<h3 id="finding-\d+-title">(.*?)</h3>', text)
    assert titles[0] == (
        "query parameter <code>sort</code> of GET /orders "
        "reaches the SQL statement of <code>search.ordered</code>"
    )
    assert len(titles) == 7


def test_the_line_is_marked_in_its_context(text: str) -> None:
    assert (
        '<span class="row"><span class="no">12</span>    amount = order.amount * rate(order.currency)\n'
        "</span>"
        '<mark class="row"><span class="no">13</span>    answer = requests.post(\n</mark>'
    ) in text


def test_the_contents_count_rules_by_analysis(text: str) -> None:
    contents = re.sub(r"<[^>]+>|\s+", " ", text.partition("<nav")[2].partition("</nav>")[0])
    assert "failure 3 call-without-deadline 3 monitoring 1" in re.sub(r" +", " ", contents)


def test_what_was_set_aside_is_listed_with_its_reason(text: str) -> None:
    assert "the night job ends it after a minute" in text
    assert "Known before: 1 finding in the baseline" in text
    assert "the text from here on is no Python" in text


def test_rules_that_found_something_are_explained(text: str) -> None:
    assert '<div id="rule-call-without-deadline">' in text
    assert "return requests.get(f&#34;{BASE}/{currency}&#34;).json()[&#34;rate&#34;]\n</mark>" in text


def test_nothing_found_and_nothing_read(tmp_path: Path) -> None:
    passed = html.render(fake.empty(tmp_path, files=2), ())
    assert '<h1 class="passed">Passed: nothing found in 2 files.</h1>' in passed
    assert "<p>None.</p>" in passed
    assert '<h1 class="inconclusive">' in html.render(fake.empty(tmp_path), ())
    Page(passed)


def test_more_findings_than_anyone_reads_get_a_line_each(tmp_path: Path) -> None:
    one = fake.results()[3]
    many = tuple(msgspec.structs.replace(one, fingerprint=str(n)) for n in range(html.CARDS + 5))
    text = html.render(fake.review(tmp_path, found=many), fake.RULES)
    assert text.count("<article") == html.CARDS
    assert "And 5 more findings, in short" in text
    assert f'id="finding-{html.CARDS + 5}"' in text
    Page(text)
