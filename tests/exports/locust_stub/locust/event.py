"""Events of Locust."""

from collections.abc import Callable
from typing import Any


class EventHook:
    def __init__(self) -> None:
        self.listeners: list[Callable[..., Any]] = []

    def add_listener(self, listener: Callable[..., Any]) -> Callable[..., Any]:
        self.listeners.append(listener)
        return listener

    def fire(self, **told: Any) -> None:
        for listener in self.listeners:
            listener(**told)
