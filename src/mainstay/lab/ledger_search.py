"""Looks for the texts of a run in the tables of a database, with as little harm to it as possible."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from msgspec import Struct
from psycopg import sql

from mainstay.lab.error import LabError
from mainstay.lab.load.tokens import KEY, MARKER, WIDTH

_LOCK_MS = 2000  # a table that somebody has locked for longer is said to be locked

_COLUMNS = """
    SELECT n.nspname, c.relname, a.attname, t.typname,
           EXISTS (
               SELECT FROM pg_index i
               WHERE i.indrelid = c.oid AND i.indisunique AND i.indpred IS NULL
                 AND (i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
                      OR i.indisprimary AND a.attnum = ANY (i.indkey))
           )
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
      AND a.attnum > 0 AND NOT a.attisdropped
      AND (t.typcategory = 'S'
           OR t.typname IN ('json', 'jsonb', 'uuid', 'int2', 'int4', 'int8', 'numeric', '_text', '_varchar'))
    ORDER BY n.nspname, c.relname, a.attnum
"""

_SEARCH = """
    SELECT v.name, f.token, count(*)
    FROM {table} AS r
    CROSS JOIN LATERAL (VALUES {columns}) AS v(name, value)
    CROSS JOIN LATERAL (
        SELECT m[1] AS token FROM regexp_matches(v.value, %(pattern)s, 'g') AS m
        UNION
        SELECT v.value WHERE v.value = ANY (%(values)s)
    ) AS f
    WHERE v.value LIKE %(like)s OR v.value = ANY (%(values)s)
    GROUP BY 1, 2
"""


class Column(Struct, frozen=True):
    """A column that can hold a text or an id."""

    schema: str
    table: str
    name: str
    type: str
    unique: bool  # alone, or as a part of the primary key

    @property
    def json(self) -> bool:
        return self.type in ("json", "jsonb")

    @property
    def where(self) -> str:
        """`orders.note`; the schema is said when it is not the usual one."""
        return f"{self.within}.{self.name}"

    @property
    def within(self) -> str:
        """Its table, with the schema when it is not the usual one."""
        return self.table if self.schema == "public" else f"{self.schema}.{self.table}"

    @property
    def home(self) -> tuple[str, str]:
        """The table."""
        return self.schema, self.table


class Hit(Struct, frozen=True):
    """In how many rows a text stands in a column."""

    column: Column
    token: str
    rows: int


def columns(connection: psycopg.Connection[Any]) -> list[Column]:
    """Those of all tables of the project, extensions' own included."""
    return [Column(*row) for row in connection.execute(_COLUMNS)]


def pattern(prefix: str, kinds: str = MARKER + KEY) -> str:
    """The regular expression of markers, of keys or of both, for PostgreSQL."""
    return f"({prefix}[{kinds}][0-9a-z]{{{WIDTH}}})"


def search(
    connection: psycopg.Connection[Any],
    within: Sequence[Column],
    prefix: str,
    values: Iterable[str],
    *,
    kinds: str = MARKER + KEY,
    seconds: float = 30.0,
) -> list[Hit]:
    """Where in columns of one table the run's markers and keys stand, anywhere in the text, and the values,
    as the whole text; one pass over the table.

    Raises psycopg.errors.QueryCanceled or LockNotAvailable when that takes longer than `seconds`.
    """
    by_name = {column.name: column for column in within}
    one = within[0]
    query = sql.SQL(_SEARCH).format(
        table=sql.Identifier(one.schema, one.table),
        columns=sql.SQL(", ").join(
            sql.SQL("({}, r.{}::text)").format(sql.Literal(name), sql.Identifier(name)) for name in by_name
        ),
    )
    given = {"pattern": pattern(prefix, kinds), "like": f"%{prefix}%", "values": list(values)}
    return [Hit(by_name[name], token, rows) for name, token, rows in read(connection, query, given, seconds)]


def read(
    connection: psycopg.Connection[Any], query: sql.Composed | sql.SQL, given: Any, seconds: float
) -> list[tuple[Any, ...]]:
    """All rows of a query of ours, which ends in time; raises psycopg.Error."""
    with connection.transaction():
        _bound(connection, seconds)
        rows: list[tuple[Any, ...]] = connection.execute(query, given).fetchall()
        return rows


def read_own(
    connection: psycopg.Connection[Any], text: str, seconds: float, keep: int
) -> tuple[list[tuple[Any, ...]], int]:
    """The first rows of a project's own query, and how many there are.

    It is one statement that cannot write: the protocol used here takes no second one, so none can end the
    transaction and go on.  Its per cent signs stay as they are.  Raises psycopg.Error.
    """
    kept: list[tuple[Any, ...]] = []
    number = 0
    with connection.transaction():
        _bound(connection, seconds)
        for row in connection.cursor().stream(text.encode()):
            number += 1
            if len(kept) < keep:
                kept.append(row)
    return kept, number


def _bound(connection: psycopg.Connection[Any], seconds: float) -> None:
    """What follows in this transaction cannot write and ends in time."""
    limit = max(1, int(seconds * 1000))
    connection.execute("SET TRANSACTION READ ONLY")
    connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(limit)))
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(min(_LOCK_MS, limit))))


class Patience:
    """What is left of the time for several queries."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self._ends - time.monotonic())


def unreadable(where: str, error: Exception) -> LabError:
    """The sentence for a home that could not be read."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return LabError(f"The ledger cannot be read from {where}: {first}.")
