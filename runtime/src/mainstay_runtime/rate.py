"""Rate limits by caller and operation, counted by the package `limits` in memory, in Redis or in PostgreSQL.

    app.add_api_route("/login", login, dependencies=[Depends(Rate("5/minute", by=rate.address, store=store))])

Refusals are 429 with Retry-After and the fields RateLimit and RateLimit-Policy of
draft-ietf-httpapi-ratelimit-headers (11, May 2026), which answers bear too. Names of callers are stored as
digests.
"""

import asyncio
import hashlib
import logging
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, cast

from limits import RateLimitItem, parse_many
from limits.aio.storage import Storage as AsyncStorage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from limits.storage import storage_from_string
from starlette.requests import Request
from starlette.responses import Response

from mainstay_runtime import events, middleware
from mainstay_runtime.rate_postgres import SCHEMA as SCHEMA
from mainstay_runtime.rate_postgres import AsyncPostgresStorage as AsyncPostgresStorage
from mainstay_runtime.rate_postgres import PostgresStorage as PostgresStorage
from mainstay_runtime.rate_postgres import Taken as Taken
from mainstay_runtime.rate_postgres import forget
from mainstay_runtime.refused import Refused

if TYPE_CHECKING:
    pass

Window = Literal["fixed", "moving"]
By = Callable[[Request], str | Awaitable[str]]
"""Names who is counted."""

_REMEMBERED = 10_000  # callers whose refusal is remembered
_REST = 1.0  # seconds for which a store that failed is not asked, and a refusal is remembered at most
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")

_log = logging.getLogger(__name__)


class Exceeded(Refused):
    """The caller has used up what it may. Nothing was done."""

    status: ClassVar[int] = 429
    type: ClassVar[str] = "https://iana.org/assignments/http-problem-types#quota-exceeded"
    title: ClassVar[str] = "The quota for requests of this kind is used up"

    def __init__(
        self, name: str, after: float | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(name, after)
        self.headers = dict(headers or {})
        self.members = {"violated-policies": [name]}


class Unavailable(Refused):
    """The store did not answer, and the rate was made with `when_down="refuse"`."""


def address(request: Request) -> str:
    """The address of the caller.

    Behind a proxy, the server has to be told which to trust (`--forwarded-allow-ips`).
    """
    return request.client.host if request.client else "unknown"


def principal(attribute: str = "principal") -> By:
    """What authentication left in `request.state` under this name; the address for callers without."""

    def by(request: Request) -> str:
        found = getattr(request.state, attribute, None)
        # Marked, so that nobody can take the name of an address.
        return f"address {address(request)}" if found is None else f"principal {found}"

    return by


def everyone(_: Request) -> str:
    """All callers share one quota."""
    return ""


def storage(uri: str, **options: Any) -> AsyncStorage:
    """A store for several rates to share, such as "redis://…" or "postgresql://…".

    With "memory://" each process counts alone.
    """
    uri = uri.replace("postgresql+psycopg://", "postgresql://", 1)
    return cast(
        AsyncStorage, storage_from_string(uri if uri.startswith("async+") else f"async+{uri}", **options)
    )


class Rate:
    """At most so many requests for each caller and operation: "20/minute", "100 per 5 minutes".

    A dependency of FastAPI: `Depends(Rate(...))`; or `await rate.take("who")` anywhere. Two rates are two
    dependencies.

    `window`: "fixed" counts from the first request on, so that twice the quota fits around its end;
    "moving" counts the last minute at any time, and costs the store memory for each request of it.
    `when_down` says what happens while the store does not answer within `within` seconds: "allow", for
    which the service has to be able to do without, or "refuse" (503). It then rests for a second before it
    is asked again. `shared` counts all operations as one.
    """

    def __init__(
        self,
        quota: str,
        *,
        by: By,
        store: str | AsyncStorage = "memory://",
        name: str = "default",
        window: Window = "fixed",
        when_down: Literal["allow", "refuse"] = "allow",
        within: float = 0.25,
        shared: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        items = parse_many(quota)
        if len(items) != 1 or items[0].amount < 1:
            raise ValueError(f"{quota}: one quota of at least 1, such as 20/minute")
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name}: lower case letters, digits and . _ -, since headers hold it")
        self.name = name
        self._item: RateLimitItem = items[0]
        self._quota = f"{self._item.amount}/{self._item.get_expiry()} {window}"
        self._by = by
        self._storage = storage(store) if isinstance(store, str) else store
        self._counting = _counting(self._storage, window)
        self._when_down = when_down
        self._within = within
        self._shared = shared
        self._clock = clock
        self._down_until = -math.inf
        self._refused: dict[str, tuple[float, float]] = {}

    async def __call__(self, request: Request, response: Response) -> None:
        """Raises Exceeded or Unavailable.

        The fields are set on `response`: not on one that the route makes itself.
        """
        who = self._by(request)
        if not isinstance(who, str):
            who = await who
        operation = "" if self._shared else f"{request.method} {middleware.route(request.scope)}"
        taken = await self.take(who, operation)
        if taken is not None:
            for name, value in self._headers(taken).items():
                response.headers.append(name, value)

    async def take(self, who: str, operation: str = "") -> Taken | None:
        """Counts one request. Raises Exceeded, or Unavailable.

        None if the store is down and that is allowed.
        """
        counted = f"{self.name}\0{self._quota}\0{operation}\0{who}"
        key = hashlib.blake2b(counted.encode(errors="replace"), digest_size=16).hexdigest()
        now = self._clock()
        # Whoever is refused comes again at once, and should not cost the store anything.
        until, reset = self._refused.get(key, (now, now))
        if until > now:
            raise self._exceeded(reset - now)
        taken = await self._asked(key)
        if taken is not None and not taken.allowed:
            now = self._clock()
            if len(self._refused) >= _REMEMBERED:
                self._refused.clear()
            self._refused[key] = (now + min(taken.reset, _REST), now + taken.reset)
            raise self._exceeded(taken.reset)
        return taken

    async def close(self) -> None:
        """Gives back the connections of a store in PostgreSQL."""
        if isinstance(self._storage, AsyncPostgresStorage):
            await self._storage.close()

    def _exceeded(self, reset: float) -> Exceeded:
        events.tell("rate", self.name, "refused")
        return Exceeded(self.name, reset, self._headers(Taken(False, 0, reset)))

    def _headers(self, taken: Taken) -> dict[str, str]:
        quota, seconds = self._item.amount, self._item.get_expiry()
        return {
            "RateLimit-Policy": f'"{self.name}";q={quota};w={seconds}',
            "RateLimit": f'"{self.name}";r={max(0, taken.remaining)};t={max(0, math.ceil(taken.reset))}',
        }

    async def _asked(self, key: str) -> Taken | None:
        if self._clock() >= self._down_until:
            try:
                return await _within(self._within, self._counting(self._item, key))
            except Exception as error:  # noqa: BLE001 - any store may fail in any way
                self._down_until = self._clock() + _REST
                events.tell("rate", self.name, "down")
                _log.error("rate %s: its store does not answer (%s)", self.name, type(error).__name__)
        if self._when_down == "allow":
            events.tell("rate", self.name, "unchecked")
            return None
        raise Unavailable(self.name, max(0.0, self._down_until - self._clock()))


class _Counting(Protocol):
    async def __call__(self, item: RateLimitItem, key: str) -> Taken: ...


def _counting(storage: AsyncStorage, window: Window) -> _Counting:
    if isinstance(storage, AsyncPostgresStorage):
        return storage.moving if window == "moving" else storage.fixed
    strategy = MovingWindowRateLimiter(storage) if window == "moving" else FixedWindowRateLimiter(storage)

    async def count(item: RateLimitItem, key: str) -> Taken:
        allowed = await strategy.hit(item, key)
        stats = await strategy.get_window_stats(item, key)
        return Taken(allowed, stats.remaining, max(0.0, stats.reset_time - time.time()))

    return count


async def _within(seconds: float, what: Awaitable[Taken]) -> Taken:
    """As asyncio.timeout, but never waits for the cancelling.

    psycopg gives the server five seconds to hear of it.
    """
    task = asyncio.ensure_future(what)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(forget)
