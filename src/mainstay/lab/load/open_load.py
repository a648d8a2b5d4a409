"""The open model: requests are sent when they are due, and no answer is waited for."""

import heapq
import random
from pathlib import Path

from msgspec import Struct

from mainstay.lab.load.arrivals import due_times
from mainstay.lab.load.call import Call, Outcome
from mainstay.lab.load.journeys import Answer, Journey, ScenarioError, Step, Steps, fault
from mainstay.lab.load.messages import Start
from mainstay.lab.load.pools import Empty
from mainstay.lab.load.stage import Stage
from mainstay.lab.load.templates import Template, TemplateError
from mainstay.model.record import Failure, Record

BACKOFF = 0.1  # seconds before the first repeat, on average; doubled for each further one

Choice = Template | Journey


class NothingToSend(Exception):
    """A load without an action, in one sentence."""


class Walk(Struct):
    """A journey that is being made."""

    journey: Journey
    steps: Steps
    went_well: bool = True  # the answer before


class OpenLoad:
    """One load: which request is due when is settled here, from the seed, before it begins.

    Repeats and the further steps of journeys are due when the answer before them has come, and are sent until
    one timeout after the last arrival.  Raises NothingToSend, ValueError.
    """

    def __init__(self, stage: Stage, order: Start, chance: random.Random, scenario: Path | None) -> None:
        self.records: list[Record] = []
        self.fault = ""
        self._stage = stage
        self._order = order
        self._chance = chance
        self._scenario = scenario
        self._due = due_times(order.rate, order.seconds, order.arrivals, chance)
        choices, weights = mix(stage, order.only)
        self._picks = chance.choices(choices, weights, k=len(self._due))
        self._fresh = [chance.random() < order.fresh for _ in self._due]
        self._next = 0
        self._later: list[tuple[float, int, Call]] = []
        self._put = 0  # orders calls that are due at one time
        self._out: dict[int, float] = {}  # calls on their way -> when each was due
        self._last = 0.0

    def begin(self, at: float) -> None:
        """The first second of the load begins then."""
        for n, offset in enumerate(self._due):
            self._due[n] = at + offset
        self._last = at + self._order.seconds + self._order.timeout

    @property
    def over(self) -> bool:
        return not self._out and self.due is None

    @property
    def oldest(self) -> float:
        """When the oldest request that is still on its way was due; 0 if there is none."""
        return min(self._out.values(), default=0.0)

    @property
    def due(self) -> float | None:
        """When the next request is due."""
        due = self._due[self._next] if self._next < len(self._due) else None
        if self._later and (due is None or self._later[0][0] < due):
            return self._later[0][0]
        return due

    def take(self, now: float) -> Call | None:
        """The next request that is due by now; what a pool has nothing for is counted and passed over."""
        while (due := self.due) is not None and due <= now:
            call = self._later_one() if self._later and self._later[0][0] == due else self._new_one()
            if call is not None:
                self._out[id(call)] = due
                return call
        return None

    def stop(self) -> None:
        """Nothing more is due."""
        self._next = len(self._due)
        self._later.clear()
        self._last = 0.0

    def finished(self, call: Call, outcome: Outcome) -> None:
        del self._out[id(call)]
        record = self._stage.record(call, outcome)
        self.records.append(record)
        if self._worth_repeating(call, record, outcome):
            self._send_later(
                call.again(outcome.done + BACKOFF * 2**call.attempt * (0.5 + self._chance.random()))
            )
        elif isinstance(call.walk, Walk):
            answer = Answer(
                outcome.status,
                outcome.failure,
                record.ok,
                outcome.body,
                call.prepared.marker,
                call.prepared.key,
            )
            self._go_on(call.walk, answer, outcome.done)

    def _worth_repeating(self, call: Call, record: Record, outcome: Outcome) -> bool:
        if not record.writes or call.attempt >= self._order.retries or outcome.ours:
            return False
        return outcome.failure is not Failure.NONE or outcome.status >= 500

    def _later_one(self) -> Call:
        return heapq.heappop(self._later)[2]

    def _new_one(self) -> Call | None:
        n = self._next
        self._next += 1
        chosen = self._picks[n]
        try:
            if isinstance(chosen, Journey):
                return self._step(Walk(chosen, chosen.walk()), None, self._due[n], self._fresh[n])
            return self._stage.call(
                self, chosen, self._due[n], fresh=self._fresh[n], timeout=self._order.timeout
            )
        except Empty:
            self._stage.starved += 1
            return None

    def _go_on(self, walk: Walk, answer: Answer, due: float) -> None:
        if due >= self._last:
            walk.steps.close()
            return
        walk.went_well = answer.ok
        call = self._step(walk, answer, due, self._chance.random() < self._order.fresh)
        if call is not None:
            self._send_later(call)

    def _step(self, walk: Walk, answer: Answer | None, due: float, fresh: bool) -> Call | None:
        """The next request of a journey; None at its end."""
        try:
            step = next(walk.steps) if answer is None else walk.steps.send(answer)
            template = self._template(walk, step)
        except StopIteration:
            return None
        except Exception as error:  # noqa: BLE001  anything may go wrong in somebody's file
            # after a failed answer it is the service that broke the journey, and its record says so
            if walk.went_well and not self.fault:
                self.fault = fault(self._scenario or Path(), error)
            return None
        prepared = self._stage.prepare(template)
        return Call(self, prepared, due, fresh=fresh, timeout=self._order.timeout, walk=walk)

    def _template(self, walk: Walk, step: object) -> Template:
        actor = walk.journey.actor or next(iter(self._stage.actors), "")
        headers = self._stage.actors.get(actor, {})
        try:
            if not isinstance(step, Step):
                raise ScenarioError(f"`{walk.journey.name}` yields {step!r}, which is no request")
            return Template(step.action, actor, headers, frozenset(), writes=step.writes, loose=True)
        except (ScenarioError, TemplateError) as error:
            walk.steps.throw(error)  # from its `yield`, which gives the line
            raise

    def _send_later(self, call: Call) -> None:
        if call.due < self._last:
            self._put += 1
            heapq.heappush(self._later, (call.due, self._put, call))


def mix(stage: Stage, only: tuple[str, ...]) -> tuple[list[Choice], list[float]]:
    """What a load chooses from, and the weights.  Raises NothingToSend."""
    known: dict[str, Choice] = {**stage.templates, **stage.journeys}
    if unknown := [name for name in only if name not in known]:
        raise NothingToSend(f"There is no action or journey called `{unknown[0]}`.")
    chosen = {name: known[name] for name in only or known}
    weights = [one.weight if isinstance(one, Journey) else one.action.weight for one in chosen.values()]
    if only and not any(weights):  # asked for by name, what only fills a pool is sent as well
        weights = [1.0 for _ in weights]
    if not any(weights):
        raise NothingToSend("No action has a weight: there is nothing to send.")
    return list(chosen.values()), weights
