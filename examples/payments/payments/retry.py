"""Bounded repetition, for calls that are safe to repeat."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class Transient(Exception):
    """The attempt failed in a way that a later one may not."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    attempts: int = 3
    base_s: float = 0.1
    cap_s: float = 1.0
    deadline_s: float = 9.0
    attempt_s: float = 4.0

    def pause(self, attempt: int) -> float:
        """Full jitter: callers that failed together do not return together."""
        return random.uniform(0, min(self.cap_s, self.base_s * 2**attempt))


def with_backoff(call: Callable[[float], T], policy: RetryPolicy) -> T:
    """Call with the seconds it may take; the deadline covers all attempts and pauses."""
    ends = time.monotonic() + policy.deadline_s
    for attempt in range(policy.attempts - 1):
        try:
            return call(min(policy.attempt_s, ends - time.monotonic()))
        except Transient:
            pause = policy.pause(attempt)
            if time.monotonic() + pause >= ends:
                raise
            time.sleep(pause)
    return call(min(policy.attempt_s, max(0.1, ends - time.monotonic())))
