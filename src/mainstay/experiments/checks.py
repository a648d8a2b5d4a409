"""What is asked after every experiment: the ledger, the invariants, the refusals, and who was told."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from mainstay.evidence import ledger
from mainstay.experiments.trial import Trial
from mainstay.lab import logs
from mainstay.lab.client import NoAnswer, ask
from mainstay.lab.invariants import Ask
from mainstay.lab.invariants import check as check_invariants
from mainstay.lab.paging.pages import watch as watch_alerts
from mainstay.model.proof import Claim, Figure, LedgerTotals, Origin, Subject, Verdict
from mainstay.model.record import Failure, Record

CLEAR = (400, 401, 403, 404, 408, 409, 410, 412, 422, 423, 425, 429, 503, 504)
SHOWN = 5
QUIET_S = 5.0  # for writes that nobody answered to come to an end
SETTLE_S = 0.5
NOTICED = 3  # failed requests: fewer are nobody's emergency
NOTICED_S = 4.0  # seconds: a shorter failure is over before anyone could look


def integrity(trial: Trial) -> Iterator[Claim]:
    """Nothing acknowledged is lost, nothing is applied twice, and every invariant holds."""
    stand = trial.stand
    database = stand.database
    if database is None:
        trial.notes.append("no database is declared: nothing tells whether writes were kept")
        return
    writes = [record for record in trial.records if record.writes]
    with database.connect(stand.database_name) as connection:
        totals = _totals(trial, connection, writes)
        ends = time.monotonic() + QUIET_S
        while (totals.lost or totals.unknown) and time.monotonic() < ends:
            time.sleep(SETTLE_S)  # a write that nobody answered may still be on its way
            again = _totals(trial, connection, writes)
            if again == totals and not totals.lost:
                break
            totals = again
        trial.ledger = totals
        yield from ledger.claims(totals)
    yield from invariants(trial)


def _totals(trial: Trial, connection: psycopg.Connection[Any], writes: list[Record]) -> LedgerTotals:
    stand = trial.stand
    found = stand.homes.count(connection, writes)
    return ledger.judge(writes, found, known=trial.known, removers=stand.removers)


def invariants(trial: Trial) -> Iterator[Claim]:
    """What the project says holds at any time."""
    stand = trial.stand
    if stand.database is not None:
        with stand.database.connect(stand.database_name) as connection:
            yield from check_invariants(connection, stand.declaration.invariants, _asking(trial))


def _asking(trial: Trial) -> Ask:
    """Invariants over answers are asked as the first caller."""
    stand = trial.stand

    def ask_service(request: str) -> bytes:
        method, _, path = request.partition(" ")
        headers = stand.service.headers.get(stand.principals[0].name, {}) if stand.principals else {}
        try:
            reply = ask(method, f"{stand.service.addresses[0]}{path}", headers=headers)
        except NoAnswer as error:
            raise OSError(str(error)) from error
        if not reply.ok:
            raise OSError(f"it was answered with {reply.status}")
        return reply.body

    return ask_service


def refusals(
    trial: Trial, began: float, ended: float, *, unhandled: bool = True, cuts: bool = False
) -> Iterator[Claim]:
    """What callers were told while it was broken: an answer they can act on, or less than that."""
    bad = [record for record in trial.between(began, ended) if not record.ok]
    kinds = Counter(_told(record) for record in bad)
    raw = [record for record in bad if _raw(record)] if unhandled else []
    cut = [record for record in bad if record.failure is Failure.CUT] if not cuts else []
    wrong = [*raw, *cut]
    listed = ", ".join(f"{number} × {kind}" for kind, number in kinds.most_common(5))
    said = f"{len(bad)} requests failed: {listed}" if bad else "no request failed"
    if wrong:
        said += f"; {len(raw)} of them with an error nobody handled"
        said += f", {len(cut)} cut off" if cut else ""
    yield Claim(
        name="failures-are-told",
        subject=Subject.REFUSAL,
        verdict=Verdict.FAILED if wrong else Verdict.PASSED,
        said=f"{said[0].upper()}{said[1:]}.",
        figures=(Figure("failed", len(bad)), Figure("unhandled", len(raw)), Figure("cut off", len(cut))),
        evidence=tuple(f"{r.action}: {_told(r)} {r.excerpt}".strip() for r in wrong[:SHOWN]),
    )


def told(trial: Trial, began: float, ended: float, words: Sequence[str]) -> Iterator[Claim]:
    """Whether anyone would have been paged, and whether the logs name the cause."""
    bad = [record for record in trial.between(began, ended) if not record.ok]
    yield from _paged(trial, began, ended, bad)
    if words and len(bad) >= NOTICED:
        yield _named(trial, words)
    if trial.stand.declaration.request_id_header and len(bad) >= NOTICED:
        yield _found(trial, bad)


def _paged(trial: Trial, began: float, ended: float, bad: Sequence[Record]) -> Iterator[Claim]:
    stand, scraper = trial.stand, trial.scraper
    if not stand.rules or scraper is None:
        trial.notes.append("no alert rules or no metrics are declared: nobody can have been paged")
        return
    failed_for = max((r.done for r in bad), default=0.0) - min((r.due for r in bad), default=0.0)
    if len(bad) < NOTICED or failed_for < NOTICED_S:
        return
    seen = watch_alerts(stand.rules, scraper.recording, began, ended, until=time.monotonic())
    trial.notes.extend(seen.notes)
    first = seen.soonest
    said = f"Users failed for {failed_for:.1f} s. "
    if first is None:
        said += "No alert would page anyone, however long it went on."
    elif first.origin is Origin.MEASURED:
        said += f"{first.alert} fired after {first.fires_after:.0f} s."
    else:
        said += f"Had it gone on, {first.alert} would fire after {first.fires_after:.0f} s."
    yield Claim(
        name="someone-is-paged",
        subject=Subject.PAGING,
        verdict=Verdict.FAILED if first is None else Verdict.PASSED,
        said=said,
        figures=tuple(
            Figure(f"{p.alert} fires after", p.fires_after, "s", p.origin, p.sum) for p in seen.pages
        ),
        evidence=tuple(f"{silent.alert}: {silent.why}" for silent in seen.silent[:SHOWN])
        if first is None
        else (),
    )


def _named(trial: Trial, words: Sequence[str]) -> Claim:
    naming = logs.naming(trial.events(), words)
    named, events = naming.named, naming.total
    return Claim(
        name="logs-name-the-cause",
        subject=Subject.PAGING,
        verdict=Verdict.PASSED if named else Verdict.FAILED,
        said=f"The cause is named in {named} of {events} error events in the logs.",
        figures=(Figure("error events", events), Figure("that name the cause", named)),
        evidence=tuple(f"{event.process}: {event.text}" for event in naming.examples),
    )


def _found(trial: Trial, bad: Sequence[Record]) -> Claim:
    """Whether a failed request can be found in the logs by the id that its caller sent."""
    answered = {record.marker for record in bad if record.status} - {""}
    seen = logs.mentioned(trial.places, answered)
    return Claim(
        name="failed-requests-are-in-the-logs",
        subject=Subject.PAGING,
        verdict=Verdict.PASSED if len(seen) == len(answered) else Verdict.FAILED,
        said=f"{len(seen)} of {len(answered)} requests that were answered with a failure are in the logs.",
        figures=(Figure("answered with a failure", len(answered)), Figure("in the logs", len(seen))),
    )


def _told(record: Record) -> str:
    return str(record.failure) or str(record.status)


def _raw(record: Record) -> bool:
    return record.status >= 500 and record.status not in CLEAR
