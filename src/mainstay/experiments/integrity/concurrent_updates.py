"""Several callers change the same thing at the same moment."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

import msgspec

from mainstay.evidence import ledger, updates
from mainstay.evidence.updates import Tallied
from mainstay.experiments.base import Experiment
from mainstay.experiments.checks import invariants
from mainstay.experiments.integrity.views import views
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.caller import Caller, Told
from mainstay.lab.error import LabError
from mainstay.lab.load.templates import Prepared
from mainstay.lab.proxy.faults import Latency
from mainstay.model.ledger import Token
from mainstay.model.proof import Claim, Figure, Subject, Verdict
from mainstay.model.record import Record
from mainstay.model.service import Action

AT_ONCE = 8
ROUNDS = 2
FAR_S = 0.01  # the database is so far away: what reads before it writes is sure to be overtaken
SETTLE_S = 2.0  # for a sum that is kept in the background
POLL_S = 0.1
SHOWN = 10
CONFLICTS = (409, 412, 423, 428, 429, 503)


REPLACING = ("PUT", "PATCH")


class ConcurrentUpdates(Experiment):
    """Changes made at the same moment are all kept, or refused; none undoes another.

    Every write that needs something is sent eight times at once, for the same thing and then for different
    ones, each with a key and a marker of its own, while the database is 10 ms away, so that whoever reads
    before he writes is overtaken. Counters shown by the API have to move by as much as was acknowledged, a
    replaced value has to be one that was written, an outdated `If-Match` has to be refused, and every
    declared invariant has to hold.

    Let the database do the sum (`SET n = n + 1`), lock the row that you decide by (`FOR UPDATE`), or compare
    a version when you write.
    """

    quick = True
    order = 31
    catches = ("lost-update", "refund-without-lock", "balance-read-modify-write")
    explained_by = ("lost-update", "check-then-write", "number-from-maximum")

    def applies(self, stand: Stand) -> str:
        return "" if stand.writes else "no action writes"

    def seconds(self, stand: Stand) -> float:
        return 2.0 + 1.0 * len(stand.writes)

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        crowd = Crowd(stand, stand.caller())
        tallies: list[Tallied] = []
        for action in stand.writes:
            try:
                with trial.band(f"{AT_ONCE} at once: {action.name}"):
                    needs = crowd.caller.needs(action)
                    if needs:
                        yield crowd.same_thing(action, needs)
                        tallies += crowd.counters(action, needs)
                    yield crowd.different_things(action)
                    yield from crowd.replaced(action, needs)
            except LabError as error:
                trial.notes.append(f"{action.name} was left out: {error}")
        if tallies:
            yield updates.claim(tallies)
        yield from self._ledger(trial, crowd)
        yield from invariants(trial)
        if not stand.declaration.invariants:
            trial.notes.append("no invariant is declared: what a lost update breaks may not have been seen")

    def _ledger(self, trial: Trial, crowd: "Crowd") -> Iterator[Claim]:
        """Whether each acknowledged write is in the database, once."""
        stand = trial.stand
        if stand.database is None:
            return
        # Several writes of one thing share what they took, so it does not tell them apart; of several that
        # replace one thing the last one wins, which loses nothing.
        told = {
            name: home
            for name, home in stand.homes.by_action.items()
            if home.token is not Token.TAKEN and stand.by_name[name].method not in REPLACING
        }
        homes = msgspec.structs.replace(stand.homes, prefix=crowd.caller.prefix, by_action=told)
        with stand.database.connect(stand.database_name) as connection:
            found = homes.count(connection, crowd.records)
        totals = ledger.judge(crowd.records, found, known=trial.known, removers=stand.removers)
        if totals.checked:
            yield from ledger.claims(totals)[:2]  # rows that nobody sent are those that the callers needed


class Crowd:
    """Callers who are all there at once."""

    def __init__(self, stand: Stand, caller: Caller) -> None:
        self._stand = stand
        self.caller = caller
        self.records: list[Record] = []
        self._views = views(stand, caller)

    def same_thing(self, action: Action, needs: Sequence[str]) -> Claim:
        """All of them need the very same thing."""
        told: list[Told] = []
        for _ in range(ROUNDS):
            values = self._values(needs, self._stand.actor(action))
            told += self.send([self._prepare(action, values) for _ in range(AT_ONCE)])
        return self._no_crash(action, "the same", told)

    def different_things(self, action: Action) -> Claim:
        """Each needs a thing of his own; what they share is kept by the service itself."""
        with ThreadPoolExecutor(AT_ONCE // 2) as pool:  # each needs a chain of things
            requests = list(pool.map(lambda _: self._prepare(action, {}), range(AT_ONCE)))
        return self._no_crash(action, "a new", self.send(requests))

    def counters(self, action: Action, needs: Sequence[str]) -> Iterator[Tallied]:
        """Numbers in the API that each such write moves by the same amount."""
        view = next((self._views[pool] for pool in needs if pool in self._views), None)
        if view is None:
            return
        actor = self._stand.actor(action)
        values = self._values(needs, actor)
        request = self.caller.prepare(
            view, actor, **{p: v for p, v in values.items() if p in self._needs(view)}
        )
        seen = [numbers(self.caller.send(request))]
        for _ in range(2):
            if not self.send([self._prepare(action, values)])[0].ok:
                return
            seen.append(numbers(self.caller.send(request)))
        steps = moved(seen)
        if not steps:
            return
        sent = self.send([self._prepare(action, values) for _ in range(AT_ONCE)])
        good = sum(told.ok for told in sent)
        unsure = sum(not told.ok and not 400 <= told.status < 500 for told in sent)
        for place, by in steps.items():
            before = seen[-1][place]
            after = self._settled(request, place, before + by * good)
            yield Tallied(f"{place} of GET {request.path}", before, after, good, unsure, by)

    def replaced(self, action: Action, needs: Sequence[str]) -> Iterator[Claim]:
        """A value that several replace at once is one that was written, and no version is written twice."""
        if action.method not in ("PUT", "PATCH"):
            return
        actor = self._stand.actor(action)
        values = self._values(needs, actor)
        shown = msgspec.structs.replace(self._prepare(action, values), method="GET", body=None, writes=False)
        if not self.caller.send(shown).ok:
            return
        requests = [self._prepare(action, values) for _ in range(AT_ONCE)]
        told = self.send(requests)
        if any(request.marker for request in requests):
            yield one_was_kept(action, shown, requests, told, self.caller.send(shown))
        etag = tag(self.caller.send(shown))
        if etag:
            requests = [if_match(self._prepare(action, values), etag) for _ in range(AT_ONCE)]
            yield one_version(action, etag, self.send(requests))

    def send(self, requests: Sequence[Prepared]) -> list[Told]:
        """All at once, with the database far away."""
        began = time.monotonic()
        with self._far():
            told = self.caller.all_at_once(requests)
        ended = time.monotonic()
        self.records += [
            record(request, one, began, ended, self.caller)
            for request, one in zip(requests, told, strict=True)
        ]
        return told

    @contextmanager
    def _far(self) -> Iterator[None]:
        name, proxy = self._stand.service.database_name, self._stand.proxy
        if not name:
            yield
            return
        proxy.set(name, Latency(FAR_S))
        try:
            yield
        finally:
            proxy.clear(name)

    def _prepare(self, action: Action, values: Mapping[str, str]) -> Prepared:
        return self.caller.prepare(action, self._stand.actor(action), **values)

    def _needs(self, action: Action) -> tuple[str, ...]:
        return self.caller.needs(action)

    def _values(self, needs: Sequence[str], actor: str) -> dict[str, str]:
        return {pool: self.caller.make(pool, actor) for pool in needs}

    def _settled(self, request: Prepared, place: str, wanted: float) -> float:
        """The number, once it is what it should be or has had the time to become that."""
        ends = time.monotonic() + SETTLE_S
        while True:
            found = numbers(self.caller.send(request)).get(place, 0.0)
            if found == wanted or time.monotonic() > ends:
                return found
            time.sleep(POLL_S)

    def _no_crash(self, action: Action, which: str, told: Sequence[Told]) -> Claim:
        """Some are told that they came too late; nobody is told nothing."""
        raw = [one for one in told if one.failure or (one.status >= 500 and one.status not in CONFLICTS)]
        good = sum(one.ok for one in told)
        listed = ", ".join(f"{n} × {said}" for said, n in Counter(one.said for one in told).most_common())
        return Claim(
            name=f"at once, {which} thing each: {action.name}",
            subject=Subject.INTEGRITY,
            verdict=Verdict.FAILED if raw else Verdict.PASSED if good else Verdict.INCONCLUSIVE,
            said=f"{AT_ONCE} at once, {which} thing each, {len(told)} in all: {listed}.",
            figures=(Figure("sent", len(told)), Figure("succeeded", good), Figure("crashed", len(raw))),
            evidence=tuple(" ".join(f"{one.said} {one.text[:160]}".split()) for one in raw[:SHOWN]),
        )


def numbers(told: Told) -> dict[str, float]:
    """The numbers of a JSON object, by their place; those in lists have none that stays."""
    try:
        waiting = [("", told.reply.json())] if told.ok and told.reply is not None else []
    except ValueError:
        return {}
    found: dict[str, float] = {}
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{place}.{name}".lstrip("."), inner) for name, inner in value.items()]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[place] = float(value)
    return found


def moved(seen: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The numbers that moved each time, and by the same amount."""
    common = set(seen[0]).intersection(*seen[1:])
    steps = {place: {b[place] - a[place] for a, b in pairwise(seen)} for place in common}
    return {place: by.pop() for place, by in sorted(steps.items()) if len(by) == 1 and by != {0.0}}


def record(request: Prepared, told: Told, began: float, ended: float, caller: Caller) -> Record:
    """For the ledger."""
    return Record(
        request.action,
        began,
        began,
        ended,
        status=told.status,
        failure=told.failure,
        expected=told.status in request.expects or (told.ok and not request.expects),
        actor=request.actor,
        marker=request.marker,
        key=request.key,
        made=caller.made(request, told) if told.ok else "",
        taken=request.taken,
        writes=request.writes,
    )


def one_was_kept(
    action: Action, shown: Prepared, requests: Sequence[Prepared], told: Sequence[Told], after: Told
) -> Claim:
    """What is shown afterwards is one of the values that were acknowledged."""
    fates = {
        request.marker: one.status
        for request, one in zip(requests, told, strict=True)
        if request.marker and request.marker in after.text
    }
    good = [one for one in told if one.ok]
    kept = [marker for marker, status in fates.items() if 200 <= status < 300 or status == 0]
    ill = (bool(good) and not kept) or len(kept) < len(fates)
    said = f"{len(good)} of {len(told)} values written at once were acknowledged; "
    said += f"{len(fates)} of them can be seen in GET {shown.path}" if fates else "none of them can be seen"
    verdict = Verdict.PASSED if good else Verdict.INCONCLUSIVE
    return Claim(
        name=f"one value is kept: {action.name}",
        subject=Subject.INTEGRITY,
        verdict=Verdict.FAILED if ill and after.ok else verdict,
        said=f"{said}.",
        evidence=(" ".join(after.text[:200].split()),) if ill else (),
    )


def tag(told: Told) -> str:
    """A strong entity tag; a weak one never matches `If-Match` (RFC 9110, section 13.1.1)."""
    found = "" if told.reply is None else told.reply.headers.get("etag", "")
    return "" if found.startswith("W/") else found


def if_match(request: Prepared, etag: str) -> Prepared:
    """Only if nobody was faster."""
    return msgspec.structs.replace(request, headers=[*request.headers, f"If-Match: {etag}".encode()])


def one_version(action: Action, etag: str, told: Sequence[Told]) -> Claim:
    """Of several that replace the same version, one succeeds."""
    good = sum(one.ok for one in told)
    listed = ", ".join(f"{n} × {said}" for said, n in Counter(one.said for one in told).most_common())
    return Claim(
        name=f"one version, one successor: {action.name}",
        subject=Subject.INTEGRITY,
        verdict=Verdict.FAILED if good > 1 else Verdict.PASSED if good else Verdict.INCONCLUSIVE,
        said=f"{len(told)} at once with `If-Match: {etag}`: {listed}.",
        figures=(Figure("succeeded", good),),
    )
