"""What other services send to this one, repeated and out of order."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import permutations

import msgspec
from psycopg import sql

from mainstay.experiments.base import Experiment
from mainstay.experiments.checks import invariants
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.caller import Caller, Told
from mainstay.lab.environment import given
from mainstay.lab.error import LabError
from mainstay.lab.load.templates import Prepared
from mainstay.lab.proxy.faults import Latency
from mainstay.lab.signing import signed
from mainstay.model.proof import Claim, Figure, Subject, Verdict
from mainstay.model.service import Notice

AT_ONCE = 8
FAR_S = 0.01  # the database is so far away: what looks before it writes is overtaken
ORDERS = 6  # pairs of notices that are sent the wrong way round
SHOWN = 10
CLEAR = (409, 410, 422, 404, 429, 503)


class NoticesRepeated(Experiment):
    """A notice of another service counts once, however often and in whatever order it arrives.

    Every declared notice is sent about something new, and again, and eight times at the same moment; notices
    about the same thing are sent the wrong way round. What they speak of is made while other services are
    down, so that there is something left to decide. None may crash, no row may be added again, every declared
    invariant has to hold, and a notice whose signature is wrong has to be refused.

    Store the notice's own id, under a unique constraint, in the transaction that does what it asks for; let
    the state decide whether it still says anything new.
    """

    quick = True
    order = 33
    catches = ("notice-not-deduplicated",)
    explained_by = ("check-then-write", "lost-update")

    def applies(self, stand: Stand) -> str:
        return "" if stand.declaration.notices else "no notice is declared: [[prove.notice]]"

    def seconds(self, stand: Stand) -> float:
        return 2.0 + 1.5 * len(stand.declaration.notices)

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        post = Post(stand, stand.caller())
        working: list[Notice] = []
        for notice in stand.declaration.notices:
            name = notice.action.name
            try:
                with trial.band(f"sent again: {name}"):
                    claims = list(post.again(notice))
                yield from claims
                if claims[0].verdict is Verdict.INCONCLUSIVE:
                    continue
                working.append(notice)
                with trial.band(f"{AT_ONCE} at once: {name}"):
                    yield post.at_once(notice)
                if notice.signature is not None:
                    yield post.forged(notice)
            except LabError as error:
                yield untold(name, str(error))
        pairs = [
            pair
            for pair in permutations(working, 2)
            if post.caller.needs(pair[0].action) == post.caller.needs(pair[1].action) != ()
        ]
        if pairs:
            with trial.band("the wrong way round"):
                yield post.turned(pairs[:ORDERS])
        yield from invariants(trial)
        if not stand.declaration.invariants:
            trial.notes.append("no invariant is declared: what was counted twice may not have been seen")


class Post:
    """Brings notices."""

    def __init__(self, stand: Stand, caller: Caller) -> None:
        self._stand = stand
        self.caller = caller
        self._actor = stand.principals[0].name if stand.principals else "anonymous"

    def again(self, notice: Notice) -> Iterator[Claim]:
        """Once, once more, and a crowd: only the first adds anything."""
        request = self._prepare(notice, self._subject(notice))
        name = notice.action.name
        start = self._counts()
        first = self.caller.send(request)
        if not first.ok:
            yield untold(name, f"the first one is answered with {first.said} {first.text[:160]}".strip())
            return
        before = self._counts()
        told = [self.caller.send(request), *self.caller.at_once(request, AT_ONCE)]
        after = self._counts()
        yield answered(f"sent again: {name}", told)
        if after:
            yield self._added(name, request, start, before, after, len(told))

    def at_once(self, notice: Notice) -> Claim:
        """All of them are the first, as far as they can see."""
        request = self._prepare(notice, self._subject(notice))
        with self._far():
            told = self.caller.at_once(request, AT_ONCE)
        return answered(f"at once: {notice.action.name}", told)

    def turned(self, pairs: Sequence[tuple[Notice, Notice]]) -> Claim:
        """Two notices about one thing, in each order, and both again."""
        told: list[Told] = []
        for pair in pairs:
            subject = self._subject(pair[0])
            requests = [self._prepare(notice, subject) for notice in pair]
            told += [self.caller.send(request) for request in requests * 2]
        return answered("in any order", told)

    def forged(self, notice: Notice) -> Claim:
        """Another body under that signature, and a signature of nobody."""
        assert notice.signature is not None
        request = self._prepare(notice, self._subject(notice))
        mark = f"{notice.signature.header}: ".encode()
        honest = next(line for line in request.headers if line.startswith(mark))
        others = [line for line in request.headers if line != honest]
        wrong = honest[:-8] + bytes(reversed(honest[-8:])) if honest[-8:] != honest[:-9:-1] else honest + b"0"
        ways = {
            "another body": msgspec.structs.replace(request, body=(request.body or b"") + b" "),
            "another signature": msgspec.structs.replace(request, headers=[*others, wrong]),
            "no signature": msgspec.structs.replace(request, headers=others),
        }
        told = {how: self.caller.send(one) for how, one in ways.items()}
        bad = {how: one for how, one in told.items() if not 400 <= one.status < 500}
        listed = ", ".join(f"{how}: {one.said}" for how, one in told.items())
        return Claim(
            name=f"forged notices are refused: {notice.action.name}",
            subject=Subject.SECURITY,
            verdict=Verdict.FAILED if bad else Verdict.PASSED,
            said=f"Notices that nobody signed were sent; {listed}.",
            evidence=tuple(f"{how}: {one.said} {one.text[:160]}" for how, one in bad.items()),
        )

    def _prepare(self, notice: Notice, subject: Mapping[str, str]) -> Prepared:
        request = self.caller.prepare(notice.action, "anonymous", **subject)
        signature = notice.signature
        if signature is None:
            return request
        secret = given(self._stand.service.programs, [signature.secret]).get(signature.secret)
        if secret is None:
            raise LabError(f"{signature.secret} is in no process's environment")
        return signed(request, signature, secret, int(time.time()))

    def _subject(self, notice: Notice) -> dict[str, str]:
        """Something new to speak of, and if possible undecided."""
        pools = self.caller.needs(notice.action)
        names = [dependency.name for dependency in self._stand.http_dependencies]
        if pools and names:
            with suppress(LabError), self._stand.proxy.away(*names):
                return {pool: self.caller.make(pool, self._actor) for pool in pools}
        return {pool: self.caller.make(pool, self._actor) for pool in pools}

    def _added(
        self,
        name: str,
        request: Prepared,
        start: Mapping[str, int],
        before: Mapping[str, int],
        after: Mapping[str, int],
        repeats: int,
    ) -> Claim:
        """Whether tables grew with each repeat, the way they did with the first one."""
        grown = {table for table in after if after[table] - before.get(table, 0) >= repeats}
        kept = {table for table in grown if request.marker and self._holds(table, request.marker) > repeats}
        doubled = sorted(grown - kept)
        said = f"A notice was repeated {repeats} times"
        if doubled:
            said += f": {', '.join(doubled)} got a row for each of them"
        elif kept:
            said += f": {', '.join(sorted(kept))} keeps each of them under its id"
        else:
            said += ", and no table grew with them"
        first = sum(after_ > start.get(table, 0) for table, after_ in before.items())
        return Claim(
            name=f"counts once: {name}",
            subject=Subject.INTEGRITY,
            verdict=Verdict.FAILED if doubled else Verdict.PASSED,
            said=f"{said}.",
            figures=(Figure("repeats", repeats), Figure("tables the first one added to", first)),
            evidence=tuple(f"{t}: {before.get(t, 0)} rows before, {after[t]} after" for t in doubled[:SHOWN]),
        )

    def _counts(self) -> dict[str, int]:
        database = self._stand.database
        return {} if database is None else database.counts(self._stand.database_name)

    def _holds(self, table: str, marker: str) -> int:
        """Rows of a table that hold a text anywhere."""
        database = self._stand.database
        assert database is not None
        found = next(one for one in database.tables(self._stand.database_name) if str(one) == table)
        query = sql.SQL("SELECT count(*) FROM {} AS t WHERE position(%s in t::text) > 0").format(
            found.identifier
        )
        with database.connect(self._stand.database_name) as connection:
            row = connection.execute(query, (marker,)).fetchone()
        return 0 if row is None else int(row[0])

    @contextmanager
    def _far(self) -> Iterator[None]:
        name, proxy = self._stand.service.database_name, self._stand.proxy
        if name:
            proxy.set(name, Latency(FAR_S))
        try:
            yield
        finally:
            if name:
                proxy.clear(name)


def answered(name: str, told: Sequence[Told]) -> Claim:
    """Whoever repeats a notice is told something that lets him stop, or try later."""
    raw = [one for one in told if one.failure or (one.status >= 500 and one.status not in CLEAR)]
    listed = ", ".join(f"{n} × {said}" for said, n in Counter(one.said for one in told).most_common())
    good = sum(one.ok for one in told)
    return Claim(
        name=name,
        subject=Subject.INTEGRITY,
        verdict=Verdict.FAILED if raw else Verdict.PASSED if good else Verdict.INCONCLUSIVE,
        said=f"{len(told)} notices were answered: {listed}.",
        figures=(Figure("notices", len(told)), Figure("crashes", len(raw))),
        evidence=tuple(" ".join(f"{one.said} {one.text[:160]}".split()) for one in raw[:SHOWN]),
    )


def untold(name: str, why: str) -> Claim:
    """A notice that does not work tells nothing."""
    return Claim(
        f"sent again: {name}", Subject.INTEGRITY, Verdict.INCONCLUSIVE, f"`{name}` was not tried: {why}."
    )
