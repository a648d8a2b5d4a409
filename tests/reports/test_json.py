"""JSON for programs."""

import json as reader
from pathlib import Path

import pytest

from mainstay.reports import formats, json
from tests.reports import fake


def test_the_parts_beside_the_findings(tmp_path: Path) -> None:
    page = reader.loads(json.render(fake.review(tmp_path), fake.RULES))
    findings, rules = page.pop("findings"), page.pop("rules")
    assert len(findings) == 9
    assert [rule["name"] for rule in rules] == sorted(rule.name() for rule in fake.RULES)
    assert page == {
        "mainstay": 1,
        "version": "0.1.0",
        "outcome": "failed",
        "verdict": "Failed: 5 of 6 findings are high or worse.",
        "summary": {
            "open": {"critical": 1, "high": 4, "medium": 1, "low": 0},
            "failing": 5,
            "suppressed": 1,
            "baselined": 1,
            "preview": 1,
            "files": 8,
            "lines": 1204,
        },
        "thresholds": {"severity": "high", "confidence": "medium"},
        "budgets": {"availability": 0.999, "errors": 0.001, "p95": 0.2, "recovery": 300.0},
        "gaps": [
            {
                "location": {"path": "shop/legacy.py", "line": 12, "column": 1},
                "why": "the text from here on is no Python",
            }
        ],
        "notices": [
            {
                "message": "this suppression suppresses nothing",
                "location": {"path": "shop/auth.py", "line": 3, "column": 1},
            }
        ],
        "map": {
            "operations": 3,
            "unguarded": 1,
            "jobs": 1,
            "calls": 3,
            "unbounded": 1,
            "stores": 1,
            "tables": 3,
        },
    }


def test_a_finding_has_all_its_fields(tmp_path: Path) -> None:
    suppressed = reader.loads(json.render(fake.review(tmp_path), fake.RULES))["findings"][7]
    assert suppressed == {
        "rule": "call-without-deadline",
        "analysis": "failure",
        "message": "`requests.post` waits for the refund without a deadline",
        "subject": "shop.payments.refund",
        "location": {"path": "shop/payments.py", "line": 21, "column": 14, "end_line": 21, "end_column": 53},
        "severity": "high",
        "confidence": "high",
        "standing": "suppressed",
        "reason": "the night job ends it after a minute",
        "fingerprint": "00000000000000aa",
        "fails": fake.CallWithoutDeadline.paragraphs()[1],
        "notices": fake.CallWithoutDeadline.notices,
        "recovers": fake.CallWithoutDeadline.recovers,
        "change": fake.CallWithoutDeadline.paragraphs()[-1],
        "costs": fake.CallWithoutDeadline.costs,
        "clears": "a timeout is given to the call",
        "path": [],
        "siblings": [],
    }


def test_ways_and_siblings_are_in_it(tmp_path: Path) -> None:
    found = reader.loads(json.render(fake.review(tmp_path), fake.RULES))["findings"]
    assert [hop["what"] for hop in found[0]["path"]] == [
        "query parameter `sort` of GET /orders",
        "calls shop.search.ordered",
        "Session.execute: read orders",
    ]
    assert len(found[2]["siblings"]) == 7


def test_an_empty_review(tmp_path: Path) -> None:
    page = reader.loads(json.render(fake.empty(tmp_path), ()))
    assert (page["outcome"], page["findings"], page["rules"]) == ("inconclusive", [], [])


@pytest.mark.parametrize("name", sorted(formats()))
def test_the_same_review_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    root = fake.plant(tmp_path / "shop")
    pages = {formats()[name].render(fake.review(root), fake.RULES) for _ in range(3)}
    assert len(pages) == 1
    assert str(tmp_path) not in pages.pop()


def test_the_formats() -> None:
    assert list(formats()) == ["html", "json", "sarif", "text"]
