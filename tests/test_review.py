from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from mainstay import review as module
from mainstay.baseline import BaselineError, write_baseline
from mainstay.configuration import Configuration, Public
from mainstay.knowledge import KnowledgeError
from mainstay.model.finding import Analysis, Answers, Confidence, Finding, Severity
from mainstay.model.location import Location
from mainstay.model.review import Result, Standing
from mainstay.model.system import System
from mainstay.review import Outcome, Reach, chosen_rules, in_reading_order, named, review
from mainstay.rules.base import Rule
from mainstay.sources.cache import Cache

Tree = Callable[[Mapping[str, str | bytes]], Path]


class SlowCall(Rule):
    """A call is slow.

    It waits.

    Do not wait.
    """

    severity = Severity.HIGH
    notices = recovers = costs = "?"

    def check(self, system: System) -> Iterator[Finding]:
        for file in system.files:
            for body in file.module.bodies[1:]:
                sure = Confidence.LOW if body.name.startswith("maybe") else Confidence.HIGH
                place = Location(file.path, body.line)
                yield self.found(f"{body.name} is slow", place, clears="it is fast", confidence=sure)


class NewIdea(SlowCall):
    """A call is slow, says a rule that is new.

    It waits.

    Do not wait.
    """

    preview = True


class Crashing(SlowCall):
    """A rule fails.

    It does.

    Mend it.
    """

    def check(self, system: System) -> Iterator[Finding]:
        yield from list(super().check(system))[:1]
        raise KeyError("orders")


for rule in (SlowCall, NewIdea, Crashing):
    rule.__module__ = "mainstay.rules.failure.fake"


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> list[type[Rule]]:
    """The rules there are, for one test to fill."""
    there: list[type[Rule]] = [SlowCall]
    monkeypatch.setattr(module, "all_rules", lambda: tuple(there))
    return there


def run(root: Path, **changes: object) -> Outcome:
    configuration = msgspec.structs.replace(Configuration(), **changes)
    return review(Reach((root,), 1, Cache(None)), configuration)


def standings(outcome: Outcome) -> dict[str, str]:
    return {result.finding.message: result.standing.value for result in outcome.review.results}


CODE = """\
def pay(): ...
def refund(): ...  # mainstay: ignore[slow-call] settled nightly
def maybe_audit(): ...
"""


@pytest.mark.usefixtures("rules")
def test_what_a_review_says(tree: Tree) -> None:
    root = tree({"a.py": CODE})
    found = run(root).review
    assert [(r.finding.message, r.standing, r.reason) for r in found.results] == [
        ("pay is slow", Standing.OPEN, ""),
        ("refund is slow", Standing.SUPPRESSED, "settled nightly"),
    ]
    assert [notice.message for notice in found.notices] == [
        "1 finding is too unsure to show; --confidence low shows all."
    ]
    assert (found.root, found.files, found.lines, found.rules) == (str(root), 1, 3, ("slow-call",))
    assert found.failing == found.results[:1]


@pytest.mark.usefixtures("rules")
def test_what_is_shown_when_asked_for(tree: Tree) -> None:
    outcome = run(tree({"a.py": CODE}), show=Confidence.LOW, fail_at=Severity.CRITICAL)
    assert list(standings(outcome)) == ["pay is slow", "refund is slow", "maybe_audit is slow"]
    assert outcome.review.notices == ()
    assert outcome.review.failing == ()


@pytest.mark.usefixtures("rules")
def test_a_baseline_survives_moved_lines(tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(write_baseline(run(tree({"a.py": CODE})).review.results))
    root = tree({"a.py": "import os\n\n\ndef ship(): ...\n" + CODE})
    assert standings(run(root, baseline=file)) == {
        "ship is slow": "open",
        "pay is slow": "baselined",
        "refund is slow": "suppressed",
    }
    with pytest.raises(BaselineError):
        run(root, baseline=tmp_path / "none.json")


def test_a_rule_in_preview_fails_nothing(tree: Tree, rules: list[type[Rule]]) -> None:
    rules.append(NewIdea)
    outcome = run(tree({"a.py": "def pay(): ...\n"}))
    assert sorted((r.finding.rule, r.standing.value) for r in outcome.review.results) == [
        ("new-idea", "preview"),
        ("slow-call", "open"),
    ]


def test_a_rule_that_fails_takes_no_other_with_it(tree: Tree, rules: list[type[Rule]]) -> None:
    rules.insert(0, Crashing)
    outcome = run(tree({"a.py": "def pay(): ...\n"}))
    assert [result.finding.rule for result in outcome.review.results] == ["slow-call"]
    assert [(broken.rule, repr(broken.error)) for broken in outcome.broken] == [
        ("crashing", "KeyError('orders')")
    ]
    assert [notice.message for notice in outcome.review.notices] == [
        "The rule crashing failed, so its findings are missing: a fault of Mainstay."
    ]


def test_which_rules_run(rules: list[type[Rule]]) -> None:
    rules.extend([NewIdea, Crashing])

    def chosen(**changes: object) -> list[str]:
        return [r.name() for r in chosen_rules(msgspec.structs.replace(Configuration(), **changes))]

    assert chosen() == ["slow-call", "new-idea", "crashing"]
    assert chosen(rules=("new-idea",)) == ["new-idea"]
    assert chosen(ignore=("new-idea",)) == ["slow-call", "crashing"]
    assert chosen(rules=("new-idea",), ignore=("new-idea",)) == []


def test_gaps_are_findings(tree: Tree) -> None:
    root = tree({"a.py": "x = 1\n", "b.py": b"x = '\xff\xfe\x00'\n"})
    (root / "gone.py").symlink_to("nowhere.py")
    found = [r.finding for r in run(root).review.results if r.finding.rule == "file-not-read"]
    assert [finding.location.path for finding in found] == ["b.py", "gone.py"]
    assert {finding.severity for finding in found} == {Severity.MEDIUM}


def test_a_broken_test_file_is_no_finding(tree: Tree) -> None:
    outcome = run(tree({"a.py": "x = 1\n", "tests/bad.py": "def f(:\n"}))
    assert [r for r in outcome.review.results if r.finding.rule == "file-not-read"] == []
    assert [gap.location.path for gap in outcome.review.system.gaps] == ["tests/bad.py"]


def test_an_empty_folder_is_reviewed_to_nothing(tree: Tree) -> None:
    found = run(tree({})).review
    assert (found.files, found.results) == (0, ())


def test_a_project_may_declare_an_operation_public(tree: Tree) -> None:
    code = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/health')\ndef health(): ...\n"
    root = tree({"app/main.py": code})
    public = (Public("GET /health", "The load balancer asks it.", 3),)
    outcome = run(root / "app", file=root / "mainstay.toml", public=public)
    (operation,) = outcome.review.system.operations
    assert operation.public
    guard = operation.guards[-1]
    assert (guard.why, str(guard.location)) == ("The load balancer asks it.", "../mainstay.toml:3")


def test_bad_knowledge_is_an_error(tree: Tree) -> None:
    root = tree({"a.py": "", "knowledge/x.toml": "library = 1"})
    with pytest.raises(KnowledgeError):
        run(root, knowledge=root / "knowledge")


def finding(rule: str, severity: Severity, confidence: Confidence, line: int = 1) -> Result:
    answers = Answers("", "", "", "", "")
    return Result(Finding(rule, "m", Location("a.py", line), severity, confidence, answers, clears=""), "f")


def test_findings_come_in_the_order_of_the_house(monkeypatch: pytest.MonkeyPatch) -> None:
    there = []
    for analysis in Analysis:
        rule = type(f"In{analysis.title()}", (SlowCall,), {})
        rule.__module__ = f"mainstay.rules.{analysis}.fake"
        there.append(rule)
    monkeypatch.setattr(module, "all_rules", lambda: tuple(there))
    high, low, sure, unsure = Severity.HIGH, Severity.LOW, Confidence.HIGH, Confidence.LOW
    expected = [
        finding("in-integrity", high, sure, 3),
        finding("in-failure", high, sure, 4),
        finding("in-failure", high, unsure, 1),
        finding("in-security", high, sure),
        finding("in-performance", high, sure),
        finding("in-monitoring", high, sure),
        finding("in-failure", low, sure),
    ]
    assert in_reading_order(reversed(expected)) == expected


def test_what_was_reviewed_is_called_as_the_user_called_it(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree({"a/b/one.py": "", "a/c/two.py": ""})
    monkeypatch.chdir(root)
    assert named([Path()]) == "."
    assert named([Path("a/b")]) == "a/b"
    assert named([Path("a/b"), Path("a/c/two.py")]) == "a"
    assert named([Path("a/b/one.py"), root / "a" / "b" / "one.py"]) == "a/b"
