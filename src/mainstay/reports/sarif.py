"""SARIF 2.1.0, for code scanning and every viewer that reads it.

Suppressed and baselined findings stay in, marked, or a platform would close and reopen its alerts.
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from mainstay import __version__
from mainstay.model.finding import Analysis, Finding, Hop, Severity
from mainstay.model.location import Location
from mainstay.model.review import Notice, Result, Review, Standing
from mainstay.model.system import Gap
from mainstay.reports.encode import encode
from mainstay.reports.visible import visible
from mainstay.rules.base import Rule

FORMAT = "sarif"
ENDING = ".sarif"
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
SECURITY = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.5"}

Object = dict[str, Any]


def render(review: Review, rules: Sequence[type[Rule]]) -> str:
    """One run with the rules that ran, every finding, and what could not be read."""
    names = list(dict.fromkeys([*review.rules, *(r.finding.rule for r in review.results)]))
    index = {name: number for number, name in enumerate(names)}
    known = {rule.name(): rule for rule in rules}
    compared = any(r.standing is Standing.BASELINED for r in review.results)
    run = {
        "tool": {
            "driver": {
                "name": "Mainstay",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(name, known.get(name)) for name in names],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    *(_gap(gap) for gap in review.system.gaps),
                    *(_notice(notice) for notice in review.notices),
                ],
            }
        ],
        "results": [_result(result, index, compared) for result in review.results],
    }
    return encode({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


# --- rules -----------------------------------------------------------------------------------------


def _rule(name: str, rule: type[Rule] | None) -> Object:
    if rule is None:
        return {"id": name}
    paragraphs = rule.paragraphs()
    return {
        "id": name,
        "name": rule.__name__,
        "shortDescription": {"text": _plain(paragraphs[0])},
        "fullDescription": {"text": _plain(" ".join(paragraphs[1:]))},
        "help": {"text": _help(rule), "markdown": _markdown(rule)},
        "defaultConfiguration": {"level": _level(rule.severity, rule.preview)},
        "properties": _properties(rule),
    }


def _properties(rule: type[Rule]) -> Object:
    tags = [
        f"analysis:{rule.analysis().value}",
        *(f"family:{family.value}" for family in rule.family),
        *(_reference_tag(reference) for reference in rule.references),
        *(["preview"] if rule.preview else []),
    ]
    properties: Object = {"precision": "medium" if rule.preview else "high"}
    if rule.analysis() is Analysis.SECURITY:
        tags.insert(0, "security")
        properties["security-severity"] = SECURITY[rule.severity]
    else:
        level = LEVELS[rule.severity]
        properties["problem.severity"] = "recommendation" if level == "note" else level
    return {**properties, "tags": tags}


def _reference_tag(reference: str) -> str:
    """`CWE-400` as code scanning knows it: `external/cwe/cwe-400`."""
    return f"external/cwe/{reference.lower()}" if reference.startswith("CWE-") else reference


def _help(rule: type[Rule]) -> str:
    answers = [f"{label}: {text}" for label, text in _answers(rule)]
    return _plain("\n\n".join([*rule.paragraphs()[1:], *answers]))


def _markdown(rule: type[Rule]) -> str:
    answers = [f"**{label}**: {text}" for label, text in _answers(rule)]
    return "\n\n".join([f"# {rule.paragraphs()[0]}", *rule.paragraphs()[1:], *answers])


def _answers(rule: type[Rule]) -> list[tuple[str, str]]:
    answers = [
        ("Who notices", rule.notices),
        ("How it recovers", rule.recovers),
        ("What the change costs", rule.costs),
        ("References", ", ".join(rule.references)),
    ]
    return [(label, text) for label, text in answers if text]


# --- results ---------------------------------------------------------------------------------------


def _result(result: Result, index: dict[str, int], compared: bool) -> Object:
    finding = result.finding
    found: Object = {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": _level(finding.severity, result.standing is Standing.PREVIEW),
        "message": {"text": _message(finding)},
        "locations": [_location(finding.location)],
        "partialFingerprints": {"mainstay/v1": result.fingerprint},
        "properties": {
            "severity": finding.severity.word,
            "confidence": finding.confidence.word,
            "standing": result.standing.value,
        },
    }
    if finding.path:
        found["codeFlows"] = [{"threadFlows": [{"locations": [_step(hop) for hop in finding.path]}]}]
    if finding.siblings:
        found["relatedLocations"] = [
            {"id": number, **_location(place, "The same cause, here as well.")}
            for number, place in enumerate(finding.siblings, 1)
        ]
    if compared:
        found["baselineState"] = "unchanged" if result.standing is Standing.BASELINED else "new"
    if result.standing is Standing.SUPPRESSED:
        found["suppressions"] = [{"kind": "inSource", "justification": _plain(result.reason)}]
    elif result.standing is Standing.BASELINED:
        found["suppressions"] = [{"kind": "external", "justification": "It is in the baseline."}]
    return found


def _message(finding: Finding) -> str:
    """Everything a person needs where nothing but the message is shown."""
    answers = finding.answers
    return _plain(
        f"{finding.message.rstrip('.')}.\n\n"
        f"What happens: {answers.fails}\n"
        f"Who notices: {answers.notices}\n"
        f"How it recovers: {answers.recovers}\n"
        f"What to change: {answers.change}\n"
        f"What that costs: {answers.costs}\n"
        f"What clears it: {finding.clears}"
    )


def _level(severity: Severity, preview: bool) -> str:
    """Preview findings are notes: they may not fail a build."""
    return "note" if preview else LEVELS[severity]


def _step(hop: Hop) -> Object:
    return {"location": _location(hop.location, hop.what)}


def _location(place: Location, message: str = "") -> Object:
    found: Object = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(place.path), "uriBaseId": "%SRCROOT%"},
            "region": _region(place),
        }
    }
    return {**found, "message": {"text": _plain(message)}} if message else found


def _uri(path: str) -> str:
    """A relative reference; bytes of a name that is no UTF-8 are encoded as they are."""
    return quote(path.encode("utf-8", "surrogateescape"))


def _region(place: Location) -> Object:
    region = {"startLine": max(1, place.line), "startColumn": max(1, place.column)}
    if place.end_column and (place.end_line, place.end_column) > (place.line, place.column):
        region |= {"endLine": place.end_line, "endColumn": place.end_column}
    return region


def _gap(gap: Gap) -> Object:
    text = f"{gap.location} was not read whole: {gap.why}"
    return {"level": "warning", "message": {"text": _plain(text)}, "locations": [_location(gap.location)]}


def _notice(notice: Notice) -> Object:
    found: Object = {"level": "note", "message": {"text": _plain(notice.message)}}
    return {**found, "locations": [_location(notice.location)]} if notice.location else found


def _plain(text: str) -> str:
    """Text that a viewer shows as it is: printable, and without anything it would take for a link."""
    lines = "\n".join(visible(line) for line in text.split("\n"))
    return re.sub(r"([\\\[\]])", r"\\\1", lines) if "](" in lines else lines
