"""The engine and the sessions made from it."""

from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from payments.config import Settings
from payments.deadlines import ImpatientConnection

Sessions = sessionmaker[Session]

CONNECT_TIMEOUT_S = 3
POOL_TIMEOUT_S = 3
# The server gives up before the caller does, and a forgotten transaction does not hold its locks.
SERVER_LIMITS = (
    "-c statement_timeout=5000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000"
)


def build_engine(settings: Settings) -> Engine:
    engine = create_engine(
        settings.database_url,
        pool_size=settings.pool_size,
        max_overflow=settings.pool_overflow,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
        pool_recycle=1800,
        # An error's text goes to the log, and a statement's values may be a buyer's.
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "options": SERVER_LIMITS,
            # A peer that went silent is noticed in seconds rather than in the kernel's minutes.
            "tcp_user_timeout": 6000,
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
        },
    )
    event.listen(engine, "do_connect", _connect)
    return engine


def _connect(_: object, __: object, words: tuple[Any, ...], options: dict[str, Any]) -> object:
    return ImpatientConnection.connect(*words, **options)


def build_sessions(engine: Engine) -> Sessions:
    return sessionmaker(engine, expire_on_commit=False)


def build_reads(engine: Engine) -> Sessions:
    """For requests that only read, each statement by itself.

    No transaction has to be begun and ended for them, which spares two of three round trips.
    """
    return sessionmaker(engine.execution_options(isolation_level="AUTOCOMMIT"))
