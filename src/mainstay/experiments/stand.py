"""The stand on which a service is tried: everything an experiment can reach."""

import time
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import msgspec

from mainstay.budgets import STANDARD, Budgets
from mainstay.evidence import ledger
from mainstay.experiments.profile import Profile
from mainstay.lab.caller import Caller
from mainstay.lab.lab import Lab
from mainstay.lab.ledger import Homes
from mainstay.lab.load.control import Driver, LoadError
from mainstay.lab.paging.rules import Rule
from mainstay.lab.postgres import Postgres
from mainstay.lab.proxy.control import FaultProxy
from mainstay.lab.service import Service
from mainstay.model.api import Api
from mainstay.model.record import Record
from mainstay.model.service import Action, Actor, Declaration, Dependency, DependencyKind

STOCKED_S = 60.0  # to fill the pools
LEARNT = 3  # how often each write is tried to learn where it is stored


class Observer(Protocol):
    """Who is told what is going on."""

    def doing(self, what: str, sent: int, failed: int, p95: float | None) -> None:
        """Something is done to the service, and so many requests were sent meanwhile."""

    def say(self, line: str) -> None:
        """Something worth a line of its own."""


def callers(actors: Sequence[Actor], headers: Mapping[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The headers of each actor; the first is the one whom actions without an actor mean."""
    return {actor.name: headers[actor.name] for actor in actors[:1]} | dict(headers)


class Stand:
    """The service under trial, its load, and what is known about it."""

    def __init__(
        self,
        lab: Lab,
        declaration: Declaration,
        service: Service,
        proxy: FaultProxy,
        drive: Callable[[str, Sequence[Action]], Driver],
        actions: Sequence[Action],
        *,
        api: Api | None,
        rules: Sequence[Rule],
        budgets: Budgets,
        profile: Profile,
        observer: Observer,
        prefix: str,
        startup: float,
        against: Path | None = None,
    ) -> None:
        self.lab = lab
        self.declaration = declaration
        self.service = service
        self.proxy = proxy
        self._drive = drive
        self.driver = drive(prefix, actions)
        self.actions = tuple(actions)
        self.api = api
        self.rules = tuple(rules)
        self.budgets = budgets
        self.standard = STANDARD
        self.profile = profile
        self.observer = observer
        self.prefix = prefix
        self.against = against  # the folder of the other version
        self.homes = Homes(prefix, {}, {"every write": "no database is declared"})
        self.dependents: dict[str, frozenset[str]] = {}  # HTTP dependency -> actions that ask it
        self.notes: list[str] = []
        self.tokens: set[str] = set()  # of the ledger, of all loads so far
        self._callers = 0
        self.untouched = True  # nothing has been done to the service since it was started
        self.steady_p95: float | None = None  # as the steady experiment saw it
        self.startup = startup  # seconds that the service took to be ready, the last time
        self.pace = 50.0  # values a second that fill the pools, as seen while learning

    # --- what experiments ask about the service ----------------------------------------------

    @property
    def expected(self) -> float:
        """Requests a second at expected load."""
        return self.declaration.load.expected

    @property
    def peak(self) -> float:
        """Requests a second at peak load."""
        return self.declaration.load.peak

    @property
    def database(self) -> Postgres | None:
        return self.service.database

    def leave_out(self, names: Container[str]) -> None:
        """Take actions out of the mix: they do not work."""
        self.actions = tuple(
            msgspec.structs.replace(a, weight=0.0) if a.name in names else a for a in self.actions
        )
        self.__dict__.pop("by_name", None)

    @property
    def mix(self) -> tuple[str, ...]:
        """The names of the actions that a load is made of."""
        return (*(action.name for action in self.actions if action.weight > 0), *self.driver.journeys)

    @cached_property
    def by_name(self) -> Mapping[str, Action]:
        return {action.name: action for action in self.actions}

    @property
    def writes(self) -> tuple[Action, ...]:
        """The writes of the mix that nobody waived: each is critical."""
        return tuple(a for a in self.actions if a.writes and a.weight > 0 and not a.waived)

    @property
    def removers(self) -> frozenset[str]:
        """The actions that delete what they take."""
        return frozenset(action.name for action in self.actions if action.method == "DELETE")

    def known(self) -> set[str]:
        """What the ledger finds in the database now."""
        if self.database is None:
            return set()
        with self.database.connect(self.database_name) as connection:
            return self.homes.known(connection)

    @property
    def http_dependencies(self) -> tuple[Dependency, ...]:
        """The services it asks over HTTP."""
        kinds = (DependencyKind.HTTP, DependencyKind.COMMAND)
        return tuple(d for d in self.declaration.dependencies if d.kind in kinds)

    @property
    def principals(self) -> tuple[Actor, ...]:
        """The actors with credentials."""
        return self.declaration.actors

    def actor(self, action: Action) -> str:
        """Who calls an action."""
        return action.actor or (self.principals[0].name if self.principals else "anonymous")

    def headers(self, action: Action) -> dict[str, str]:
        """What the caller of an action sends to say who he is."""
        return self.service.headers.get(self.actor(action), {})

    def caller(self) -> Caller:
        """For single requests beside the load, under markers of their own."""
        self._callers += 1
        prefix = f"mp{self.prefix[2:]}{self._callers:x}z"
        timeout = self.declaration.load.timeout
        return Caller(self.service.addresses, self.actions, self.service.headers, prefix, timeout)

    @property
    def watch(self) -> float:
        """Seconds to go on looking after a fault: longer than the service may still be waiting for it."""
        wanted = max(self.declaration.longest_wait, 2.0) + 3.0
        if self.profile.longest_watch is not None:
            wanted = min(wanted, self.profile.longest_watch)
        return max(wanted, 2 * self.startup + 3.0)  # one that is still starting has not failed to recover

    def filling(self, rate: float, seconds: float) -> float:
        """Seconds that it takes to fill the pools for a load of that size, in the plan."""
        return sum(self.driver.needs(rate, seconds, self.mix).values()) / max(self.pace, 1.0)

    # --- learning ----------------------------------------------------------------------------

    def end(self) -> None:
        """Nothing is sent any more."""
        self.driver.end()

    def replace(self, actions: Sequence[Action]) -> None:
        """Other actions from now on."""
        self.actions = tuple(actions)
        self.__dict__.pop("by_name", None)
        self._renew()

    def renew(self) -> None:
        """After the database was made anew: callers have new credentials, and nothing is known of it."""
        self._renew()
        self.learn()

    def _renew(self) -> None:
        self.driver.end()
        self._callers += 1
        self.prefix = f"{self.prefix[:8]}{self._callers:x}"
        self.driver = self._drive(self.prefix, self.actions)

    def restart(self, *, direct: bool = False) -> None:
        """A fresh service, and the load aimed at it."""
        began = time.monotonic()
        self.service.restart(direct=direct)
        self.startup = time.monotonic() - began
        self.driver.target(*self.service.addresses)
        if any(actor.request for actor in self.principals):
            self.driver.call_as(callers(self.principals, self.service.headers))

    def learn(self) -> list[Record]:
        """Try each action a few times: whether it works, where its writes are stored, whom it asks."""
        before = self.database.counts() if self.database is not None else {}
        began = time.monotonic()
        try:
            records = self._stock_up()
        except LoadError as error:
            if not self._wrongly_guessed(error.records):
                raise
            return list(error.records)  # whoever asked leaves out what never worked, and asks again
        if records:
            self.pace = len(records) / (time.monotonic() - began)
        for action in self.actions:
            if action.weight <= 0:
                continue
            marks = self._asked()
            tried = self.driver.once([action.name], LEARNT if action.writes else 1)
            records.extend(tried)
            for name, asked in self._asked().items():
                if asked > marks[name]:
                    self.dependents[name] = self.dependents.get(name, frozenset()) | {action.name}
        if self.driver.journeys:
            self.driver.start(LEARNT, 1.0, only=self.driver.journeys)
            records.extend(self.driver.stop_when_done())
        self.tokens |= ledger.tokens(records)
        if self.database is not None:
            after = self.database.counts()
            grown = [table for table, rows in after.items() if rows > before.get(table, 0)]
            with self.database.connect(self.database_name) as connection:
                self.homes = Homes.learn(connection, records, self.prefix, self.actions, grown=grown)
        return records

    @property
    def database_name(self) -> str | None:
        """The name of the database inside the server."""
        return None if self.database is None else self.database.database

    def stock(self, rate: float, seconds: float, only: Sequence[str]) -> list[Record]:
        """Fill the pools for a load of that size.

        A guess must not void a run: one that takes what cannot be made in time is left out, with a note.
        """
        try:
            return self.driver.stock(self.driver.needs(rate, seconds, only), within=STOCKED_S)
        except LoadError as error:
            takers = {action.name for action in self.actions if action.guessed and action.takes}
            if not takers & set(only):
                raise
            self.leave_out(takers)
            self.notes.append(
                f"{', '.join(sorted(takers))}: left out, since what they take could not be made"
            )
            rest = [name for name in only if name not in takers]
            needed = self.driver.needs(rate, seconds, rest)
            return [*error.records, *self.driver.stock(needed, within=STOCKED_S)]

    def _stock_up(self) -> list[Record]:
        takers = Counter(pool for action in self.actions if action.weight > 0 for pool in action.takes)
        used = self.driver.needs(1.0, 1.0, self.mix)
        wanted = {pool: min(number, LEARNT) for pool, number in used.items()}
        wanted |= {pool: number * LEARNT + 2 for pool, number in takers.items()}
        return list(self.driver.stock(wanted, within=STOCKED_S))

    def _wrongly_guessed(self, records: Sequence[Record]) -> bool:
        """Whether a guessed action never worked."""
        failed = {r.action for r in records if not r.ok} - {r.action for r in records if r.ok}
        return any(action.guessed and action.name in failed for action in self.actions)

    def _asked(self) -> dict[str, int]:
        return {name: len(standin.requests()) for name, standin in self.service.standins.items()}
