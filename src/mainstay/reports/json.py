"""JSON: everything a program needs, in one versioned shape.

`mainstay` is the version of the shape.  A later version may add members; it changes the meaning of
none without counting up.  Neither time nor machine is in it: the same tree gives the same bytes.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay import __version__
from mainstay.model.finding import Finding
from mainstay.model.review import Notice, Result, Review
from mainstay.reports import map_json, summary, system_map
from mainstay.reports.encode import encode, place
from mainstay.rules.base import Rule

FORMAT = "json"
ENDING = ".json"


def render(review: Review, rules: Sequence[type[Rule]]) -> str:
    """The review, with every finding whatever its standing."""
    known = {rule.name(): rule for rule in rules}
    return encode(
        {
            "mainstay": 1,
            "version": __version__,
            "outcome": summary.outcome(review),
            "verdict": summary.verdict(review),
            "summary": _summary(review),
            "thresholds": {"severity": review.threshold.word, "confidence": review.confidence.word},
            "budgets": msgspec.structs.asdict(review.budgets),
            "rules": [_rule(name, known.get(name)) for name in review.rules],
            "findings": [_finding(result, known.get(result.finding.rule)) for result in review.results],
            "gaps": [{"location": place(gap.location), "why": gap.why} for gap in review.system.gaps],
            "notices": [_notice(notice) for notice in review.notices],
            "map": map_json.counts(system_map.build(review.system)),
        }
    )


def _summary(review: Review) -> dict[str, Any]:
    counts = summary.counts(review)
    return {
        "open": {severity.word: number for severity, number in counts.severities.items()},
        "failing": len(review.failing),
        "suppressed": counts.suppressed,
        "baselined": counts.baselined,
        "preview": counts.preview,
        "files": review.files,
        "lines": review.lines,
    }


def _rule(name: str, rule: type[Rule] | None) -> dict[str, Any]:
    if rule is None:
        return {"name": name}
    return {
        "name": name,
        "title": rule.paragraphs()[0],
        "analysis": rule.analysis().value,
        "families": [family.value for family in rule.family],
        "severity": rule.severity.word,
        "references": list(rule.references),
        "since": rule.since,
        "preview": rule.preview,
    }


def _finding(result: Result, rule: type[Rule] | None) -> dict[str, Any]:
    finding = result.finding
    return {
        "rule": finding.rule,
        "analysis": rule.analysis().value if rule else None,
        "message": finding.message,
        "subject": finding.subject,
        "location": place(finding.location),
        "severity": finding.severity.word,
        "confidence": finding.confidence.word,
        "standing": result.standing.value,
        "reason": result.reason,
        "fingerprint": result.fingerprint,
        **_answers(finding),
        "path": [{"location": place(hop.location), "what": hop.what} for hop in finding.path],
        "siblings": [place(sibling) for sibling in finding.siblings],
    }


def _answers(finding: Finding) -> dict[str, str]:
    answers = finding.answers
    return {
        "fails": answers.fails,
        "notices": answers.notices,
        "recovers": answers.recovers,
        "change": answers.change,
        "costs": answers.costs,
        "clears": finding.clears,
    }


def _notice(notice: Notice) -> dict[str, Any]:
    return {"message": notice.message, "location": place(notice.location) if notice.location else None}
