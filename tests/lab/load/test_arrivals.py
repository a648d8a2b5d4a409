"""When requests are due."""

import itertools
import random
import statistics

import pytest

from mainstay.lab.load.arrivals import due_times


def times(rate: float, seconds: float, arrivals: str, seed: int = 1) -> list[float]:
    return list(due_times(rate, seconds, arrivals, random.Random(seed)))


def test_constant_arrivals_are_evenly_spaced() -> None:
    assert times(4, 1, "constant") == [0, 0.25, 0.5, 0.75]


def test_a_load_shorter_than_its_first_gap_has_one_constant_arrival() -> None:
    assert times(0.5, 1, "constant") == [0]


def test_poisson_arrivals_have_the_mean_and_the_spread_of_chance() -> None:
    due = times(200, 50, "poisson")
    gaps = [after - before for before, after in itertools.pairwise(due)]
    assert due == sorted(due)
    assert due[-1] < 50
    assert len(due) == 10_000
    assert statistics.mean(gaps) == pytest.approx(1 / 200, rel=0.05)
    assert statistics.stdev(gaps) == pytest.approx(1 / 200, rel=0.05)


def test_the_same_seed_gives_the_same_times() -> None:
    assert times(50, 2, "poisson") == times(50, 2, "poisson")
    assert times(50, 2, "poisson") != times(50, 2, "poisson", seed=2)


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(ValueError, match="arrivals are poisson or constant, not 'burst'"):
        times(1, 1, "burst")


@pytest.mark.parametrize(("rate", "seconds"), [(0, 1), (-1, 1), (1, 0), (float("inf"), 1), (float("nan"), 1)])
def test_a_load_of_nothing_is_refused(rate: float, seconds: float) -> None:
    with pytest.raises(ValueError, match="a rate and a length above 0"):
        times(rate, seconds, "constant")
