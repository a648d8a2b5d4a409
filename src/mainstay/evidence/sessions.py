"""What one caller may rely on: he reads what he wrote, and never reads an older value after a newer one.

Older is what was replaced for certain: a write that had ended before the other one began.  Values are unlike
each other, so a value tells which write it comes from.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from mainstay.evidence import bounds, said
from mainstay.model.proof import Claim, Figure, Origin, Subject, Verdict

_SHOWN = 20


class Exchange(Struct, frozen=True):
    """A value that was written or read; seconds of the monotonic clock."""

    session: str  # one caller's, in which one thing follows the other
    key: str
    wrote: bool
    value: str | None  # None: nothing was there
    began: float
    ended: float
    acknowledged: bool = True  # of a write; leave out reads that failed


class SessionTotals(Struct):
    """How many reads broke a promise."""

    after_own: int = 0  # reads by someone who had written that key before
    not_own: int = 0  # of those, reads of what his write had replaced
    again: int = 0  # reads by someone who had read that key before
    backwards: int = 0  # of those, reads of something older
    evidence: list[str] = []


def sums(exchanges: Iterable[Exchange]) -> SessionTotals:
    """Go through all sessions, each in order of time."""
    kept = list(exchanges)
    written = {(one.key, one.value): one for one in kept if one.wrote}
    sessions: defaultdict[tuple[str, str], list[Exchange]] = defaultdict(list)
    for one in kept:
        sessions[one.session, one.key].append(one)
    totals = SessionTotals()
    for inside in sessions.values():
        _follow(sorted(inside, key=lambda one: one.began), written, totals)
    del totals.evidence[_SHOWN:]
    return totals


def claims(totals: SessionTotals) -> tuple[Claim, ...]:
    """Two: `read-your-writes` and `monotonic-reads`."""
    return (
        _claim(
            "read-your-writes", totals.not_own, totals.after_own, "did not see the caller's own write", totals
        ),
        _claim("monotonic-reads", totals.backwards, totals.again, "went back to an older value", totals),
    )


def _follow(
    inside: Sequence[Exchange],
    written: Mapping[tuple[str, str | None], Exchange],
    totals: SessionTotals,
) -> None:
    own: Exchange | None = None
    last: Exchange | None = None
    for one in inside:
        if one.wrote:
            own = one if one.acknowledged else own
            continue
        source = written.get((one.key, one.value))
        if own and own.ended <= one.began:
            totals.after_own += 1
            if _older(source, own, one.value):
                totals.not_own += 1
                totals.evidence.append(
                    f"{one.session} wrote {own.value} to {one.key} and then read {one.value}"
                )
        if last and last.ended <= one.began:
            totals.again += 1
            newer = written.get((one.key, last.value))
            if newer and _older(source, newer, one.value):
                totals.backwards += 1
                totals.evidence.append(f"{one.session} read {last.value} of {one.key} and then {one.value}")
        last = one


def _older(source: Exchange | None, than: Exchange, value: str | None) -> bool:
    """Whether the value was replaced by that write for certain; one that nobody wrote was there first."""
    if value == than.value:
        return False
    return source is None or source.ended < than.began


def _claim(name: str, bad: int, of: int, verb: str, totals: SessionTotals) -> Claim:
    if not of:
        return Claim(name, Subject.INTEGRITY, Verdict.INCONCLUSIVE, "No read followed that could tell.")
    upper = bounds.at_most(bad, of)
    text = (
        f"{said.count(bad)} of {said.count(of, 'read')} {verb}: "
        f"at most {said.share_at_most(upper)} at 95 % confidence."
    )
    return Claim(
        name=name,
        subject=Subject.INTEGRITY,
        verdict=Verdict.FAILED if bad else Verdict.PASSED,
        said=text,
        figures=(
            Figure("reads", of),
            Figure("broken", bad),
            Figure(
                "upper bound", upper, "%", Origin.DERIVED, f"Clopper-Pearson, one side, 95 %, {bad} of {of}"
            ),
        ),
        evidence=tuple(totals.evidence) if bad else (),
    )
