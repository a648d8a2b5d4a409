"""The engine and the sessions made from it."""

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session, sessionmaker

from payments.config import Settings

Sessions = sessionmaker[Session]


def build_engine(settings: Settings) -> Engine:
    return create_engine(
        settings.database_url,
        pool_size=settings.pool_size,
        max_overflow=settings.pool_overflow,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
    )


def build_sessions(engine: Engine) -> Sessions:
    return sessionmaker(engine, expire_on_commit=False)
