"""Which requests of a load count, and how long their callers waited."""

from collections.abc import Iterable

from mainstay.model.record import Failure, Record


def counted(records: Iterable[Record]) -> list[Record]:
    """Without those that only filled a pool: no figure counts them."""
    return [record for record in records if not record.stocking]


def due_within(records: Iterable[Record], began: float, ended: float) -> list[Record]:
    """Those that count and were due from `began` on and before `ended`."""
    return [record for record in records if not record.stocking and began <= record.due < ended]


def waits(records: Iterable[Record]) -> list[float]:
    """Seconds that callers waited who were served or ran out of patience, sorted.

    Other failures are left to the errors: a connection refused in a millisecond would flatter a quantile.
    """
    return sorted(
        record.latency
        for record in records
        if not record.stocking and (record.ok or record.failure is Failure.TIMED_OUT)
    )


def failed(records: Iterable[Record]) -> int:
    """How many did not get what they asked for."""
    return sum(not record.ok for record in records if not record.stocking)


def outcome(record: Record) -> str:
    """`503`, `timed out`."""
    return record.failure.value or str(record.status)
