"""What every quality gate is made of.

A gate is one class in one file.  Its docstring is its page: the first line says what has to hold, the first
paragraph what it rests on, the last one what to do when it does not pass.  A gate looks at evidence only:
what `review` found, what `prove` measured, which documents and which coverage there are.  What nobody looked
at did not pass, and an assumption alone settles nothing.
"""

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from mainstay.model.finding import Analysis
from mainstay.model.gate import Evidence, GateResult
from mainstay.model.project import ProjectFacts
from mainstay.model.proof import Claim, Measurement, Origin, Proof, Verdict, worst
from mainstay.model.review import Result, Review, Standing
from mainstay.rules.base import Rule
from mainstay.rules.catalogue import all_rules

WORST_FIRST = (Verdict.ERROR, Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.PASSED)
NOT_READ = "file-not-read"  # the rule whose findings are gaps in what was looked at


class Gate:
    """Base of all gates; a subclass says which analyses and which claims it rests on."""

    place: ClassVar[int]  # the gates are always shown in this order
    analyses: ClassVar[tuple[Analysis, ...]] = ()
    families: ClassVar[tuple[str, ...]] = ()  # of experiments: those that apply have to have been done

    def asks(self, measurement: Measurement, claim: Claim) -> bool:
        """Whether a claim of an experiment is evidence for this gate."""
        return False

    def measured(self, proof: Proof) -> Iterator[Evidence]:
        """What `prove` says; a subclass adds what else has to have been measured."""
        yield from _asked(self, proof)

    def known(self, review: Review | None, project: ProjectFacts) -> Iterator[Evidence]:
        """What the project's documents and reports say."""
        yield from ()

    def judge(
        self, review: Review | None, proof: Proof | None, project: ProjectFacts | None = None
    ) -> GateResult:
        """The verdict of this gate, with all that it rests on, worst first."""
        evidence = sorted(
            self._evidence(review, proof, project or ProjectFacts()),
            key=lambda item: WORST_FIRST.index(item.verdict),
        )
        reasons = (_reason(item) for item in evidence if item.verdict is not Verdict.PASSED)
        return GateResult(
            name=self.name(),
            title=self.title(),
            verdict=worst([item.verdict for item in evidence]),
            reasons=tuple(dict.fromkeys(reasons)),
            evidence=tuple(evidence),
        )

    def _evidence(
        self, review: Review | None, proof: Proof | None, project: ProjectFacts
    ) -> Iterator[Evidence]:
        if self.analyses:
            yield from _reviewed(self.analyses, review)
        if type(self).asks is not Gate.asks:
            if proof is None:
                yield missing("prove", "not-proved", "Nothing was measured: run `mainstay prove`.")
            else:
                yield from self.measured(proof)
                yield from _not_done(self.families, proof)
        yield from self.known(review, project)

    @classmethod
    def name(cls) -> str:
        """`error-handling` for the class ErrorHandling."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def title(cls) -> str:
        """`Error handling` for the class ErrorHandling."""
        return cls.name().replace("-", " ").capitalize()

    @classmethod
    def paragraphs(cls) -> list[str]:
        """The docstring's paragraphs, each on one line."""
        text = inspect.cleandoc(cls.__doc__ or "")
        return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]


def missing(source: str, name: str, said: str) -> Evidence:
    """Evidence that nobody looked."""
    return Evidence(source, name, Verdict.INCONCLUSIVE, said)


# --- what was measured -----------------------------------------------------------------------------


def of_claim(measurement: Measurement, claim: Claim) -> Evidence:
    """A claim as evidence; one that rests on assumptions alone settles nothing."""
    verdict, said = claim.verdict, claim.said
    if verdict is Verdict.PASSED and _only_assumed(claim):
        verdict, said = Verdict.INCONCLUSIVE, f"{said} It rests on assumptions alone."
    return Evidence("prove", claim.name, verdict, said, f"{measurement.experiment}/{claim.name}")


def _asked(gate: Gate, proof: Proof) -> Iterator[Evidence]:
    for measurement in proof.measurements:
        for claim in measurement.claims:
            if gate.asks(measurement, claim):
                yield of_claim(measurement, claim)


def _not_done(families: tuple[str, ...], proof: Proof) -> Iterator[Evidence]:
    """Experiments that make sense for the service, and were not done all the same."""
    try:  # experiments are loaded where they are asked for: they need the packages of the extra `prove`
        from mainstay.experiments.catalogue import all_experiments
    except ImportError as error:
        said = f"Which experiments were left out is not known without mainstay[prove]: {error}."
        yield missing("prove", "experiments", said)
        return
    done = {measurement.experiment for measurement in proof.measurements}
    skipped = {skipped.experiment: skipped for skipped in proof.skipped}
    unasked = []
    for experiment in all_experiments():
        name = experiment.name()
        if experiment.family() not in families or name in done:
            continue
        if name not in skipped:
            unasked.append(name)
        elif skipped[name].applies:
            whose = "the project waives it" if skipped[name].waived else "it could not be done"
            yield missing("prove", name, f"{name} was left out, {whose}: {skipped[name].reason}")
    if unasked:
        yield missing("prove", "not-done", f"The proof did not try {', '.join(unasked)}.")


def _only_assumed(claim: Claim) -> bool:
    settled = (Origin.MEASURED, Origin.DERIVED)
    return bool(claim.figures) and not any(figure.origin in settled for figure in claim.figures)


# --- what was found in the code --------------------------------------------------------------------


def _reviewed(analyses: tuple[Analysis, ...], review: Review | None) -> Iterator[Evidence]:
    """The findings of these analyses that count, and what the review did not look at."""
    if review is None:
        yield missing("review", "not-reviewed", "The code was not looked at: run `mainstay review`.")
        return
    if not review.files:
        yield missing("review", "nothing-read", "The review had nothing to read.")
        return
    rules = [rule for rule in all_rules() if rule.analysis() in analyses and rule.name() != NOT_READ]
    names = {rule.name() for rule in rules}
    found = [_of_result(result) for result in _counting(review) if result.finding.rule in names]
    yield from found
    yield from _not_read(review)
    yield from _not_run(rules, review, analyses)
    if not found and names & set(review.rules):
        ran = len(names & set(review.rules))
        said = f"{ran} {'rule' if ran == 1 else 'rules'} found nothing that counts in {review.files:,} files."
        yield Evidence("review", ", ".join(analyses), Verdict.PASSED, said)


def _counting(review: Review) -> Iterator[Result]:
    """The findings that say no: open ones, and those only known before, for they are no better for that."""
    for result in review.results:
        counts = result.standing in (Standing.OPEN, Standing.BASELINED)
        if counts and result.finding.severity >= review.threshold:
            yield result


def _of_result(result: Result) -> Evidence:
    finding = result.finding
    before = " (known before)" if result.standing is Standing.BASELINED else ""
    said = f"{finding.message}{before}"
    return Evidence("review", finding.rule, Verdict.FAILED, said, str(finding.location))


def _not_read(review: Review) -> Iterator[Evidence]:
    for gap in _unexcused(review):
        said = f"It could not be read, so nothing is known of it: {gap.finding.message}"
        yield Evidence("review", NOT_READ, Verdict.INCONCLUSIVE, said, str(gap.finding.location))


def _unexcused(review: Review) -> Iterable[Result]:
    standing = (Standing.SUPPRESSED, Standing.PREVIEW)
    return (r for r in review.results if r.finding.rule == NOT_READ and r.standing not in standing)


def _not_run(
    rules: Iterable[type[Rule]], review: Review, analyses: tuple[Analysis, ...]
) -> Iterator[Evidence]:
    """Rules that the project left out; new ones, in preview, are not asked for."""
    left_out = [rule.name() for rule in rules if not rule.preview and rule.name() not in review.rules]
    if left_out:
        said = f"The review left out {', '.join(left_out)}."
        yield missing("review", f"rules of {' and '.join(analyses)}", said)


def _reason(item: Evidence) -> str:
    return f"{item.place}: {item.said}" if item.place else item.said
