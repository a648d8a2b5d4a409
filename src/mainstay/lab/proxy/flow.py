"""One direction of a connection: bytes are read, held as long as a fault says, and written."""

import socket
from asyncio import AbstractEventLoop, TimerHandle
from collections import deque
from typing import Protocol

from mainstay.lab.proxy.conditions import Conditions
from mainstay.lab.proxy.faults import Way
from mainstay.lab.proxy.sending import unsent

HELD = 1 << 20  # bytes that one direction of one connection may have under way
_BUFFER = memoryview(bytearray(1 << 17))  # shared by all: a flow empties it before the next one reads
_DRAIN = 0.002  # seconds between two looks at whether the kernel has sent all
_MOST_DRAINS = 500  # then the target reads nothing, and misses nothing
_END = b""  # in the place of bytes: the source has ended


class Tally:
    """How many bytes of one direction were delivered and how many were thrown away."""

    def __init__(self) -> None:
        self.passed = 0
        self.lost = 0


class Owner(Protocol):
    """The connection a flow belongs to."""

    def settle(self) -> None:
        """Something has come to its end."""

    def abort(self) -> None:
        """Cut both ends."""


class Flow:
    """Bytes from `source` to `target`, in order, none missing unless a fault or a dead end loses them.

    It stops reading as soon as the target does not take what was read, so that a slow reader slows its
    writer and not us.  A FIN is passed on behind the last byte, and so is an RST.
    """

    other: "Flow"  # the opposite direction

    def __init__(
        self,
        loop: AbstractEventLoop,
        owner: Owner,
        way: Way,
        sockets: tuple[socket.socket, socket.socket],
        tally: Tally,
    ) -> None:
        self._loop = loop
        self._owner = owner
        self._way = way
        self._source, self._target = sockets
        self._tally = tally
        self._conditions = Conditions()
        self._plain = True
        self._held: deque[tuple[float, bytes]] = deque()  # when it is due, and what
        self._size = 0  # bytes in it
        self._left: int | None = None  # bytes until a reset
        self._reading = self._writing = False
        self._wake: TimerHandle | None = None  # the first one held is due
        self._pace: TimerHandle | None = None  # the line is free again
        self._ended = False  # nothing more is read from the source
        self._finished = False  # the target knows
        self._broken = False  # the source's end was, or is to look like, an RST
        self._drains = 0  # times an RST had to wait
        self._lost = False  # whatever comes is thrown away, for good

    @property
    def done(self) -> bool:
        """Whether nothing can happen any more in this direction."""
        return self._finished or (self._ended and self._lost)

    def fit(self, conditions: Conditions) -> None:
        """Live with these conditions from now on: what they no longer hold back is delivered."""
        self._conditions = conditions
        self._left = conditions.reset_after.get(self._way)
        self._plain = conditions.plain(self._way) and not self._lost
        self._cancel()
        latest = self._loop.time() + conditions.longest
        self._held = deque((min(due, latest), data) for due, data in self._held)
        if self._way in conditions.lost and self._held:
            self.lose()
        self._deliver()
        self._listen()

    def lose(self) -> None:
        """From now on, and for ever, throw away what comes, and what is held."""
        self._lost = True
        self._plain = False
        self._tally.lost += self._size
        self._held.clear()
        self._size = 0
        self._cancel()
        self._deliver()
        self._listen()

    def close(self) -> None:
        """Let go of both sockets; whoever owns them closes them."""
        self._cancel()
        self._ended = True
        self._held.clear()
        self._deliver()
        self._listen()

    def _readable(self) -> None:
        if not self._plain:
            self._read_with_faults()
            return
        try:
            size = self._source.recv_into(_BUFFER)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._source_broke()
            return
        if not size:
            self._source_ended()
            return
        try:
            sent = self._target.send(_BUFFER[:size])
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._target_broke()
            return
        self._tally.passed += sent
        if sent < size:
            self._hold(self._loop.time(), bytes(_BUFFER[sent:size]))

    def _read_with_faults(self) -> None:
        line = self._conditions.lines.get(self._way)
        try:
            size = self._source.recv_into(_BUFFER, line.piece if line else 0)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._source_broke()
            return
        if self._loses():
            self._throw_away(size)
        elif not size:
            self._source_ended()
        else:
            self._take(bytes(_BUFFER[:size]))

    def _throw_away(self, size: int) -> None:
        self._tally.lost += size
        self._ended = self._ended or not size
        if not self._lost:
            self.lose()
        self._listen()
        self._owner.settle()

    def _take(self, data: bytes) -> None:
        now = due = self._loop.time()
        data = data[: self._left]
        line = self._conditions.lines.get(self._way)
        if line:
            due = max(now, line.take(len(data), now))
            if due > now:
                self._pace = self._loop.call_at(due, self._paced)
        due += self._delay()
        self._hold(due, data)
        if self._left is not None:
            self._left -= len(data)
            if not self._left:
                self._ended = self._broken = True
                self._hold(due, _END)

    def _delay(self) -> float:
        return self._conditions.round_trip() / 2 if self._conditions.delayed else 0.0

    def _hold(self, due: float, data: bytes) -> None:
        self._held.append((due, data))
        self._size += len(data)
        if len(self._held) == 1:
            self._deliver()
        self._listen()

    def _paced(self) -> None:
        self._pace = None
        self._listen()

    def _source_ended(self) -> None:
        self._ended = True
        self._hold(self._loop.time() + self._delay(), _END)

    def _source_broke(self) -> None:
        """The source is dead: what it had sent still arrives, then an RST; nothing reaches it any more."""
        self._broken = True
        self.other.lose()
        if self._loses():
            self._throw_away(0)
        else:
            self._source_ended()

    def _target_broke(self) -> None:
        """The target is dead: the source learns it as soon as all that the target had sent has arrived."""
        self.lose()
        self.other.break_at_end()
        self._owner.settle()

    def break_at_end(self) -> None:
        """The source is known to be dead, though its bytes may not all have been read."""
        self._broken = True
        if self._finished and not self._loses():
            self._owner.abort()

    def _loses(self) -> bool:
        return self._lost or self._way in self._conditions.lost

    def _deliver(self) -> None:
        """Write what is due, and see to it that we are called for the rest."""
        blocked = False
        now = self._loop.time()
        while self._held and not self._conditions.stalled:
            due, data = self._held[0]
            if due > now:
                if self._wake is None:
                    self._wake = self._loop.call_at(due, self._woken)
                break
            if data is _END:
                if self._waits_for_kernel():
                    self._held[0] = (now + _DRAIN, _END)
                    continue
                self._held.popleft()
                self._finish()
                break
            try:
                sent = self._target.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self._target_broke()
                return
            self._tally.passed += sent
            self._size -= sent
            if sent < len(data):
                self._held[0] = (due, data[sent:])
                blocked = True
                break
            self._held.popleft()
        self._await_room(blocked)

    def _woken(self) -> None:
        self._wake = None
        self._deliver()
        self._listen()

    def _writable(self) -> None:
        self._deliver()
        self._listen()

    def _waits_for_kernel(self) -> bool:
        """Whether an RST would overtake bytes that were written, by a target that goes on reading them."""
        if not self._broken or self._drains >= _MOST_DRAINS:
            return False
        self._drains += 1
        return unsent(self._target) > 0

    def _finish(self) -> None:
        if self._broken:
            self._owner.abort()
            return
        try:
            self._target.shutdown(socket.SHUT_WR)
        except OSError:
            self._target_broke()
            return
        self._finished = True
        self._owner.settle()

    def _listen(self) -> None:
        """Read when there is room for it."""
        wanted = not self._ended and (self._lost or self._has_room())
        if wanted and not self._reading:
            self._loop.add_reader(self._source, self._readable)
        elif self._reading and not wanted:
            self._loop.remove_reader(self._source)
        self._reading = wanted

    def _has_room(self) -> bool:
        if self._conditions.stalled or self._pace is not None:
            return False
        if self._conditions.delayed:
            return self._size < HELD
        return not self._held

    def _await_room(self, wanted: bool) -> None:
        if wanted and not self._writing:
            self._loop.add_writer(self._target, self._writable)
        elif self._writing and not wanted:
            self._loop.remove_writer(self._target)
        self._writing = wanted

    def _cancel(self) -> None:
        for timer in (self._wake, self._pace):
            if timer is not None:
                timer.cancel()
        self._wake = self._pace = None
