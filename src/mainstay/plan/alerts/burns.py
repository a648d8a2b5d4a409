"""Budgets that burn: several windows and burn rates.

Source: The Site Reliability Workbook (2018), chapter 5, table 5-8.
"""

from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.specification import Specification
from mainstay.plan.alerts.rule import Alert, Recording, pascal
from mainstay.plan.objectives import WINDOW, Objective, selector

BAD = "slo:bad_requests:ratio_rate"  # and a window: the share of bad requests, by service and objective


class Burn(Struct, frozen=True):
    """A speed at which an error budget is spent, and the windows over which it is seen."""

    factor: float  # times the speed that spends the budget in just the whole window
    long: str  # it is really that bad,
    short: str  # and still is
    wait: float  # seconds that both have to hold
    severity: str

    @property
    def spent(self) -> float:
        """Share of the budget that is gone when the long window is full."""
        return self.factor * duration(self.long) / WINDOW

    @property
    def lasts(self) -> float:
        """Seconds until a whole budget is gone."""
        return WINDOW / self.factor

    def share(self, objective: Objective) -> float:
        """Of requests that has to be bad."""
        return self.factor * objective.budget

    def possible(self, objective: Objective) -> bool:
        """Whether requests can be that bad: a large budget cannot be spent so fast, and none not at all."""
        return 0 < self.share(objective) < 1

    def fires_after(self, objective: Objective, bad: float = 1.0) -> float | None:
        """Seconds into an outage in which a share is bad, all being well before; None: it never fires."""
        if not self.possible(objective) or bad <= self.share(objective):
            return None
        return duration(self.long) * self.share(objective) / bad + self.wait


# The workbook has no waits.  These keep a blip of a scrape or two from telling anybody; they are the ones of
# KubeAPIErrorBudgetBurn in kubernetes-mixin.
BURNS = (
    Burn(14.4, "1h", "5m", 120.0, "page"),
    Burn(6, "6h", "30m", 900.0, "page"),
    Burn(3, "1d", "2h", 3600.0, "ticket"),
    Burn(1, "3d", "6h", 10_800.0, "ticket"),
)
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
MONTH = "30d"  # for the budget that is left


def duration(window: str) -> float:
    """Seconds of a window such as `30m`."""
    return int(window[:-1]) * {"m": 60.0, "h": 3600.0, "d": 86_400.0}[window[-1]]


def share_of(service: str, objective: Objective, window: str) -> str:
    """PromQL: the recorded share of bad requests."""
    return f'{BAD}{window}{{service="{service}",objective="{objective.name}"}}'


def shares(service: str, found: tuple[Objective, ...], windows: tuple[str, ...]) -> Iterator[Recording]:
    """The share of bad requests of each objective over each window."""
    for objective in found:
        labels = (("service", service), ("objective", objective.name))
        for window in windows:
            expression = f"{objective.bad(window)}\n/\n{objective.total(window)}"
            yield Recording(f"{BAD}{window}", expression, labels)


def burning(specification: Specification, found: tuple[Objective, ...]) -> Iterator[Alert]:
    """An alert for each objective and each speed that it can burn at, and one for when nothing answers."""
    service = specification.service
    for objective in found:
        for burn in BURNS:
            if burn.possible(objective):
                yield _burn(service, objective, burn)
        if not objective.budget:
            yield _any(service, objective)
    # An instance that does not answer counts nothing, so no share of its requests can tell.
    yield Alert(
        f"{pascal(service)}ErrorBudgetBurn",
        f"absent(up{{{selector(specification)}}} == 1)",
        60.0,
        "page",
        f"No instance of {service} answers.",
        (("objective", "availability"),),
    )


def _any(service: str, objective: Objective) -> Alert:
    """Where all requests are promised, the first bad one breaks the promise."""
    return Alert(
        f"{pascal(service)}ErrorBudgetBurn",
        f"{share_of(service, objective, '5m')} > 0",
        60.0,
        "page",
        f"A request failed, and {objective.name} is promised for all of them.",
        (("objective", objective.name),),
    )


def _burn(service: str, objective: Objective, burn: Burn) -> Alert:
    slow = objective.within is not None
    threshold = f"{burn.factor:g} * {objective.budget:g}"
    bad = f"took longer than {objective.within:g} s" if slow else "failed"
    return Alert(
        f"{pascal(service)}{'SlowRequests' if slow else 'ErrorBudgetBurn'}",
        f"{share_of(service, objective, burn.long)} > {threshold}\n"
        f"and\n{share_of(service, objective, burn.short)} > {threshold}",
        burn.wait,
        burn.severity,
        f"More than {burn.share(objective) * 100:.3g} % of requests {bad} in {burn.long} and {burn.short}: "
        f"at this rate the {objective.name} budget of 30 days lasts {burn.lasts / 86_400:.2g} days.",
        (("objective", objective.name), ("window", burn.long)),
    )
