"""Many requests in one thread."""

import time

from mainstay.lab.load.call import OURS, Call, Outcome
from mainstay.lab.load.engine import Engine
from mainstay.lab.load.templates import Prepared
from mainstay.model.record import Failure
from tests.lab.load.scripted import Reply, Scripted


class Listener:
    """A job that only hears."""

    def __init__(self) -> None:
        self.heard: list[Outcome] = []

    def finished(self, call: Call, outcome: Outcome) -> None:
        self.heard.append(outcome)


def call(job: Listener, timeout: float = 5.0) -> Call:
    return Call(job, Prepared("a", "GET", "/", []), time.monotonic(), fresh=True, timeout=timeout)


def test_beyond_what_the_machine_allows_it_says_that_the_fault_is_ours() -> None:
    job = Listener()
    engine = Engine(most=2)
    with Scripted(lambda heard: Reply(after=0.05)) as server:
        engine.target([server.address])
        for _ in range(3):
            engine.send(call(job))
        assert [(one.failure, one.ours) for one in job.heard] == [
            (Failure.OTHER, f"{OURS} has 2 requests on their way and can send no more.")
        ]
        while engine.on_their_way:
            engine.wait(time.monotonic() + 1)
    engine.close()
    assert [one.status for one in job.heard[1:]] == [200, 200]


def test_it_waits_no_longer_than_it_was_told_and_uses_no_processor_meanwhile() -> None:
    engine = Engine()
    began, used = time.monotonic(), time.process_time()
    engine.wait(began + 0.2)
    assert 0.2 <= time.monotonic() - began < 2
    assert time.process_time() - used < 0.1
    engine.close()


def test_what_is_on_its_way_is_dropped_when_it_is_closed() -> None:
    job = Listener()
    engine = Engine()
    with Scripted(lambda heard: None) as server:
        engine.target([server.address])
        engine.send(call(job))
        engine.wait(time.monotonic() + 0.05)
        engine.close()
    assert job.heard == []
