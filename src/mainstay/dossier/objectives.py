"""What is promised, how much of it may be missed, and who is told when too much is."""

from collections.abc import Iterator
from math import ceil

from mainstay.model.dossier import Artefact, Chapter, Grid, Row, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.model.specification import Specification
from mainstay.plan.alerts import (
    AHEAD,
    BURNS,
    DAY,
    FAILING,
    FULL,
    SIGNALS,
    Alert,
    Burn,
    Source,
    alerts,
    backup_every,
    backup_old,
    duration,
    has_outbox,
    rules,
    text,
    waiting,
)
from mainstay.plan.dashboard import dashboard
from mainstay.plan.objectives import QUANTILE, WINDOW, Measure, Objective, objectives, openslo

PLACE = 60
FEW = 10  # failed requests: where fewer fire a page, chance does


def chapter(specification: Specification) -> Chapter:
    """Objectives with their budgets, the alerts that guard them, and the alerts about causes."""
    found = objectives(specification)
    return Chapter(
        "objectives",
        "What is promised, and who is told when it is not kept",
        "Each promise leaves a budget of bad requests for 30 days; alerts fire by how fast that is spent.",
        (
            _promises(specification, found),
            Statements(tuple(_statements(specification, found)), "What counts"),
            _speeds(next(one for one in found if all(burn.possible(one) for burn in BURNS))),
            _alerts(specification),
            Statements(tuple(_thresholds(specification)), "Where the alerts' numbers come from"),
            _sources(specification),
            Artefact("slo.yaml", "yaml", openslo(specification), "The objectives, as OpenSLO"),
            Artefact("alerts.yml", "yaml", text(rules(specification)), "The alerts, as Prometheus rules"),
        ),
    )


# --- promises ----------------------------------------------------------------------------------


def _promises(specification: Specification, found: tuple[Objective, ...]) -> Grid:
    return Grid(
        ("objective", "good requests", "of", "bad requests in 30 days", "or minutes of outage"),
        tuple(_promise(specification, objective) for objective in found),
        "Objectives and their budgets",
    )


def _promise(specification: Specification, objective: Objective) -> Row:
    good = "no 5xx" if objective.within is None else f"within {objective.within * 1000:g} ms"
    every = len(objective.operations) == len(specification.operations)
    cells = (
        f"`{objective.name}`",
        f"{_share(objective.target)} {good}",
        "all operations" if every else ", ".join(f"`{name}`" for name in objective.operations),
        f"{objective.requests:,.0f}",
        f"{objective.minutes:,.5g}",
    )
    budget = _share(objective.budget)
    sum_ = (
        f"{budget} of {objective.rate:.4g}/s × {WINDOW:,.0f} s = {objective.requests:,.0f}; "
        f"{budget} of {WINDOW / 60:,.0f} min = {objective.minutes:,.5g}"
    )
    if objective.declared:
        return Row(cells, Origin.DERIVED, sum_)
    why = "where an operation does not say its own, what others leave of the peak is shared out evenly"
    return Row(cells, Origin.ASSUMED, f"{sum_}; {objective.rate:.4g}/s is their share of the load: {why}")


def _statements(specification: Specification, found: tuple[Objective, ...]) -> Iterator[Statement]:
    yield Statement(
        "A request is bad when it is answered with 5xx, a refusal with 503 too; 4xx is its caller's fault.",
        Origin.ASSUMED,
        "if callers count other answers as failures, the budget lasts less long for them than for us",
    )
    yield Statement(
        "The window is 30 days and rolls.",
        Origin.ASSUMED,
        f"the specification promises for a year: {_share(found[0].budget)} of 365 days are "
        f"{found[0].budget * 365 * 24:.3g} h, and of 30 days {found[0].minutes:.3g} min",
    )
    for objective in found:
        if not objective.budget:
            yield Statement(
                f"`{objective.name}` is promised for 100 % of requests.",
                Origin.OPEN,
                "100 % leaves no budget: one bad request in 30 days breaks it, and each wakes somebody; "
                "what do callers really need?",
            )
    if not any(objective.measure is Measure.ERRORS for objective in found):
        yield Statement(
            "No operation is critical, so there is no objective for their errors.",
            Origin.OPEN,
            "is there really none whose failure costs somebody money?",
        )
    if any(operation.p95 is not None for operation in specification.operations):
        yield Statement(
            "An operation with a p95 of its own is not counted in `latency`.",
            sum="it has an objective of its own, and one request spends one budget",
        )
    yield Statement(
        f"A p95 is kept when {_share(QUANTILE)} of answers are in time; {_share(1 - QUANTILE)} may be late.",
        sum="p95: the time within which 95 of 100 answers come; a histogram has a bucket that ends there",
    )


# --- speeds ------------------------------------------------------------------------------------


def _speeds(objective: Objective) -> Grid:
    """By the example of one objective, and a latency always serves; the others follow in the same way."""
    return Grid(
        (
            "a whole budget is gone",
            "seen over",
            "bad requests",
            "in a full outage it fires after",
            "who is told",
        ),
        tuple(_speed(objective, burn) for burn in BURNS if burn.possible(objective)),
        f"How fast the budget is spent, by the example of {objective.name}",
    )


def _speed(objective: Objective, burn: Burn) -> Row:
    share, after = burn.share(objective), burn.fires_after(objective)
    assert after is not None
    long = duration(burn.long)
    cells = (
        f"in {burn.lasts / DAY:.2g} days",
        f"{burn.long} and {burn.short}",
        f"more than {_share(share)}",
        _time(after),
        "at once" if burn.severity == "page" else "in working hours",
    )
    sum_ = (
        f"{burn.factor:g} times as fast as it lasts 30 days: {burn.factor:g} × {_share(objective.budget)} = "
        f"{_share(share)}; "
        f"{_share(share)} of {long:,.0f} s + {burn.wait:,.0f} s that it has to hold = {after:,.5g} s; "
        f"{burn.factor:g} × {long:,.0f} s / {WINDOW:,.0f} s = {_share(burn.spent)} of the budget is gone "
        f"once it has lasted {burn.long}"
    )
    return Row(cells, Origin.DERIVED, sum_)


# --- alerts ------------------------------------------------------------------------------------


def _alerts(specification: Specification) -> Grid:
    return Grid(
        ("alert", "when", "has to hold", "who is told"),
        tuple(_alert(alert) for alert in alerts(specification)),
        "The alerts",
    )


def _alert(alert: Alert) -> Row:
    told = "at once" if alert.severity == "page" else "in working hours"
    cells = (f"`{alert.name}`", alert.summary, _time(alert.wait), told)
    origin = Origin.ASSUMED if alert.assumed else Origin.DERIVED
    return Row(cells, origin, f"`{' '.join(alert.expression.split())}`")


def _thresholds(specification: Specification) -> Iterator[Statement]:
    source = "The Site Reliability Workbook, chapter 5, table 5-8; the waits are those of kubernetes-mixin"
    yield Statement(
        "The speeds 14.4, 6, 3 and 1 and their windows are common practice.",
        Origin.ASSUMED,
        f"{source}; with other speeds people are woken more often or later",
    )
    yield from _chance(specification)
    yield _scraped(specification)
    if specification.needs:
        yield Statement(
            f"A need is failing when {_share(FAILING)} of its calls fail.",
            Origin.ASSUMED,
            "a fifth of the half at which a breaker opens; a need that fails more often in good times "
            "makes a ticket that nobody reads",
        )
    if has_outbox(specification):
        recovery = specification.budgets.recovery
        yield Statement(
            f"A message that has waited for {recovery:g} s is late; {waiting(specification):,.0f} are many.",
            sum=f"the recovery budget, {recovery:g} s; and what is emitted and left for later in that time "
            f"at {specification.load.expected:g}/s",
        )
    yield Statement(
        f"A disk is filling when less than {_share(FULL)} is left, or none will be in {AHEAD / 3600:g} h.",
        Origin.ASSUMED,
        "what takes longer than that to enlarge needs more warning",
    )
    yield _backups(specification)


def _scraped(specification: Specification) -> Statement:
    """Names that whoever runs Prometheus and the cluster has to keep to."""
    service = specification.service
    jobs = [f"`{service}`", *([f"its relay as `{service}-relay`"] if has_outbox(specification) else [])]
    return Statement(
        f"Prometheus scrapes the service as the job {', '.join(jobs)} and the database's exporter as "
        f"`{service}-database`; the names of the disks begin with `{service}-`.",
        Origin.ASSUMED,
        "under other names `absent` pages at once, and the other alerts never fire",
    )


def _chance(specification: Specification) -> Iterator[Statement]:
    """Where there are few requests, one failure is a large share."""
    fastest = BURNS[0]
    for objective in objectives(specification):
        needed = fastest.share(objective) * objective.rate * duration(fastest.long)
        if needed < FEW and fastest.possible(objective):
            many = ceil(needed)
            who = (
                f"{many} bad one of `{objective.name}` wakes"
                if many == 1
                else (f"{many} bad ones of `{objective.name}` wake")
            )
            yield Statement(
                f"There are so few requests that {who} somebody.",
                Origin.OPEN,
                f"{_share(fastest.share(objective))} of {objective.rate:.3g}/s × "
                f"{duration(fastest.long):,.0f} s = {needed:.2g}; may the promise be weaker, or shall a "
                "probe call the service regularly?",
            )


def _backups(specification: Specification) -> Statement:
    every, old = backup_every(specification), backup_old(specification)
    said = f"A backup is made every {_time(every)} and overdue after {_time(old)}."
    overdue = f"1.5 × {every:,.0f} s = {old:,.0f} s"
    if specification.data_loss > 0 and every < DAY:
        why = (
            f"half of the {_time(specification.data_loss)} that may be lost, so that one may fail; {overdue}"
        )
        return Statement(said, Origin.DERIVED, why)
    why = "what is written between two of them is in the archived log, which has an alert of its own"
    return Statement(said, Origin.ASSUMED, f"{overdue}; {why}; rarer ones make a restore longer")


def _sources(specification: Specification) -> Grid:
    """Only what this service's alerts and dashboard name."""
    named = [rule.expression for group in rules(specification) for rule in group.rules]
    named += [query.expression for panel in dashboard(specification).panels for query in panel.queries]
    return Grid(
        ("metric", "labels", "told by"),
        tuple(
            Row(
                (f"`{signal.name}`", ", ".join(signal.labels) or "none", signal.source.value),
                Origin.DERIVED if signal.source in (Source.RUNTIME, Source.SERVICE) else Origin.ASSUMED,
                _rests_on(signal.source),
            )
            for signal in SIGNALS
            if any(f"{signal.name}{{" in expression for expression in named)
        ),
        "What the alerts and the dashboard look at",
    )


def _rests_on(source: Source) -> str:
    if source in (Source.RUNTIME, Source.SERVICE):
        return "the service is written so"
    return f"{source.value} is there and scraped; without it, these alerts never fire"


# --- words -------------------------------------------------------------------------------------


def _share(value: float) -> str:
    return f"{round(value * 100, 6):.6g} %"


def _time(seconds: float) -> str:
    for unit, name in ((3600.0, "h"), (60.0, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.3g} s"
