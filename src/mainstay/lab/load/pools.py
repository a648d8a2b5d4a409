"""Values that the service gave in its answers and that later requests need."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mainstay.lab.load.templates import Template, Value

MOST = 100_000  # values of one pool; beyond that a new one takes the place of an old one


class Empty(Exception):
    """A pool has no value left; the message is its name."""


class Pools:
    """The pools of every actor: an actor is given only what the same actor made."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._values: defaultdict[tuple[str, str], list[Value]] = defaultdict(list)

    def size(self, actor: str, pool: str) -> int:
        return len(self._values[actor, pool])

    def add(self, actor: str, pool: str, value: Value) -> None:
        values = self._values[actor, pool]
        if len(values) < MOST:
            values.append(value)
        else:
            values[self._chance.randrange(MOST)] = value

    def draw(self, template: Template) -> dict[str, Value]:
        """A value of each pool it needs; those it takes are nobody else's from now on.

        Raises Empty, and then nothing was taken.
        """
        if not template.takes and not template.uses:
            return {}
        for pool in (*template.takes, *template.uses):
            if not self._values[template.actor, pool]:
                raise Empty(pool)
        drawn = {pool: self._take(self._values[template.actor, pool]) for pool in template.takes}
        for pool in template.uses:
            drawn[pool] = self._chance.choice(self._values[template.actor, pool])
        return drawn

    def _take(self, values: list[Value]) -> Value:
        chosen = self._chance.randrange(len(values))
        values[chosen], values[-1] = values[-1], values[chosen]
        return values.pop()


def needs(
    templates: Sequence[Template], shares: Mapping[str, float], requests: float, counting_on: float = 0.0
) -> dict[str, int]:
    """What so many requests take out of the pools and what they use, by the share each action has of them.

    What is taken comes with a margin of four standard deviations, so that chance empties no pool.  Of what
    the requests themselves give, the share `counting_on` is taken off.
    Where several actors have a pool of that name, it is what the neediest one needs.
    """
    taken: defaultdict[tuple[str, str], float] = defaultdict(float)
    used: defaultdict[tuple[str, str], float] = defaultdict(float)
    given: defaultdict[tuple[str, str], float] = defaultdict(float)
    for template in templates:
        sent = shares.get(template.action.name, 0.0) * requests
        for pool in template.takes:
            taken[pool, template.actor] += sent
        for pool in template.uses:
            used[pool, template.actor] += sent
        for pool in template.action.gives:
            given[pool, template.actor] += sent * counting_on
    wanted: dict[str, int] = {}
    for who in {**taken, **used}:
        count = _enough(taken[who], given[who])
        count += several(used.get(who, 0.0))
        wanted[who[0]] = max(wanted.get(who[0], 0), count)
    return {pool: count for pool, count in wanted.items() if count}


def several(users: float) -> int:
    """How many values so many requests should have to choose from, lest all of them meet on one row."""
    return 0 if users <= 0 else max(1, min(20, round(users)))


def _enough(taken: float, given: float) -> int:
    if not taken:
        return 0
    return int(max(0.0, taken - given) + 4 * (taken + given) ** 0.5) + 1


def at(answer: Any, place: str) -> Value | None:
    """The value at a dotted place of a JSON answer ("items.0.id"; "": all of it); None if there is none."""
    for step in place.split(".") if place else ():
        if isinstance(answer, dict):
            answer = answer.get(step)
        elif isinstance(answer, list) and step.isdecimal() and int(step) < len(answer):
            answer = answer[int(step)]
        else:
            return None
    return answer if isinstance(answer, str | int | float) and not isinstance(answer, bool) else None
