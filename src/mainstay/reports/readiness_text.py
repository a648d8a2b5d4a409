"""The six gates as text: the verdict first, then each gate with what it rests on."""

from collections.abc import Iterator

from mainstay.model.gate import Evidence, GateResult, Readiness
from mainstay.model.proof import Verdict
from mainstay.reports.proof.text import STYLES
from mainstay.reports.summary import capped, plural
from mainstay.reports.terminal import Paint, clamp, wrap
from mainstay.reports.visible import visible

SHOWN = 8  # pieces of evidence for each verdict of a gate; further ones are counted
WORDS = {Verdict.ERROR: "void"}


def render(readiness: Readiness, *, width: int = 80, colour: bool = False) -> str:
    """The verdict, what narrows it, and the gates in their order."""
    return "\n".join(_lines(readiness, clamp(width), Paint(colour))) + "\n"


def headline(readiness: Readiness) -> str:
    """`Not ready: 2 of 6 gates failed, 1 is inconclusive.`"""
    count = {v: sum(gate.verdict is v for gate in readiness.gates) for v in Verdict}
    total = len(readiness.gates)
    if readiness.verdict is Verdict.PASSED:
        return f"Ready: all {total} gates passed."
    word = "Not ready" if readiness.verdict is Verdict.FAILED else "Not known to be ready"
    told = [
        f"{count[v]} {said}"
        for v, said in (
            (Verdict.ERROR, "void by our own fault"),
            (Verdict.FAILED, "failed"),
            (Verdict.INCONCLUSIVE, "inconclusive"),
            (Verdict.PASSED, "passed"),
        )
        if count[v]
    ]
    return f"{word}: of {total} gates, {', '.join(told)}."


def _lines(readiness: Readiness, width: int, paint: Paint) -> Iterator[str]:
    for line in wrap(headline(readiness), width):
        yield paint(line, STYLES[readiness.verdict])
    for caution in readiness.cautions:
        for line in wrap(caution, width):
            yield paint(line, "inconclusive")
    for gate in readiness.gates:
        yield ""
        yield from _gate(gate, width, paint)


def _gate(gate: GateResult, width: int, paint: Paint) -> Iterator[str]:
    word = WORDS.get(gate.verdict, str(gate.verdict))
    yield f"{paint(visible(gate.title), 'bold')}: {paint(word, STYLES[gate.verdict])}"
    for verdict in (Verdict.ERROR, Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.PASSED):
        items = [item for item in gate.evidence if item.verdict is verdict]
        if verdict is Verdict.PASSED and gate.verdict is not Verdict.PASSED and items:
            yield paint(f"  passed        {plural(len(items), 'more piece')} of evidence", "dim")
            continue
        numbers, left = capped(map(str, range(len(items))), SHOWN)
        for number in map(int, numbers):
            yield from _evidence(items[number], width, paint)
        if left:
            yield paint(f"  {WORDS.get(verdict, str(verdict)):<12}  +{left:,} more", "dim")


def _evidence(item: Evidence, width: int, paint: Paint) -> Iterator[str]:
    word = f"{WORDS.get(item.verdict, str(item.verdict)):<12}"
    inset = " " * 16
    head, *more = wrap(item.said, width, inset) or [inset]
    yield f"  {paint(word, STYLES[item.verdict])}  {head[16:]}"
    yield from more
    named = item.name if item.source != "prove" or not item.place else ""
    said = ", ".join(filter(None, [item.place, f"{item.source} {named}".strip()]))
    for line in wrap(said, width, inset):
        yield paint(line, "dim")
