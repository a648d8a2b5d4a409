"""What an error answer tells of how a service is built."""

import re

from msgspec import Struct

_AROUND = 40  # characters to either side
_SEARCHED = 20_000  # characters of an answer


class Internal(Struct, frozen=True):
    """A piece of an answer that belongs into a log."""

    kind: str  # "a stack trace"
    excerpt: str


_FILES = r"(?:/[\w.@-]+){2,}\.(?:py|pyc|js|mjs|ts|rb|go|java|kt|php|rs|ex|exs|cs)\b"
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "a stack trace",
        re.compile(
            r"Traceback \(most recent call last\)|File \"[^\"\n]+\", line \d+|^\s+at [\w$.<> ]+\([^)\n]*:\d+"
            r"|\bgoroutine \d+ \[|panicked at|^#\d+ /\S+\(\d+\)|stack backtrace:",
            re.MULTILINE,
        ),
    ),
    (
        "a path of the source",
        re.compile(rf"{_FILES}|[A-Z]:\\\\?[\w\\.-]+\.(?:cs|py|js)\b|site-packages|node_modules"),
    ),
    (
        "SQL",
        re.compile(
            r"\b(?:SELECT\b.{1,300}?\bFROM\b|INSERT INTO \S+ ?\(|UPDATE \S+ SET\b|DELETE FROM \S+)"
            r"|\[SQL: |SQLSTATE|LINE \d+: ",
            re.DOTALL,
        ),
    ),
    (
        "an error of the database",
        re.compile(
            r"violates (?:unique|foreign key|not-null|check|exclusion) constraint"
            r"|null value in column|value too long for type|invalid input syntax for type"
            r"|(?:relation|column) \"[^\"]+\" (?:of relation \"[^\"]+\" )?does not exist|deadlock detected"
            r"|invalid byte sequence for encoding|could not (?:connect to server|serialize access)"
            r"|connection to server at|duplicate key value|bigint out of range|integer out of range"
            r"|numeric field overflow|Duplicate entry '|You have an error in your SQL syntax|ORA-\d{5}",
        ),
    ),
    (
        "the class of an exception",
        re.compile(
            r"\b(?:psycopg2?|sqlalchemy|asyncpg|django|pymongo|redis|botocore|httpx|requests|urllib3|pydantic"
            r"|pymysql|java|javax|org|com|System|ActiveRecord|PG|Prisma\w*|Sequelize\w*)(?:[.:]{1,2}\w+)*"
            r"[.:]{1,2}[A-Z]\w*(?:Error|Exception|Violation)\b"
            r"|\b(?:Integrity|Operational|Programming|Data|Interface|Attribute|Key|Type|Value|Index|Unicode\w*"
            r"|Recursion|Null(?:Pointer|Reference)|Reference|NoMethod)(?:Error|Exception)\b"
        ),
    ),
    (
        "the version of a server or driver",
        re.compile(
            r"\b(?:PostgreSQL|psycopg2?|MySQL|MariaDB|SQLite|Python|PHP|OpenSSL|MongoDB)[/ ]v?\d+\.\d+"
        ),
    ),
)


def internals(text: str) -> tuple[Internal, ...]:
    """What stands in an error answer that its reader has no use for; one of each kind."""
    searched = text[:_SEARCHED]
    found = []
    for kind, pattern in _KINDS:
        match = pattern.search(searched)
        if match is not None:
            start, end = max(0, match.start() - _AROUND), match.end() + _AROUND
            found.append(Internal(kind, " ".join(searched[start:end].split())[:200]))
    return tuple(found)
