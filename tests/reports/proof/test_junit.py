"""What a build server shows."""

from xml.etree import ElementTree

import msgspec
import pytest

from mainstay.model.proof import Proof, Verdict
from mainstay.reports.proof import junit
from tests.reports.proof import fake


def read(proof: Proof) -> ElementTree.Element:
    return ElementTree.fromstring(junit.render(proof, families=fake.FAMILIES))


def case(root: ElementTree.Element, experiment: str, name: str) -> ElementTree.Element:
    found = [c for c in root.iter("testcase") if c.get("classname") == experiment and c.get("name") == name]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def root() -> ElementTree.Element:
    return read(fake.proof())


def test_there_is_a_suite_for_each_family(root: ElementTree.Element) -> None:
    names = [suite.get("name") for suite in root.iter("testsuite")]
    assert names == ["database", "integrity", "load", "metastability", "other", "restarts"]


def test_a_failed_claim_is_a_failure_with_its_figures_and_evidence(root: ElementTree.Element) -> None:
    failure = case(root, "database.database-paused", "recovers-in-time").find("failure")
    assert failure is not None
    assert "outlives its cause" in (failure.get("message") or "")
    assert "outage 36 s (derived: 5 s + 31 s)" in (failure.text or "")
    assert "45 sessions idle in transaction" in (failure.text or "")


def test_an_undecided_claim_did_not_pass(root: ElementTree.Element) -> None:
    skipped = case(root, "database.database-slowed", "p95-within-budget").find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "inconclusive: The load driver was late: p99 of 31 ms."


def test_a_void_experiment_is_an_error(root: ElementTree.Element) -> None:
    error = case(root, "restarts.two-versions", "the-experiment").find("error")
    assert error is not None
    assert error.get("message") == "The fault proxy ended with status 1."


def test_what_was_left_out_is_skipped_and_says_by_whom(root: ElementTree.Element) -> None:
    skipped = case(root, "other.rolling-restart", "the-experiment").find("skipped")
    assert skipped is not None
    assert (skipped.get("message") or "").startswith("waived by the project: ")


def test_a_kept_claim_passes(root: ElementTree.Element) -> None:
    kept = case(root, "database.database-paused", "no-acknowledged-write-lost")
    assert [child.tag for child in kept] == []


def test_the_counts_add_up(root: ElementTree.Element) -> None:
    for counted in (root, *root.iter("testsuite")):
        cases = list(counted.iter("testcase"))
        assert counted.get("tests") == str(len(cases))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert counted.get(name) == str(sum(c.find(tag) is not None for c in cases))
    seconds = sum(m.seconds for m in fake.proof().measurements)
    assert float(root.get("time") or 0) == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize(("verdict", "tag"), [(Verdict.INCONCLUSIVE, "skipped"), (Verdict.ERROR, "error")])
def test_nothing_measured_is_never_green(verdict: Verdict, tag: str) -> None:
    nothing = msgspec.structs.replace(fake.proof(), measurements=(), skipped=(), verdict=verdict)
    assert [child.tag for child in case(read(nothing), "other.prove", "the-experiment")] == [tag]
