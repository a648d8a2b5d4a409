"""Text for a terminal or a pipe: the verdict, then the experiments, worst first.

An experiment that failed is told whole, one that is undecided with why, one that passed in one line.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mainstay.model.gate import GateResult
from mainstay.model.proof import Claim, LedgerTotals, Measurement, Proof, Verdict
from mainstay.reports.proof import summary
from mainstay.reports.summary import capped, plural
from mainstay.reports.terminal import Paint, cells, clamp, cut, wrap
from mainstay.reports.visible import visible

FORMAT = "text"
ENDING = ".txt"
EVIDENCE = 5  # lines of evidence for each claim; further ones are counted
LOG_LINES = 6  # of the log around a failure
EXCERPTS = 2
ENTRIES = 5  # of the ledger
LABEL = 12  # columns of the labels, indentation included

STYLES = {
    Verdict.PASSED: "passed",
    Verdict.FAILED: "failed",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.ERROR: "critical",
}
WORDS = {Verdict.ERROR: "VOID", Verdict.FAILED: "FAILED", Verdict.INCONCLUSIVE: "INCONCLUSIVE"}


def render(
    proof: Proof,
    *,
    families: Mapping[str, str] = {},
    gates: Sequence[GateResult] = (),
    width: int = 80,
    colour: bool = False,
) -> str:
    """The verdict, the experiments worst first, what was left out, what was assumed, the total."""
    return "\n".join(_Page(proof, families, gates, clamp(width), Paint(colour)).lines()) + "\n"


class _Page:
    def __init__(
        self,
        proof: Proof,
        families: Mapping[str, str],
        gates: Sequence[GateResult],
        width: int,
        paint: Paint,
    ) -> None:
        self.proof, self.families, self.gates = proof, families, gates
        self.width, self.paint = width, paint

    def lines(self) -> Iterator[str]:
        yield from self.head()
        for verdict in (Verdict.ERROR, Verdict.FAILED, Verdict.INCONCLUSIVE):
            yield from self.told_whole(verdict)
        yield from self.passed()
        yield from self.skipped()
        yield from self.assumed()
        yield from self.judged()
        yield from self.closing()

    def head(self) -> Iterator[str]:
        for line in wrap(summary.headline(self.proof), self.width):
            yield self.paint(line, STYLES[self.proof.verdict])
        for caution in summary.cautions(self.proof):
            for line in wrap(caution, self.width):
                yield self.paint(line, "inconclusive")
        yield ""

    # --- experiments -------------------------------------------------------------------------------

    def told_whole(self, verdict: Verdict) -> Iterator[str]:
        found = summary.of_verdict(self.proof, verdict)
        if found:
            yield from [self.paint(f"{WORDS[verdict]} ({len(found):,})", STYLES[verdict]), ""]
        for measurement in found:
            yield from self.experiment(measurement)
            yield ""

    def experiment(self, measurement: Measurement) -> Iterator[str]:
        family = self.families.get(measurement.experiment, "")
        about = ", ".join(filter(None, [visible(family), summary.in_short(measurement)]))
        yield self.paint(visible(measurement.experiment), "rule") + self.paint(f"  {about}", "dim")
        for line in wrap(measurement.hypothesis, self.width, "  "):
            yield self.paint(line, "bold")
        yield from self.labelled("why", measurement.why)
        for claim in summary.claims_worst_first(measurement):
            if claim.verdict is not Verdict.PASSED:
                yield from self.claim(claim)
        yield from self.kept(measurement)
        yield from self.done_to_it(measurement)
        if measurement.ledger is not None:
            yield from self.ledger(measurement.ledger)
        yield from self.logs(measurement)
        for note in measurement.notes:
            yield from self.labelled("note", note)
        yield from self.explained(measurement)

    def claim(self, claim: Claim) -> Iterator[str]:
        head = [
            self.paint(f"{claim.verdict}", STYLES[claim.verdict]),
            self.paint(visible(claim.name), "rule"),
        ]
        said = ", ".join(filter(None, [str(claim.subject), summary.beyond_standard(claim)]))
        yield "  ".join(["", *head, self.paint(said, "dim")])
        yield from wrap(claim.said, self.width, " " * LABEL)
        yield from self.labelled("figures", summary.figures(claim.figures))
        yield from self.listed("evidence", claim.evidence, EVIDENCE)

    def kept(self, measurement: Measurement) -> Iterator[str]:
        """The claims that it kept although it did not pass."""
        names = [claim.name for claim in measurement.claims if claim.verdict is Verdict.PASSED]
        yield from self.labelled("passed", ", ".join(names))

    def done_to_it(self, measurement: Measurement) -> Iterator[str]:
        bands = [f"{b.what}: {b.start:.1f} s to {b.end:.1f} s" for b in measurement.bands]
        yield from self.listed("done", bands, EVIDENCE)

    def ledger(self, totals: LedgerTotals) -> Iterator[str]:
        yield from self.labelled("ledger", ledger_line(totals))
        entries = [f"{e.kind}: {e.action} {e.marker}: {e.said}" for e in totals.entries]
        yield from self.listed("", entries, ENTRIES)

    def logs(self, measurement: Measurement) -> Iterator[str]:
        excerpts, left = capped((f"{n}" for n in range(len(measurement.logs))), EXCERPTS)
        for index in map(int, excerpts):
            excerpt = measurement.logs[index]
            yield from self.labelled("log", f"{excerpt.process}, {excerpt.at:.1f} s after it began")
            for line in excerpt.lines[:LOG_LINES]:
                yield self.paint(" " * LABEL + "| ", "dim") + cut(visible(line), self.width - LABEL - 2)
        if left:
            yield from self.labelled("", f"+{left:,} more places of the logs")

    def explained(self, measurement: Measurement) -> Iterator[str]:
        if measurement.explained_by and measurement.verdict is Verdict.FAILED:
            rules = ", ".join(f"`{rule}`" for rule in measurement.explained_by)
            yield from self.labelled("cause", f"review looks for the usual causes by {rules}")

    # --- what needs a line each ----------------------------------------------------------------------

    def passed(self) -> Iterator[str]:
        found = summary.of_verdict(self.proof, Verdict.PASSED)
        if not found:
            return
        yield self.paint(f"PASSED ({len(found):,})", "passed")
        broad = min(28, max(cells(visible(m.experiment)) for m in found))
        for m in found:
            name = visible(m.experiment)
            gap = " " * max(0, broad - cells(name))
            yield from wrap_after(f"  {name}{gap}  ", summary.in_short(m), self.width)
            for claim in m.claims:
                yield from self.labelled(
                    "", summary.beyond_standard(claim) and f"{claim.name}, {summary.beyond_standard(claim)}"
                )
        yield ""

    def skipped(self) -> Iterator[str]:
        if not self.proof.skipped:
            return
        yield self.paint(f"LEFT OUT ({len(self.proof.skipped):,})", "bold")
        for s in self.proof.skipped:
            yield from wrap(f"{s.experiment}: {s.reason} ({summary.standing(s)})", self.width, "  ", "    ")
        yield ""

    def assumed(self) -> Iterator[str]:
        if not self.proof.assumptions:
            return
        yield self.paint(f"ASSUMED ({len(self.proof.assumptions):,})", "bold")
        for assumption in self.proof.assumptions:
            yield from wrap(assumption, self.width, "  ", "    ")
        yield ""

    def judged(self) -> Iterator[str]:
        if not self.gates:
            return
        yield self.paint("GATES, by this proof alone", "bold")
        for gate in self.gates:
            word = self.paint(f"{gate.verdict!s:<{LABEL + 2}}", STYLES[gate.verdict])
            yield f"  {word}{visible(gate.title)}"
        yield ""

    # --- closing -----------------------------------------------------------------------------------

    def closing(self) -> Iterator[str]:
        proof, machine = self.proof, self.proof.machine
        yield from self.labelled("total", totals(proof))
        profile = f"profile {proof.profile}, began {proof.began}, took {summary.duration(proof.seconds)}"
        yield from self.labelled("run", f"{proof.service}: {profile}, with Mainstay {proof.version}")
        postgres = f", PostgreSQL {machine.postgres}" if machine.postgres else ""
        where = f"{machine.system}, {plural(machine.cores, 'core')}, load {machine.load:.1f} when it began"
        yield from self.labelled("machine", f"{where}, Python {machine.python}{postgres}")

    # --- labels ------------------------------------------------------------------------------------

    def labelled(self, label: str, text: str) -> Iterator[str]:
        return self.with_label(label, wrap(text, self.width, " " * LABEL))

    def with_label(self, label: str, lines: Iterable[str]) -> Iterator[str]:
        for number, line in enumerate(lines):
            yield self.paint(f"  {label:<{LABEL - 2}}", "dim") + line[LABEL:] if number == 0 else line

    def listed(self, label: str, texts: Iterable[str], most: int) -> Iterator[str]:
        named, left = capped(texts, most)
        for number, text in enumerate([*named, *([f"+{left:,} more"] if left else [])]):
            yield from self.with_label("" if number else label, wrap(text, self.width, " " * LABEL))


def wrap_after(head: str, text: str, width: int) -> list[str]:
    """`text` after a head that is visible already, further lines below the text's first column."""
    lines = wrap(text, width, " " * cells(head))
    return [head + lines[0][cells(head) :], *lines[1:]] if lines else [head.rstrip()]


def ledger_line(totals: LedgerTotals) -> str:
    """`1,200 writes: 1,180 acknowledged, 20 unknown; 1,189 found; 0 lost, 9 doubled`."""
    fates = {
        "acknowledged": totals.acknowledged,
        "refused": totals.refused,
        "unknown": totals.unknown,
    }
    wrongs = {
        "refused but applied": totals.refused_but_applied,
        "phantom": totals.phantom,
        "not checked": totals.unchecked,
    }
    told = ", ".join(f"{count:,} {word}" for word, count in fates.items() if count)
    more = "".join(f", {count:,} {word}" for word, count in wrongs.items() if count)
    unsure = f", {totals.unknown_and_applied:,} of the unknown applied" if totals.unknown_and_applied else ""
    kept = f"{totals.found:,} found in the database{unsure}"
    said = f"{plural(totals.sent, 'write')}{': ' if told else ''}{told}; {kept}"
    return f"{said}; {totals.lost:,} lost, {totals.doubled:,} doubled{more}"


def totals(proof: Proof) -> str:
    """Experiments by verdict, claims and requests."""
    found = {verdict: len(summary.of_verdict(proof, verdict)) for verdict in summary.WORST_FIRST}
    words = {Verdict.ERROR: "void"}
    parts = ", ".join(f"{count:,} {words.get(v, v)}" for v, count in found.items() if count)
    sent = sum(summary.requests(m)[0] for m in proof.measurements)
    claims = sum(len(m.claims) for m in proof.measurements)
    experiments = plural(len(proof.measurements), "experiment")
    by_verdict = f" ({parts})" if parts else ""
    left_out = f", {len(proof.skipped):,} left out" if proof.skipped else ""
    return f"{experiments}{by_verdict}{left_out}, {plural(claims, 'claim')}, {plural(sent, 'request')}"
