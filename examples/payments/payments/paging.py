"""Pages that stay cheap however deep: each starts after the last row of the one before."""

import base64
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Query
from sqlalchemy import Select, tuple_

from payments.errors import Unprocessable
from payments.models import Charge, Customer, Order

PageSize = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(max_length=200)]


Statement = TypeVar("Statement", bound=Select[Any])


def page(
    statement: Statement,
    model: type[Customer] | type[Order] | type[Charge],
    after: str | None,
    size: int,
) -> Statement:
    if after is not None:
        statement = statement.where(tuple_(model.created_at, model.id) > _decode(after))
    return statement.order_by(model.created_at, model.id).limit(size)


def cursor(created_at: datetime, row_id: UUID) -> str:
    return base64.urlsafe_b64encode(f"{created_at.isoformat()} {row_id}".encode()).decode()


def _decode(text: str) -> tuple[datetime, UUID]:
    try:
        created_at, row_id = base64.urlsafe_b64decode(text).decode().split(" ")
        return datetime.fromisoformat(created_at), UUID(row_id)
    except ValueError as error:
        raise Unprocessable("this cursor is not one of ours") from error
