"""Stores of `limits` in PostgreSQL: each hit is one statement, which counts it and tells what is left.

Names of callers come as digests already. `rate` makes these stores for the address `postgresql://...`.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from limits import RateLimitItem
from limits.aio.storage import MovingWindowSupport as AsyncMovingWindowSupport
from limits.aio.storage import Storage as AsyncStorage
from limits.storage import MovingWindowSupport, Storage

if TYPE_CHECKING:
    import psycopg

SCHEMA = """
CREATE UNLOGGED TABLE IF NOT EXISTS mainstay_rate (
    key text PRIMARY KEY,
    hits double precision[] NOT NULL,
    count bigint NOT NULL,
    taken boolean NOT NULL,
    expires double precision NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS mainstay_rate_expires ON mainstay_rate (expires);
"""
"""What the store in PostgreSQL needs, for a migration.

Unlogged: counts are gone after a crash of the server, and cost a fraction of what others do. Times are
seconds since 1970, of the database's clock.
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one hit: was it allowed, how many more are, in how many seconds do some come back."""

    allowed: bool
    remaining: int
    reset: float


# One statement counts and tells what is left. A second hit of the same key waits for the row's lock and then
# sees the row as the first has left it, so that fifty at once are counted as fifty. The time is when the
# statement began: one that had to wait finds hits that are newer than itself, and counts them.

_NOW = "extract(epoch FROM statement_timestamp())::double precision"

_FIXED = f"""
INSERT INTO mainstay_rate AS known (key, hits, count, taken, expires)
SELECT %(key)s, '{{}}', %(amount)s, true, {_NOW} + %(window)s
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN known.expires <= {_NOW} THEN excluded.count ELSE known.count + excluded.count END,
    expires = CASE WHEN known.expires <= {_NOW} THEN excluded.expires ELSE known.expires END
RETURNING count, greatest(0, expires - {_NOW}), expires
"""

# When such a row expires is rounded up, so that it changes once in a window: it is indexed, and a change
# with each hit would be an update of the index with each hit.
_MOVING = f"""
INSERT INTO mainstay_rate AS known (key, hits, count, taken, expires)
SELECT %(key)s, array_fill({_NOW}, ARRAY[%(amount)s::int]), 0, true,
    %(window)s * (2 + floor({_NOW} / %(window)s))
WHERE %(amount)s <= %(limit)s
ON CONFLICT (key) DO UPDATE SET (hits, taken, expires) = (
    SELECT
        CASE WHEN fits THEN excluded.hits || recent ELSE recent END,
        fits,
        greatest(known.expires, excluded.expires)
    FROM (
        SELECT coalesce(array_agg(hit ORDER BY hit DESC), '{{}}') AS recent,
               count(*) + %(amount)s <= %(limit)s AS fits
        FROM unnest(known.hits) AS hit WHERE hit > {_NOW} - %(window)s
    ) AS counted
)
RETURNING taken, cardinality(hits), greatest(0, hits[cardinality(hits)] + %(window)s - {_NOW})
"""  # noqa: S608 - of constants

_GET = f"SELECT count FROM mainstay_rate WHERE key = %(key)s AND expires > {_NOW}"  # noqa: S608
_EXPIRY = f"SELECT expires FROM mainstay_rate WHERE key = %(key)s AND expires > {_NOW}"  # noqa: S608
_SEEN = f"""
SELECT min(hit), count(hit) FROM mainstay_rate, unnest(hits) AS hit
WHERE key = %(key)s AND hit > {_NOW} - %(window)s
"""  # noqa: S608 - of constants
_CLEAR = "DELETE FROM mainstay_rate WHERE key = %(key)s"
_RESET = "DELETE FROM mainstay_rate"
_SWEEP = f"""
DELETE FROM mainstay_rate WHERE key IN (
    SELECT key FROM mainstay_rate WHERE expires < {_NOW} - 1 LIMIT 1000 FOR UPDATE SKIP LOCKED
)
"""  # noqa: S608 - of constants

_SWEPT_EVERY = 30.0  # seconds; a thousand rows each time keep up with 33 new callers a second, each process
_CONNECT = {
    "autocommit": True,
    # no prepared statements and no settings of the session, so that PgBouncer may be in between
    "prepare_threshold": None,
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
    "keepalives_idle": 10,
    "application_name": "mainstay_rate",
}


def _conninfo(uri: str | None) -> str:
    return (uri or "").removeprefix("async+").replace("postgresql+psycopg://", "postgresql://", 1)


def _taken_fixed(row: Any, limit: int) -> Taken:
    return Taken(row[0] <= limit, max(0, limit - row[0]), row[1])


def _taken_moving(row: Any, limit: int) -> Taken:
    return Taken(row[0], max(0, limit - row[1]), row[2])


def forget(task: asyncio.Future[Any]) -> None:
    """What becomes of it is of no interest, and asyncio is not to complain."""
    if not task.cancelled():
        task.exception()


class PostgresStorage(Storage, MovingWindowSupport):
    """A store of `limits` for code without a loop: `storage_from_string("postgresql://…")` once this is
    imported.

    Opens at most `size` connections, when they are needed. Creates no table: see `SCHEMA` and `prepare`.
    """

    STORAGE_SCHEME: ClassVar[list[str]] = [  # type: ignore[misc]
        "postgresql", "postgres", "postgresql+psycopg",
    ]  # fmt: skip
    DEPENDENCIES: ClassVar[list[str]] = ["psycopg"]  # type: ignore[misc]

    def __init__(
        self, uri: str | None = None, wrap_exceptions: bool = False, *, size: int = 2, **_: Any
    ) -> None:
        super().__init__(uri, wrap_exceptions)
        self._psycopg: Any = self.dependencies["psycopg"].module
        self._uri = _conninfo(uri)
        self._places = threading.BoundedSemaphore(size)
        self._idle: list[psycopg.Connection[Any]] = []
        self._swept = time.monotonic()

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return cast(type[Exception], self._psycopg.Error)

    def prepare(self) -> None:
        """Creates the table, where no migration does."""
        self._execute(SCHEMA)

    def close(self) -> None:
        """Closes the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        self._sweep()
        row = self._execute(_FIXED, key=key, window=expiry, amount=amount)
        return int(row[0])

    def get(self, key: str) -> int:
        row = self._execute(_GET, key=key)
        return int(row[0]) if row else 0

    def get_expiry(self, key: str) -> float:
        row = self._execute(_EXPIRY, key=key)
        return float(row[0]) if row else time.time()

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        self._sweep()
        row = self._execute(_MOVING, key=key, window=expiry, amount=amount, limit=limit)
        return bool(row and row[0])

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        row = self._execute(_SEEN, key=key, window=expiry)
        return (float(row[0]), int(row[1])) if row and row[1] else (time.time(), 0)

    def check(self) -> bool:
        try:
            return bool(self._execute("SELECT 1 FROM mainstay_rate LIMIT 1") or True)
        except self._psycopg.Error:
            return False

    def reset(self) -> int | None:
        return cast(int, self._execute(_RESET, counted=True))

    def clear(self, key: str) -> None:
        self._execute(_CLEAR, key=key)

    def _sweep(self) -> None:
        now = time.monotonic()
        if now - self._swept >= _SWEPT_EVERY:
            self._swept = now
            self._execute(_SWEEP)

    def _execute(self, statement: str, *, counted: bool = False, **values: Any) -> Any:
        with self._connection() as connection:
            cursor = connection.execute(cast(Any, statement), values or None)
            if counted:
                return cursor.rowcount
            return cursor.fetchone() if cursor.description else None

    @contextmanager
    def _connection(self) -> "Iterator[psycopg.Connection[Any]]":
        with self._places:
            connection = self._idle.pop() if self._idle else self._psycopg.connect(self._uri, **_CONNECT)
            try:
                yield connection
            except BaseException:
                connection.close()  # whatever state it is in
                raise
            self._idle.append(connection)


class AsyncPostgresStorage(AsyncStorage, AsyncMovingWindowSupport):
    """The same for one event loop; what `Rate` uses for "postgresql://…"."""

    STORAGE_SCHEME: ClassVar[list[str]] = [  # type: ignore[misc]
        "async+postgresql", "async+postgres", "async+postgresql+psycopg",
    ]  # fmt: skip
    DEPENDENCIES: ClassVar[list[str]] = ["psycopg"]  # type: ignore[misc]

    def __init__(
        self, uri: str | None = None, wrap_exceptions: bool = False, *, size: int = 2, **_: Any
    ) -> None:
        super().__init__(uri, wrap_exceptions)
        self._psycopg: Any = self.dependencies["psycopg"].module
        self._uri = _conninfo(uri)
        self._places = asyncio.Semaphore(size)
        self._idle: list[psycopg.AsyncConnection[Any]] = []
        self._swept = time.monotonic()
        self._sweeping: asyncio.Task[Any] | None = None

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return cast(type[Exception], self._psycopg.Error)

    async def prepare(self) -> None:
        """Creates the table, where no migration does."""
        await self._execute(SCHEMA)

    async def close(self) -> None:
        """Closes the connections that are not in use."""
        if self._sweeping is not None:
            await asyncio.wait({self._sweeping})
        while self._idle:
            await self._idle.pop().close()

    async def fixed(self, item: RateLimitItem, key: str) -> Taken:
        """One hit in a fixed window, and what is left, in one statement."""
        self._sweep()
        row = await self._execute(_FIXED, key=key, window=item.get_expiry(), amount=1)
        return _taken_fixed(row, item.amount)

    async def moving(self, item: RateLimitItem, key: str) -> Taken:
        """One hit in a moving window, and what is left, in one statement."""
        self._sweep()
        row = await self._execute(_MOVING, key=key, window=item.get_expiry(), amount=1, limit=item.amount)
        return _taken_moving(row, item.amount)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        self._sweep()
        row = await self._execute(_FIXED, key=key, window=expiry, amount=amount)
        return int(row[0])

    async def get(self, key: str) -> int:
        row = await self._execute(_GET, key=key)
        return int(row[0]) if row else 0

    async def get_expiry(self, key: str) -> float:
        row = await self._execute(_EXPIRY, key=key)
        return float(row[0]) if row else time.time()

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        self._sweep()
        row = await self._execute(_MOVING, key=key, window=expiry, amount=amount, limit=limit)
        return bool(row and row[0])

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        row = await self._execute(_SEEN, key=key, window=expiry)
        return (float(row[0]), int(row[1])) if row and row[1] else (time.time(), 0)

    async def check(self) -> bool:
        try:
            await self._execute("SELECT 1 FROM mainstay_rate LIMIT 1")
        except self._psycopg.Error:
            return False
        return True

    async def reset(self) -> int | None:
        return cast(int, await self._execute(_RESET, counted=True))

    async def clear(self, key: str) -> None:
        await self._execute(_CLEAR, key=key)

    def _sweep(self) -> None:
        """Beside the request that happens to come, which need not wait for it."""
        now = time.monotonic()
        if now - self._swept >= _SWEPT_EVERY:
            self._swept = now
            self._sweeping = asyncio.ensure_future(self._execute(_SWEEP))
            self._sweeping.add_done_callback(forget)

    async def _execute(self, statement: str, *, counted: bool = False, **values: Any) -> Any:
        async with self._places:
            if self._idle:
                connection = self._idle.pop()
            else:
                connection = await self._psycopg.AsyncConnection.connect(self._uri, **_CONNECT)
            try:
                cursor = await connection.execute(statement, values or None)
                found = await cursor.fetchone() if cursor.description else None
            except BaseException:
                await connection.close()  # whatever state it is in
                raise
            self._idle.append(connection)
            return cursor.rowcount if counted else found
