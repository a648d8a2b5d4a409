"""The two tables: who claimed a key for which request, and what was answered.

The foreign key from key to answer is checked at commit.  So a transaction that claims a key and stores no
answer cannot commit, whatever program runs it, and a crash or an error leaves neither.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement

from mainstay_runtime.idempotency.address import LONGEST
from mainstay_runtime.idempotency.stored import BODY_BYTES

KEY = "idempotency_key"
ANSWER = "idempotency_answer"
UNANSWERED = "idempotency_key_has_an_answer"  # the constraint that a commit without `store` violates
_ADDRESS = ("scope", "operation", "key")


def tables(metadata: MetaData) -> tuple[Table, Table]:
    """The tables of keys and of answers, added to `metadata`.  Their schema has to be on the search path."""
    answers = _answers(metadata)
    return _keys(metadata), answers


def ddl() -> tuple[str, ...]:
    """The statements that create both tables, for a migration: `for line in ddl(): op.execute(line)`."""
    keys, answers = tables(MetaData())
    dialect = make_url("postgresql+psycopg://").get_dialect()()
    made: list[DDLElement] = [CreateTable(answers), CreateTable(keys), *map(CreateIndex, _sorted(answers))]
    return tuple(str(one.compile(dialect=dialect)).strip() for one in made)


def _sorted(table: Table) -> list[Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))


def _keys(metadata: MetaData) -> Table:
    answers = f"{metadata.schema}.{ANSWER}" if metadata.schema else ANSWER
    return Table(
        KEY,
        metadata,
        *_address(),
        Column("request", LargeBinary, nullable=False),  # a digest: the body itself may be personal or secret
        Column("claimed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        PrimaryKeyConstraint(*_ADDRESS, name=f"{KEY}_pkey"),
        ForeignKeyConstraint(
            _ADDRESS,
            [f"{answers}.{column}" for column in _ADDRESS],
            name=UNANSWERED,
            ondelete="CASCADE",
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("octet_length(request) = 32", name=f"{KEY}_request_is_sha256"),
        *_bounds(KEY),
    )


def _answers(metadata: MetaData) -> Table:
    table = Table(
        ANSWER,
        metadata,
        *_address(),
        Column("status", SmallInteger, nullable=False),
        Column("headers", JSONB, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("pending", Boolean, nullable=False, server_default=text("false")),
        Column("stored_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        PrimaryKeyConstraint(*_ADDRESS, name=f"{ANSWER}_pkey"),
        CheckConstraint("status BETWEEN 200 AND 599", name=f"{ANSWER}_status_is_final"),
        CheckConstraint("jsonb_typeof(headers) = 'object'", name=f"{ANSWER}_headers_are_an_object"),
        CheckConstraint(f"octet_length(body) <= {BODY_BYTES}", name=f"{ANSWER}_body_is_small"),
    )
    Index(f"{ANSWER}_settled", table.c.stored_at, postgresql_where=text("NOT pending"))  # what `purge` walks
    Index(f"{ANSWER}_pending", table.c.stored_at, postgresql_where=text("pending"))  # what `unsettled` walks
    return table


def _address() -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in _ADDRESS]


def _bounds(table: str) -> list[CheckConstraint]:
    return [
        CheckConstraint(f"length({name}) BETWEEN 1 AND {LONGEST}", name=f"{table}_{name}_is_bounded")
        for name in _ADDRESS
    ]
