"""The driver's process, spoken to without a lab."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import mainstay
from mainstay.lab.channel import Channel
from mainstay.lab.load.messages import Batch, Began, Ended, Ready, Refused, Report, Setup, Start
from mainstay.lab.own_program import own_program
from mainstay.model.record import Record
from mainstay.model.service import Action
from tests.lab.load.scripted import Reply, Scripted

SOURCES = Path(mainstay.__file__).parent.parent

Pair = tuple["Channel[Report]", "subprocess.Popen[bytes]"]


@pytest.fixture
def driver() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            own_program("mainstay.lab.load.server"),
            stdin=theirs.fileno(),
            env={**os.environ, "PYTHONPATH": str(SOURCES)},
        )
    channel: Channel[Report] = Channel(ours, Report)
    yield channel, process
    channel.close()
    process.kill()
    process.wait()


def setup(address: str, prefix: str = "run") -> Setup:
    return Setup((Action("read", "GET", "/"),), {"alice": {}}, (address,), 5.0, 1, prefix)


def start(rate: float, seconds: float) -> Start:
    return Start(rate, seconds, "constant", 0.5, 0, (), 5.0)


def test_it_ends_at_once_when_the_other_side_goes_even_under_load(driver: Pair) -> None:
    channel, process = driver
    with Scripted(lambda heard: None) as server:
        assert channel.ask(setup(server.address), 20) == Ready({})
        assert isinstance(channel.ask(start(100, 60), 20), Began)
        server.wait_for_more()
        channel.close()
        assert process.wait(10) == 0


def test_a_load_never_waits_for_whoever_asked_for_it(driver: Pair) -> None:
    """Nobody reads the records until all is over, and they are more than a socket holds."""
    channel, _ = driver
    actions = (Action("read", "GET", "/" + "x" * 50),)
    with Scripted(lambda heard: Reply(404, b"y" * 300)) as server:
        channel.ask(Setup(actions, {"alice": {}}, (server.address,), 5.0, 1, "run"), 20)
        began = channel.ask(start(400, 2.5), 20)
        assert isinstance(began, Began)
        while len(server.heard) < 1000:
            server.wait_for_more()
        records: list[Record] = []
        while not isinstance(message := channel.receive(10), Ended):
            assert isinstance(message, Batch)
            records += message.records
    assert len(records) == 1000
    lags = sorted(record.lag for record in records)
    assert lags[900] < 0.5
    assert records[0].excerpt == "y" * 300


def test_a_prefix_that_cannot_be_searched_for_is_refused(driver: Pair) -> None:
    channel, _ = driver
    assert channel.ask(setup("http://127.0.0.1:1", prefix="%"), 20) == Refused(
        "a prefix is 1 to 16 of a-z and 0-9, not '%'"
    )
