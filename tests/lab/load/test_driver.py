"""The load driver: what it is told, and what it sends when."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.lab.lab import Lab
from mainstay.lab.load.control import Driver, LoadError
from mainstay.lab.load.templates import TemplateError
from mainstay.model.record import Failure, Record
from mainstay.model.service import Action
from tests.lab.load.driving import ACTORS, READ, WRITE, driving, whole
from tests.lab.load.scripted import Heard, Reply, Scripted


def test_requests_are_sent_when_due_whatever_becomes_of_those_before(lab: Lab) -> None:
    with Scripted(lambda heard: Reply(after=0.3)) as server, driving(lab, server.address) as driver:
        at = driver.start(50, 0.4, arrivals="constant")
        records = sorted(whole(driver), key=lambda record: record.due)
    assert [round((record.due - at) * 50) for record in records] == list(range(20))
    assert records[-1].sent < records[0].done + 0.3  # a closed loop would take 0.3 s each
    assert all(record.ok and record.sent >= record.due for record in records)
    assert all(0.3 <= record.done - record.sent < 2 for record in records)


def test_the_latency_of_a_request_counts_from_when_it_was_due(lab: Lab) -> None:
    with Scripted(lambda heard: Reply(after=0.05)) as server, driving(lab, server.address) as driver:
        driver.start(100, 0.5, arrivals="constant", fresh=0)
        time.sleep(0.2)
        os.kill(driver.pid, signal.SIGSTOP)  # the driver itself is late
        time.sleep(0.5)
        os.kill(driver.pid, signal.SIGCONT)
        records = whole(driver)
    assert len(records) == 50
    assert max(record.lag for record in records) > 0.3
    assert max(record.latency for record in records) > 0.35


def test_half_of_the_requests_come_on_connections_of_their_own(lab: Lab) -> None:
    with Scripted(lambda heard: Reply()) as server, driving(lab, server.address) as driver:
        driver.start(200, 1, arrivals="constant")
        records = whole(driver)
    fresh = sum(record.fresh for record in records)
    alone = Counter(heard.connection for heard in server.heard)
    assert 60 <= fresh <= 140  # of 200; five standard deviations are 35
    assert sum(1 for requests in alone.values() if requests == 1) >= fresh
    assert server.connections < fresh + 100  # the others share theirs


def test_the_same_seed_makes_the_same_load(lab: Lab) -> None:
    seen = []
    for seed in (1, 1, 2):
        with (
            Scripted(lambda heard: Reply()) as server,
            driving(lab, server.address, actions=(READ, WRITE), seed=seed) as driver,
        ):
            at = driver.start(100, 0.3)
            records = sorted(whole(driver), key=lambda record: record.due)
        seen.append([(round(record.due - at, 6), record.action, record.fresh) for record in records])
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


def test_actions_come_in_proportion_to_their_weights_and_only_those_asked_for(lab: Lab) -> None:
    actions = (READ, Action("rare", "GET", "/rare", weight=0.25), Action("never", "GET", "/never", weight=0))
    with Scripted(lambda heard: Reply()) as server, driving(lab, server.address, actions=actions) as driver:
        driver.start(500, 0.6, arrivals="constant", fresh=0)
        mixed = Counter(record.action for record in whole(driver))
        driver.start(50, 0.2, only=["never"])
        asked_for = {record.action for record in whole(driver)}
    assert mixed.keys() == {"read", "rare"}
    assert 30 <= mixed["rare"] <= 90  # 60 of 300
    assert asked_for == {"never"}


def test_what_goes_out_is_the_request_and_nothing_of_the_environment(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    form = Action("login", "POST", "/login", form={"user": "{marker}"})
    empty = Action("touch", "PUT", "/touch")
    head = Action("head", "HEAD", "/head", actor="bob")
    actions = (READ, WRITE, form, empty, head, Action("gone", "DELETE", "/gone/%2E%2E/x"))
    with Scripted(lambda heard: Reply()) as server, driving(lab, server.address, actions=actions) as driver:
        records = driver.once([action.name for action in actions])
    assert [record.failure for record in records] == [Failure.NONE] * 6
    assert [(heard.method, heard.path, heard.body) for heard in server.heard] == [
        ("GET", "/things", b""),
        ("POST", "/things", b'{"name":"runm00002"}'),
        ("POST", "/login", b"user=runm00003"),
        ("PUT", "/touch", b""),
        ("HEAD", "/head", b""),
        ("DELETE", "/gone/%2E%2E/x", b""),
    ]
    assert [heard.headers.get("content-type") for heard in server.heard] == [
        None, "application/json", "application/x-www-form-urlencoded", None, None, None,
    ]  # fmt: skip
    assert server.heard[1].headers["key"] == "runk00002"
    assert server.heard[3].headers["content-length"] == "0"
    assert [heard.headers["x-who"] for heard in server.heard] == ["alice"] * 4 + ["bob", "alice"]
    assert [heard.connection for heard in server.heard] == [1, 2, 3, 4, 5, 6]


def test_requests_go_to_the_targets_in_turn_and_to_others_when_told(lab: Lab) -> None:
    def script(heard: Heard) -> Reply:
        return Reply()

    with (
        Scripted(script) as one,
        Scripted(script) as two,
        Scripted(script) as three,
        driving(lab, one.address, two.address) as driver,
    ):
        before = driver.once(["read"], times=4)
        driver.target(three.address)
        driver.once(["read"], times=2)
    assert (len(one.heard), len(two.heard), len(three.heard)) == (2, 2, 2)
    assert Counter(record.target for record in before) == {0: 2, 1: 2}


def test_a_load_that_is_stopped_sends_nothing_more_and_loses_no_record(lab: Lab) -> None:
    with Scripted(lambda heard: Reply(after=0.2)) as server, driving(lab, server.address) as driver:
        driver.start(50, 60, arrivals="constant")
        time.sleep(0.5)
        records = driver.stop()
        assert not driver.running()
        assert driver.poll(5) == []
    assert 5 <= len(records) == len(server.heard) <= 40
    assert all(record.ok for record in records)


def test_single_requests_may_be_sent_while_a_load_runs(lab: Lab) -> None:
    actions = (READ, Action("probe", "GET", "/probe", weight=0))
    with Scripted(lambda heard: Reply()) as server, driving(lab, server.address, actions=actions) as driver:
        driver.start(50, 0.6, arrivals="constant")
        beside = driver.once(["probe"], times=3)
        with pytest.raises(LoadError, match="A load is running already"):
            driver.start(1, 1)
        loaded = whole(driver)
    assert [record.action for record in beside] == ["probe"] * 3
    assert Counter(record.action for record in loaded) == {"read": 30}


def test_a_load_may_follow_a_load(lab: Lab) -> None:
    with Scripted(lambda heard: Reply()) as server, driving(lab, server.address, actions=(WRITE,)) as driver:
        records: list[Record] = []
        for _ in range(3):
            driver.start(50, 0.2, arrivals="constant")
            records += whole(driver)
    assert len({record.marker for record in records}) == len(records) == 30


def test_a_stall_that_ends_is_no_lag_of_ours(lab: Lab) -> None:
    """When hundreds of answers come at once, requests that are due are still sent in between."""
    opens = time.monotonic() + 1.2

    def script(heard: Heard) -> Reply:
        return Reply(after=max(0.0, opens - time.monotonic()))

    with Scripted(script) as server, driving(lab, server.address) as driver:
        driver.start(150, 1.5, arrivals="constant")
        records = whole(driver)
    assert all(record.ok for record in records)
    lags = sorted(record.lag for record in records)
    assert lags[len(lags) * 9 // 10] < 0.1


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (lambda driver: driver.start(0, 1), "a rate and a length above 0"),
        (lambda driver: driver.start(1, 1, arrivals="bursts"), "arrivals are poisson or constant"),
        (lambda driver: driver.start(1, 1, only=["nothing"]), "no action or journey called `nothing`"),
        (lambda driver: driver.once(["nothing"]), "no action called `nothing`"),
        (lambda driver: driver.target("http://example.com"), "is not on this machine"),
        (lambda driver: driver.target("http://127.0.0.1:99999"), "is no address"),
        (lambda driver: driver.target(), "needs an address"),
    ],
)
def test_a_wrong_order_is_refused_in_a_sentence_and_the_driver_goes_on(
    lab: Lab, order: Callable[[Driver], object], said: str
) -> None:
    with Scripted(lambda heard: Reply()) as server, driving(lab, server.address) as driver:
        with pytest.raises(LoadError, match=said):
            order(driver)
        assert driver.once(["read"])[0].ok


def test_actions_that_cannot_be_sent_are_told_before_anything_is_started(lab: Lab) -> None:
    with pytest.raises(TemplateError, match=r"`\{nobody\}` in its path"):
        Driver(
            lab, [Action("a", "GET", "/{nobody}")], targets=["127.0.0.1:1"], actors=ACTORS,
            timeout=1, seed=1, prefix="run",
        )  # fmt: skip


def test_a_driver_that_dies_is_told(lab: Lab) -> None:
    with Scripted(lambda heard: Reply()) as server, driving(lab, server.address) as driver:
        driver.start(10, 60)
        os.kill(driver.pid, signal.SIGKILL)
        with pytest.raises(LoadError, match="The load driver has ended unexpectedly"):
            whole(driver)


def test_a_driver_that_was_ended_is_gone(lab: Lab) -> None:
    with driving(lab, "127.0.0.1:1") as driver:
        pid = driver.pid
        driver.end()
    assert not Path(f"/proc/{pid}").exists() or os.name != "posix"
