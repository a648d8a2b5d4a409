"""How requests end: each is sent once, and what became of it is told as it was."""

import socket
from collections import Counter

import pytest

from mainstay.lab.lab import Lab
from mainstay.model.record import Failure, Fate, Record
from mainstay.model.service import Action
from tests.lab.load.driving import READ, WRITE, driving, whole
from tests.lab.load.scripted import Cut, Heard, Reply, Scripted


@pytest.mark.parametrize(
    "cut",
    [
        Cut(),
        Cut(reset=True),
        Cut(first=b"HTTP/1.1 20"),
        Cut(first=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
    ],
    ids=["closed", "reset", "within the head", "within the body"],
)
def test_a_kept_connection_that_is_cut_is_a_failure_and_nothing_is_sent_twice(lab: Lab, cut: Cut) -> None:
    """libcurl by itself would send these again, reads and writes alike."""

    def script(heard: Heard) -> Reply | Cut:
        return Reply(after=0.02) if heard.nth == 1 else cut

    with (
        Scripted(script) as server,
        driving(lab, server.address, actions=(READ, WRITE)) as driver,
    ):
        driver.start(200, 0.4, arrivals="constant", fresh=0)  # several at once: other connections are idle
        records = whole(driver)
    assert len(records) == len(server.heard) == 80
    bodies = [heard.body for heard in server.heard if heard.body]
    assert len(bodies) == len(set(bodies))
    second = sum(1 for heard in server.heard if heard.nth == 2)
    assert second > 10
    assert Counter(record.failure for record in records) == {Failure.CUT: second, Failure.NONE: 80 - second}
    assert {record.fate for record in records if record.failure} == {Fate.UNKNOWN}


def test_a_kept_connection_that_was_closed_before_it_was_used_again_is_replaced(lab: Lab) -> None:
    with (
        Scripted(lambda heard: Reply(close=True, told=False)) as server,
        driving(lab, server.address) as driver,
    ):
        driver.start(20, 0.5, arrivals="constant", fresh=0)
        records = whole(driver)
    assert [record.failure for record in records] == [Failure.NONE] * 10
    assert server.connections == 10


def test_a_connection_that_is_refused(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with driving(lab, address) as driver:
        [record] = driver.once(["read"])
    assert (record.status, record.failure, record.fate) == (0, Failure.REFUSED, Fate.UNKNOWN)


def test_a_caller_whose_patience_ends(lab: Lab) -> None:
    with Scripted(lambda heard: None) as server, driving(lab, server.address, timeout=0.2) as driver:
        [record] = driver.once(["read"])
        driver.start(20, 0.2, timeout=0.4, arrivals="constant")
        loaded = whole(driver)
    assert record.failure is Failure.TIMED_OUT
    assert 0.2 <= record.latency < 1
    assert {one.failure for one in loaded} == {Failure.TIMED_OUT}
    assert min(one.done - one.sent for one in loaded) >= 0.399


def test_a_failed_answer_is_shown_by_its_first_300_bytes(lab: Lab) -> None:
    with (
        Scripted(lambda heard: Reply(500, b"x" * 1000)) as server,
        driving(lab, server.address, actions=(READ, WRITE)) as driver,
    ):
        read, write = driver.once(["read", "write"])
    assert (read.status, read.expected, read.excerpt) == (500, False, "x" * 300)
    assert write.fate is Fate.REFUSED


def test_success_is_what_the_action_expects(lab: Lab) -> None:
    actions = (READ, Action("missing", "GET", "/", expects=(404,)))
    with (
        Scripted(lambda heard: Reply(404)) as server,
        driving(lab, server.address, actions=actions) as driver,
    ):
        assert [record.ok for record in driver.once(["read", "missing"])] == [False, True]


def test_an_answer_that_is_no_http_is_another_failure(lab: Lab) -> None:
    with (
        Scripted(lambda heard: Cut(first=b"SSH-2.0-x\r\n")) as server,
        driving(lab, server.address) as driver,
    ):
        [record] = driver.once(["read"])
    assert record.failure is Failure.OTHER
    assert "HTTP/0.9" in record.excerpt


def test_an_explicit_repeat_is_the_same_request_and_a_record_of_its_own(lab: Lab) -> None:
    def script(heard: Heard) -> Reply | Cut:
        times = sum(1 for other in server.heard if other.body == heard.body)
        return (Cut(), Reply(503), Reply(201))[min(times, 3) - 1]

    with Scripted(script) as server, driving(lab, server.address, actions=(WRITE,)) as driver:
        driver.start(10, 0.3, arrivals="constant", retries=2)
        records = whole(driver)
    by_marker: dict[str, list[Record]] = {}
    for record in records:
        by_marker.setdefault(record.marker, []).append(record)
    assert len(by_marker) == 3
    for attempts in by_marker.values():
        assert [(one.attempt, one.status, one.failure) for one in attempts] == [
            (0, 0, Failure.CUT),
            (1, 503, Failure.NONE),
            (2, 201, Failure.NONE),
        ]
        assert len({one.key for one in attempts}) == 1
        assert attempts[1].due >= attempts[0].done + 0.05


def test_reads_and_refused_writes_are_not_repeated(lab: Lab) -> None:
    actions = (READ, WRITE)
    with (
        Scripted(lambda heard: Reply(400 if heard.method == "POST" else 500)) as server,
        driving(lab, server.address, actions=actions) as driver,
    ):
        driver.start(100, 0.2, arrivals="constant", retries=3)
        records = whole(driver)
    assert {record.attempt for record in records} == {0}
    assert {record.action for record in records} == {"read", "write"}


def test_a_request_owes_nothing_to_the_one_before_it_on_the_same_handle(lab: Lab) -> None:
    actions = (READ, WRITE, Action("head", "HEAD", "/"), Action("touch", "POST", "/touch"))
    rows = [["head", "write"], ["write", "read"], ["write", "touch"], ["touch", "head", "read"]]
    with (
        Scripted(lambda heard: Reply(body=b'{"id": 7}')) as server,
        driving(lab, server.address, actions=actions, timeout=2) as driver,
    ):
        records = [record for row in rows for record in driver.once(row)]
    assert [record.failure for record in records] == [Failure.NONE] * 9
    assert [record.made for record in records if record.writes] == ["7"] * 5
    assert [heard.method[0] + str(len(heard.body)) for heard in server.heard] == [
        "H0", "P20", "P20", "G0", "P20", "P0", "P0", "H0", "G0",
    ]  # fmt: skip
    assert not any("content-length" in heard.headers for heard in server.heard if heard.method == "GET")
