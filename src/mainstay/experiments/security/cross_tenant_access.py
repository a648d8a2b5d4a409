"""What belongs to one tenant, asked for by another one."""

import re
import uuid
from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct

from mainstay.experiments.base import Experiment
from mainstay.experiments.security.ways import Way, is_public, ways
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.caller import Told
from mainstay.lab.error import LabError
from mainstay.model.proof import Claim, Figure, Subject, Verdict
from mainstay.model.service import Action, Actor

SHOWN = 20
LEAST = 6  # characters of an id that does not turn up by chance


class Tried(Struct, frozen=True):
    """One operation on another tenant's thing."""

    operation: str
    verdict: Verdict
    said: str


class CrossTenantAccess(Experiment):
    """A caller sees and changes nothing that belongs to another tenant.

    One caller makes things; another one, of another tenant, asks for each of them by every operation that
    takes its id, in the path, the query or the body, and looks for them in his lists. Then the owner sends
    the same, to show that it would have worked, and an id that nobody has shows what "nothing" looks like.

    Look each thing up by its id and its tenant, in one query; let the database enforce it, by row security,
    where many hands write queries.
    """

    quick = True
    gentle = True
    order = 21
    catches = ("not-scoped-to-tenant",)
    explained_by = ("unauthenticated-operation",)

    def applies(self, stand: Stand) -> str:
        if strangers(stand.principals) is None:
            return "it needs two actors with an unlike `tenant`: declare [prove.actor.NAME] with one each"
        return (
            "" if any(action.gives for action in stand.actions) else "no action gives the id of what it makes"
        )

    def seconds(self, stand: Stand) -> float:
        return 0.5 + 0.05 * len(ways(stand))

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        pair = strangers(stand.principals)
        assert pair is not None
        owner, stranger = (actor.name for actor in pair)
        every = [way for way in ways(stand) if not is_public(stand, way)]
        visit = Visit(stand, [way.action for way in every], owner, stranger, trial.known)
        tried: list[Tried] = []
        seen: list[Tried] = []
        with trial.band(f"{stranger} asks for what {owner} made"):
            for way in every:
                try:
                    needs = visit.caller.needs(way.action)
                    if needs:
                        tried += visit.things(way, needs)
                    elif way.action.method == "GET":
                        seen.append(visit.listed(way))
                except LabError as error:
                    tried.append(Tried(way.operation, Verdict.INCONCLUSIVE, f"{way.operation}: {error}"))
        for name, found, what in (
            ("things-of-others-are-closed", tried, "operations that take an id"),
            ("lists-hold-only-ones-own", seen, "lists"),
        ):
            if found:
                unsure = [one.said for one in found if one.verdict is Verdict.INCONCLUSIVE]
                if unsure:
                    trial.notes.append(f"not shown: {'; '.join(unsure)}")
                yield claim(name, what, found)


def strangers(actors: tuple[Actor, ...]) -> tuple[Actor, Actor] | None:
    """The first actor of a tenant and the first one of another."""
    named = [actor for actor in actors if actor.tenant]
    return next(((named[0], other) for other in named if other.tenant != named[0].tenant), None)


class Visit:
    """The stranger's way through what the owner made."""

    def __init__(
        self, stand: Stand, actions: list[Action], owner: str, stranger: str, known: Collection[str] = ()
    ) -> None:
        self.caller = stand.caller()
        self.other = stand.caller()  # so that markers tell whose they are
        self.caller.learn(actions)
        self.other.learn(actions)
        self._owner, self._stranger = owner, stranger
        self._ids = set(known)  # of what was made in this run
        self._marks = re.compile(rf"m[a-z]{re.escape(stand.prefix[2:8])}[0-9a-z]+")
        self._kept: dict[str, str] = {}  # what nobody has used up

    def things(self, way: Way, needs: tuple[str, ...]) -> Iterator[Tried]:
        """All that it names is the owner's; and, of several, each one alone."""
        yield self._thing(way, needs, needs)
        if len(needs) > 1:
            for pool in needs:
                yield self._thing(way, needs, (pool,))

    def _thing(self, way: Way, needs: tuple[str, ...], foreign: tuple[str, ...]) -> Tried:
        action = way.action
        theirs = {pool: self._value(pool, fresh=pool in action.takes) for pool in needs}
        own = {pool: self.other.make(pool, self._stranger) for pool in needs if pool not in foreign}
        nobodys = {pool: nobody(theirs[pool]) for pool in foreign}
        told = self._as_stranger(action, {**theirs, **own})
        spoofed = self._spoofed(action, {**theirs, **own})
        nothing = self._as_stranger(action, {**nobodys, **own})
        whole = self.caller.send(self.caller.prepare(action, self._owner, **theirs))
        what = ", ".join(f"{{{pool}}}" for pool in foreign)
        said = f"{way.operation} with {what} of another tenant: {told.said}"
        expected = whole.status in action.expects and whole.status < 400
        if not (whole.ok or expected or 300 <= whole.status < 400):
            return Tried(
                way.operation, Verdict.INCONCLUSIVE, f"{said}, but the owner is told {whole.said}, too"
            )
        for answer, how in ((told, ""), *spoofed):
            if answer.status >= 500 or answer.failure:
                return Tried(way.operation, Verdict.FAILED, f"{said}, and no refusal{how} {_excerpt(answer)}")
            if opened(answer, nothing, theirs, nobodys):
                return Tried(way.operation, Verdict.FAILED, f"{said}{how} {_excerpt(answer)}")
        if told.ok and action.writes:
            said += ", as for an id that nobody has: it does not look"
            return Tried(way.operation, Verdict.INCONCLUSIVE, said)
        return Tried(way.operation, Verdict.PASSED, said)

    def listed(self, way: Way) -> Tried:
        """What he is shown without naming anything."""
        whole = self.caller.send(self.caller.prepare(way.action, self._owner))
        told = self._as_stranger(way.action, {})
        owners = {value for value in leaves(whole) if value in self._ids}
        owners |= set(self._marks.findall(whole.text))
        if told.failure or told.status >= 500:
            return Tried(way.operation, Verdict.FAILED, f"{way.operation}: {told.said} {_excerpt(told)}")
        found = sorted(value for value in {*owners, self.caller.prefix} if value in told.text)
        if found:
            said = f"{way.operation} shows {found[0]}, which belongs to another tenant"
            return Tried(way.operation, Verdict.FAILED, said)
        if not owners:
            said = f"{way.operation} did not show the owner what he made, either"
            return Tried(way.operation, Verdict.INCONCLUSIVE, said)
        return Tried(way.operation, Verdict.PASSED, f"{way.operation} shows nothing of another tenant")

    def _as_stranger(self, action: Action, values: Mapping[str, str]) -> Told:
        return self.other.send(self.other.prepare(action, self._stranger, **values))

    def _spoofed(self, action: Action, values: Mapping[str, str]) -> list[tuple[Told, str]]:
        """With the owner's headers, but for the one that says who he is."""
        own, theirs = self.other.headers(self._stranger), self.other.headers(self._owner)
        told = []
        for name in [name for name in theirs if name.lower() not in ("authorization", "cookie")]:
            if own.get(name) == theirs[name] or len(theirs) < 2 or secret(name):
                continue
            request = self.other.prepare(action, self._stranger, **values)
            answer = self.other.send(request, credentials={**own, name: theirs[name]})
            told.append((answer, f", under the other's {name}"))
        return told

    def _value(self, pool: str, *, fresh: bool) -> str:
        """A thing of the owner's; a write gets one of its own, for it may use it up."""
        if fresh or pool not in self._kept:
            value = self.caller.make(pool, self._owner)
            self._ids.add(value)
            if fresh:
                return value
            self._kept[pool] = value
        return self._kept[pool]


def leaves(told: Told) -> set[str]:
    """The values in a JSON answer that are long enough not to be there by chance."""
    try:
        waiting = [told.reply.json()] if told.reply is not None else []
    except ValueError:
        return set()
    found: set[str] = set()
    while waiting:
        match waiting.pop():
            case dict() as inside:
                waiting.extend(inside.values())
            case list() as inside:
                waiting.extend(inside)
            case str() | int() as value if len(str(value)) >= LEAST:
                found.add(str(value))
    return found


def opened(told: Told, nothing: Told, theirs: Mapping[str, str], nobodys: Mapping[str, str]) -> bool:
    """Whether a success tells or does more than the same request for an id that nobody has."""
    if 300 <= told.status < 400:
        return not 300 <= nothing.status < 400
    if not told.ok:
        return False
    if nothing.status != told.status:
        return True
    return _bare(told.text, theirs) != _bare(nothing.text, nobodys)


def nobody(value: str) -> str:
    """A value of the same form that nobody has."""
    try:
        uuid.UUID(value)
    except ValueError:
        pass
    else:
        return str(uuid.uuid4()) if "-" in value else uuid.uuid4().hex
    if value.isdigit():
        return str(int(value) + 1_000_000_007 % 10 ** max(6, min(9, len(value) + 3)))
    return "".join(_turned(character) for character in value)


def secret(name: str) -> bool:
    """Whether a header's name says that it proves who the caller is."""
    return bool(re.search(r"key|token|secret|session|auth|signature|jwt", name, re.IGNORECASE))


def claim(name: str, what: str, tried: list[Tried]) -> Claim:
    """One sentence over all operations."""
    bad = [one for one in tried if one.verdict is Verdict.FAILED]
    good = [one for one in tried if one.verdict is Verdict.PASSED]
    said = f"{len(tried)} requests to {what} were tried: {len(good)} give nothing away"
    if bad:
        said += f", {len(bad)} do: {', '.join(sorted({one.operation for one in bad})[:5])}"
    if unsure := len(tried) - len(good) - len(bad):
        said += f", {unsure} cannot be told"
    return Claim(
        name=name,
        subject=Subject.SECURITY,
        verdict=Verdict.FAILED if bad else Verdict.PASSED if good else Verdict.INCONCLUSIVE,
        said=f"{said}.",
        figures=(Figure("requests tried", len(tried)), Figure("given away", len(bad))),
        evidence=tuple(one.said for one in bad[:SHOWN]),
    )


def _bare(text: str, values: Mapping[str, str]) -> str:
    """An answer without what the request itself said, and without what is new each time."""
    for value in values.values():
        text = text.replace(value, "*")
    text = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|[+-][\d:]+)?", "time", text)
    return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "id", text)


def _turned(character: str) -> str:
    if character.isdigit():
        return str((int(character) + 3) % 10)
    if character.isascii() and character.isalpha():
        turned = chr((ord(character.lower()) - ord("a") + 13) % 26 + ord("a"))
        return turned.upper() if character.isupper() else turned
    return character


def _excerpt(told: Told) -> str:
    return " ".join(told.text[:160].split())
