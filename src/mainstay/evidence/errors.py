"""The claim about failed requests, and the sum behind it."""

from collections import Counter
from collections.abc import Collection, Iterable

from mainstay.budgets import STANDARD
from mainstay.evidence import bounds, said
from mainstay.evidence.lag import lag_p99, late
from mainstay.evidence.requests import counted, outcome
from mainstay.model.budget import Budgets
from mainstay.model.proof import Claim, Figure, Origin, Subject, Verdict
from mainstay.model.record import Failure, Record

_SHOWN = 5
ANOTHER_LOAD_S = 0.5  # of lag: requests that come later than that come in bursts, which is another load


def claim(
    records: Iterable[Record],
    budgets: Budgets,
    standard: Budgets = STANDARD,
    *,
    waived: Collection[str] = (),
    disturbed: str = "",
    name: str = "errors-in-budget",
) -> Claim:
    """Whether the share of failed requests holds its budget, at 95 % confidence.

    `waived` names actions that are not critical, whose failures do not count.  An observed failure stands
    when the load driver was late by far; a clean record then shows nothing about the declared load.
    `disturbed` says what else kept the machine busy: time-outs and refusals for want of capacity (429, 503)
    are latency seen through a cut-off, and where nothing else failed they are as void as latency is.
    """
    judged = [record for record in counted(records) if record.action not in waived]
    bad = [record for record in judged if not record.ok]
    if disturbed and bad and all(map(_overload, bad)):
        return _void(bad, len(judged), budgets, name, disturbed)
    excuse = late(judged, budgets) if lag_p99(judged) > ANOTHER_LOAD_S else ""
    given = _verdict(len(bad), len(judged), budgets, excuse)
    return Claim(
        name=name,
        subject=Subject.ERRORS,
        verdict=given,
        said=_said(bad, len(judged), budgets, given, excuse),
        figures=_figures(len(bad), len(judged)),
        evidence=tuple(_shown(record) for record in _samples(bad)),
        standard=_verdict(len(bad), len(judged), standard, excuse)
        if budgets.errors > standard.errors
        else None,
    )


def _overload(record: Record) -> bool:
    """A failure that more of the machine might have spared its caller."""
    return record.failure is Failure.TIMED_OUT or record.status in (429, 503)


def _void(bad: list[Record], sent: int, budgets: Budgets, name: str, disturbed: str) -> Claim:
    return Claim(
        name=name,
        subject=Subject.ERRORS,
        verdict=Verdict.INCONCLUSIVE,
        said=(
            f"{said.count(len(bad))} of {said.count(sent, 'request')} timed out or were refused for want of "
            f"capacity{_kinds(bad)}; but {disturbed}, so this says nothing of the service."
        ),
        figures=_figures(len(bad), sent),
        evidence=samples(bad),
    )


def size(budgets: Budgets) -> str:
    """How many requests it takes to claim the budget, as a sentence."""
    exact = bounds.needed(budgets.errors)
    return (
        f"it takes {said.count(exact, 'request')} without a failure to claim less than "
        f"{said.share(budgets.errors)} at 95 % (rule of three: {said.count(round(3 / budgets.errors))})"
    )


def samples(bad: Iterable[Record]) -> tuple[str, ...]:
    """A few failed requests as lines, one of each kind."""
    return tuple(_shown(record) for record in _samples(list(bad)))


def _verdict(bad: int, sent: int, budgets: Budgets, excuse: str) -> Verdict:
    given = bounds.verdict(bad, sent, budgets.errors)
    return Verdict.INCONCLUSIVE if excuse and given is Verdict.PASSED else given


def _said(bad: list[Record], sent: int, budgets: Budgets, given: Verdict, excuse: str) -> str:
    if not sent:
        return f"No request was sent; {size(budgets)}."
    text = (
        f"{said.count(len(bad))} of {said.count(sent, 'request')} failed: "
        f"at most {said.share_at_most(bounds.at_most(len(bad), sent))} at 95 % confidence, "
        f"the budget is {said.share(budgets.errors)}"
    )
    if given is Verdict.FAILED:
        return f"{text}; at least {said.share(bounds.at_least(len(bad), sent))}{_kinds(bad)}."
    if given is Verdict.PASSED:
        return f"{text}."
    if bounds.verdict(len(bad), sent, budgets.errors) is Verdict.PASSED:
        return f"{text}; but {excuse}, so this is not the load that was asked for."
    more = bounds.needed(budgets.errors, len(bad)) - sent
    return f"{text}; {said.count(more)} more without a failure would settle it ({size(budgets)})."


def _kinds(bad: list[Record]) -> str:
    kinds = Counter(map(outcome, bad)).most_common(4)
    return " (" + ", ".join(f"{said.count(number)} × {kind}" for kind, number in kinds) + ")"


def _figures(bad: int, sent: int) -> tuple[Figure, ...]:
    figures = (Figure("requests", sent), Figure("failed", bad))
    if not sent:
        return figures
    return (
        *figures,
        Figure("share failed", bad / sent, "%", Origin.DERIVED, f"{bad} / {sent}"),
        Figure(
            "upper bound of the share failed",
            bounds.at_most(bad, sent),
            "%",
            Origin.DERIVED,
            f"Clopper-Pearson, one side, 95 %, {bad} of {sent}",
        ),
    )


def _samples(bad: list[Record]) -> list[Record]:
    """One of each kind first: five times the same line would hide the others."""
    kinds = {(record.action, outcome(record)): record for record in reversed(bad)}
    return list(kinds.values())[::-1][:_SHOWN]


def _shown(record: Record) -> str:
    tail = f": {record.excerpt}" if record.excerpt else ""
    return f"{record.action}: {outcome(record)} after {said.time(max(0.0, record.latency))}{tail}"
