"""A write that is repeated with its idempotency key."""

import signal
from collections.abc import Iterator

import msgspec

from mainstay.experiments.base import Experiment
from mainstay.experiments.checks import invariants
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.caller import Caller, Told
from mainstay.lab.load.templates import Prepared
from mainstay.model.proof import Claim, Subject, Verdict
from mainstay.model.service import Action

AT_ONCE = 8
USUAL = "Idempotency-Key"  # the header's name in the draft of the IETF, and in most payment APIs


class KeysRespected(Experiment):
    """A write repeated with its key happens once, whoever repeats it and whenever.

    Each write that takes an idempotency key is sent again with it: once it was answered, eight times at the
    same moment, after every process was killed, with another body, and by another caller. The answers have to
    speak of one and the same thing; another body has to be refused, and another caller's key is another key.
    A POST that names no key is sent twice under a usual one: its caller, too, repeats what nobody answered.

    Store the key, scoped to the caller, in the transaction that stores the effect; let a unique constraint
    decide between two at once; keep a digest of the body beside it. A natural key does as well: an address or
    an order number that may be there once.
    """

    quick = True
    order = 30
    catches = ("key-outside-transaction", "key-not-scoped-to-caller")
    explained_by = ("check-then-write", "retry-of-unsafe-call")

    def applies(self, stand: Stand) -> str:
        return "" if self._keyed(stand) or self._unkeyed(stand) else "no write makes anything"

    def seconds(self, stand: Stand) -> float:
        return 3.0 + stand.startup + 0.5 * len(self._keyed(stand)) + 0.1 * len(self._unkeyed(stand))

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        caller = stand.caller()
        actions = self._keyed(stand)
        with trial.band("writes are repeated with their key"):
            for action in actions:
                yield self._in_sequence(stand, caller, action)
                yield self._at_once(stand, caller, action)
                yield self._another_body(stand, caller, action)
                if len(stand.principals) > 1:
                    yield self._another_caller(stand, caller, action)
            for action in self._unkeyed(stand):
                yield from self._without_a_key(trial, caller, action)
        if not actions:
            return
        sent = [(action, *self._first(stand, caller, action)) for action in actions]
        with trial.band("every process is killed"):
            for instance in stand.service.instances:
                instance.program.signal(signal.SIGKILL)
            stand.restart()
        caller = stand.caller()
        for action, request, told in sent:
            yield self._same(action, "after a kill", request, [told, caller.send(request)], caller)
        yield from invariants(trial)

    def _keyed(self, stand: Stand) -> list[Action]:
        return [action for action in stand.writes if action.key_header]

    def _unkeyed(self, stand: Stand) -> list[Action]:
        """Repeating a PUT or a DELETE does nothing more; repeating a POST may."""
        return [
            msgspec.structs.replace(action, key_header=USUAL)
            for action in stand.writes
            if not action.key_header and action.method == "POST"
        ]

    def _without_a_key(self, trial: Trial, caller: Caller, action: Action) -> Iterator[Claim]:
        """Of one that shows nothing by which it could be known again, nothing can be said."""
        twice = self._in_sequence(trial.stand, caller, action)
        if twice.verdict is Verdict.INCONCLUSIVE:
            trial.notes.append(f"{action.name}: no id in its answers tells what a repeat has made")
            return
        yield twice
        if twice.verdict is Verdict.PASSED:
            yield self._at_once(trial.stand, caller, action)

    def _first(self, stand: Stand, caller: Caller, action: Action) -> tuple[Prepared, Told]:
        request = caller.prepare(action, stand.actor(action))
        return request, caller.send(request)

    def _in_sequence(self, stand: Stand, caller: Caller, action: Action) -> Claim:
        request, told = self._first(stand, caller, action)
        return self._same(action, "in sequence", request, [told, caller.send(request)], caller)

    def _at_once(self, stand: Stand, caller: Caller, action: Action) -> Claim:
        request = caller.prepare(action, stand.actor(action))
        return self._same(action, "at once", request, caller.at_once(request, AT_ONCE), caller)

    def _same(
        self, action: Action, how: str, request: Prepared, answers: list[Told], caller: Caller
    ) -> Claim:
        """All that succeeded speak of one thing; some may be told to wait, none may crash."""
        good = [told for told in answers if told.ok]
        made = {caller.made(request, told) for told in good} - {""}
        raw = [told for told in answers if told.status == 500 or told.failure]
        once = Verdict.PASSED if made else Verdict.INCONCLUSIVE
        listed = ", ".join(told.said for told in answers)
        things = "one thing was made" if made else "nothing was made"
        if len(made) > 1:
            things = f"{len(made)} different things were made"
        return Claim(
            name=f"once {how}: {action.name}",
            subject=Subject.INTEGRITY,
            verdict=Verdict.FAILED if len(made) > 1 or raw else once,
            said=f"Sent {len(answers)} times with one key, {how}: {listed}; {things}.",
            evidence=tuple(sorted(made)) if len(made) > 1 else tuple(told.text[:200] for told in raw[:2]),
        )

    def _another_body(self, stand: Stand, caller: Caller, action: Action) -> Claim:
        first, told = self._first(stand, caller, action)
        other = caller.prepare(action, stand.actor(action))
        reused = msgspec.structs.replace(other, headers=_with_key(other, first.key), key=first.key)
        again = caller.send(reused)
        fresh = again.ok and caller.made(reused, again) not in ("", caller.made(first, told))
        return Claim(
            name=f"another body: {action.name}",
            subject=Subject.INTEGRITY,
            verdict=Verdict.FAILED if fresh or again.status == 500 or again.ok else Verdict.PASSED,
            said=f"Another request under a key that was used is answered with {again.said}"
            + (", as if it were a new one." if fresh else ", as if it were the first." if again.ok else "."),
            evidence=(again.text[:200],) if again.ok else (),
        )

    def _another_caller(self, stand: Stand, caller: Caller, action: Action) -> Claim:
        """Two callers may choose the same key, and neither may be shown or denied anything by it."""
        first, told = self._first(stand, caller, action)
        stranger = next(p.name for p in stand.principals if p.name != stand.actor(action))
        own = caller.prepare(action, stranger)
        borrowed = msgspec.structs.replace(own, headers=_with_key(own, first.key), key=first.key)
        again = caller.send(borrowed)
        shown = again.ok and caller.made(borrowed, again) == caller.made(first, told) != ""
        return Claim(
            name=f"another caller: {action.name}",
            subject=Subject.SECURITY,
            verdict=Verdict.PASSED if again.ok and not shown else Verdict.FAILED,
            said=f"Another caller's own request under the same key is answered with {again.said}"
            + (", and shows him what the first caller made." if shown else "."),
            evidence=(again.text[:200],) if shown or not again.ok else (),
        )


def _with_key(request: Prepared, key: str) -> list[bytes]:
    return [
        line.replace(request.key.encode(), key.encode()) if request.key else line for line in request.headers
    ]
