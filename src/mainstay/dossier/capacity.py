"""How many of everything: the arithmetic in words."""

from collections.abc import Iterator

from mainstay.model.dossier import Chapter, Grid, Row, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.model.specification import Specification
from mainstay.plan.capacity import (
    BUSIEST,
    CPU_S,
    LEAST,
    OVERFLOW,
    RELAY,
    RESERVED,
    SPARE,
    USUAL_CONNECTIONS,
    Capacity,
    Share,
    capacity,
)

PLACE = 35


def chapter(specification: Specification) -> Chapter:
    """Requests under way, and what carries them."""
    found = capacity(specification)
    return Chapter(
        "capacity",
        "How much of everything is needed",
        "What is under way at once is rate times time (Little's law); everything else follows from that.",
        (
            Grid(
                ("operation", "at peak", "within", "under way at once"),
                tuple(_row(share, specification) for share in found.shares),
                "Requests under way at peak load",
            ),
            Statements(tuple(_statements(found)), "What carries them"),
        ),
    )


def _row(share: Share, specification: Specification) -> Row:
    sum_ = f"{share.peak:g}/s × {share.seconds:g} s = {share.under_way:.2f}"
    cells = (
        f"`{share.operation}`",
        f"{share.peak:.4g}/s",
        f"{share.seconds * 1000:g} ms",
        f"{share.under_way:.2f}",
    )
    if share.declared:
        return Row(cells, Origin.DERIVED, sum_)
    why = f"{sum_}; its peak is an even share of what others leave of {specification.load.peak:g}/s"
    return Row(cells, Origin.ASSUMED, why)


def _statements(found: Capacity) -> Iterator[Statement]:
    yield Statement(
        f"A request takes {CPU_S * 1000:g} ms of one core.",
        Origin.ASSUMED,
        "if it takes twice that, twice as many processes are needed; `mainstay prove` finds the knee",
    )
    yield Statement(
        f"{found.processes} {'process carries' if found.processes == 1 else 'processes carry'} the peak.",
        sum=f"⌈{found.peak:g}/s × {CPU_S * 1000:g} ms / {BUSIEST:.0%} of a core⌉ = {found.processes}",
    )
    yield Statement(
        f"{found.replicas} replicas run, so that one may be away.",
        sum=f"max({LEAST}, {found.processes} + {SPARE}) = {found.replicas}",
    )
    left = found.replicas - SPARE
    yield Statement(
        f"Each replica has {found.threads} threads.",
        sum=f"⌈{found.under_way:.2f} under way / {left}⌉, and no fewer than 8",
    )
    yield Statement(
        f"Each replica has a pool of {found.pool} connections, and {OVERFLOW} beyond it.",
        sum="as many as threads: a thread that waits for a connection while it holds one waits for ever",
    )
    yield Statement(
        f"PostgreSQL allows at least {found.connections} connections"
        + (
            "."
            if found.fits
            else f": set `max_connections`, which is {USUAL_CONNECTIONS} when nobody sets it."
        ),
        sum=f"({found.replicas} + 1 in a release) × ({found.pool} + {OVERFLOW}) + {RELAY} of the relay "
        f"+ {RESERVED} reserved = {found.connections}",
    )
