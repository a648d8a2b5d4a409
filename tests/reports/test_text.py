"""What a person reads at the terminal."""

import re
from pathlib import Path

import msgspec
import pytest

from mainstay.budgets import STANDARD
from mainstay.model.finding import Severity
from mainstay.model.review import Review, Standing
from mainstay.reports import formats, text
from mainstay.reports.terminal import NARROWEST, WIDEST
from tests.reports import fake

PAGE = """\
CRITICAL (1)

shop/search.py:6
  critical  request-data-in-sql  security, high confidence
  query parameter `sort` of GET /orders reaches the SQL statement of
  `search.ordered`
     6 | return db.execute(text(statement)).all()
  fails     A requester can end the statement and begin one of their own: every
            row that the service may read or write is theirs.
  notices   Nobody, until the data turns up elsewhere.
  recovers  It does not: what was read cannot be taken back, what was written
            needs a backup.
  change    Pass the value as a bound parameter; choose names of columns from a
            fixed set.
  costs     A bound parameter costs nothing; a fixed set of columns, a few
            lines.
  path      shop/routes/orders.py:19  query parameter `sort` of GET /orders
              shop/routes/orders.py:20  calls shop.search.ordered
                shop/search.py:6  Session.execute: read orders
  clears    `sort` is looked up in a fixed set of columns before it is formatted

HIGH (3)

shop/payments.py:13
  high  call-without-deadline  failure, high confidence
  `requests.post` waits for the processor without a deadline
    13 | answer = requests.post(
  fails     When the other side accepts the connection and then says nothing,
            the caller waits for ever. Each such request keeps one worker; once
            all are kept, the service answers nobody.
  notices   Users, by requests that never end; nothing is logged, because
            nothing fails.
  recovers  Not by itself: workers come back only with a restart.
  change    Give the call a timeout that is shorter than the patience of whoever
            waits for this service.
  costs     One argument; and a decision what to answer when time is up.
  path      shop/routes/orders.py:14  calls shop.payments.charge
              shop/payments.py:13  requests.post: call-out processor
  also at   shop/extra1.py:7, shop/extra2.py:14, shop/extra3.py:21,
            shop/extra4.py:28, shop/extra5.py:35, +2
  clears    a timeout is given to the call

shop/rates.py:5
  high  call-without-deadline  failure, high confidence
  `requests.get` waits for the rates without a deadline
     5 | return requests.get(f"{RATES}/{currency}").json()["rate"]
  as above  fails, notices, recovers, change, costs: see shop/payments.py:13
  clears    a timeout is given to the call

shop/mail.py:6
  high  call-without-deadline  failure, medium confidence
  `smtplib.SMTP` waits for the mail server without a deadline
     6 | with smtplib.SMTP(HOST) as server:
  change    Set `timeout=` where the connection is made; 10 s is plenty for a
            mail server nearby.
  as above  fails, notices, recovers, costs: see shop/payments.py:13
  clears    a timeout is given to the call

Preview: new rules, which cannot fail a review yet

LOW (1)

shop/routes/orders.py:21
  low  query-per-row  performance, high confidence
  GET /orders asks for the customer of each order by itself
    21 | return [view(order, customers.of(db, order)) for order in found]
  fails     A page of 200 orders takes 201 round trips; at 1 ms each the budget
            for latency is spent.
  notices   Users with many rows, by slow pages; no error says why.
  recovers  It does not; it grows with the data.
  change    Load the related rows with the first query, or all of them with a
            second.
  costs     A little memory for the rows loaded together.
  clears    the customers are loaded in one query

Failed: all 4 findings are high or worse.
1 place could not be read, so nothing is known there.

  findings  1 critical, 3 high, 0 medium, 0 low; besides 1 suppressed, 1
            baselined, 1 in preview
  read      8 files, 1,204 lines, with 5 rules of Mainstay 0.1.0
  not read  shop/legacy.py:12: the text from here on is no Python
  notice    shop/auth.py:3: this suppression suppresses nothing
  more      mainstay explain request-data-in-sql
"""


@pytest.fixture
def review(tmp_path: Path) -> Review:
    """Four open findings and one of each other standing."""
    left_out = ("external-call-in-transaction", "exception-swallowed")
    found = tuple(
        r for r in fake.results() if r.standing is not Standing.OPEN or r.finding.rule not in left_out
    )
    return fake.review(fake.plant(tmp_path), found=found)


def test_the_whole_page(review: Review) -> None:
    assert text.render(review, fake.RULES) == PAGE


def test_colour_changes_nothing_but_colour(review: Review) -> None:
    coloured = text.render(review, fake.RULES, colour=True)
    assert "\x1b[1;31mhigh\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == PAGE


@pytest.mark.parametrize(("asked", "given"), [(60, 60), (80, 80), (100, 100), (500, WIDEST)])
def test_lines_keep_to_the_width(review: Review, asked: int, given: int) -> None:
    lines = text.render(review, fake.RULES, width=asked).splitlines()
    assert max(map(len, lines)) <= given


def test_on_a_narrow_terminal_words_stay_whole(review: Review) -> None:
    page = text.render(review, fake.RULES, width=10)
    assert page == text.render(review, fake.RULES, width=NARROWEST)
    assert "shop/routes/orders.py:20" in page


def test_findings_are_whole_without_the_source(tmp_path: Path) -> None:
    page = text.render(fake.review(tmp_path / "gone"), fake.RULES)
    assert " | " not in page
    assert "  clears    the customers are loaded in one query" in page


def test_a_rule_nobody_knows_is_shown_too(review: Review) -> None:
    page = text.render(review, ())
    assert "  critical  request-data-in-sql  high confidence\n" in page


def test_nothing_found(tmp_path: Path) -> None:
    assert text.render(fake.empty(tmp_path, files=3), ()) == (
        "Passed: nothing found in 3 files.\n"
        "\n"
        "  findings  0 critical, 0 high, 0 medium, 0 low\n"
        "  read      3 files, 120 lines, with 0 rules of Mainstay 0.1.0\n"
    )


def test_nothing_read(tmp_path: Path) -> None:
    first = text.render(fake.empty(tmp_path), ()).splitlines()[0]
    assert first == "Inconclusive: there was nothing to read."


@pytest.mark.parametrize(
    ("threshold", "sentence"),
    [
        (Severity.CRITICAL, "Failed: 1 of 6 findings is critical."),
        (Severity.HIGH, "Failed: 5 of 6 findings are high or worse."),
        (Severity.MEDIUM, "Failed: all 6 findings are medium or worse."),
        (Severity.LOW, "Failed: 6 findings."),
    ],
)
def test_the_verdict_names_the_threshold(tmp_path: Path, threshold: Severity, sentence: str) -> None:
    review = msgspec.structs.replace(fake.review(tmp_path), threshold=threshold)
    assert sentence in text.render(review, fake.RULES).splitlines()


def test_passing_with_findings_says_that_there_are_some(tmp_path: Path) -> None:
    medium = tuple(r for r in fake.results() if r.finding.severity is Severity.MEDIUM)
    page = text.render(fake.review(tmp_path, found=medium), fake.RULES)
    assert "Passed: 1 finding, none high or worse." in page.splitlines()


@pytest.mark.parametrize("name", ["text", "html"])
def test_budgets_that_are_not_the_standard_ones_are_said(tmp_path: Path, name: str) -> None:
    loose = msgspec.structs.replace(STANDARD, p95=0.5, availability=0.99)
    page = " ".join(
        formats()[name]
        .render(msgspec.structs.replace(fake.review(tmp_path), budgets=loose), fake.RULES)
        .split()
    )
    assert "availability 99 % (standard: 99.9 %), p95 500 ms (standard: 200 ms)" in page
    same = formats()[name].render(fake.review(tmp_path), fake.RULES)
    assert "standard:" not in same
