"""Sends actions one after another, each on a connection of its own."""

from collections import deque
from collections.abc import Sequence

from mainstay.lab.load.call import Call, Outcome
from mainstay.lab.load.pools import Empty
from mainstay.lab.load.stage import Stage
from mainstay.model.record import Record


class Turns:
    """Each named action once in turn, the whole row `times` times.  Raises KeyError for an unknown one."""

    def __init__(self, stage: Stage, actions: Sequence[str], times: int, timeout: float) -> None:
        self.records: list[Record] = []
        self.problem = ""
        self._stage = stage
        self._timeout = timeout
        self._left = deque(stage.templates[name] for _ in range(times) for name in actions)
        self._out = False

    @property
    def over(self) -> bool:
        return not self._out and not self._left

    @property
    def due(self) -> float | None:
        return 0.0 if self._left and not self._out else None

    def take(self, now: float) -> Call | None:
        if self._out or not self._left:
            return None
        template = self._left.popleft()
        try:
            call = self._stage.call(self, template, now, fresh=True, timeout=self._timeout)
        except Empty as empty:
            self.problem = (
                f"`{template.action.name}` needs `{{{empty}}}`, and that pool is empty: stock it first."
            )
            self._left.clear()
            return None
        self._out = True
        return call

    def stop(self) -> None:
        self._left.clear()

    def finished(self, call: Call, outcome: Outcome) -> None:
        self._out = False
        self.records.append(self._stage.record(call, outcome))
