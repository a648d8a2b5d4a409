"""Made-up requests for the tests of evidence."""

from collections.abc import Callable

import msgspec

from mainstay.model.budget import Budgets
from mainstay.model.record import Failure, Record

BUDGETS = Budgets(availability=0.999, errors=0.001, p95=0.2, recovery=300.0)

Served = Callable[[float], Record]  # due -> what became of it


def record(
    due: float = 0.0,
    wait: float = 0.05,
    *,
    status: int = 200,
    failure: Failure = Failure.NONE,
    action: str = "read",
    lag: float = 0.0,
    fresh: bool = True,
    target: int = 0,
    stocking: bool = False,
) -> Record:
    answered = 0 if failure else status
    return Record(
        action=action,
        due=due,
        sent=due + lag,
        done=due + wait,
        status=answered,
        failure=failure,
        expected=200 <= answered < 300,
        fresh=fresh,
        target=target,
        stocking=stocking,
    )


def steady(
    began: float, ended: float, rate: float = 20.0, *, wait: float = 0.05, lag: float = 0.0, target: int = 0
) -> list[Record]:
    """All served alike, every other one on a fresh connection."""
    return [
        record(began + number / rate, wait, lag=lag, fresh=number % 2 == 0, target=target)
        for number in range(round((ended - began) * rate))
    ]


def failing(records: list[Record], status: int = 500) -> list[Record]:
    return [msgspec.structs.replace(one, status=status, expected=False) for one in records]
