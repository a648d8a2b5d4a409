"""Text for a terminal or a pipe: worst first, and each finding whole.

What a rule says of all its findings is printed with the first of them; the others name it.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from mainstay import __version__
from mainstay.model.finding import Answers, Finding
from mainstay.model.location import Location
from mainstay.model.review import Result, Review, Standing
from mainstay.reports import summary
from mainstay.reports.excerpts import Excerpts
from mainstay.reports.terminal import Paint, clamp, cut, wrap
from mainstay.reports.visible import visible
from mainstay.rules.base import Rule

FORMAT = "text"
ENDING = ".txt"
SIBLINGS = 5  # named; further ones are counted
GAPS = 10
DEEPEST = 5  # hops that are indented, each by two columns
NOTICES = 10
ANSWERS = ("fails", "notices", "recovers", "change", "costs")
LABEL = 12  # columns of the labels, indentation included


def render(review: Review, rules: Sequence[type[Rule]], *, width: int = 80, colour: bool = False) -> str:
    """The findings that count, those of preview rules after them, then what it came to."""
    return "\n".join(_Page(review, rules, clamp(width), Paint(colour)).lines()) + "\n"


class _Page:
    def __init__(self, review: Review, rules: Sequence[type[Rule]], width: int, paint: Paint) -> None:
        self.review, self.width, self.paint = review, width, paint
        self.analysis = {rule.name(): rule.analysis().value for rule in rules}
        self.excerpts = Excerpts(review.root, _places(review.results))
        self.answered: dict[str, tuple[Answers, Location]] = {}

    def lines(self) -> Iterator[str]:
        yield from self.findings(self.review.open)
        preview = summary.of_standing(self.review, Standing.PREVIEW)
        if preview:
            yield from [self.paint("Preview: new rules, which cannot fail a review yet", "bold"), ""]
            yield from self.findings(preview)
        yield from self.closing()

    # --- findings ----------------------------------------------------------------------------------

    def findings(self, results: Iterable[Result]) -> Iterator[str]:
        for severity, group in groupby(results, key=lambda r: r.finding.severity):
            members = list(group)
            yield from [self.paint.severity(severity, f"{severity.word.upper()} ({len(members):,})"), ""]
            for result in members:
                yield from self.finding(result.finding)
                yield ""

    def finding(self, finding: Finding) -> Iterator[str]:
        yield from self.head(finding)
        for line in wrap(finding.message, self.width, "  "):
            yield self.paint(line, "bold")
        quoted = visible(self.excerpts.line(finding.location))
        if quoted:
            gutter = f"{finding.location.line:>6} | "
            yield self.paint(gutter, "dim") + cut(quoted, self.width - len(gutter))
        yield from self.answers(finding)
        yield from self.path(finding)
        yield from self.siblings(finding)
        yield from self.labelled("clears", finding.clears)

    def head(self, finding: Finding) -> Iterator[str]:
        """Where; then which rule, and how sure."""
        paint = self.paint
        about = [self.analysis.get(finding.rule, ""), f"{finding.confidence.word} confidence"]
        words = [paint.severity(finding.severity), paint(visible(finding.rule), "rule")]
        yield paint(visible(str(finding.location)), "place")
        yield "  ".join(["", *words, paint(", ".join(filter(None, about)), "dim")])

    def answers(self, finding: Finding) -> Iterator[str]:
        """The five answers; those that the rule's first finding gave already are only named."""
        given_before = finding.rule in self.answered
        first, place = self.answered.setdefault(finding.rule, (finding.answers, finding.location))
        repeated = []
        for label in ANSWERS:
            answer = getattr(finding.answers, label)
            if given_before and answer == getattr(first, label):
                repeated.append(label)
            else:
                yield from self.labelled(label, answer)
        if repeated:
            yield from self.labelled("as above", f"{', '.join(repeated)}: see {place}")

    def path(self, finding: Finding) -> Iterator[str]:
        """Each hop further in than the one before, on one line or, if that is too long, on two."""
        for number, hop in enumerate(finding.path):
            inset = " " * (LABEL + 2 * min(number, DEEPEST))
            place = inset + visible(str(hop.location))
            lines = wrap(hop.what, self.width, f"{place}  ")
            if len(lines) > 1:
                lines = [place, *wrap(hop.what, self.width, f"{inset}    ")]
            yield from self.with_label("" if number else "path", lines)

    def siblings(self, finding: Finding) -> Iterator[str]:
        if finding.siblings:
            named, left = summary.capped(map(str, finding.siblings), SIBLINGS)
            yield from self.labelled("also at", ", ".join(named) + (f", +{left:,}" if left else ""))

    def labelled(self, label: str, text: str) -> Iterator[str]:
        return self.with_label(label, wrap(text, self.width, " " * LABEL))

    def with_label(self, label: str, lines: Iterable[str]) -> Iterator[str]:
        for number, line in enumerate(lines):
            yield self.paint(f"  {label:<{LABEL - 2}}", "dim") + line[LABEL:] if number == 0 else line

    # --- closing -----------------------------------------------------------------------------------

    def closing(self) -> Iterator[str]:
        review, paint = self.review, self.paint
        style = summary.outcome(review)
        for line in wrap(summary.verdict(review), self.width):
            yield paint(line, style)
        for line in wrap(summary.caution(review), self.width):
            yield paint(line, "inconclusive")
        yield ""
        yield from self.labelled("findings", self.tally())
        read = f"{summary.plural(review.files, 'file')}, {summary.plural(review.lines, 'line')}"
        ran = f"{summary.plural(len(review.rules), 'rule')} of Mainstay {__version__}"
        yield from self.labelled("read", f"{read}, with {ran}")
        yield from self.listed("not read", [f"{gap.location}: {gap.why}" for gap in review.system.gaps], GAPS)
        notices = [f"{n.location}: {n.message}" if n.location else n.message for n in review.notices]
        yield from self.listed("notice", notices, NOTICES)
        yield from self.more()

    def tally(self) -> str:
        found = summary.counts(self.review)
        parts = [f"{number:,} {severity.word}" for severity, number in found.severities.items()]
        aside = {"suppressed": found.suppressed, "baselined": found.baselined, "in preview": found.preview}
        rest = [f"{number:,} {word}" for word, number in aside.items() if number]
        return ", ".join(parts) + (f"; besides {', '.join(rest)}" if rest else "")

    def listed(self, label: str, texts: list[str], most: int) -> Iterator[str]:
        named, left = summary.capped(texts, most)
        for number, text in enumerate([*named, *([f"+{left:,} more"] if left else [])]):
            yield from self.with_label("" if number else label, wrap(text, self.width, " " * LABEL))

    def more(self) -> Iterator[str]:
        if self.review.open:
            rule = visible(self.review.open[0].finding.rule)
            yield from self.labelled("more", f"mainstay explain {rule}")


def _places(results: Iterable[Result]) -> Iterator[Location]:
    return (r.finding.location for r in results if r.standing in (Standing.OPEN, Standing.PREVIEW))
