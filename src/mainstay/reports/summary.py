"""What a review came to, in words and counts that every format shares."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from mainstay.budgets import STANDARD
from mainstay.model.finding import Severity
from mainstay.model.review import Result, Review, Standing

_BUDGETS: dict[str, Callable[[float], str]] = {
    "availability": lambda value: f"{value * 100:g} %",
    "errors": lambda value: f"{value * 100:g} %",
    "p95": lambda value: f"{value * 1000:g} ms",
    "recovery": lambda value: f"{value:g} s",
}


class Counts(Struct, frozen=True):
    """How many findings there are: the open ones by severity, worst first, the rest by standing."""

    severities: dict[Severity, int]
    suppressed: int
    baselined: int
    preview: int


def counts(review: Review) -> Counts:
    """Each finding is in exactly one of the counts."""
    standings = dict.fromkeys(Standing, 0)
    severities = dict.fromkeys(reversed(Severity), 0)
    for result in review.results:
        standings[result.standing] += 1
        if result.standing is Standing.OPEN:
            severities[result.finding.severity] += 1
    return Counts(
        severities=severities,
        suppressed=standings[Standing.SUPPRESSED],
        baselined=standings[Standing.BASELINED],
        preview=standings[Standing.PREVIEW],
    )


def outcome(review: Review) -> str:
    """`passed`, `failed` or `inconclusive`."""
    if review.failing:
        return "failed"
    return "passed" if review.files else "inconclusive"


def verdict(review: Review) -> str:
    """The outcome in one sentence, and what it rests on."""
    found, failing = len(review.open), len(review.failing)
    if failing and review.threshold is Severity.LOW:
        return f"Failed: {plural(found, 'finding')}."
    if failing:
        return f"Failed: {_share(failing, found)} {_or_worse(review.threshold)}."
    if not review.files:
        return "Inconclusive: there was nothing to read."
    if found:
        return f"Passed: {plural(found, 'finding')}, none {_or_worse(review.threshold)}."
    return f"Passed: nothing found in {plural(review.files, 'file')}."


def changed_budgets(review: Review) -> str:
    """How the project's budgets differ from the standard ones; "" when they do not."""
    said = []
    for name, shown in _BUDGETS.items():
        own, standard = getattr(review.budgets, name), getattr(STANDARD, name)
        if own != standard:
            said.append(f"{name} {shown(own)} (standard: {shown(standard)})")
    return f"Budgets of this project: {', '.join(said)}." if said else ""


def caution(review: Review) -> str:
    """What narrows the verdict: places that were not read, budgets that are not the standard ones."""
    gaps = len(review.system.gaps)
    unread = f"{plural(gaps, 'place')} could not be read, so nothing is known there." if gaps else ""
    return " ".join(filter(None, (unread, changed_budgets(review))))


def of_standing(review: Review, standing: Standing) -> tuple[Result, ...]:
    """The results that stand so, in their order."""
    return tuple(r for r in review.results if r.standing is standing)


def plural(number: int, noun: str) -> str:
    """`1 file`, `2,031 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def capped(items: Iterable[str], most: int) -> tuple[list[str], int]:
    """The first `most` items, and how many were left out."""
    everything = list(items)
    return everything[:most], max(0, len(everything) - most)


def _share(failing: int, found: int) -> str:
    if failing == found:
        return "the one finding is" if found == 1 else f"all {found:,} findings are"
    return f"{failing:,} of {found:,} findings {'is' if failing == 1 else 'are'}"


def _or_worse(threshold: Severity) -> str:
    return threshold.word if threshold is Severity.CRITICAL else f"{threshold.word} or worse"
