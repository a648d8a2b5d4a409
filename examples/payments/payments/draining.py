"""Leave without being missed.

The server closes its listening socket as soon as it is asked to end. Whoever balances the load
hears of that by failing a request, unless the process says beforehand that it is no longer ready,
and goes on serving for as long as it takes to be heard.
"""

import asyncio
import signal
import threading
from types import FrameType

from fastapi import FastAPI


def prepare(app: FastAPI, pause_s: float) -> None:
    """On SIGTERM, be unready for `pause_s`, then let the server end. A second one ends at once."""
    app.state.draining = False
    end = signal.getsignal(signal.SIGTERM)
    if not callable(end) or threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()

    def drain(number: int, frame: FrameType | None) -> None:
        if app.state.draining:
            end(number, frame)
            return
        app.state.draining = True
        loop.call_soon_threadsafe(loop.call_later, pause_s, end, number, None)

    signal.signal(signal.SIGTERM, drain)


def begun(app: FastAPI) -> bool:
    draining: bool = app.state.draining
    return draining
