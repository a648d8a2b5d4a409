"""A port that clients connect to in place of the upstream, and all connections that came in on it."""

import asyncio
import socket
from asyncio import AbstractEventLoop, Task
from collections.abc import Coroutine, Sequence
from typing import Any

from mainstay.lab.proxy.conditions import Conditions
from mainstay.lab.proxy.connection import Connection
from mainstay.lab.proxy.faults import Fault, Way
from mainstay.lab.proxy.flow import Tally
from mainstay.lab.proxy.messages import Open, Stats
from mainstay.lab.proxy.upstream import Upstream

_BACKLOG = 1024
_AT_ONCE = 64  # connections accepted before others get their turn
_PROBE = 0.02  # seconds between two looks at whether an upstream that refused is back
_OUT_OF_FILES = 0.05  # seconds to wait before another connection is accepted


class Link:
    """Listens while its upstream does.

    When the upstream refuses a dial, the client that caused it gets an RST and the port is closed until the
    upstream is back: the next clients are refused as the upstream itself would have refused them.
    """

    def __init__(self, loop: AbstractEventLoop, order: Open) -> None:
        """Raises OSError when the port is taken or an upstream's name is unknown."""
        self._loop = loop
        self._upstreams: list[Upstream] = []
        self._watches: list[Task[None]] = []
        self._ready_path = order.ready_path
        self._next = 0
        self._port = order.port
        self.conditions = Conditions()
        self.tallies = {way: Tally() for way in Way}
        self._connections: set[Connection] = set()
        self._accepted = self._refused = 0
        self._away = False  # no upstream takes connections
        self._listens = False
        self._tasks: set[Task[None]] = set()
        self._listener = self._bind()
        try:
            self.aim(order.upstreams)
        except OSError:
            self._listener.close()
            raise
        self._gate()

    def aim(self, upstreams: Sequence[tuple[str, int]]) -> None:
        """Pass new connections on to these, those that are open stay; raises OSError for an unknown name."""
        self._upstreams = [Upstream(host, port) for host, port in upstreams]
        for watch in self._watches:
            watch.cancel()
        self._watches.clear()
        if self._ready_path:
            self._watches.extend(self._begin(up.watch(self._ready_path)) for up in self._upstreams)

    def set(self, faults: Sequence[Fault]) -> None:
        """Let these faults hold, and no others, for all connections that clients have opened by now."""
        if self._listens:
            self._accept(_BACKLOG)
        self.conditions = Conditions(faults)
        self._gate()
        for connection in list(self._connections):
            if self.conditions.resets:
                connection.abort()
                continue
            if self.conditions.forgets:
                connection.forget()
            connection.fit(self.conditions)

    def stats(self, number: int, late: float) -> Stats:
        """What went through it, as the answer to the command of this number; `late` goes along."""
        return Stats(
            number,
            open=len(self._connections),
            accepted=self._accepted,
            refused=self._refused,
            requests=self.tallies[Way.REQUESTS].passed,
            answers=self.tallies[Way.ANSWERS].passed,
            lost=sum(tally.lost for tally in self.tallies.values()),
            late=late,
            dialled=tuple(upstream.dialled for upstream in self._upstreams),
            well=tuple(upstream.well for upstream in self._upstreams),
        )

    def close(self) -> None:
        """Cut its connections and give the port back."""
        for task in self._tasks:
            task.cancel()
        if self._listens:
            self._loop.remove_reader(self._listener)
        self._listener.close()
        for connection in list(self._connections):
            connection.abort()

    def in_turn(self) -> list[Upstream]:
        """The upstreams, round robin, those that are not well last."""
        self._next = (self._next + 1) % len(self._upstreams)
        turned = self._upstreams[self._next :] + self._upstreams[: self._next]
        return sorted(turned, key=lambda upstream: not upstream.well)

    def gone(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def nobody(self) -> None:
        self._refused += 1
        if not self._away:
            self._away = True
            self._gate()
            self._begin(self._await_upstream())

    async def _await_upstream(self) -> None:
        while True:
            await asyncio.sleep(_PROBE)
            for upstream in self._upstreams:
                if await upstream.reachable():
                    upstream.well = True
                    self._away = False
                    self._gate()
                    return

    def _begin(self, coroutine: Coroutine[Any, Any, None]) -> Task[None]:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _bind(self) -> socket.socket:
        """A socket that holds the port and does not listen: whoever connects is refused."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", self._port))
        except OSError:
            sock.close()
            raise
        sock.setblocking(False)
        return sock

    def _gate(self) -> None:
        """Listen, or do not, as the conditions have it."""
        passes_on = not (self.conditions.swallows or self.conditions.holds_dials)
        wanted = not self.conditions.refuses and not (self._away and passes_on)
        if wanted and not self._listens:
            self._listener.listen(_BACKLOG)
            self._loop.add_reader(self._listener, self._accept)
        elif self._listens and not wanted:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = self._bind()
        self._listens = wanted

    def _accept(self, most: int = _AT_ONCE) -> None:
        for _ in range(most):
            if not self._listens:  # the one before found nobody
                return
            try:
                reserve = socket.socket()
            except OSError:
                self._rest()
                return
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                reserve.close()
                return
            except OSError:
                reserve.close()
                self._rest()
                return
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._accepted += 1
            connection = Connection(self._loop, self, client, reserve)
            self._connections.add(connection)
            connection.admit()

    def _rest(self) -> None:
        """No file descriptor is left: to be told so again at once helps nobody."""
        self._loop.remove_reader(self._listener)
        self._loop.call_later(_OUT_OF_FILES, self._resume, self._listener)

    def _resume(self, listener: socket.socket) -> None:
        if self._listens and listener is self._listener:
            self._loop.add_reader(listener, self._accept)
