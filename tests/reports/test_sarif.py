"""SARIF that code scanning takes, and that says what the review found."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from mainstay.model.finding import Severity
from mainstay.model.location import Location
from mainstay.model.review import Standing
from mainstay.reports import sarif
from tests.reports import fake

# --- the part of the standard's shape that is written here -----------------------------------------


def shape(required: str, **members: Any) -> dict[str, Any]:
    """An object with these members and no others."""
    return {
        "type": "object",
        "required": required.split(),
        "properties": members,
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
COUNT = {"type": "integer", "minimum": 1}
MESSAGE = shape("text", text=TEXT)
LOCATION = shape(
    "physicalLocation",
    id={"type": "integer", "minimum": -1},
    message=MESSAGE,
    physicalLocation=shape(
        "artifactLocation region",
        artifactLocation=shape(
            "uri uriBaseId", uri={"type": "string", "pattern": r"^[A-Za-z0-9._~%/-]+$"}, uriBaseId=TEXT
        ),
        region=shape("startLine", startLine=COUNT, startColumn=COUNT, endLine=COUNT, endColumn=COUNT),
    ),
)
RULE = shape(
    "id",
    id=TEXT,
    name=TEXT,
    shortDescription=MESSAGE,
    fullDescription=MESSAGE,
    help=shape("text", text=TEXT, markdown=TEXT),
    defaultConfiguration=shape("level", level=LEVEL),
    properties=shape(
        "tags precision",
        tags={"type": "array", "items": TEXT, "uniqueItems": True},
        precision={"enum": ["very-high", "high", "medium", "low"]},
        **{"security-severity": {"pattern": r"^\d\.\d$"}, "problem.severity": TEXT},
    ),
)
STEPS = {"type": "array", "minItems": 1, "items": shape("location", location=LOCATION)}
FLOWS = {"type": "array", "minItems": 1, "items": shape("locations", locations=STEPS)}
RESULT = shape(
    "ruleId ruleIndex level message locations partialFingerprints",
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=MESSAGE,
    locations={"type": "array", "items": LOCATION, "minItems": 1, "maxItems": 1},
    relatedLocations={"type": "array", "items": LOCATION},
    codeFlows={"type": "array", "items": shape("threadFlows", threadFlows=FLOWS)},
    partialFingerprints=shape("mainstay/v1", **{"mainstay/v1": TEXT}),
    properties={"type": "object"},
    baselineState={"enum": ["new", "unchanged", "updated", "absent"]},
    suppressions={
        "type": "array",
        "items": shape("kind", kind={"enum": ["inSource", "external"]}, justification=TEXT),
    },
)
NOTIFICATION = shape(
    "message level", message=MESSAGE, level=LEVEL, locations={"type": "array", "items": LOCATION}
)
RUN = shape(
    "tool results",
    tool=shape(
        "driver",
        driver=shape(
            "name rules",
            name=TEXT,
            version=TEXT,
            semanticVersion=TEXT,
            rules={"type": "array", "items": RULE, "uniqueItems": True},
        ),
    ),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    invocations={
        "type": "array",
        "items": shape(
            "executionSuccessful",
            executionSuccessful={"type": "boolean"},
            toolExecutionNotifications={"type": "array", "items": NOTIFICATION},
        ),
    },
    results={"type": "array", "items": RESULT},
)
LOG = shape(
    "version runs",
    **{"$schema": {"type": "string"}},
    version={"const": "2.1.0"},
    runs={"type": "array", "items": RUN, "minItems": 1},
)


@pytest.fixture
def log(tmp_path: Path) -> Any:
    return json.loads(sarif.render(fake.review(tmp_path), fake.RULES))


@pytest.fixture
def run(log: Any) -> Any:
    return log["runs"][0]


def test_the_shape(log: Any, tmp_path: Path) -> None:
    jsonschema.validate(log, LOG)
    jsonschema.validate(json.loads(sarif.render(fake.empty(tmp_path), ())), LOG)


def test_a_result_names_its_rule_place_and_way(run: Any) -> None:
    result = run["results"][0]
    assert result["ruleId"] == "request-data-in-sql"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "request-data-in-sql"
    assert result["level"] == "error"
    assert result["partialFingerprints"] == {"mainstay/v1": "0000000000000001"}
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "shop/search.py", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 6, "startColumn": 12, "endLine": 6, "endColumn": 39},
            }
        }
    ]
    steps = [step["location"] for step in result["codeFlows"][0]["threadFlows"][0]["locations"]]
    assert [step["message"]["text"] for step in steps] == [
        "query parameter `sort` of GET /orders",
        "calls shop.search.ordered",
        "Session.execute: read orders",
    ]
    assert [step["physicalLocation"]["region"]["startLine"] for step in steps] == [19, 20, 6]


def test_the_message_says_everything(run: Any) -> None:
    assert run["results"][3]["message"]["text"] == (
        "`requests.get` waits for the rates without a deadline.\n"
        "\n"
        "What happens: When the other side accepts the connection and then says nothing, the caller waits "
        "for ever. Each such request keeps one worker; once all are kept, the service answers nobody.\n"
        "Who notices: Users, by requests that never end; nothing is logged, because nothing fails.\n"
        "How it recovers: Not by itself: workers come back only with a restart.\n"
        "What to change: Give the call a timeout that is shorter than the patience of whoever waits for "
        "this service.\n"
        "What that costs: One argument; and a decision what to answer when time is up.\n"
        "What clears it: a timeout is given to the call"
    )


def test_siblings_are_related_locations(run: Any) -> None:
    related = run["results"][2]["relatedLocations"]
    assert [r["id"] for r in related] == [1, 2, 3, 4, 5, 6, 7]
    assert related[1]["physicalLocation"] == {
        "artifactLocation": {"uri": "shop/extra2.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 14, "startColumn": 1},
    }


def test_rules_carry_families_severity_and_references(run: Any) -> None:
    properties = {rule["id"]: rule["properties"] for rule in run["tool"]["driver"]["rules"]}
    assert properties["external-call-in-transaction"] == {
        "precision": "high",
        "problem.severity": "error",
        "tags": ["analysis:integrity", "family:commit-order", "family:held-resource"],
    }
    assert properties["request-data-in-sql"] == {
        "precision": "high",
        "security-severity": "9.5",
        "tags": [
            "security",
            "analysis:security",
            "family:untrusted-input",
            "external/cwe/cwe-89",
            "OWASP A03:2021",
        ],
    }
    assert properties["query-per-row"] == {
        "precision": "medium",
        "problem.severity": "recommendation",
        "tags": ["analysis:performance", "family:query-per-row", "preview"],
    }


def test_only_rules_that_ran_or_found_something_are_listed(tmp_path: Path) -> None:
    review = msgspec.structs.replace(
        fake.review(tmp_path), rules=("query-per-row",), results=fake.results()[:1]
    )
    driver = json.loads(sarif.render(review, fake.RULES))["runs"][0]["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == ["query-per-row", "request-data-in-sql"]


def test_suppressed_and_baselined_findings_stay_in_marked(run: Any) -> None:
    suppressed, baselined = run["results"][-2:]
    assert suppressed["suppressions"] == [
        {"kind": "inSource", "justification": "the night job ends it after a minute"}
    ]
    assert suppressed["baselineState"] == "new"
    assert baselined["suppressions"][0]["kind"] == "external"
    assert baselined["baselineState"] == "unchanged"
    assert all("suppressions" not in result for result in run["results"][:-2])


def test_without_a_baseline_nothing_is_compared(tmp_path: Path) -> None:
    found = tuple(r for r in fake.results() if r.standing is not Standing.BASELINED)
    run = json.loads(sarif.render(fake.review(tmp_path, found=found), fake.RULES))["runs"][0]
    assert not any("baselineState" in result for result in run["results"])


def test_findings_of_preview_rules_are_notes(tmp_path: Path) -> None:
    result = fake.results()[6]
    worse = msgspec.structs.replace(
        result, finding=msgspec.structs.replace(result.finding, severity=Severity.CRITICAL)
    )
    run = json.loads(sarif.render(fake.review(tmp_path, found=(worse,)), fake.RULES))["runs"][0]
    assert run["results"][0]["level"] == "note"
    assert run["results"][0]["properties"] == {
        "severity": "critical",
        "confidence": "high",
        "standing": "preview",
    }


def test_gaps_and_notices_are_notifications(run: Any) -> None:
    assert run["invocations"][0]["executionSuccessful"] is True
    gap, notice = run["invocations"][0]["toolExecutionNotifications"]
    assert (gap["level"], gap["message"]["text"]) == (
        "warning",
        "shop/legacy.py:12 was not read whole: the text from here on is no Python",
    )
    assert (notice["level"], notice["message"]["text"]) == ("note", "this suppression suppresses nothing")


def test_paths_are_relative_and_encoded(tmp_path: Path) -> None:
    result = fake.results()[0]
    finding = msgspec.structs.replace(result.finding, location=Location("a b/c:d/ü#.py", 0, 0))
    page = sarif.render(
        fake.review(tmp_path, found=(msgspec.structs.replace(result, finding=finding),)), fake.RULES
    )
    place = json.loads(page)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b/c%3Ad/%C3%BC%23.py"
    assert place["region"] == {"startLine": 1, "startColumn": 1}
    assert str(tmp_path) not in page
