"""What there is, as a picture and in words."""

from collections.abc import Iterator

from mainstay.model.dossier import Arrow, Box, Chapter, Grid, Picture, Row
from mainstay.model.proof import Origin
from mainstay.model.specification import NeedKind, Specification, WhenDown

PLACE = 10
DATABASE = "PostgreSQL"
WAYS = {
    NeedKind.HTTP: "asked over HTTP",
    NeedKind.QUEUE: "given messages",
    NeedKind.MAIL: "given mail to send",
}
BEHAVIOUR = {
    WhenDown.REFUSE: "those operations answer 503",
    WhenDown.SETTLE_LATER: "those operations accept, and settle when it is back",
}


def chapter(specification: Specification) -> Chapter:
    """Callers, the service, its database and its needs."""
    budgets = specification.budgets
    promised = f"{budgets.availability * 100:g}%, p95 {budgets.p95 * 1000:g} ms"
    boxes = [Box(caller.name, "caller", f"by {caller.auth}") for caller in specification.callers]
    boxes += [
        Box(specification.service, "service", promised),
        Box(DATABASE, "database", "all that has to survive"),
    ]
    boxes += [Box(need.name, "need", need.kind) for need in specification.needs]
    return Chapter(
        "architecture",
        "What there is",
        "Who calls, what answers, and what it leans on.",
        (
            Picture(tuple(boxes), tuple(_arrows(specification)), "The service and what is around it"),
            Grid(
                ("part", "what it is", "what it does or is asked"),
                tuple(_rows(specification)),
                "The parts",
            ),
        ),
    )


def _arrows(specification: Specification) -> Iterator[Arrow]:
    for caller in specification.callers:
        called = [o.name for o in specification.operations if any(g.caller == caller.name for g in o.by)]
        yield Arrow(caller.name, specification.service, ", ".join(called))
    yield Arrow(specification.service, DATABASE, "one transaction for each write")
    for need in specification.needs:
        users = [o.name for o in specification.operations if need.name in (*o.calls, *o.emits)]
        yield Arrow(specification.service, need.name, ", ".join(users))


def _rows(specification: Specification) -> Iterator[Row]:
    for caller in specification.callers:
        called = [
            f"`{o.name}`" for o in specification.operations if any(g.caller == caller.name for g in o.by)
        ]
        rows = "everyone's rows" if caller.sees_all else "its own rows"
        yield Row(
            (f"`{caller.name}`", f"a caller, known by {caller.auth}, who sees {rows}", ", ".join(called))
        )
    data = ", ".join(f"`{entity.name}`" for entity in specification.entities)
    yield Row(
        (DATABASE, f"the one store: {data}", "keeps idempotency keys and the outbox beside them"),
        Origin.DERIVED,
        "a write, its key and its message are one transaction, so they are in one database",
    )
    for need in specification.needs:
        down = BEHAVIOUR.get(need.when_down, f"those operations go on with {need.degraded}")
        asked = f"within {need.timeout:g} s; " if need.kind is NeedKind.HTTP else ""
        yield Row((f"`{need.name}`", WAYS[need.kind], f"{asked}when it is down, {down}"))
