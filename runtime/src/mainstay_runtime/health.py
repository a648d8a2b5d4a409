"""Is the process alive, can it serve, and is it about to end?

Alive is about the process alone: restarting it would not heal a database. Ready asks what the service
needs, each check with a deadline, all at once, and keeps the answer for a moment, so that probes are no
load. Draining makes the process unready first and lets it end later, since whoever balances the load hears
of a closed socket by failing a request.
"""

import asyncio
import inspect
import logging
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import anyio
from fastapi import APIRouter
from starlette.responses import JSONResponse

from mainstay_runtime import deadline, events

Check = Callable[[], Awaitable[object] | object]
"""Raises, or returns False, if what it asks cannot serve. A plain function runs on a thread of its own."""

OK, FAILED, LATE = "ok", "failed", "late"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Readiness:
    """How each check went, by name: "ok", "failed" or "late"; and whether the process is about to end."""

    checks: Mapping[str, str]
    leaving: bool

    @property
    def ready(self) -> bool:
        return not self.leaving and all(how == OK for how in self.checks.values())

    @property
    def status(self) -> str:
        return "draining" if self.leaving else "ready" if self.ready else "unready"


class Health:
    """The health of one process, on one event loop.

    `within` is the time that each check has, `cached` how long an answer serves further probes; both in
    seconds. Answers name the checks that failed and nothing else; why is in the log, once for each change.
    """

    def __init__(
        self,
        checks: Mapping[str, Check] | None = None,
        *,
        within: float = 1.0,
        cached: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = dict(checks or {})
        self._within = within
        self._cached = cached
        self._clock = clock
        self._under_way: dict[str, _Call] = {}
        self._asking: asyncio.Task[dict[str, str]] | None = None
        self._told: dict[str, str] = {}
        self._known: dict[str, str] = {}
        self._known_until = -float("inf")
        self._leaving = False

    def leaving(self) -> bool:
        """Whether the process is about to end.

        For `middleware.Leaving`, and for loops that should take no more work.
        """
        return self._leaving

    async def ready(self) -> Readiness:
        """Asks all checks, or gives what is known if that is fresh.

        Probes that come meanwhile share one answer.
        """
        if self._clock() >= self._known_until and not self._leaving:
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask())
            await asyncio.shield(
                self._asking
            )  # a probe that gives up does not take the answer from the others
        return Readiness(self._known, self._leaving)

    def drain(self) -> None:
        """From now on unready. Doing it again does no harm."""
        if not self._leaving:
            self._leaving = True
            events.tell("health", "process", "draining")

    @contextmanager
    def draining(self, pause: float = 5.0) -> Iterator[None]:
        """For the lifespan of the app: on SIGTERM unready at once, and the server ends `pause` seconds later.

        `pause` has to exceed the period of the readiness probe times its failure threshold. Further
        SIGTERMs change nothing; SIGINT still ends at once. Does nothing outside of the main thread, where
        no signals arrive.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        end = signal.getsignal(signal.SIGTERM)
        loop = asyncio.get_running_loop()

        def drain(_: int, __: FrameType | None) -> None:
            if not self._leaving:
                self.drain()
                loop.call_soon_threadsafe(loop.call_later, pause, _end, end)

        signal.signal(signal.SIGTERM, drain)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGTERM) is drain:
                signal.signal(signal.SIGTERM, end)

    def router(self, live: str = "/livez", ready: str = "/readyz") -> APIRouter:
        """`live`: 200 as long as the loop runs. `ready`: 200, or 503 with the names of what failed."""
        router = APIRouter()

        async def alive() -> dict[str, str]:
            return {"status": "alive"}

        async def readiness() -> JSONResponse:
            found = await self.ready()
            body: dict[str, Any] = {"status": found.status, "checks": dict(found.checks)}
            return JSONResponse(body, 200 if found.ready else 503, {"Cache-Control": "no-store"})

        router.add_api_route(live, alive, include_in_schema=False)
        router.add_api_route(ready, readiness, include_in_schema=False)
        return router

    async def _ask(self) -> dict[str, str]:
        try:
            with deadline.without():  # the answer serves more than the probe that happened to ask
                found = await asyncio.gather(*(self._check(name) for name in self._checks))
            self._known = dict(zip(self._checks, found, strict=True))
            self._known_until = self._clock() + self._cached
            return self._known
        finally:
            self._asking = None

    async def _check(self, name: str) -> str:
        # One that still hangs from before is waited for and not started again: threads would pile up.
        call = self._under_way.get(name)
        if call is None:
            call = self._under_way[name] = _Call(self._checks[name])
            call.task.add_done_callback(lambda _: self._under_way.pop(name, None))
        task = call.task
        await asyncio.wait({task}, timeout=self._within)
        if not task.done():
            call.cancel()
            return self._found(name, LATE)
        if task.cancelled():
            return self._found(name, LATE)
        if (error := task.exception()) is not None:
            return self._found(name, FAILED, error)
        return self._found(name, FAILED if task.result() is False else OK)

    def _found(self, name: str, how: str, error: BaseException | None = None) -> str:
        before = self._told.get(name, OK)
        self._told[name] = how
        if how != before:
            events.tell("health", name, how)
            _log.log(logging.INFO if how == OK else logging.ERROR, "check %s: %s", name, how, exc_info=error)
        return how


class _Call:
    """One check under way."""

    def __init__(self, check: Check) -> None:
        # Unlike a task's own cancelling, this leaves a thread to those who wait for it.
        self._scope = anyio.CancelScope()
        self.task = asyncio.create_task(self._run(check))

    def cancel(self) -> None:
        """Ends what awaits; a thread goes on all the same."""
        self._scope.cancel()

    async def _run(self, check: Check) -> object:
        with self._scope:
            if _is_asynchronous(check):
                result = check()
            else:
                # On a thread of its own: behind the requests, a busy moment would look like a failure.
                result = await anyio.to_thread.run_sync(check, limiter=anyio.CapacityLimiter(1))
            return await result if inspect.isawaitable(result) else result
        return False  # cancelled


def _is_asynchronous(check: Check) -> bool:
    called = type(check).__call__ if not inspect.isroutine(check) else check
    return inspect.iscoroutinefunction(check) or inspect.iscoroutinefunction(called)


def _end(handler: Any) -> None:
    """What SIGTERM would have done."""
    if callable(handler):
        handler(signal.SIGTERM, None)
    elif handler is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
