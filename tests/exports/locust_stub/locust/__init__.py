"""As much of Locust as the exported locustfiles use, without its engine."""

from collections.abc import Callable
from typing import Any

from locust.event import EventHook  # type: ignore[import-not-found]  # this stub


class events:  # noqa: N801 - its name in Locust
    init = EventHook()
    test_start = EventHook()
    quitting = EventHook()


def task(function: Callable[..., Any]) -> Callable[..., Any]:
    """The one task of a user."""
    return function


class LoadTestShape:
    users = 0

    def get_current_user_count(self) -> int:
        return self.users
