"""A client's connection and the one to the upstream that belongs to it."""

import errno
import socket
import struct
from asyncio import AbstractEventLoop, TimerHandle
from typing import Protocol

from mainstay.lab.proxy.conditions import Conditions
from mainstay.lab.proxy.faults import Way
from mainstay.lab.proxy.flow import Flow, Tally
from mainstay.lab.proxy.upstream import Upstream

_LINGER_NOT = struct.pack("ii", 1, 0)  # to close is to send an RST
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR)
_CUT = (errno.ECONNRESET, errno.EPIPE)
_CHUNK = 1 << 16


class Owner(Protocol):
    """The link a connection came in on."""

    conditions: Conditions
    tallies: dict[Way, Tally]

    def in_turn(self) -> list[Upstream]:
        """The upstreams to be tried for a connection, the best first."""

    def gone(self, connection: "Connection") -> None:
        """The connection is closed."""

    def nobody(self) -> None:
        """No upstream took a connection."""


class Connection:
    """From its acceptance to its end.

    Nothing is read from the client before the upstream has answered the dial: until then its bytes wait in
    the kernel, where none is lost.  `reserve` keeps a file descriptor for the dial: were there none left
    by then, all descriptors could belong to clients that wait for one.
    """

    def __init__(
        self, loop: AbstractEventLoop, owner: Owner, client: socket.socket, reserve: socket.socket
    ) -> None:
        self._loop = loop
        self._owner = owner
        self._client = client
        self._reserve = reserve
        self._upstream: socket.socket | None = None
        self._flows: tuple[Flow, ...] = ()
        self._candidates: list[Upstream] | None = None  # None: not dialling
        self._later: TimerHandle | None = None
        self._forgotten = False
        self._swallows = False
        self._left = False  # the client of a swallowed connection has ended
        self._closed = False

    def admit(self) -> None:
        """Begin, as the conditions of the link have it."""
        conditions = self._owner.conditions
        if conditions.swallows:
            self._swallow()
        elif not conditions.holds_dials:
            delay = conditions.round_trip()
            if delay:
                self._later = self._loop.call_later(delay, self._dial)
            else:
                self._dial()

    def fit(self, conditions: Conditions) -> None:
        """Live with these conditions from now on."""
        for flow in self._flows:
            flow.fit(conditions)
        if self._flows:
            self.settle()
        if self._closed:
            return
        if self._swallows:
            if self._left and not conditions.swallows:
                self.close()
        elif not self._flows and self._candidates is None:
            self._cancel()
            if not conditions.holds_dials:
                self._dial()

    def forget(self) -> None:
        """Acknowledge and lose everything from now on, whatever conditions follow."""
        for flow in self._flows:
            flow.lose()
        if self._flows:
            self.settle()
        elif self._candidates is not None:
            self._forgotten = True  # the upstream may have accepted already
        elif not self._swallows:
            self._cancel()
            self._swallow()

    def settle(self) -> None:
        """Close it when nothing can happen any more in either direction."""
        if not self._closed and all(flow.done for flow in self._flows):
            self.close()

    def abort(self) -> None:
        """Cut both ends with an RST."""
        for sock in (self._client, self._upstream):
            if sock is not None and not self._closed:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.close()

    def close(self) -> None:
        """Close both ends."""
        if self._closed:
            return
        self._closed = True
        self._stop_dialling()
        if self._swallows and not self._left:
            self._loop.remove_reader(self._client)
        for flow in self._flows:
            flow.close()
        for sock in (self._client, self._upstream):
            if sock is not None:
                sock.close()
        self._flows = ()
        self._reserve.close()
        self._owner.gone(self)

    def _swallow(self) -> None:
        self._swallows = True
        self._reserve.close()
        self._loop.add_reader(self._client, self._discard)

    def _discard(self) -> None:
        try:
            data = self._client.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        self._owner.tallies[Way.REQUESTS].lost += len(data)
        if data:
            return
        self._left = True
        self._loop.remove_reader(self._client)
        if not self._owner.conditions.swallows:
            self.close()  # until then it might wait for an answer, which an end would be

    def _cancel(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def _stop_dialling(self) -> None:
        self._cancel()
        if self._candidates is not None and self._upstream is not None:
            self._loop.remove_writer(self._upstream)
            self._upstream.close()
            self._upstream = None
        self._candidates = None

    def _dial(self) -> None:
        self._later = None
        self._reserve.close()
        self._candidates = self._owner.in_turn()
        self._dial_next()

    def _dial_next(self) -> None:
        while self._candidates:
            candidate = self._candidates[0]
            sock = socket.socket(candidate.family, socket.SOCK_STREAM)
            sock.setblocking(False)
            error = sock.connect_ex(candidate.address)
            if not error:
                self._joined(sock)
                return
            if error in _UNDER_WAY:
                self._upstream = sock
                self._loop.add_writer(sock, self._dialled)
                return
            sock.close()
            self._refused()
        self._candidates = None
        if self._forgotten:
            self._swallow()
            return
        self._owner.nobody()  # first: who sees the RST and comes again is to be refused
        self.abort()

    def _dialled(self) -> None:
        sock = self._upstream
        assert sock is not None
        self._loop.remove_writer(sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not error:
            self._joined(sock)
        elif error in _CUT:  # it had accepted, and may even have said something
            self._joined(sock)
            if self._flows:
                self._flows[1].break_at_end()
        else:
            sock.close()
            self._upstream = None
            self._refused()
            self._dial_next()

    def _refused(self) -> None:
        assert self._candidates
        self._candidates.pop(0).refused()

    def _joined(self, upstream: socket.socket) -> None:
        assert self._candidates
        self._candidates[0].took()
        self._candidates = None
        self._upstream = upstream
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tallies = self._owner.tallies
        there = Flow(self._loop, self, Way.REQUESTS, (self._client, upstream), tallies[Way.REQUESTS])
        back = Flow(self._loop, self, Way.ANSWERS, (upstream, self._client), tallies[Way.ANSWERS])
        there.other, back.other = back, there
        self._flows = (there, back)
        for flow in self._flows:
            flow.fit(self._owner.conditions)
        if self._forgotten:
            for flow in self._flows:
                flow.lose()
