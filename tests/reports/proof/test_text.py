"""What a person reads at the terminal once the proof is done."""

import re

import msgspec
import pytest

from mainstay.budgets import STANDARD
from mainstay.model.proof import LogExcerpt, Skipped, Subject, Verdict
from mainstay.reports.proof import text
from tests.reports.proof import fake

PAGE = """\
Failed: 1 of 2 experiments failed.

FAILED (1)

idempotent-retry  integrity, 1 claim, 8 s
  A write that is sent twice with one key is applied once.
  failed  applied-once  integrity
            6 of 40 writes with the same key were applied twice.

PASSED (1)
  steady  3,600 requests, none failed, 2 claims, 60 s

LEFT OUT (1)
  disk-full: user namespaces are not allowed (does not apply)

ASSUMED (1)
  A stall of the database happens once a month.

  total     2 experiments (1 failed, 1 passed), 1 left out, 3 claims, 3,600
            requests
  run       orders: profile quick, began 2026-11-23T17:00:00Z, took 2 min 52 s,
            with Mainstay 0.2.0
  machine   Linux 6.1, 2 cores, load 0.4 when it began, Python 3.11.2,
            PostgreSQL 16.4
"""


@pytest.fixture
def page() -> str:
    return text.render(fake.proof(), families=fake.FAMILIES)


def test_the_page_is_this() -> None:
    left_out = Skipped("disk-full", "user namespaces are not allowed", applies=False)
    proof = fake.proof(fake.STEADY, fake.RETRIED, skipped=(left_out,))
    assert text.render(proof, families=fake.FAMILIES) == PAGE


def test_the_verdict_comes_first_and_the_worst_next(page: str) -> None:
    lines = page.splitlines()
    assert lines[0].startswith("Void: 1 of 7 experiments was void by our own fault (besides 2 failed")
    headings = [line for line in lines if re.fullmatch(r"[A-Z ]+ \(\d+\)", line)]
    assert headings == [
        "VOID (1)",
        "FAILED (2)",
        "INCONCLUSIVE (1)",
        "PASSED (3)",
        "LEFT OUT (3)",
        "ASSUMED (1)",
    ]


def test_lost_data_comes_before_slow_recovery(page: str) -> None:
    assert page.index("\nidempotent-retry") < page.index("\ndatabase-paused")


def test_each_figure_says_where_it_comes_from(page: str) -> None:
    flat = " ".join(page.split())
    assert "failed 80 % (measured), longest timeout 30 s (assumed), outage 36 s (derived: 5 s + 31 s)" in flat
    assert "pool size of the replicas unknown (open question)" in flat


def test_what_shows_it_is_quoted_and_the_rest_counted(page: str) -> None:
    assert "  evidence  POST /orders at 14.2 s: timed out after 10 s\n" in page
    assert "            +7 more\n" in page


def test_the_ledger_the_faults_and_the_log_stand_with_the_failure(page: str) -> None:
    assert "the database is paused: 10.0 s to 15.0 s" in page
    assert "0 lost, 6 doubled" in " ".join(page.split())
    assert "            | ERROR QueuePool limit of size 5 overflow 10 reached\n" in page


def test_rules_that_explain_it_are_named(page: str) -> None:
    assert "`call-without-deadline`" in page


def test_an_undecided_claim_says_what_is_missing(page: str) -> None:
    assert "  inconclusive  errors-within-budget  errors\n" in page
    assert "2,100 more would settle it." in " ".join(page.split())


def test_a_claim_that_only_a_loosened_budget_lets_pass_is_told() -> None:
    loose = fake.claim("p95-within-budget", Subject.LATENCY, Verdict.PASSED, standard=Verdict.FAILED)
    measurement = msgspec.structs.replace(fake.STEADY, claims=(loose,))
    budgets = msgspec.structs.replace(STANDARD, p95=0.5)
    flat = " ".join(text.render(fake.proof(measurement, budgets=budgets)).split())
    assert "Budgets of this project: p95 500 ms (standard: 200 ms)." in flat
    assert "Against the standard budgets, 1 claim would end differently." in flat
    assert "p95-within-budget, against the standard budget: failed" in flat


def test_gates_are_listed_when_there_are_some() -> None:
    page = text.render(fake.proof(), gates=fake.GATES)
    assert "  failed        Error handling\n  inconclusive  Documentation\n" in page


def test_many_logs_are_counted() -> None:
    logs = tuple(LogExcerpt("web", float(n), (f"line {n}",)) for n in range(9))
    page = text.render(fake.proof(msgspec.structs.replace(fake.PAUSED, logs=logs)))
    assert "+7 more places of the logs" in page


def test_nothing_measured_is_not_passed() -> None:
    proof = msgspec.structs.replace(fake.proof(), measurements=(), verdict=Verdict.INCONCLUSIVE)
    assert text.render(proof).startswith("Inconclusive: nothing was measured.\n")


@pytest.mark.parametrize("width", [40, 80, 100])
def test_no_line_is_wider_than_asked_for(width: int) -> None:
    page = text.render(fake.proof(), families=fake.FAMILIES, gates=fake.GATES, width=width)
    wide = [line for line in page.splitlines() if len(line) > width]
    assert [line for line in wide if "  " not in line.strip()] == []


def test_colour_adds_colour_and_nothing_else(page: str) -> None:
    coloured = text.render(fake.proof(), families=fake.FAMILIES, colour=True)
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == page
