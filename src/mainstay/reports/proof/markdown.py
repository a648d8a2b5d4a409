"""Markdown for a pull request: the verdict, one table, and the failures.

Texts come from a service nobody has to trust: none becomes markup, a link or a mention.  The whole stays
below what hosts take as one comment.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from mainstay.model.gate import GateResult
from mainstay.model.proof import Claim, Measurement, Proof, Verdict
from mainstay.reports.proof import summary
from mainstay.reports.proof.text import ledger_line, totals
from mainstay.reports.summary import capped, plural
from mainstay.reports.terminal import cut
from mainstay.reports.visible import visible

FORMAT = "markdown"
ENDING = ".md"
ROWS = 60  # of the table
TOLD = 12  # experiments told whole
EVIDENCE = 3  # lines for each claim
LONGEST = 400  # characters of one text


def render(proof: Proof, *, families: Mapping[str, str] = {}, gates: Sequence[GateResult] = ()) -> str:
    """The verdict, a table of all experiments worst first, then what went wrong."""
    return "\n".join(_lines(proof, families, gates)) + "\n"


def _lines(proof: Proof, families: Mapping[str, str], gates: Sequence[GateResult]) -> Iterator[str]:
    yield f"### {_plain(summary.headline(proof))}"
    yield ""
    for caution in summary.cautions(proof):
        yield f"{_plain(caution)}  "
    if summary.cautions(proof):
        yield ""
    yield from _table(proof, families)
    yield from _gates(gates)
    bad = [m for m in summary.worst_first(proof) if m.verdict is not Verdict.PASSED]
    for measurement in bad[:TOLD]:
        yield from _told(measurement)
    if len(bad) > TOLD:
        yield from [f"{plural(len(bad) - TOLD, 'more experiment')} did not pass.", ""]
    yield from _aside(proof)
    profile = f"profile {proof.profile}, {summary.duration(proof.seconds)}, Mainstay {proof.version}"
    yield f"{_plain(totals(proof))}. {_plain(proof.service)}, {_plain(profile)}."


def _table(proof: Proof, families: Mapping[str, str]) -> Iterator[str]:
    found = summary.worst_first(proof)
    if not found:
        return
    yield "| Verdict | Experiment | Requests | Failed | What came of it |"
    yield "|---|---|--:|--:|---|"
    for measurement in found[:ROWS]:
        sent, failed = summary.requests(measurement)
        family = families.get(measurement.experiment, "")
        name = _code(measurement.experiment, cell=True) + (f" {_plain(family)}" if family else "")
        counts = f"{sent:,} | {failed:,}" if sent else " | "
        yield f"| {_word(measurement.verdict)} | {name} | {counts} | {_plain(_outcome(measurement))} |"
    if len(found) > ROWS:
        yield f"| | +{len(found) - ROWS:,} more | | | |"
    yield ""


def _outcome(measurement: Measurement) -> str:
    if measurement.verdict is Verdict.PASSED:
        return f"{plural(len(measurement.claims), 'claim')} kept"
    worst = [c.said for c in summary.claims_worst_first(measurement) if c.verdict is measurement.verdict]
    more = f" (+{len(worst) - 1:,} more)" if len(worst) > 1 else ""
    return cut(visible(measurement.why or (worst[0] if worst else summary.why(measurement))), 160) + more


def _gates(gates: Sequence[GateResult]) -> Iterator[str]:
    if gates:
        said = ", ".join(f"{_plain(gate.title)} {_word(gate.verdict)}" for gate in gates)
        yield from [f"Gates, by this proof alone: {said}.", ""]


def _told(measurement: Measurement) -> Iterator[str]:
    yield f"#### {_word(measurement.verdict)}: {_code(measurement.experiment)}"
    yield ""
    yield from [_plain(measurement.hypothesis), ""]
    if measurement.why:
        yield from [_plain(measurement.why), ""]
    for claim in summary.claims_worst_first(measurement):
        if claim.verdict is not Verdict.PASSED:
            yield from _claim(claim)
    if measurement.ledger is not None:
        yield f"- Ledger: {_plain(ledger_line(measurement.ledger))}"
    if measurement.explained_by and measurement.verdict is Verdict.FAILED:
        rules = ", ".join(_code(rule) for rule in measurement.explained_by)
        yield f"- `mainstay review` looks for the usual causes by {rules}"
    yield ""


def _claim(claim: Claim) -> Iterator[str]:
    differs = summary.beyond_standard(claim)
    aside = f" ({_plain(differs)})" if differs else ""
    yield f"- **{_word(claim.verdict)}** {_code(claim.name)}: {_plain(claim.said)}{aside}"
    if claim.figures:
        yield f"  - {_plain(summary.figures(claim.figures))}"
    shown, left = capped(claim.evidence, EVIDENCE)
    for line in shown:
        yield f"  - {_code(line)}"
    if left:
        yield f"  - +{left:,} more"


def _aside(proof: Proof) -> Iterator[str]:
    if not proof.skipped and not proof.assumptions:
        return
    yield "<details><summary>Left out and assumed</summary>"
    yield ""
    for skipped in proof.skipped:
        standing = summary.standing(skipped)
        yield f"- left out: {_code(skipped.experiment)}, {standing}: {_plain(skipped.reason)}"
    for assumption in proof.assumptions:
        yield f"- assumed: {_plain(assumption)}"
    yield from ["", "</details>", ""]


# --- harmless text ---------------------------------------------------------------------------------


def _word(verdict: Verdict) -> str:
    return "void" if verdict is Verdict.ERROR else str(verdict)


def _plain(text: str) -> str:
    """Prose with nothing in it that Markdown or its host would act on."""
    words = cut(visible(text), LONGEST).split(" ")
    return " ".join(_code(word, cell=True) if _calls(word) else _escaped(word) for word in words)


def _calls(word: str) -> bool:
    """Whether a host would make a mention, a reference or a link of it."""
    return bool(re.search(r"@\w|#\d|://|\bwww\.|\bGH-\d|\b[0-9a-f]{7,40}\b", word))


def _escaped(word: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|~#&])", r"\\\1", word)


def _code(text: str, cell: bool = False) -> str:
    """A code span; between fences longer than any in the text."""
    shown = cut(visible(text), LONGEST)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    gap = " " if longest else ""
    body = shown.replace("|", "\\|") if cell else shown
    return f"{fence}{gap}{body}{gap}{fence}"
