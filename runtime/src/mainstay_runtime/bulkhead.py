"""A bulkhead: so many calls at once to one dependency, so that it cannot take all threads of the service."""

import asyncio
import threading
from collections import OrderedDict

from mainstay_runtime import deadline, events
from mainstay_runtime.around import Around
from mainstay_runtime.refused import Full as Full


class Bulkhead(Around[None]):
    """At most `at_once` calls at once; a further one waits at most `wait` seconds for a place.

    Then it is refused with Full.  It never waits beyond the deadline in force.  Threads and tasks, of any
    event loops, share the places and one queue: who comes first is served first, and nobody overtakes.  A
    place is handed over to the one who waits, so one whose wait is cancelled at that moment passes it on.
    """

    __slots__ = ("_free", "_lock", "_queue", "at_once", "name", "wait")
    waits = True

    def __init__(self, name: str, at_once: int, wait: float = 0.0) -> None:
        if at_once < 1 or wait < 0:
            raise ValueError("at_once is at least 1 and wait at least 0 seconds")
        self.name = name
        self.at_once = at_once
        self.wait = wait
        self._lock = threading.Lock()
        self._free = at_once
        self._queue: OrderedDict[_Thread | _Task, None] = OrderedDict()

    @property
    def used(self) -> int:
        """Places taken now."""
        return self.at_once - self._free

    @property
    def waiting(self) -> int:
        """Callers in the queue now."""
        return len(self._queue)

    def begin(self) -> None:
        self.acquire()

    async def begin_async(self) -> None:
        await self.acquire_async()

    def end(self, call: None, error: BaseException | None) -> None:
        self.release()

    def lost(self) -> None:
        return None

    def take(self) -> bool:
        """Take a place if there is one, without a wait."""
        with self._lock:
            if self._free:  # a place is only free while nobody waits: nobody is overtaken
                self._free -= 1
                return True
            return False

    def acquire(self) -> None:
        """Take a place, or wait for one on this thread.  Raises Full."""
        if self.take():
            return
        waits, mine = self._waits(), _Thread()
        if self._take_or_queue(mine):
            return
        try:
            handed = mine.wait(waits)
        except BaseException:  # the interrupt of a keyboard
            self._leave(mine)
            raise
        if not handed and not self._give_up(mine):
            self._refuse()

    async def acquire_async(self) -> None:
        """Take a place, or wait for one in this task.  Raises Full."""
        if self.take():
            return
        waits, mine = self._waits(), _Task()
        if self._take_or_queue(mine):
            return
        try:
            handed = await mine.wait(waits)
        except BaseException:  # cancelled
            self._leave(mine)
            raise
        if not handed and not self._give_up(mine):
            self._refuse()

    def release(self) -> None:
        """Give a place back: to the first in the queue, or to whoever comes next."""
        with self._lock:
            while self._queue:
                first, _ = self._queue.popitem(last=False)
                if first.hand_over():
                    return
            self._free += 1

    def _waits(self) -> float:
        """Seconds to wait.  Raises Full where that is none."""
        rest = deadline.left()
        waits = self.wait if rest is None else min(self.wait, rest)
        if waits <= 0:
            self._refuse()
        return waits

    def _take_or_queue(self, mine: "_Thread | _Task") -> bool:
        """Take a place that has become free meanwhile; else queue for one, and False."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            self._queue[mine] = None
            return False

    def _give_up(self, mine: "_Thread | _Task") -> bool:
        """Leave the queue; True where a place was handed over at the last moment, which is then its own."""
        with self._lock:
            self._queue.pop(mine, None)
            return mine.has

    def _leave(self, mine: "_Thread | _Task") -> None:
        """Leave the queue and pass on what was handed over."""
        if self._give_up(mine):
            self.release()

    def _refuse(self) -> None:
        events.tell("bulkhead", self.name, "refused")
        raise Full(self.name)


class _Thread:
    """A thread that waits.  `has` is only read and written under the lock of the bulkhead."""

    __slots__ = ("_gate", "has")

    def __init__(self) -> None:
        self.has = False
        self._gate = threading.Lock()
        self._gate.acquire()

    def wait(self, seconds: float) -> bool:
        return self._gate.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))

    def hand_over(self) -> bool:
        self.has = True
        self._gate.release()
        return True


class _Task:
    """A task that waits, woken from any thread."""

    __slots__ = ("_loop", "_woken", "has")

    def __init__(self) -> None:
        self.has = False
        self._loop = asyncio.get_running_loop()
        self._woken: asyncio.Future[bool] = self._loop.create_future()

    async def wait(self, seconds: float) -> bool:
        timer = self._loop.call_later(seconds, self._wake, False)
        try:
            return await self._woken
        finally:
            timer.cancel()

    def hand_over(self) -> bool:
        """False where its loop is closed, and nobody is there to take the place."""
        try:
            self._loop.call_soon_threadsafe(self._wake, True)
        except RuntimeError:
            return False
        self.has = True
        return True

    def _wake(self, handed: bool) -> None:
        if not self._woken.done():
            self._woken.set_result(handed)
