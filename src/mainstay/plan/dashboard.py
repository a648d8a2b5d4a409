"""What is looked at on the screen: the budgets first, then what spends them, then what may be the cause."""

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from msgspec import Struct

from mainstay.model.specification import Specification
from mainstay.plan.alerts import (
    BACKUP,
    BREAKER,
    CALLS,
    DISK,
    DISK_LEFT,
    EVENTS,
    FAILING,
    FULL,
    IN_FLIGHT,
    MONTH,
    POOL_SIZE,
    POOL_USED,
    READY,
    backup_old,
    everywhere,
    has_outbox,
    level,
    share_of,
)
from mainstay.plan.objectives import QUANTILE, REQUESTS, SECONDS, Objective, objectives, selector

SCHEMA = 39  # of Grafana's dashboards: Grafana 11 and later read it
COLUMNS = 24  # of Grafana's grid
HEIGHT = 8
LOW = 0.25  # of a budget, assumed: below it, releases wait


class Unit(StrEnum):
    """Units, as Grafana names them."""

    SHARE = "percentunit"
    SECONDS = "s"
    RATE = "reqps"
    EVENTS = "ops"
    COUNT = "short"


class Query(Struct, frozen=True):
    """An expression, and the name of its lines; `{{label}}` stands for a label's value."""

    expression: str
    legend: str


class Panel(Struct, frozen=True):
    """A number or a picture with lines."""

    title: str
    unit: Unit
    queries: tuple[Query, ...]
    says: str  # what it is read for
    stat: bool = False  # the last value, and nothing else
    limit: float | None = None  # a line, or where the colour changes
    below: bool = False  # what is below the limit is bad; otherwise what is above


class Dashboard(Struct, frozen=True):
    """Panels, from left to right and down."""

    uid: str
    title: str
    panels: tuple[Panel, ...]


def dashboard(specification: Specification) -> Dashboard:
    """The one dashboard of a service; every expression uses what alerts or the runtime know."""
    found = objectives(specification)
    panels = [_left(specification, objective) for objective in found if objective.budget]
    panels += [_spending(specification, found), _requests(specification)]
    panels += [_latency(specification, objective) for objective in found if objective.within is not None]
    panels += _causes(specification)
    return Dashboard(specification.service, f"{specification.service}: what it promises", tuple(panels))


def text(found: Dashboard) -> str:
    """The dashboard as Grafana imports it; the same plan always gives the same text."""
    document = {
        "uid": found.uid,
        "title": found.title,
        "tags": ["mainstay"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_SOURCE]},
        "panels": _placed(found.panels),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


# --- budgets and requests ----------------------------------------------------------------------


def _left(specification: Specification, objective: Objective) -> Panel:
    bad = share_of(specification.service, objective, MONTH)
    expression = f"1 - {bad} / {objective.budget:g}"
    return Panel(
        f"Budget left: {objective.name}",
        Unit.SHARE,
        (Query(expression, objective.name),),
        f"Of {objective.budget * 100:g} % of the requests of 30 days. Below 0 the promise is broken.",
        stat=True,
        limit=LOW,
        below=True,
    )


def _spending(specification: Specification, found: tuple[Objective, ...]) -> Panel:
    queries = tuple(Query(share_of(specification.service, one, "5m"), one.name) for one in found)
    said = "Of the last 5 minutes, for each objective. The line is the smallest budget."
    return Panel("Bad requests", Unit.SHARE, queries, said, limit=min(one.budget for one in found))


def _requests(specification: Specification) -> Panel:
    rate = f"sum by (status) (rate({REQUESTS}{{{selector(specification)}}}[5m]))"
    peak = specification.load.peak
    said = f"{specification.load.expected:g}/s are expected. The line is the peak that it is built for."
    return Panel("Requests by status", Unit.RATE, (Query(rate, "{{status}}"),), said, limit=peak)


def _latency(specification: Specification, objective: Objective) -> Panel:
    rates = " or ".join(f"rate({SECONDS}_bucket{{{one}}}[5m])" for one in objective.selectors)
    p95 = f"histogram_quantile({QUANTILE:g}, sum by (le, method, route) ({rates}))"
    own = len(objective.operations) == 1
    return Panel(
        f"p95: {objective.operations[0]}" if own else "p95 by operation",
        Unit.SECONDS,
        (Query(p95, "{{method}} {{route}}"),),
        f"19 of 20 answers take no longer. The line is the objective, {objective.within:g} s.",
        limit=objective.within,
    )


# --- causes ------------------------------------------------------------------------------------


def _causes(specification: Specification) -> Iterator[Panel]:
    if specification.needs:
        yield from _needs(specification)
    yield from _room(specification)
    if has_outbox(specification):
        yield from _outbox(specification)
    yield from _keeping(specification)


def _needs(specification: Specification) -> Iterator[Panel]:
    job = everywhere(specification)
    failed = f'sum by (need) (rate({CALLS}{{{job},outcome!="ok"}}[5m]))'
    every = f"sum by (need) (rate({CALLS}{{{job}}}[5m]))"
    queries = (Query(f"{failed} / {every}", "{{need}}"),)
    said = "The share of calls to each need that failed. At the line an alert fires."
    yield Panel("Needs: failures", Unit.SHARE, queries, said, limit=FAILING)
    queries = (Query(f"max by (name) ({BREAKER}{{{job}}})", "{{name}}"),)
    said = "1 while calls to a need are refused, 0.5 while a few are let through to see."
    yield Panel("Needs: open breakers", Unit.COUNT, queries, said)
    told = f'sum by (kind, name, what) (rate({EVENTS}{{{job},what=~"refused|retried|exceeded"}}[5m]))'
    queries = (Query(told, "{{kind}} {{name}}: {{what}}"),)
    said = "Calls that were refused, tried again or given up for want of time."
    yield Panel("What guards did", Unit.EVENTS, queries, said)


def _room(specification: Specification) -> Iterator[Panel]:
    own = selector(specification)
    share = f"max({POOL_USED}{{{own}}} / {POOL_SIZE}{{{own}}})"
    said = "Of the instance that uses most. At 100 % requests wait for a connection."
    yield Panel("Connections in use", Unit.SHARE, (Query(share, "busiest instance"),), said, limit=1.0)
    queries = (
        Query(f"sum({IN_FLIGHT}{{{own}}})", "requests under way"),
        Query(f"sum by (name) ({level(specification, 'limiter', 'limit')})", "limit: {{name}}"),
    )
    said = "Requests at the same time, and how many calls at once each limiter allows."
    yield Panel("Under way", Unit.COUNT, queries, said)


def _outbox(specification: Specification) -> Iterator[Panel]:
    queries = tuple(
        Query(f"max({level(specification, 'outbox', what)})", legend)
        for what, legend in (("depth", "waiting"), ("dead", "given up"))
    )
    yield Panel(
        "Outbox: messages", Unit.COUNT, queries, "Messages that are not delivered yet, or never will."
    )
    queries = (Query(f"max({level(specification, 'outbox', 'age')})", "oldest"),)
    said = "How long the oldest message has waited. At the line an alert fires."
    yield Panel("Outbox: oldest", Unit.SECONDS, queries, said, limit=specification.budgets.recovery)


def _keeping(specification: Specification) -> Iterator[Panel]:
    service = specification.service
    checks = f'min({READY}{{{selector(specification)},check="database"}})'
    said = "1 while every instance reaches the database."
    yield Panel("Database", Unit.COUNT, (Query(checks, "reached"),), said, limit=1.0, below=True)
    claims = f'{{persistentvolumeclaim=~"{service}-.*"}}'
    queries = (Query(f"{DISK_LEFT}{claims} / {DISK}{claims}", "{{persistentvolumeclaim}}"),)
    said = "What is left of each disk. At the line an alert fires."
    yield Panel("Disk left", Unit.SHARE, queries, said, limit=FULL, below=True)
    age = f'time() - max({BACKUP}{{service="{service}"}})'
    said = "Since the last backup that was done. At the line an alert fires."
    yield Panel(
        "Age of the backup", Unit.SECONDS, (Query(age, "age"),), said, limit=backup_old(specification)
    )


# --- text --------------------------------------------------------------------------------------

_DATA = {"type": "prometheus", "uid": "${source}"}
_SOURCE = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
_WIDTHS = {True: 6, False: 12}  # of a number, and of a picture


def _placed(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """Rows are filled from the left; an id is a panel's place, so it changes only when the plan does."""
    placed: list[dict[str, Any]] = []
    x = y = 0
    for number, panel in enumerate(panels, start=1):
        width = _WIDTHS[panel.stat]
        if x + width > COLUMNS or (placed and panel.stat != panels[number - 2].stat):
            x, y = 0, y + HEIGHT
        placed.append(_panel(number, panel, {"h": HEIGHT, "w": width, "x": x, "y": y}))
        x += width
    return placed


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": _DATA,
        "gridPos": place,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}} if panel.stat else {},
        "targets": [
            {
                "refId": f"Q{index}",
                "datasource": _DATA,
                "expr": query.expression,
                "legendFormat": query.legend,
            }
            for index, query in enumerate(panel.queries, start=1)
        ],
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit.value}
    if not panel.stat:
        defaults["min"] = 0
    if panel.limit is None:
        return defaults
    colours = ("red", "green") if panel.below else ("green", "red")
    steps = [{"color": colours[0], "value": None}, {"color": colours[1], "value": panel.limit}]
    defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    if not panel.stat:
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    return defaults
