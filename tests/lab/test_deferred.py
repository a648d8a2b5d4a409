"""Ctrl-C comes after what it may not cut in two."""

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from mainstay.lab.deferred import Deferred


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def by_another_thread() -> None:
    thread = threading.Thread(target=interrupt)
    thread.start()
    thread.join()
    time.sleep(0.01)


@pytest.mark.parametrize("way", [interrupt, by_another_thread])
def test_an_interrupt_is_raised_at_the_end(way: Callable[[], None]) -> None:
    done = []

    def work() -> None:
        with Deferred():
            way()
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_another_thread_it_changes_nothing() -> None:
    seen: list[object] = []

    def look() -> None:
        with Deferred():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_an_interrupt_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Deferred():
            interrupt()
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_error_passes_through() -> None:
    with pytest.raises(ValueError, match="mine"), Deferred():
        raise ValueError("mine")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
