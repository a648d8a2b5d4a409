"""What is in a database: its tables, how many rows each has, and whether two of them hold the same."""

from typing import Any

import psycopg
from msgspec import Struct
from psycopg import sql

# No table of an extension (its own dump leaves those out), none of the system, no partitioned parent
# (its partitions are listed), no temporary one.
_TABLES = """
    SELECT n.nspname, c.relname, c.relpersistence = 'u'
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1, 2
"""

# The sum of what rows hash to does not depend on their order, and sees a row that is there twice.
_DIGEST = """
    SELECT count(*), coalesce(sum(('x' || substr(h, 1, 16))::bit(64)::bigint::numeric), 0),
           coalesce(sum(('x' || substr(h, 17, 16))::bit(64)::bigint::numeric), 0)
    FROM (SELECT md5(t::text) AS h FROM {} AS t) AS hashed
"""

# How a value reads as text must not depend on the settings of a database or of a role.
_SETTINGS = (
    "SET search_path = pg_catalog",
    "SET TimeZone = 'UTC'",
    "SET DateStyle = 'ISO'",
    "SET IntervalStyle = 'postgres'",
    "SET bytea_output = 'hex'",
    "SET extra_float_digits = 1",
    "SET statement_timeout = 0",
)


class Table(Struct, frozen=True, order=True):
    """A table of the service."""

    schema: str
    name: str
    unlogged: bool = False  # emptied by a crash, as its owner asked for

    def __str__(self) -> str:
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def tables(connection: psycopg.Connection[Any]) -> list[Table]:
    """The tables of the database, by schema and name."""
    return [Table(*row) for row in connection.execute(_TABLES)]


def counts(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """How many rows each table has, all seen at one moment."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return {str(table): _count(connection, table) for table in tables(connection)}


def digest(connection: psycopg.Connection[Any], table: Table) -> str:
    """Equal for two tables with the same rows in any order, and the same columns in the same order."""
    with connection.transaction():
        for setting in _SETTINGS:
            connection.execute(setting.replace("SET", "SET LOCAL", 1))
        row = connection.execute(sql.SQL(_DIGEST).format(table.identifier)).fetchone()
    assert row is not None  # an aggregate always yields one
    return ":".join(str(value) for value in row)


def _count(connection: psycopg.Connection[Any], table: Table) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table.identifier)).fetchone()
    assert row is not None  # an aggregate always yields one
    return int(row[0])
