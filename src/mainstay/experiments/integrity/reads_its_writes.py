"""What a caller reads right after he wrote."""

import time
from collections.abc import Iterator

import msgspec

from mainstay.evidence import sessions
from mainstay.evidence.sessions import Exchange
from mainstay.experiments.base import Experiment
from mainstay.experiments.integrity.views import views
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.caller import Caller, Told
from mainstay.lab.error import LabError
from mainstay.lab.load.templates import Prepared
from mainstay.model.proof import Claim, Figure, Subject, Verdict
from mainstay.model.service import Action

WRITES = 10  # of each action
READS = 2  # after each write, at every address
GONE = (404, 410)
LATER = 202  # the answer itself says that it is not done yet
SHOWN = 20


class ReadsItsWrites(Experiment):
    """Who has written something reads it at once, wherever he asks, and never an older state again.

    Each write that says where its work is shown is done ten times, by turns at every address, and read back
    at once, twice at every address. What was made has to be there, what was replaced has to be the new value,
    what was deleted has to be gone, and nothing once seen may vanish.

    Read from the primary after a write of the same caller, or wait until the replica has it; invalidate
    caches before you answer; answer 202 where the work is not done yet.
    """

    order = 32
    catches = ("stale-read",)

    def applies(self, stand: Stand) -> str:
        return (
            ""
            if self._shown(stand) or stand.removers
            else "no write says where it can be read: declare `reads`"
        )

    def seconds(self, stand: Stand) -> float:
        addresses = max(1, len(stand.service.addresses))
        return 1.0 + 0.02 * WRITES * (2 + READS * addresses) * (len(self._shown(stand)) + len(stand.removers))

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        reader = Reader(stand.caller())
        for action in self._shown(stand):
            with trial.band(f"written and read back: {action.name}"):
                try:
                    reader.follow(action, stand.actor(action))
                except LabError as error:
                    trial.notes.append(f"{action.name} was left out: {error}")
        if reader.exchanges:
            yield from sessions.claims(sessions.sums(reader.exchanges))
        if reader.later:
            trial.notes.append(f"{reader.later} writes were answered with 202: they may be shown later")
        for action in stand.actions:
            if action.method == "DELETE":
                with trial.band(f"deleted and read back: {action.name}"):
                    yield deleted(stand, reader.caller, action)

    def _shown(self, stand: Stand) -> list[Action]:
        return [action for action in stand.writes if action.reads and action.method != "DELETE"]


class Reader:
    """Writes, and looks whether it is there."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.exchanges: list[Exchange] = []
        self.later = 0

    def follow(self, action: Action, actor: str) -> None:
        """Do it over and over; what replaces, always for the same thing.  Raises LabError."""
        replaces = action.method in ("PUT", "PATCH")
        kept = {pool: self.caller.make(pool, actor) for pool in self.caller.needs(action)} if replaces else {}
        markers: list[str] = []
        found: list[Exchange] = []
        for turn in range(WRITES):
            request = self.caller.prepare(action, actor, **kept)
            began = time.monotonic()
            told = self.caller.send(request, address=turn)
            if told.status == LATER:
                self.later += 1
                continue
            if not told.ok:
                continue
            path = self._path(action, request, told, kept)
            value = request.marker if replaces else "there"
            markers.append(request.marker)
            found.append(Exchange(actor, path, True, value, began, time.monotonic()))
            for _ in range(READS):
                for address in range(len(self.caller.addresses)):
                    found += self._read(request, path, actor, address, markers if replaces else [])
        if any(not one.wrote and one.value is not None for one in found) or not replaces:
            self.exchanges += found  # a view that never shows what is written tells nothing

    def _path(self, action: Action, request: Prepared, told: Told, kept: dict[str, str]) -> str:
        made = self.caller.made(request, told) or next(iter(kept.values()), "")
        return action.reads.replace("{made}", made)

    def _read(
        self, request: Prepared, path: str, actor: str, address: int, markers: list[str]
    ) -> list[Exchange]:
        shown = msgspec.structs.replace(request, method="GET", path=path, body=None, writes=False)
        began = time.monotonic()
        told = self.caller.send(shown, address=address)
        if not told.ok and told.status not in GONE:
            return []  # an error tells nothing of the write
        value = "there" if told.ok else None
        if markers:
            value = next((marker for marker in reversed(markers) if marker in told.text), None)
        return [Exchange(actor, path, False, value, began, time.monotonic())]


def deleted(stand: Stand, caller: Caller, action: Action) -> Claim:
    """What is deleted is gone, at every address."""
    actor = stand.actor(action)
    still: list[str] = []
    asked = 0
    looking = views(stand, caller)
    for turn in range(WRITES):
        try:
            values = {pool: caller.make(pool, actor) for pool in caller.needs(action)}
            view = next((looking[pool] for pool in values if pool in looking), None)
            request = caller.prepare(action, actor, **values)
        except LabError:
            break
        shown = msgspec.structs.replace(request, method="GET", body=None, writes=False)
        if view is not None:
            own = {pool: value for pool, value in values.items() if pool in caller.needs(view)}
            shown = caller.prepare(view, actor, **own)
        if not caller.send(shown).ok or not caller.send(request, address=turn).ok:
            continue
        for address in range(len(caller.addresses)):
            told = caller.send(shown, address=address)
            asked += 1
            if told.ok:
                still.append(f"GET {shown.path}: {told.status} {' '.join(told.text[:100].split())}")
    verdict = Verdict.PASSED if asked else Verdict.INCONCLUSIVE
    return Claim(
        name=f"deleted is gone: {action.name}",
        subject=Subject.INTEGRITY,
        verdict=Verdict.FAILED if still else verdict,
        said=f"{len(still)} of {asked} reads after a deletion still showed what was deleted.",
        figures=(Figure("reads", asked), Figure("still there", len(still))),
        evidence=tuple(still[:SHOWN]),
    )
