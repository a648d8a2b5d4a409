"""A server with so many workers and a queue, in simulated time, under calls that arrive at random."""

import heapq
import random
from collections import deque
from collections.abc import Callable

from mainstay_runtime.limiter import Full, Limiter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Server:
    """`workers` and `latency`, in seconds, may be changed between two runs."""

    def __init__(
        self,
        limiter: Limiter,
        clock: Clock,
        *,
        workers: int,
        latency: Callable[[random.Random], float] = lambda draw: draw.expovariate(1 / 0.05),
    ) -> None:
        self.limiter = limiter
        self.clock = clock
        self.workers = workers
        self.latency = latency
        self.draw = random.Random(1)
        self.busy = 0
        self.queue: deque[tuple[float, int]] = deque()
        self.coming: list[tuple[float, int, tuple[float, int] | None]] = []
        self.order = 0
        self.times: list[float] = []
        self.refused = 0

    def run(self, seconds: float, rate: float) -> None:
        """Let calls arrive at `rate` a second, for so long; `times` and `refused` are those of this run."""
        self.times, self.refused = [], 0
        ends = self.clock.now + seconds
        self._later(self.clock.now, None)
        while self.coming and self.coming[0][0] <= ends:
            self.clock.now, _, done = heapq.heappop(self.coming)
            if done is None:
                self._later(self.clock.now + self.draw.expovariate(rate), None)
                self._arrive()
            else:
                self._finish(*done)
            self._work()
        self.coming = [one for one in self.coming if one[2] is not None]  # nobody arrives until the next run
        heapq.heapify(self.coming)
        self.clock.now = ends

    @property
    def median(self) -> float:
        """Seconds."""
        return sorted(self.times)[len(self.times) // 2]

    def _later(self, when: float, done: tuple[float, int] | None) -> None:
        self.order += 1
        heapq.heappush(self.coming, (when, self.order, done))

    def _arrive(self) -> None:
        try:
            self.queue.append((self.clock.now, self.limiter.admit()))
        except Full:
            self.refused += 1

    def _finish(self, arrived: float, began_in: int) -> None:
        self.busy -= 1
        self.times.append(self.clock.now - arrived)
        self.limiter.settle(began_in, self.clock.now - arrived, None)

    def _work(self) -> None:
        while self.queue and self.busy < self.workers:
            self.busy += 1
            self._later(self.clock.now + self.latency(self.draw), self.queue.popleft())
