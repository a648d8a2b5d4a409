import copy
import pickle

import pytest

from mainstay_runtime.refused import Refused


class StillOpen(Refused):
    """As a guard defines it."""


def test_it_says_which_guard_refused_and_when_to_come_back() -> None:
    refused = StillOpen("processor", 2.5)
    assert (refused.name, refused.after) == ("processor", 2.5)
    assert str(refused) == "processor: still open; try again in 2.5 s"


def test_without_a_time_it_promises_none() -> None:
    assert str(StillOpen("processor")) == "processor: still open"
    assert StillOpen("processor").after is None


def test_one_except_catches_every_guard() -> None:
    with pytest.raises(Refused):
        raise StillOpen("processor")


def test_it_survives_copying_and_pickling_as_results_of_workers_do() -> None:
    for twin in (copy.copy(StillOpen("a", 1.0)), pickle.loads(pickle.dumps(StillOpen("a", 1.0)))):
        assert (type(twin), twin.name, twin.after) == (StillOpen, "a", 1.0)
