"""The sums of the ledger: what callers were told of their writes, against what the database holds."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from mainstay.evidence import bounds, said
from mainstay.model.ledger import Found, Token
from mainstay.model.proof import Claim, Figure, LedgerEntry, LedgerTotals, Origin, Subject, Verdict
from mainstay.model.record import Fate, Record

_SHOWN = 20
_UNSURE = frozenset({408, 425, 499})  # 4xx that do not say what became of the request
_ORDER = ("lost", "doubled", "refused but applied", "phantom")


class Write(Struct, frozen=True):
    """One write as its caller meant it: all attempts with his idempotency key, or else with the marker."""

    action: str
    markers: tuple[str, ...]  # more than one when a key was sent again with another body
    key: str
    made: frozenset[str]
    taken: tuple[str, ...]
    statuses: tuple[int, ...]  # of all attempts; 0: no answer
    fate: Fate

    @property
    def denied(self) -> bool:
        """Whether every answer said for certain that nothing happened."""
        return self.fate is Fate.REFUSED and all(
            400 <= status < 500 and status not in _UNSURE for status in self.statuses
        )

    @property
    def name(self) -> str:
        """What a person can look for."""
        return next(iter((*self.markers, self.key, *sorted(self.made))), "")


class _Account(Struct):
    """The sums while they are made."""

    counts: Counter[str]
    entries: list[LedgerEntry]


def writes(records: Iterable[Record]) -> list[Write]:
    """The writes behind the requests, each with the best that its caller knows after its last attempt.

    Refused, then acknowledged, is acknowledged.  No answer, then refused, is unknown: the first attempt may
    have been applied.
    """
    groups: defaultdict[tuple[str, ...], list[Record]] = defaultdict(list)
    for at, record in enumerate(records):
        if record.writes:
            groups[_identity(record, at)].append(record)
    return [_write(attempts) for attempts in groups.values()]


def tokens(records: Iterable[Record]) -> set[str]:
    """All that tells these writes apart: `known` for a later `judge` on the same database."""
    kept: set[str] = set()
    for record in records:
        kept.update((record.marker, record.key, record.made))
    return kept - {""}


def judge(
    records: Iterable[Record],
    found: Mapping[str, Found],
    *,
    known: Collection[str] = (),
    removers: Collection[str] = (),
) -> LedgerTotals:
    """Set what was answered against what was found, by action.

    `known` is what may stand in the database without being one of these writes: what was there before, and
    the tokens of earlier loads.  `removers` names actions that delete what they take: a write whose id was
    taken by one is not lost when it is gone.  Actions that are not in `found` are unchecked.
    """
    kept = list(records)
    sent = writes(kept)
    account = _Account(Counter(), [])
    account.counts["sent"] = len(sent)
    gone = {value for record in kept if record.action in removers for value in record.taken}
    for write in sent:
        account.counts[write.fate.value] += 1
        _enter(account, write, found.get(write.action), gone)
    _unclaimed(account, sent, found, frozenset(known))
    _phantoms(account, kept, found, frozenset(known))
    return _totals(account)


def claims(totals: LedgerTotals) -> tuple[Claim, ...]:
    """What the sums say; the lateness of a load driver voids none of it."""
    told = totals.sent - totals.unchecked
    made = [
        _claim(
            totals, "no-acknowledged-write-lost", "lost", "lost", totals.lost, totals.checked, "acknowledged"
        ),
        _claim(totals, "no-write-applied-twice", "doubled", "applied more than once", totals.doubled, told),
    ]
    if totals.refused:
        made.append(_refusals(totals))
    made.append(_phantom_claim(totals, told))
    return tuple(made)


def _identity(record: Record, at: int) -> tuple[str, ...]:
    """A key belongs to the one who sent it; with neither key nor marker a write is like no other."""
    if record.key:
        return record.action, record.actor, record.key
    return record.action, record.marker or f"\0{at}"


def _write(attempts: Sequence[Record]) -> Write:
    fates = {record.fate for record in attempts}
    fate = next(fate for fate in (Fate.ACKNOWLEDGED, Fate.UNKNOWN, Fate.REFUSED) if fate in fates)
    first = attempts[0]
    return Write(
        action=first.action,
        markers=tuple(dict.fromkeys(record.marker for record in attempts if record.marker)),
        key=first.key,
        made=frozenset(record.made for record in attempts if record.made),
        taken=next((record.taken for record in attempts if record.taken), ()),
        statuses=tuple(0 if record.failure else record.status for record in attempts),
        fate=fate,
    )


def _names(write: Write, found: Found) -> frozenset[str]:
    """What the write is called in its home; nothing when that is not known."""
    if found.token is Token.MARKER:
        names = [*write.markers]
    elif found.token is Token.KEY:
        names = [write.key]
    elif found.token is Token.TAKEN:
        names = [*write.taken[found.position : found.position + 1]]
    else:
        names = [*write.made, found.made_by_key.get(write.key, "")]
    return frozenset(names) - {""}


def _enter(account: _Account, write: Write, found: Found | None, gone: Collection[str]) -> None:
    names = _names(write, found) if found else frozenset[str]()
    if found is None or not names:
        account.counts["unchecked"] += not _told_by_rows(write, found)
        return
    times = sum(found.times.get(name, 0) for name in names)
    acknowledged = write.fate is Fate.ACKNOWLEDGED
    account.counts["checked"] += acknowledged
    account.counts["found"] += times > 0
    if times > 1:
        _bad(account, "doubled", write, times, found.where)
    if times == 0 and acknowledged and write.made.isdisjoint(gone):
        _bad(account, "lost", write, 0, found.where)
    if times and not acknowledged:
        _applied(account, write, times, found.where)


def _told_by_rows(write: Write, found: Found | None) -> bool:
    """Whether a write whose id nobody was told shows in the rows that nobody answers for."""
    if found is None or found.token is not Token.MADE or not found.complete:
        return False
    return write.fate is not Fate.ACKNOWLEDGED


def _applied(account: _Account, write: Write, times: int, where: str) -> None:
    """Applied, though its caller was not told so."""
    if write.fate is Fate.UNKNOWN:
        account.counts["unknown and applied"] += 1
        return
    account.counts["refused but applied"] += 1
    if write.denied:
        account.counts["denied"] += 1
        account.entries.append(_entry("refused but applied", write, times, where))


def _unclaimed(
    account: _Account, sent: Sequence[Write], found: Mapping[str, Found], known: Collection[str]
) -> None:
    """Rows whose id no answer told: each is one of the writes without an answer, or one too many."""
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for action, one in found.items():
        if one.token is Token.MADE and one.complete:
            homes[one.where].append(action)
    for where, actions in homes.items():
        here = [write for write in sent if write.action in actions]
        claimed = {name for write in here for name in _names(write, found[write.action])}
        rows = sorted(set().union(*(found[action].times for action in actions)) - claimed - set(known))
        nameless = [write for write in here if not _names(write, found[write.action])]
        open_ones = [write for write in nameless if write.fate is Fate.UNKNOWN]
        open_ones += [write for write in nameless if write.fate is Fate.REFUSED and not write.denied]
        settled = sum(write.fate is Fate.ACKNOWLEDGED for write in nameless)  # told, but not which one
        for write in open_ones[: max(0, len(rows) - settled)]:
            account.counts["found"] += 1
            _applied(account, write, 1, where)
        repeated = any(len(write.statuses) > 1 for write in here)
        for row in rows[len(open_ones) + settled :]:
            _too_many(account, actions, row, where, repeated)


def _too_many(account: _Account, actions: Sequence[str], row: str, where: str, repeated: bool) -> None:
    """A row behind which there is no write: a repeat that was applied again, if there were repeats."""
    kind = "doubled" if repeated else "phantom"
    text = f"{where} holds {row}, which no answer named, and there are fewer writes than rows"
    account.counts[kind] += 1
    account.entries.append(LedgerEntry(kind, ", ".join(sorted(actions)), row, 2 if repeated else 1, text))


def _phantoms(
    account: _Account, records: Sequence[Record], found: Mapping[str, Found], known: Collection[str]
) -> None:
    markers = {record.marker for record in records}
    keys = {record.key for record in records}
    seen: set[tuple[str, str]] = set()
    for action, one in found.items():
        if one.token not in (Token.MARKER, Token.KEY):
            continue
        ours = markers if one.token is Token.MARKER else keys
        for name, times in one.times.items():
            if name in ours or name in known or (one.where, name) in seen:
                continue
            seen.add((one.where, name))
            account.counts["phantom"] += 1
            text = f"{one.where} holds {name}, which nobody sent"
            account.entries.append(LedgerEntry("phantom", action, name, times, text))


def _bad(account: _Account, kind: str, write: Write, times: int, where: str) -> None:
    account.counts[kind] += 1
    account.entries.append(_entry(kind, write, times, where))


def _entry(kind: str, write: Write, times: int, where: str) -> LedgerEntry:
    answers = ", ".join(str(status or "no answer") for status in write.statuses)
    there = "is not there" if times == 0 else f"is there {said.count(times, 'time')}"
    text = f"{write.action} {write.name} was answered {answers}, and {there} ({where})"
    return LedgerEntry(kind, write.action, write.name, times, text)


def _totals(account: _Account) -> LedgerTotals:
    counts = account.counts
    ordered = sorted(account.entries, key=lambda entry: _ORDER.index(entry.kind))
    return LedgerTotals(
        sent=counts["sent"],
        acknowledged=counts[Fate.ACKNOWLEDGED.value],
        refused=counts[Fate.REFUSED.value],
        unknown=counts[Fate.UNKNOWN.value],
        found=counts["found"],
        lost=counts["lost"],
        doubled=counts["doubled"],
        refused_but_applied=counts["refused but applied"],
        unknown_and_applied=counts["unknown and applied"],
        phantom=counts["phantom"],
        unchecked=counts["unchecked"],
        checked=counts["checked"],
        denied_but_applied=counts["denied"],
        entries=tuple(ordered[:_SHOWN]),
    )


def _claim(
    totals: LedgerTotals, name: str, kind: str, verb: str, bad: int, of: int, which: str = ""
) -> Claim:
    thing = f"{which} write".strip()
    bad = min(bad, of) if of else bad
    if not of:
        verdict = Verdict.FAILED if bad else Verdict.INCONCLUSIVE
        text = f"No {thing} could be looked up in the database"
    else:
        upper = said.share_at_most(bounds.at_most(bad, of))
        text = f"{said.count(bad)} of {said.count(of, thing)} {verb}: at most {upper} at 95 % confidence"
        verdict = Verdict.FAILED if bad else Verdict.PASSED
        if verdict is Verdict.PASSED and totals.unchecked > totals.sent - totals.unchecked:
            verdict = Verdict.INCONCLUSIVE
    return Claim(
        name=name,
        subject=Subject.INTEGRITY,
        verdict=verdict,
        said=f"{text}{_unchecked(totals)}.",
        figures=_figures(kind, bad, of),
        evidence=_evidence(totals, kind),
    )


def _refusals(totals: LedgerTotals) -> Claim:
    """Refused with 5xx and applied is an honest unknown; with 4xx it is a false statement."""
    honest = totals.refused_but_applied - totals.denied_but_applied
    text = (
        f"{said.count(totals.denied_but_applied)} of {said.count(totals.refused, 'write')} answered with an "
        "error were applied although it said (4xx) that they were not: at most "
        f"{said.share_at_most(bounds.at_most(totals.denied_but_applied, totals.refused))} at 95 % confidence"
    )
    if honest:
        text += f"; {said.count(honest)} more applied behind a 5xx, which a caller has to take as unknown"
    return Claim(
        name="no-refused-write-applied",
        subject=Subject.INTEGRITY,
        verdict=Verdict.FAILED if totals.denied_but_applied else Verdict.PASSED,
        said=f"{text}.",
        figures=_figures("refused but applied", totals.denied_but_applied, totals.refused),
        evidence=_evidence(totals, "refused but applied"),
    )


def _phantom_claim(totals: LedgerTotals, told: int) -> Claim:
    text = f"{said.count(totals.phantom)} rows are there that nobody sent, beside {said.count(told, 'write')}"
    verdict = Verdict.PASSED if told else Verdict.INCONCLUSIVE
    return Claim(
        name="no-phantom-write",
        subject=Subject.INTEGRITY,
        verdict=Verdict.FAILED if totals.phantom else verdict,
        said=f"{text}{_unchecked(totals)}.",
        figures=(Figure("phantom", totals.phantom), Figure("writes", told)),
        evidence=_evidence(totals, "phantom"),
    )


def _unchecked(totals: LedgerTotals) -> str:
    if not totals.unchecked:
        return ""
    return f"; {said.count(totals.unchecked)} of {said.count(totals.sent)} could not be looked up"


def _figures(kind: str, bad: int, of: int) -> tuple[Figure, ...]:
    figures = (Figure(kind, bad), Figure("of writes", of))
    if not of:
        return figures
    how = f"Clopper-Pearson, one side, 95 %, {bad} of {of}"
    return (*figures, Figure("upper bound", bounds.at_most(bad, of), "%", Origin.DERIVED, how))


def _evidence(totals: LedgerTotals, kind: str) -> tuple[str, ...]:
    return tuple(entry.said for entry in totals.entries if entry.kind == kind)
