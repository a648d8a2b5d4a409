"""The load driver as the process that uses it sees it."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from mainstay.lab.channel import Channel, Closed
from mainstay.lab.error import LabError
from mainstay.lab.lab import Lab
from mainstay.lab.load.call import OURS
from mainstay.lab.load.messages import (
    Batch,
    Began,
    Callers,
    Done,
    Ended,
    Once,
    Order,
    Ready,
    Refused,
    Report,
    Setup,
    Start,
    Stock,
    Stop,
    Target,
)
from mainstay.lab.load.pools import needs
from mainstay.lab.load.templates import compile_all
from mainstay.lab.own_program import own_program
from mainstay.model.record import Failure, Record
from mainstay.model.service import Action

NICENESS = -5
PATIENCE = 30.0  # seconds in which the driver says something, when it has nothing to wait for itself

_HERE = ("localhost", "::1")

M = TypeVar("M", Ready, Began, Done)


class LoadError(LabError):
    """The load could not be made, in one sentence; `records` are the requests that were sent nevertheless."""

    def __init__(self, said: str, records: Sequence[Record] = (), lines: Sequence[str] = ()) -> None:
        super().__init__(said, lines)
        self.records = tuple(records)


class Driver:
    """A process that sends requests to the service, on a core of its own where there are several.

    `targets` are addresses of this machine ("http://127.0.0.1:8000", or without the scheme).  `actors` are
    the headers of each caller; actions without an actor belong to the first.  `timeout` is how many seconds
    a caller waits for an answer from when his request was sent.  `prefix` begins every marker and key: give
    each driver that meets one database a prefix of its own.
    Raises TemplateError for actions that cannot be sent, LoadError for addresses or a scenario that cannot
    be used, LabError.
    """

    def __init__(
        self,
        lab: Lab,
        actions: Sequence[Action],
        *,
        targets: Sequence[str],
        actors: Mapping[str, Mapping[str, str]],
        timeout: float,
        seed: int,
        prefix: str,
        scenario: Path | None = None,
    ) -> None:
        self.starved = 0  # due requests that were not sent, because a pool had nothing for them
        self.own_failures = 0  # requests of loads that failed for a reason of ours, not of the service
        self.oldest = 0.0  # when the oldest request on its way was due, at the last report; 0: none is
        self._timeout = timeout
        self._load_timeout = timeout
        self._templates = compile_all(actions, actors)
        self._records: list[Record] = []
        self._answers: list[Report] = []
        self._running = False
        self._fault = ""
        setup = Setup(
            actions=tuple(actions),
            actors={name: dict(headers) for name, headers in actors.items()},
            targets=_addresses(targets),
            timeout=timeout,
            seed=seed,
            prefix=prefix,
            scenario=str(scenario.resolve()) if scenario else "",
        )
        self._program = lab.start(
            "load",
            own_program("mainstay.lab.load.server"),
            channel=True,
            nice=NICENESS,
            cores=_own_core(),
        )
        self.unmet = self._program.unmet  # of its own core and its priority, what it was not given
        assert self._program.channel is not None
        self._channel: Channel[Report] = Channel(self._program.channel, Report)
        try:
            self._journeys = self._ask(setup, Ready, PATIENCE).journeys
        except LoadError:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Of the driver's process, to see what it costs."""
        return self._program.pid

    @property
    def journeys(self) -> tuple[str, ...]:
        """The names of the journeys in the scenario file."""
        return tuple(self._journeys)

    def target(self, *addresses: str) -> None:
        """Where requests go from now on, in turn; those on their way are left alone.  Raises LoadError."""
        self._send(Target(_addresses(addresses)))

    def call_as(self, actors: Mapping[str, Mapping[str, str]]) -> None:
        """The headers of each actor from now on; not while a load is running.  Raises LoadError."""
        self._send(Callers({name: dict(headers) for name, headers in actors.items()}))

    def stock(self, wanted: Mapping[str, int], within: float) -> list[Record]:
        """Fill pools up to so many values, through the actions that give them, four requests at a time.

        What these need themselves is made first.  Pools of several actors with one name are each filled.
        Raises LoadError with the first failed answer when three in a row fail, or when `within` seconds pass.
        """
        if not any(count > 0 for count in wanted.values()):
            return []
        order = Stock({pool: count for pool, count in wanted.items() if count > 0}, within)
        return self._ask(order, Done, within + self._timeout + PATIENCE).records

    def needs(
        self, rate: float, seconds: float, only: Sequence[str] = (), counting_on: float = 0.0
    ) -> dict[str, int]:
        """What a load of that size would take out of pools, with a margin for chance; give it to `stock`.

        Of pools whose values are used but not used up, up to 20, so that not all requests meet on one row.
        `counting_on` is the share of what the load itself gives that need not be made beforehand: with 1, the
        load of a service that works is not starved, that of one whose writes fail may be.
        """
        weights = {name: one.action.weight for name, one in self._templates.items()} | self._journeys
        if only:
            weights = {name: weight for name, weight in weights.items() if name in only}
            if not any(weights.values()):
                weights = dict.fromkeys(weights, 1.0)
        whole = sum(weights.values()) or 1.0
        shares = {name: weight / whole for name, weight in weights.items()}
        return needs(list(self._templates.values()), shares, rate * seconds, counting_on)

    def start(
        self,
        rate: float,
        seconds: float,
        *,
        arrivals: str = "poisson",
        fresh: float = 0.5,
        retries: int = 0,
        only: Sequence[str] = (),
        timeout: float | None = None,
    ) -> float:
        """Begin a load of `rate` arrivals a second; returns when it begins, on the monotonic clock.

        A journey is one arrival, and its further steps come on top.  `fresh` is the share of requests on
        connections of their own.  With `retries`, a write that got no answer or a 5xx is sent again so often.
        `only` are the actions and journeys that take part; none: all that have a weight.  Raises LoadError.
        """
        if self.running():
            raise LoadError("A load is running already.")
        self._load_timeout = self._timeout if timeout is None else timeout
        order = Start(rate, seconds, arrivals, fresh, retries, tuple(only), self._load_timeout)
        at = self._ask(order, Began, PATIENCE).at
        self._running = True
        return at

    def poll(self, timeout: float) -> list[Record]:
        """The requests of the load that have ended since the last call, in the order in which they ended.

        Waits up to `timeout` seconds for the first one; comes back at once when no load is running.
        Raises LoadError when the driver has died, and when a journey of the scenario file is wrong.
        """
        ends = time.monotonic() + timeout
        self._hear(0)
        while self._running and not self._records:
            left = ends - time.monotonic()
            if left <= 0:
                break
            self._hear(left)
        return self._take()

    def running(self) -> bool:
        """Whether requests are still due or on their way.  Raises LoadError when the driver has died."""
        self._hear(0)
        return self._running

    def stop_when_done(self) -> list[Record]:
        """All requests of the load, once each has come to an end; the last records.  Raises LoadError."""
        records: list[Record] = []
        while self.running():
            records.extend(self.poll(1.0))
        return [*records, *self._take()]

    def stop(self) -> list[Record]:
        """Send nothing more and wait for what is on its way, as long as its callers do; the last records.

        Raises LoadError as `poll` does.
        """
        if self.running():
            self._send(Stop())
        ends = time.monotonic() + self._load_timeout + PATIENCE
        while self._running:
            left = ends - time.monotonic()
            if left <= 0:
                raise LoadError(f"The load driver did not stop within {self._load_timeout + PATIENCE:g} s.")
            self._hear(left)
        return self._take()

    def once(self, actions: Sequence[str], times: int = 1) -> list[Record]:
        """Each action once, in turn, each on a connection of its own; the whole row `times` times.

        May be called while a load is running.  Raises LoadError for an unknown action and for an empty pool.
        """
        if not actions or times < 1:
            return []
        wait = len(actions) * times * self._timeout + PATIENCE
        return self._ask(Once(tuple(actions), times), Done, wait).records

    def end(self) -> None:
        """End the process; what is on its way is dropped.  May be called twice."""
        self._channel.close()
        self._program.end(grace=2.0)

    def _take(self) -> list[Record]:
        records, self._records = self._records, []
        fault, self._fault = self._fault, ""
        if fault:
            raise LoadError(fault, records)
        return records

    def _ask(self, order: Order, kind: type[M], patience: float) -> M:
        """Send an order and wait for the answer to it; records of a load that come meanwhile are kept."""
        self._send(order)
        ends = time.monotonic() + patience
        while not self._answers:
            left = ends - time.monotonic()
            if left <= 0:
                raise LoadError(f"The load driver did not answer within {patience:g} s.")
            self._hear(left)
        answer = self._answers.pop(0)
        if isinstance(answer, Refused):
            raise LoadError(answer.said, answer.records)
        assert isinstance(answer, kind)
        return answer

    def _send(self, order: Order) -> None:
        try:
            self._channel.send(order)
        except Closed as error:
            raise self._died() from error

    def _hear(self, timeout: float) -> None:
        """Sort what comes: waits up to `timeout` seconds for the first message, then takes all there are."""
        while True:
            try:
                report = self._channel.receive(timeout)
            except Closed as error:
                raise self._died() from error
            if report is None:
                return
            timeout = 0
            if isinstance(report, Batch):
                self._records += report.records
                self.starved = report.starved
                self.oldest = report.oldest
                self.own_failures += sum(map(_own_failure, report.records))
            elif isinstance(report, Ended):
                self._running = False
                self._fault = report.fault
            else:
                self._answers.append(report)

    def _died(self) -> LoadError:
        self._running = False
        return LoadError("The load driver has ended unexpectedly.", lines=self._program.tail())


def _own_failure(record: Record) -> bool:
    return record.failure is Failure.OTHER and record.excerpt.startswith(OURS)


def _addresses(targets: Sequence[str]) -> tuple[str, ...]:
    """With the scheme, without a slash at the end.  Raises LoadError for an address of another machine."""
    if not targets:
        raise LoadError("A load needs an address to send requests to.")
    return tuple(_address(target) for target in targets)


def _address(target: str) -> str:
    address = target if "://" in target else f"http://{target}"
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise LoadError(f"{target!r} is no address: {error}.") from error
    if parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query:
        raise LoadError(f"{target!r} is no address of a service: give http://127.0.0.1 and a port.")
    if host not in _HERE and not host.startswith("127."):
        raise LoadError(f"{target!r} is not on this machine, and load is sent to no other.")
    return address.rstrip("/")


def _own_core() -> tuple[int, ...]:
    """The last core that we may run on, when there are several."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    cores = sorted(os.sched_getaffinity(0))
    return (cores[-1],) if len(cores) > 1 else ()
