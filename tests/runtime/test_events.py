import logging
import threading
from collections.abc import Callable

import pytest

from mainstay_runtime import events
from mainstay_runtime.events import Event


def test_a_listener_hears_what_is_told_until_it_ends() -> None:
    heard: list[Event] = []
    end = events.listen(heard.append)
    events.tell("breaker", "processor", "opened")
    events.tell("budget", "processor", "left", 7.5)
    end()
    events.tell("breaker", "processor", "closed")
    assert heard == [Event("breaker", "processor", "opened"), Event("budget", "processor", "left", 7.5)]


def test_ending_twice_ends_nobody_else() -> None:
    heard: list[Event] = []
    first, second = events.listen(heard.append), events.listen(heard.append)
    first()
    first()
    events.tell("rate", "charge", "refused")
    second()
    assert len(heard) == 1


def test_a_listener_that_raises_is_dropped_and_the_others_hear(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    heard: list[Event] = []

    def broken(event: Event) -> None:
        calls.append(event.what)
        raise RuntimeError("no disk")

    events.listen(broken)
    end = events.listen(heard.append)
    with caplog.at_level(logging.ERROR):
        events.tell("outbox", "relay", "sent")
        events.tell("outbox", "relay", "sent")
    end()
    assert calls == ["sent"]
    assert len(heard) == 2
    assert [one.getMessage() for one in caplog.records] == [
        "dropped a listener that raised at sent of outbox relay"
    ]


def test_a_listener_may_listen_and_end_while_it_is_told() -> None:
    heard: list[str] = []

    def once(event: Event) -> None:
        end()
        inner.append(events.listen(lambda late: heard.append(late.what)))

    inner: list[Callable[[], None]] = []
    end = events.listen(once)
    events.tell("rate", "charge", "first")
    events.tell("rate", "charge", "second")
    for ended in inner:
        ended()
    assert heard == ["second"]


def test_threads_may_come_and_go_while_others_tell() -> None:
    heard: list[Event] = []

    def come_and_go() -> None:
        for _ in range(300):
            events.listen(lambda event: None)()

    end = events.listen(heard.append)
    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        events.tell("rate", "charge", "allowed")
    for thread in threads:
        thread.join()
    end()
    assert len(heard) == 300
    before = len(heard)
    events.tell("rate", "charge", "allowed")
    assert len(heard) == before
