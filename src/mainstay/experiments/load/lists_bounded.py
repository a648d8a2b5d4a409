"""Whether lists grow with what is stored."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from urllib.parse import urlencode

from mainstay.experiments.base import Experiment
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.client import NoAnswer, ask
from mainstay.lab.links import shape
from mainstay.lab.placeholders import names
from mainstay.lab.values import flat
from mainstay.model.api import Api, Parameter
from mainstay.model.proof import Claim, Figure, Subject, Verdict
from mainstay.model.service import Action

ROWS = 150
WITHIN_S = 120.0
LARGE = 100  # items: more than anyone wants who has not said how many he wants
HUGE = 1_000_000  # items: more than anyone may ask for
SIZES = ("limit", "size", "per_page", "perpage", "page_size", "pagesize", "count", "first", "max_results")


class ListsBounded(Experiment):
    """However much is stored, a list shows a page of it.

    Rows are added of what each list shows, and it is asked for before and after, with no limit given, and
    then with one of a million where it takes a limit. A list without a bound is quick on the day it is
    written and takes the service down in its third year.

    Give every list a limit with a default and a maximum, and a cursor to go on from.
    """

    quick = True
    gentle = True
    order = 20
    catches = ("unbounded-list",)

    def applies(self, stand: Stand) -> str:
        return "" if self._lists(stand) else "no operation of the load lists anything"

    def seconds(self, stand: Stand) -> float:
        return 2.0

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        lists = self._lists(stand)
        before = {action.name: self._items(trial, action) for action in lists}
        with trial.band("rows are added"):
            listed = {action.path for action in lists}
            makers = [a for a in stand.actions if a.writes and a.path in listed and a.gives]
            pools = {pool for action in makers for pool in list(action.gives)[:1]}
            trial.records.extend(stand.driver.stock(dict.fromkeys(pools, ROWS), within=WITHIN_S))
        for action in lists:
            first, last = before[action.name], self._items(trial, action)
            if first is None or last is None:
                continue
            if (size := self._size(stand, action)) is not None:
                yield self._at_most(trial, action, size, last)
            grown = last > LARGE and last > first
            yield Claim(
                name=f"bounded: {action.name}",
                subject=Subject.CAPACITY,
                verdict=Verdict.FAILED if grown else Verdict.PASSED,
                said=f"{action.method} {action.path} showed {first} items, and {last} with {ROWS} more rows.",
                figures=(Figure("items", last),),
            )

    def _lists(self, stand: Stand) -> list[Action]:
        return [a for a in stand.actions if not a.writes and a.weight > 0 and not names(a.path)]

    def _size(self, stand: Stand, action: Action) -> Parameter | None:
        """The parameter by which a caller says how many he wants."""
        if stand.api is None:
            return None
        for operation in stand.api.operations:
            if operation.method == action.method and shape(operation.path) == shape(action.path):
                return next((p for p in operation.parameters if _sizes(stand.api, p)), None)
        return None

    def _at_most(self, trial: Trial, action: Action, size: Parameter, usual: int) -> Claim:
        """What it shows to a caller who asks for everything."""
        stand = trial.stand
        assert stand.api is not None
        most = flat(stand.api, size.schema).maximum
        shown = self._items(trial, action, {size.name: str(HUGE)})
        verdict, outcome = Verdict.PASSED, f"shows {shown} items"
        if shown is None:
            outcome = "is refused"
        elif shown > max(usual, LARGE) and most is None:  # a bound above what there is does not show
            verdict = Verdict.INCONCLUSIVE
            outcome += ", and no bound is in sight: let its description say how many are the most"
        elif most is not None and shown > most:
            verdict = Verdict.FAILED
            outcome += f", more than the {most:g} that its description allows"
        said = f"{action.method} {action.path}?{size.name}={HUGE} {outcome}."
        return Claim(f"at most: {action.name}", Subject.CAPACITY, verdict, said)

    def _items(self, trial: Trial, action: Action, query: Mapping[str, str] | None = None) -> int | None:
        """How many it shows when nobody says how many; None when it shows no list."""
        stand = trial.stand
        with suppress(NoAnswer, ValueError):
            reply = ask(
                action.method,
                f"{stand.service.addresses[0]}{action.path}{'?' + urlencode(query) if query else ''}",
                headers=stand.headers(action),
                timeout=stand.declaration.load.timeout,
            )
            return _longest(reply.json()) if reply.ok else None
        return None


def _sizes(api: Api, parameter: Parameter) -> bool:
    numbers = {"integer", "number"}.intersection(flat(api, parameter.schema).types)
    return parameter.where == "query" and bool(numbers) and parameter.name.lower().replace("-", "_") in SIZES


def _longest(value: object) -> int | None:
    """The length of the longest list at the top of an answer."""
    if isinstance(value, list):
        return len(value)
    if isinstance(value, dict):
        return max((len(part) for part in value.values() if isinstance(part, list)), default=None)
    return None
