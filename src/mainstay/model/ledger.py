"""What a database tells about the writes of an action."""

from enum import StrEnum

from msgspec import Struct


class Token(StrEnum):
    """By what a write is told from all others in the database."""

    MARKER = "marker"  # it stands in the row
    TAKEN = "taken value"  # the row refers to what the write used up
    MADE = "id"  # the row's id is the one in the answer
    KEY = "idempotency key"


class Found(Struct, frozen=True):
    """How many times each write of one action was applied."""

    token: Token
    where: str  # "orders.note"
    times: dict[str, int]
    position: int = 0  # of TAKEN: which of the values it used up
    made_by_key: dict[str, str] = {}  # of MADE: the ids that idempotency keys were stored with
    complete: bool = True  # of MADE: all rows are in `times`, those that nobody answers for included
