"""A stretch of code that Ctrl-C does not cut in two."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

_INTERRUPTING = (signal.SIGINT, signal.SIGTERM)


class Deferred:
    """What would be raised by a signal meanwhile is raised at the end.

    Blocking the signal would not do: it then goes to another thread, and Python acts upon it in the main one.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._came: list[tuple[int, FrameType | None]] = []

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # signals are never handled in this one
        try:
            for number in _INTERRUPTING:
                handler = signal.getsignal(number)
                if callable(handler):
                    signal.signal(number, self._note)
                    self._handlers[number] = handler
        except (
            BaseException
        ):  # a signal came before the last change: there is no stretch of code to keep whole
            self._restore()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._restore()
        for number, frame in self._came:
            self._handlers[number](number, frame)

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            try:
                signal.signal(number, handler)
            except BaseException:  # by the one that was restored just now; this one was not
                signal.signal(number, handler)
                raise

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came.append((number, frame))
