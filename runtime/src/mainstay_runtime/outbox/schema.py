"""The table of what is owed.  What was delivered is deleted, so it stays as small as the backlog."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement

NAME = "outbox"


def table(metadata: MetaData) -> Table:
    """The table, added to `metadata`.  Its schema has to be on the search path."""
    owed = Table(
        NAME,
        metadata,
        Column("id", Uuid, nullable=False),
        Column("position", BigInteger, Identity(always=True), nullable=False),
        Column("topic", Text, nullable=False),
        Column("key", Text),  # messages of one key are delivered in order
        Column("payload", LargeBinary, nullable=False),
        Column("headers", JSONB, nullable=False),
        Column("enqueued_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("due_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("lease", Uuid),  # who has it in hand; until `due_at` nobody else may
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("error", Text),
        Column("dead_at", DateTime(timezone=True)),
        PrimaryKeyConstraint("id", name=f"{NAME}_pkey"),
        CheckConstraint("length(topic) BETWEEN 1 AND 255", name=f"{NAME}_topic_is_bounded"),
        CheckConstraint("length(key) BETWEEN 1 AND 255", name=f"{NAME}_key_is_bounded"),
        CheckConstraint("jsonb_typeof(headers) = 'object'", name=f"{NAME}_headers_are_an_object"),
    )
    alive = text("dead_at IS NULL")
    Index(f"{NAME}_due", owed.c.due_at, owed.c.position, postgresql_where=alive)
    Index(
        f"{NAME}_key_order",
        owed.c.key,
        owed.c.position,
        postgresql_where=text("dead_at IS NULL AND key IS NOT NULL"),
    )
    Index(f"{NAME}_dead", owed.c.dead_at, postgresql_where=text("dead_at IS NOT NULL"))
    return owed


def ddl() -> tuple[str, ...]:
    """The statements that create it, for a migration: `for line in ddl(): op.execute(line)`."""
    owed = table(MetaData())
    dialect = make_url("postgresql+psycopg://").get_dialect()()
    indexes = sorted(owed.indexes, key=lambda index: str(index.name))
    made: list[DDLElement] = [CreateTable(owed), *map(CreateIndex, indexes)]
    return tuple(str(one.compile(dialect=dialect)).strip() for one in made)
