"""What the jobs of one driver share: templates, pools, tokens, chance."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mainstay.lab.load.call import Call, Job, Outcome
from mainstay.lab.load.journeys import Journey
from mainstay.lab.load.pools import Pools, at
from mainstay.lab.load.templates import Prepared, Template, Value, compile_all
from mainstay.lab.load.tokens import Tokens
from mainstay.model.record import Failure, Record
from mainstay.model.service import Action

EXCERPT = 300  # bytes of a failed answer


class Stage:
    """Makes requests of actions, and records of what became of them.  Raises TemplateError."""

    def __init__(
        self,
        actions: Sequence[Action],
        actors: Mapping[str, Mapping[str, str]],
        journeys: Sequence[Journey],
        tokens: Tokens,
        seed: int,
    ) -> None:
        self._actions = tuple(actions)
        self.templates = compile_all(actions, actors)
        self.journeys = {journey.name: journey for journey in journeys}
        self.actors = actors
        self.pools = Pools(random.Random(f"{seed} pools"))  # noqa: S311  no secret
        self.starved = 0
        self._tokens = tokens
        self._serial = 0

    def call_as(self, actors: Mapping[str, Mapping[str, str]]) -> None:
        """The same actors with other credentials.  Raises TemplateError."""
        self.templates = compile_all(self._actions, actors)
        self.actors = actors

    def prepare(self, template: Template) -> Prepared:
        """The next request of that template.  Raises pools.Empty."""
        values = self.pools.draw(template)
        self._serial += 1
        return template.prepare(self._tokens, self._serial, values)

    def call(self, job: Job, template: Template, due: float, *, fresh: bool, timeout: float) -> Call:
        """The next request of that template, to be sent at `due`.  Raises pools.Empty."""
        return Call(job, self.prepare(template), due, fresh=fresh, timeout=timeout)

    def record(self, call: Call, outcome: Outcome, *, stocking: bool = False) -> Record:
        """What became of it; what a good answer gives is put into the pools."""
        prepared = call.prepared
        expected = is_expected(prepared, outcome)
        made = ""
        if expected and prepared.read:
            made = self._keep(prepared, outcome.body)
        excerpt = outcome.ours
        if not expected and not excerpt:
            excerpt = outcome.body[:EXCERPT].decode("utf-8", "replace")
        return Record(
            action=prepared.action,
            due=call.due,
            sent=call.sent,
            done=outcome.done,
            status=outcome.status,
            failure=outcome.failure,
            expected=expected,
            fresh=call.fresh,
            actor=prepared.actor,
            marker=prepared.marker,
            key=prepared.key,
            made=made,
            taken=prepared.taken,
            attempt=call.attempt,
            writes=prepared.writes,
            stocking=stocking,
            excerpt=excerpt,
            target=call.target,
        )

    def _keep(self, prepared: Prepared, body: bytes) -> str:
        """Put what the answer gives into the pools; returns what it made."""
        answer = _json(body)
        given: list[Value] = []
        for pool, place in prepared.gives.items():
            value = at(answer, place)
            if value is not None:
                given.append(value)
                self.pools.add(prepared.actor, pool, value)
        made = at(answer, "id")
        if made is None and given:
            made = given[0]
        return "" if made is None else str(made)


def is_expected(prepared: Prepared, outcome: Outcome) -> bool:
    """Whether its caller got what he asked for: a status that the action names, or else any 2xx."""
    if outcome.failure is not Failure.NONE:
        return False
    return outcome.status in prepared.expects if prepared.expects else 200 <= outcome.status < 300


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
