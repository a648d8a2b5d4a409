"""Carries requests over libcurl's multi interface, in one thread that sleeps between events."""

import ctypes
import resource
import select
import selectors
import sys
import time
from collections.abc import Callable, Sequence

import pycurl  # type: ignore[import-untyped]  # it comes without types

from mainstay.lab.load.call import OURS, Call, Outcome
from mainstay.lab.load.kept import Kept
from mainstay.lab.load.lane import Lane
from mainstay.model.record import Failure

MOST = 8_000  # requests on their way: each costs a descriptor and some 10 KiB

_RESERVED = 64  # descriptors for everything else
_AT_LEAST = 8  # events that are handled between two looks at the clock
_PR_SET_TIMERSLACK = 29
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_INTEREST = {
    pycurl.POLL_IN: _READ,
    pycurl.POLL_OUT: _WRITE,
    pycurl.POLL_INOUT: _READ | _WRITE,
}
_READY = {
    _READ: pycurl.CSELECT_IN,
    _WRITE: pycurl.CSELECT_OUT,
    _READ | _WRITE: pycurl.CSELECT_IN | pycurl.CSELECT_OUT,
}

Handler = Callable[[int], None]  # is told what a file is ready for


class Engine:
    """Sends calls, and tells each call's job how it ended."""

    def __init__(self, most: int = MOST) -> None:
        self._most = _room(most)
        self._targets: tuple[str, ...] = ()
        self._turn = 0
        self._kept = Kept()
        self._idle: list[Lane] = []
        self._busy: dict[pycurl.Curl, Lane] = {}
        self._watched: set[int] = set()
        self._handlers: dict[int, Handler] = {}
        self._pending: dict[int, int] = {}  # files that are ready, and what for
        self._timer: float | None = None  # when libcurl wants to be called
        self._selector = selectors.DefaultSelector()
        self._ready = [self._selector.fileno()]
        self._multi = multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_PIPELINING, 0)
        multi.setopt(pycurl.M_MAXCONNECTS, self._most)
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        _wake_in_time()

    @property
    def on_their_way(self) -> int:
        return len(self._busy)

    def target(self, addresses: Sequence[str]) -> None:
        """Where requests go from now on, in turn."""
        self._targets = tuple(addresses)
        self._turn = 0

    def watch(self, file: int, events: int, handler: Handler) -> None:
        """Call `handler` while `file` is ready for `events`; a second time changes the events."""
        if file in self._handlers:
            self._selector.modify(file, events)
        else:
            self._selector.register(file, events)
        self._handlers[file] = handler

    def send(self, call: Call) -> None:
        """Begin to send it now."""
        call.target = self._turn = (self._turn + 1) % len(self._targets)
        call.sent = time.monotonic()
        if len(self._busy) >= self._most:
            said = f"{OURS} has {self._most:,} requests on their way and can send no more."
            call.job.finished(call, Outcome(call.sent, failure=Failure.OTHER, ours=said))
            return
        lane = self._idle.pop() if self._idle else Lane(self._kept)
        lane.load(call, self._targets[call.target])
        self._busy[lane.handle] = lane
        self._multi.add_handle(lane.handle)

    def wait(self, until: float | None) -> None:
        """Carry on until that time, or until something has happened; None: for as long as it takes.

        When a thousand answers come at once, those that `until` leaves no time for wait for the next call.
        """
        if not self._pending:
            self._sleep(until)
        if self._timer is not None and self._timer <= time.monotonic():
            self._timer = None
            self._act(pycurl.SOCKET_TIMEOUT, 0)
        if not self._pending:
            ready = self._selector.select(0)
            self._pending = {key.fd: events for key, events in reversed(ready)}  # taken from its end
        for n in range(1, len(self._pending) + 1):
            if not self._pending:  # what libcurl has closed meanwhile is gone
                break
            self._handle(*self._pending.popitem())
            if n % _AT_LEAST == 0 and until is not None and until <= time.monotonic():
                break

    def _sleep(self, until: float | None) -> None:
        if self._timer is not None and (until is None or self._timer < until):
            until = self._timer
        left = None if until is None else until - time.monotonic()
        if left is None or left > 0:
            # epoll's own timeout has steps of 1 ms; the epoll descriptor under select has steps of 1 us
            select.select(self._ready, (), (), left)

    def _handle(self, file: int, events: int) -> None:
        if file in self._handlers:
            self._handlers[file](events)
        else:
            self._act(file, _READY[events])

    def close(self) -> None:
        """Drop what is on its way and close all connections."""
        for lane in self._busy.values():
            self._multi.remove_handle(lane.handle)
        for lane in (*self._busy.values(), *self._idle):
            lane.close()
        self._multi.close()
        self._selector.close()

    def _act(self, file: int, events: int) -> None:
        _, running = self._multi.socket_action(file, events)
        if running < len(self._busy):
            self._harvest(time.monotonic())

    def _harvest(self, now: float) -> None:
        left = 1
        while left:
            left, good, bad = self._multi.info_read()
            for handle in good:
                self._finish(handle, now, pycurl.E_OK, "")
            for handle, code, said in bad:
                self._finish(handle, now, code, said)

    def _finish(self, handle: pycurl.Curl, now: float, code: int, said: str) -> None:
        lane = self._busy[handle]
        self._multi.remove_handle(handle)
        if lane.stale:
            lane.replace()
            self._multi.add_handle(handle)
            return
        del self._busy[handle]
        outcome = lane.outcome(now, code, said)
        call, lane.call = lane.call, None
        self._idle.append(lane)
        assert call is not None
        call.job.finished(call, outcome)

    def _watch(self, what: int, file: int, _multi: object, _data: object) -> None:
        if what == pycurl.POLL_REMOVE:
            self._pending.pop(file, None)
            if file in self._watched:
                self._watched.remove(file)
                self._selector.unregister(file)
        elif file in self._watched:
            self._selector.modify(file, _INTEREST[what])
        else:
            self._watched.add(file)
            self._selector.register(file, _INTEREST[what])

    def _set_timer(self, milliseconds: int) -> None:
        self._timer = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000


def _room(most: int) -> int:
    """How many requests may be on their way, up to `most`, with as many descriptors as we are allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _RESERVED
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(1, wanted - _RESERVED)


def _wake_in_time() -> None:
    """Linux lets timers of ordinary processes be 50 us late, to save power."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
