"""Figures as they are read."""

from math import inf

import pytest

from mainstay.evidence import said


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (0.00042, "0.42 ms"),
        (0.031, "31 ms"),
        (0.99999, "1 s"),
        (2.14, "2.1 s"),
        (45.4, "45 s"),
        (2592, "43 min"),
        (inf, "unbounded"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert said.time(seconds) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.0, "0 %"), (0.001, "0.1 %"), (0.2, "20 %"), (0.999, "99.9 %"), (0.99996, "99.996 %"), (1.0, "100 %")],
)
def test_shares(fraction: float, text: str) -> None:
    assert said.share(fraction) == text


def test_an_upper_bound_is_never_rounded_down() -> None:
    assert said.share_at_most(0.00099811) == "0.0999 %"
    assert said.share_at_most(0.0010001) == "0.101 %"
    assert said.share_at_most(0.2) == "20 %"


def test_counts() -> None:
    assert [said.count(1, "request"), said.count(3000, "request"), said.count(3000)] == [
        "1 request",
        "3,000 requests",
        "3,000",
    ]
