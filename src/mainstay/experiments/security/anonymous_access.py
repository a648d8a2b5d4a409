"""Every operation, asked by nobody and by somebody whose credentials are broken."""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec import Struct

from mainstay.experiments.base import Experiment
from mainstay.experiments.security.ways import NOBODYS, Way, is_public, ways
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.caller import Caller, Told
from mainstay.lab.error import LabError
from mainstay.model.proof import Claim, Figure, Subject, Verdict

SHOWN = 20
WITHOUT = "without credentials"
EARLY = "which judges the input before the caller"
REFUSED = (401, 403, 429)
MISSING = (404, 410)
NO_SUCH_METHOD = (405, 501)
PATIENCE_S = 5.0


class Asked(Struct, frozen=True):
    """What an operation answered to someone who may not call it."""

    operation: str
    how: str  # "without credentials"
    verdict: Verdict
    said: str


class AnonymousAccess(Experiment):
    """Nobody is served without valid credentials, but by operations that are declared public.

    Every operation of the OpenAPI document, or else of the declared actions, is asked without credentials
    and with broken ones: a secret that is wrong, one that is missing, and a token that nobody signed. What
    the requests name exists, so "not found" is a refusal. Success and crashes are not.

    Let everything be refused by default, in one place before the routes, and let the few exceptions be
    declared public with their reason.
    """

    quick = True
    gentle = True
    order = 20
    catches = ("unauthenticated-operation",)
    explained_by = ("unauthenticated-operation",)

    def applies(self, stand: Stand) -> str:
        if not stand.actions and stand.api is None:
            return "neither an OpenAPI document nor an action says what there is to call"
        return "" if self._closed(stand) else "every operation is declared public"

    def seconds(self, stand: Stand) -> float:
        return 0.5 + 0.02 * len(self._closed(stand))

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        caller = stand.caller()
        every = ways(stand)
        closed = self._closed(stand)
        caller.learn([way.action for way in every])
        asked: list[Asked] = []
        made: dict[tuple[str, str], str] = {}
        left_out = [f"{way.operation} (declared public)" for way in every if way not in closed]
        with trial.band("operations are asked by nobody"):
            for way in closed:
                try:
                    asked += self._ask(stand, caller, way, made)
                except LabError as error:
                    left_out.append(f"{way.operation} ({error})")
        if left_out:
            trial.notes.append(f"left out: {', '.join(left_out)}")
        early = sorted({one.operation for one in asked if EARLY in one.said})
        if early:
            trial.notes.append(f"input is judged before the caller is, by {', '.join(early)}")
        nobody = [one for one in asked if one.how == WITHOUT]
        broken = [one for one in asked if one.how != WITHOUT]
        yield claim("anyone-is-refused", "without credentials", nobody)
        if broken:
            yield claim("broken-credentials-are-refused", "with broken credentials", broken)

    def _closed(self, stand: Stand) -> list[Way]:
        return [way for way in ways(stand) if not is_public(stand, way)]

    def _ask(
        self, stand: Stand, caller: Caller, way: Way, made: dict[tuple[str, str], str]
    ) -> Iterator[Asked]:
        owner = stand.actor(way.action)
        values = {}
        for pool in caller.needs(way.action):
            if (pool, owner) not in made:
                try:
                    made[pool, owner] = caller.make(pool, owner)
                except LabError:
                    made[pool, owner] = NOBODYS
            values[pool] = made[pool, owner]
        if NOBODYS in values.values():
            way = msgspec.structs.replace(way, real=False)
        request = caller.prepare(way.action, owner, **values)
        for how, credentials in broken_ways(caller.headers(owner)).items():
            told = caller.send(request, credentials=credentials, timeout=PATIENCE_S)
            if told.status in NO_SUCH_METHOD:
                return
            yield judged(way, how, told, lambda: caller.send(request, timeout=PATIENCE_S))


def broken_ways(headers: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Credentials that may open nothing, made of valid ones; each with what is wrong with it."""
    ways_: dict[str, dict[str, str]] = {WITHOUT: {}}
    if not headers:
        return ways_
    ways_["with a wrong secret"] = {name: _altered(text) for name, text in headers.items()}
    ways_["with an empty secret"] = {name: _split(text)[0].strip() or '""' for name, text in headers.items()}
    unsigned = {name: _unsigned(text) for name, text in headers.items()}
    if unsigned != dict(headers):
        ways_["with an unsigned token"] = unsigned
    return ways_


def judged(way: Way, how: str, told: Told, as_owner: Callable[[], Told]) -> Asked:
    """What an answer to someone without rights is worth; `as_owner` sends the same with valid ones."""
    started = f"{way.operation} {how}: {told.said}"

    def verdict(kind: Verdict, more: str = "") -> Asked:
        return Asked(way.operation, how, kind, started + more)

    if told.ok:
        return verdict(Verdict.FAILED, f" {_excerpt(told)}")
    if told.failure or told.status >= 500:
        return verdict(Verdict.FAILED, f", and no refusal {_excerpt(told)}".rstrip())
    if told.status in REFUSED or (told.status in MISSING and way.real):
        return verdict(Verdict.PASSED)
    owners = as_owner()
    if 300 <= told.status < 400:
        if _leads(owners) == _leads(told):
            return verdict(Verdict.FAILED, ", and leads where the owner is led")
        return verdict(Verdict.PASSED, ", and leads elsewhere, as to a login")
    if told.status in MISSING:
        return verdict(Verdict.INCONCLUSIVE, ", which the owner may be told as well")
    return verdict(Verdict.PASSED if owners.ok else Verdict.INCONCLUSIVE, f", {EARLY}")


def claim(name: str, how: str, asked: list[Asked]) -> Claim:
    """One sentence over all operations that were asked in that way."""
    operations = {one.operation for one in asked}
    served = {one.operation for one in asked if one.verdict is Verdict.FAILED}
    refused = {
        operation
        for operation in operations - served
        if any(one.operation == operation and one.verdict is Verdict.PASSED for one in asked)
    }
    unclear = operations - served - refused
    verdict = Verdict.FAILED if served else Verdict.PASSED if refused else Verdict.INCONCLUSIVE
    said = f"{len(operations)} operations were asked {how}: {len(refused)} refuse"
    if served:
        said += f", {len(served)} do not: {', '.join(sorted(served)[:5])}"
    if unclear:
        said += f", {len(unclear)} cannot be told: {', '.join(sorted(unclear)[:5])}"
    bad = [one.said for one in asked if one.verdict is Verdict.FAILED]
    unsure = [one.said for one in asked if one.operation in unclear]
    return Claim(
        name=name,
        subject=Subject.SECURITY,
        verdict=verdict if not unclear or served else Verdict.INCONCLUSIVE,
        said=f"{said}.",
        figures=(
            Figure("operations asked", len(operations)),
            Figure("requests", len(asked)),
            Figure("not refused", len(served)),
        ),
        evidence=tuple((bad or unsure)[:SHOWN]),
    )


def _split(text: str) -> tuple[str, str]:
    """`Bearer `, and the secret after it; a cookie's secret follows its name."""
    start = max(text.rfind(" "), text.find("=") if "; " not in text and " " not in text else -1) + 1
    # Base64 ends in "=": what follows a sign at the very end is no secret.
    return (text[:start], text[start:]) if text[start:] else ("", text)


def _altered(text: str) -> str:
    """Of the same form, and another secret; the middle is changed, for the end may be padding."""
    scheme, secret = _split(text)
    at = len(secret) * 3 // 4
    return scheme + "".join(_other(c) if i in (at, at // 2, at // 3) else c for i, c in enumerate(secret))


def _other(character: str) -> str:
    if character.isdigit():
        return str((int(character) + 1) % 10)
    if character.isalpha() and character.isascii():
        return "b" if character != "b" else "c"
    return character


def _unsigned(text: str) -> str:
    """A JSON Web Token that says nobody signed it; other texts as they are."""
    scheme, secret = _split(text)
    head, dot, rest = secret.partition(".")
    payload, dots, _ = rest.partition(".")
    try:
        said = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))) if dot and dots else None
    except (binascii.Error, ValueError):
        return text
    if not isinstance(said, dict) or "alg" not in said:
        return text
    none = base64.urlsafe_b64encode(json.dumps({**said, "alg": "none"}).encode()).decode().rstrip("=")
    return f"{scheme}{none}.{payload}."


def _leads(told: Told) -> str:
    return "" if told.reply is None else told.reply.headers.get("location", "")


def _excerpt(told: Told) -> str:
    return " ".join(told.text[:160].split())
