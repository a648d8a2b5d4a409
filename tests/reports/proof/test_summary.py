"""The words and figures that every format shares."""

import pytest

from mainstay.model.proof import Figure, Measurement, Origin, Verdict
from mainstay.reports.proof import summary
from tests.reports.proof import fake


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0 s"),
        (0.0004, "0.4 ms"),
        (0.017, "17 ms"),
        (0.0172, "17.2 ms"),
        (0.9996, "1 s"),
        (2.1, "2.1 s"),
        (60.0, "60 s"),
        (200.0, "3 min 20 s"),
        (300.0, "5 min"),
        (7500.0, "2 h 5 min"),
        (float("inf"), "for ever"),
        (float("nan"), "unknown"),
    ],
)
def test_durations_have_the_unit_that_fits(seconds: float, shown: str) -> None:
    assert summary.duration(seconds) == shown


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (0.001, "0.1 %"),
        (0.999, "99.9 %"),
        (0.9995, "99.95 %"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.000831, "0.0831 %"),
    ],
)
def test_shares_keep_the_digits_that_matter(fraction: float, shown: str) -> None:
    assert summary.share(fraction) == shown


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        (Figure("p95", 0.231, "s"), "231 ms"),
        (Figure("failed", 0.0012, "%"), "0.12 %"),
        (Figure("rate", 60.0, "/s"), "60/s"),
        (Figure("rows", 12_000.0, "rows"), "12,000 rows"),
        (Figure("retries", 3.0), "3"),
        (Figure("outage", 3.0, "s", Origin.OPEN), "unknown"),
        (Figure("outage", float("nan"), "s"), "unknown"),
    ],
)
def test_a_figure_is_shown_with_its_unit(figure: Figure, shown: str) -> None:
    assert summary.amount(figure) == shown


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([Verdict.PASSED], "Passed: the one experiment."),
        ([Verdict.PASSED] * 3, "Passed: all 3 experiments."),
        ([Verdict.PASSED, Verdict.FAILED], "Failed: 1 of 2 experiments failed."),
        (
            [Verdict.PASSED, Verdict.FAILED, Verdict.FAILED, Verdict.INCONCLUSIVE],
            "Failed: 2 of 4 experiments failed (besides 1 undecided).",
        ),
        ([Verdict.INCONCLUSIVE], "Inconclusive: 1 of 1 experiment did not settle it."),
        ([Verdict.ERROR, Verdict.ERROR], "Void: 2 of 2 experiments were void by our own fault."),
    ],
)
def test_the_headline_says_what_it_came_to(verdicts: list[Verdict], said: str) -> None:
    measurements = [Measurement(f"x{n}", verdict, "It holds.") for n, verdict in enumerate(verdicts)]
    assert summary.headline(fake.proof(*measurements)) == said


def test_a_verdict_that_no_experiment_explains_is_still_told() -> None:
    proof = fake.proof(fake.STEADY, verdict=Verdict.INCONCLUSIVE)
    assert summary.headline(proof) == "Inconclusive: 1 experiment."


def test_requests_are_counted_by_windows_where_there_are_no_tallies() -> None:
    assert summary.requests(fake.SLOWED) == (1800, 0)
    assert summary.requests(fake.PAUSED) == (3600, 2878)
