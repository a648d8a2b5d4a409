"""Fills the pools that a load needs, a few requests at a time, each one after an answer."""

from collections import defaultdict
from collections.abc import Mapping

from mainstay.lab.load.call import Call, Outcome
from mainstay.lab.load.pools import several
from mainstay.lab.load.stage import Stage
from mainstay.lab.load.templates import Template
from mainstay.model.record import Record

AT_A_TIME = 4
PATIENCE = 3  # failed answers in a row
PAUSE = 0.2  # seconds after a failed answer

Pool = tuple[str, str]  # an actor's, of that name


class CannotStock(Exception):
    """Pools that cannot be filled, in one sentence."""


class Stocking:
    """Sends the actions that give what is wanted, and first those that give what these need themselves.

    Raises CannotStock when no action gives it, or when filling it needs itself.
    """

    def __init__(self, stage: Stage, wanted: Mapping[str, int], timeout: float, ends: float) -> None:
        self.records: list[Record] = []
        self.problem = ""
        self._stage = stage
        self._timeout = timeout
        self._ends = ends
        self._plan = plan(stage, wanted)
        self._out = 0
        self._failed = 0
        self._first_failure = ""
        self._not_before = 0.0

    @property
    def over(self) -> bool:
        return not self._out and (bool(self.problem) or not self._plan)

    @property
    def due(self) -> float | None:
        """When to ask for the next request; None: after an answer."""
        if self.problem or self._out >= AT_A_TIME or not self._lacking():
            return None
        return self._not_before

    def take(self, now: float) -> Call | None:
        due = self.due
        if due is None or due > now:
            return None
        if now >= self._ends:
            self._give_up("did not come in time")
            return None
        self._out += 1
        _, template, _ = self._plan[0]
        return self._stage.call(
            self, template, now, fresh=False, timeout=min(self._timeout, self._ends - now)
        )

    def stop(self) -> None:
        self._plan.clear()

    def finished(self, call: Call, outcome: Outcome) -> None:
        self._out -= 1
        (actor, pool), _, _ = self._plan[0]
        before = self._stage.pools.size(actor, pool)
        record = self._stage.record(call, outcome, stocking=True)
        self.records.append(record)
        if not record.expected:
            self._count_failure(record, outcome.done)
        elif self._stage.pools.size(actor, pool) == before:
            place = call.prepared.gives[pool]
            self.problem = (
                f"`{record.action}` answered {record.status}, but its answer holds no text or number at "
                f"`{place}` for the pool `{pool}`."
            )
        else:
            self._failed = 0
        if not self._out:
            self._next_pool()

    def _next_pool(self) -> None:
        while self._plan and not self._lacking():
            del self._plan[0]

    def _lacking(self) -> int:
        if not self._plan:
            return 0
        (actor, pool), _, wanted = self._plan[0]
        return max(0, wanted - self._stage.pools.size(actor, pool) - self._out)

    def _count_failure(self, record: Record, now: float) -> None:
        self._failed += 1
        self._not_before = now + PAUSE
        if not self._first_failure:
            what = str(record.status) if record.status else f"nothing ({record.failure.value})"
            shown = f": {_shown(record.excerpt)}" if record.excerpt else ""
            self._first_failure = f"`{record.action}` answered {what}{shown}"
        if self._failed >= PATIENCE:
            self._give_up("could not be made")

    def _give_up(self, why: str) -> None:
        if not self.problem:
            (actor, pool), _, wanted = self._plan[0]
            have = self._stage.pools.size(actor, pool)
            self.problem = f"The values of the pool `{pool}` {why}: {have} of {wanted}."
            if self._first_failure:
                self.problem += f" {self._first_failure}"


def _shown(excerpt: str) -> str:
    """In one line, without what a terminal would obey: the service wrote it, not we."""
    return "".join(sign if sign.isprintable() else " " for sign in " ".join(excerpt.split()))


def plan(stage: Stage, wanted: Mapping[str, int]) -> list[tuple[Pool, Template, int]]:
    """The pools in the order in which they can be filled, through which action, and up to how many.

    Raises CannotStock.
    """
    givers = _givers(stage)
    order: list[Pool] = []
    demand: defaultdict[Pool, int] = defaultdict(int)
    for name, count in wanted.items():
        pools = [pool for pool in givers if pool[1] == name]
        if not pools:
            raise CannotStock(f"No action gives `{name}`.")
        for pool in pools:
            demand[pool] += count
            _visit(pool, givers, order, ())
    for pool in reversed(order):  # what needs others comes before them here
        lacking = max(0, demand[pool] - stage.pools.size(*pool))
        if lacking:
            giver = givers[pool]
            for taken in giver.takes:
                demand[giver.actor, taken] += lacking
            for used in giver.uses:
                demand[giver.actor, used] += several(lacking)
    return [(pool, givers[pool], demand[pool]) for pool in order if demand[pool] > stage.pools.size(*pool)]


def _givers(stage: Stage) -> dict[Pool, Template]:
    """For each pool the action that needs the least itself, of two such the first."""
    givers: dict[Pool, Template] = {}
    for template in sorted(stage.templates.values(), key=lambda one: len(one.takes) + len(one.uses)):
        for pool in template.action.gives:
            givers.setdefault((template.actor, pool), template)
    return givers


def _visit(pool: Pool, givers: Mapping[Pool, Template], order: list[Pool], above: tuple[Pool, ...]) -> None:
    if pool in above:
        raise CannotStock(
            f"To give `{pool[1]}`, the action `{givers[pool].action.name}` needs one to begin with."
        )
    if pool in order:
        return
    giver = givers[pool]
    for needed in (*giver.takes, *giver.uses):
        _visit((giver.actor, needed), givers, order, (*above, pool))
    order.append(pool)
