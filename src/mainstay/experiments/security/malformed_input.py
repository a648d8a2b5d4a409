"""Broken requests to every operation."""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from mainstay.experiments.base import Experiment
from mainstay.experiments.checks import invariants
from mainstay.experiments.security.internals import internals
from mainstay.experiments.security.ways import Way, ways
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.caller import Caller, Told
from mainstay.lab.error import LabError
from mainstay.lab.links import Links, links
from mainstay.lab.load.templates import Prepared
from mainstay.lab.malformed import Malformed, malformed, well_formed
from mainstay.model.api import Api, ApiOperation
from mainstay.model.proof import Claim, Figure, Subject, Verdict
from mainstay.model.record import Failure

SHOWN = 20
AT_ONCE = 4
PATIENCE_S = 8.0
HONEST = (501, 505)  # a server may say that it cannot do that at all
BIG = 1 << 20  # bytes: whoever sends more may be hung up on
RENEWED = 3  # times that what a request used up is made anew, for each operation
MOST_S = 20.0  # of an operation; a service that hangs on each request would keep us all day
BACK_S = 0.5
AGAIN = 60  # crashes that are tried once more: after so many, there is no doubt


class Answered(Struct, frozen=True):
    """What a broken request came to."""

    sent: Malformed
    told: Told

    @property
    def kind(self) -> str:
        """In what way it was broken, whatever the field is called."""
        return re.sub(r"^`[^`]*` ", "a field ", self.sent.what)

    @property
    def crashed(self) -> bool:
        """Whether nobody handled it."""
        if self.told.failure is Failure.CUT and len(self.sent.body or b"") >= BIG:
            return False
        return bool(self.told.failure) or (self.told.status >= 500 and self.told.status not in HONEST)

    @property
    def shown(self) -> str:
        text = " ".join(self.told.text[:120].split())
        return f"{self.sent.operation}, where {self.sent.what}: {self.told.said} {text}".strip()


class MalformedInput(Experiment):
    """No request, however broken, crashes the service or makes it tell how it is built.

    A valid caller sends every operation a catalogue of broken requests: fields of the wrong type, size and
    sign, characters that are none, bodies that are no JSON or are nested too deeply, numbers out of range.
    Each has to be refused or served; a 500, a cut or silence is a crash. An operation that crashes when
    nothing is wrong with the request cannot be judged by this, and is named. Error answers are searched for
    stack traces, paths, SQL, exceptions and versions. Afterwards every invariant has to hold.

    Validate every input at the edge, bounds and characters included; hand unexpected errors to one handler
    that logs them and answers without details.
    """

    quick = True
    order = 22
    catches = ("unvalidated-input", "leaks-internals")
    explained_by = ("untrusted-value-in-sql", "untrusted-value-in-path", "swallowed-exception")

    def applies(self, stand: Stand) -> str:
        return "" if stand.api is not None else "no OpenAPI document says what requests look like"

    def seconds(self, stand: Stand) -> float:
        operations = 0 if stand.api is None else len(stand.api.operations)
        return 1.0 + 0.2 * operations

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        every = ways(stand)
        caller = stand.caller()
        caller.learn([way.action for way in every])
        with trial.band("broken requests are sent"):
            answered = self._send(trial, caller, every)
            trial.go_on(BACK_S)  # whoever has died is seen, and brought back
        broken = [one for one in answered if one.crashed]
        again = [one for one in broken[:AGAIN] if self._crashes(stand, caller, one)] + broken[AGAIN:]
        yield handled(answered, again, trial.deaths)
        yield discreet(answered)
        yield from invariants(trial)
        unlike = len(broken) - len(again)
        if unlike:
            trial.notes.append(f"{unlike} broken requests failed once and not again; they are not counted")

    def _send(self, trial: Trial, caller: Caller, every: Sequence[Way]) -> list[Answered]:
        stand = trial.stand
        assert stand.api is not None
        all_links = links(stand.api, [way.action for way in every])
        operations = [_Operation(stand, caller, way, all_links) for way in every]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            parts = list(pool.map(lambda operation: list(operation.sent()), operations))
        trial.notes.extend(operation.unjudged for operation in operations if operation.unjudged)
        return [one for part in parts for one in part]

    def _crashes(self, stand: Stand, caller: Caller, one: Answered) -> bool:
        """Once more, alone: a service that was only busy answers now."""
        owner = stand.principals[0].name if stand.principals else ""
        told = caller.send(_request(one.sent, owner, caller), timeout=PATIENCE_S)
        return Answered(one.sent, told).crashed


class _Operation:
    """All broken requests to one operation, one after the other."""

    def __init__(self, stand: Stand, caller: Caller, way: Way, all_links: Links) -> None:
        self._stand, self._caller, self._way, self._links = stand, caller, way, all_links
        self._actor = stand.actor(way.action)
        self.unjudged = ""  # why none of them was sent

    def sent(self) -> Iterator[Answered]:
        api, operation = self._stand.api, self._way.api
        assert api is not None
        assert operation is not None
        if self._crashes_anyway(api, operation):
            return
        renewed, at = 0, 0
        ends = time.monotonic() + MOST_S
        catalogue = list(malformed(api, operation, self._known()))
        while at < len(catalogue) and time.monotonic() < ends:
            one = catalogue[at]
            told = self._caller.send(_request(one, self._actor, self._caller), timeout=PATIENCE_S)
            yield Answered(one, told)
            at += 1
            if told.ok and operation.writes and renewed < RENEWED:
                renewed += 1  # it took what was right, and what it used up would hide what is wrong
                catalogue[at:] = list(malformed(api, operation, self._known()))[at:]

    def _crashes_anyway(self, api: Api, operation: ApiOperation) -> bool:
        """Whether it crashes when nothing is wrong: then no fault of the request is the cause."""
        right = well_formed(api, operation, self._known())
        told = self._caller.send(_request(right, self._actor, self._caller), timeout=PATIENCE_S)
        if not Answered(right, told).crashed:
            return False
        self.unjudged = f"{right.operation} is not judged: a request with nothing wrong got {told.said}, too"
        return True

    def _known(self) -> dict[str, str]:
        """Right values, so that a request is wrong in one way only."""
        operation = self._way.api
        assert operation is not None
        known: dict[str, str] = {}
        for parameter in operation.parameters:
            giver = (
                self._links.of_path(operation.path, parameter.name)
                if parameter.where == "path"
                else self._links.of_field(parameter.name)
            )
            if giver is not None:
                self._add(known, parameter.name, giver.pool)
        for pool in self._caller.needs(self._way.action):
            for name in (f"{pool}_id", f"{pool}Id"):
                self._add(known, name, pool)
        return known

    def _add(self, known: dict[str, str], name: str, pool: str) -> None:
        if name in known:
            return
        same = next((value for other, value in known.items() if other in (f"{pool}_id", f"{pool}Id")), "")
        try:
            known[name] = same or self._caller.make(pool, self._actor)
        except LabError:
            return  # then it is an id that nobody has


def _request(one: Malformed, actor: str, caller: Caller) -> Prepared:
    """As it is sent: by a valid caller, and under an idempotency key of its own."""
    headers = {**caller.headers(actor), **one.headers}
    for name in one.headers:
        if "idempotency" in name.lower() and f"`{name}`" not in one.what:
            headers[name] = caller.fresh_key()
    lines = [f"{name}: {text}".encode("utf-8", "surrogateescape") for name, text in headers.items()]
    return Prepared("", one.method, one.path, lines, one.body, actor)


def handled(answered: Sequence[Answered], crashed: Sequence[Answered], deaths: Sequence[str]) -> Claim:
    """Every broken request got an answer that says what is wrong with it."""
    groups = grouped(crashed)
    statuses = Counter(one.told.said for one in answered)
    listed = ", ".join(f"{number} × {said}" for said, number in statuses.most_common(6))
    operations = len({one.sent.operation for one in answered})
    said = f"{len(answered)} broken requests to {operations} operations were answered: {listed}"
    if crashed:
        where = sorted({one.sent.operation for one in crashed})
        said += f"; {len(crashed)} crash, in {', '.join(where[:5])}"
    if deaths:
        said += f"; {deaths[0]}"
    return Claim(
        name="broken-requests-are-refused",
        subject=Subject.SECURITY,
        verdict=_verdict(bool(crashed or deaths), bool(answered)),
        said=f"{said}.",
        figures=(Figure("broken requests", len(answered)), Figure("crashes", len(crashed))),
        evidence=tuple(groups[:SHOWN]),
    )


def discreet(answered: Sequence[Answered]) -> Claim:
    """No error answer shows what its reader has no use for."""
    errors = [one for one in answered if one.told.status >= 400]
    leaks: dict[str, list[str]] = defaultdict(list)
    for one in errors:
        sent = (one.sent.body or b"")[:5000].decode(errors="replace") + one.sent.path
        for internal in internals(one.told.text):
            if internal.excerpt not in sent:
                where = f"{one.sent.operation}, where {one.sent.what}: {one.told.said}"
                leaks[internal.kind].append(f"{internal.kind} in {where} {internal.excerpt}")
    said = f"{len(errors)} error answers were searched"
    said += (
        f": they show {', '.join(sorted(leaks))}" if leaks else ", and none shows how the service is built"
    )
    shown = [line for lines in leaks.values() for line in lines[:5]]
    return Claim(
        name="errors-show-no-internals",
        subject=Subject.SECURITY,
        verdict=_verdict(bool(leaks), bool(errors)),
        said=f"{said}.",
        figures=(Figure("error answers", len(errors)), Figure("that leak", sum(map(len, leaks.values())))),
        evidence=tuple(shown[:SHOWN]),
    )


def grouped(crashed: Sequence[Answered]) -> list[str]:
    """One line for each operation and kind, the first request standing for the rest."""
    groups: dict[tuple[str, str], list[Answered]] = defaultdict(list)
    for one in crashed:
        groups[one.sent.operation, one.kind].append(one)
    lines = []
    for ones in groups.values():
        more = f" (and {len(ones) - 1} more of the kind)" if len(ones) > 1 else ""
        lines.append(ones[0].shown + more)
    return lines


def _verdict(bad: bool, any_at_all: bool) -> Verdict:
    if bad:
        return Verdict.FAILED
    return Verdict.PASSED if any_at_all else Verdict.INCONCLUSIVE
