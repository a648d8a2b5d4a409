"""JUnit: one suite for each family of experiments, one case for each claim.

What is undecided is told as skipped, never as passed; what is void by our own fault as an error.  The
seconds of an experiment are shared out evenly among its cases.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from msgspec import Struct

from mainstay.model.gate import GateResult
from mainstay.model.proof import Claim, Measurement, Proof, Verdict
from mainstay.reports.proof import summary
from mainstay.reports.visible import visible

FORMAT = "junit"
ENDING = ".xml"
OTHER = "other"  # the suite of experiments whose family nobody names
ITSELF = "the-experiment"  # the case of what no claim says

ELEMENTS = {Verdict.FAILED: "failure", Verdict.ERROR: "error", Verdict.INCONCLUSIVE: "skipped"}


class _Case(Struct, frozen=True):
    family: str
    experiment: str
    name: str
    seconds: float = 0.0
    element: str = ""  # "failure", "error", "skipped"; none: it passed
    message: str = ""
    lines: tuple[str, ...] = ()


def render(proof: Proof, *, families: Mapping[str, str] = {}, gates: Sequence[GateResult] = ()) -> str:
    """The claims as test cases."""
    cases = [*_measured(proof, families), *_left_out(proof, families)]
    if not proof.measurements:  # a file without any case would look as if all was well
        element = ELEMENTS.get(proof.verdict, "skipped")
        cases.append(_Case(OTHER, "prove", ITSELF, 0.0, element, summary.headline(proof)))
    return "\n".join(_document(proof, cases)) + "\n"


# --- from the proof to cases -----------------------------------------------------------------------


def _measured(proof: Proof, families: Mapping[str, str]) -> Iterator[_Case]:
    for measurement in proof.measurements:
        family = families.get(measurement.experiment, OTHER)
        claims = measurement.claims
        unsaid = measurement.verdict is not Verdict.PASSED and not summary.settled_by(measurement)
        share = measurement.seconds / max(1, len(claims) + (unsaid or not claims))
        for claim in claims:
            yield _case(family, measurement, claim, share)
        if unsaid or not claims:
            element = ELEMENTS.get(measurement.verdict, "")
            message = summary.why(measurement) if element else ""
            yield _Case(family, measurement.experiment, ITSELF, share, element, message)


def _case(family: str, measurement: Measurement, claim: Claim, seconds: float) -> _Case:
    element = ELEMENTS.get(claim.verdict, "")
    word = "inconclusive: " if claim.verdict is Verdict.INCONCLUSIVE else ""
    figures = summary.figures(claim.figures)
    lines = filter(None, [summary.beyond_standard(claim), figures and f"figures: {figures}", *claim.evidence])
    return _Case(
        family=family,
        experiment=measurement.experiment,
        name=claim.name,
        seconds=seconds,
        element=element,
        message=word + claim.said if element else "",
        lines=tuple(lines),
    )


def _left_out(proof: Proof, families: Mapping[str, str]) -> Iterator[_Case]:
    for skipped in proof.skipped:
        family = families.get(skipped.experiment, OTHER)
        message = f"{summary.standing(skipped)}: {skipped.reason}"
        yield _Case(family, skipped.experiment, ITSELF, 0.0, "skipped", message)


# --- from cases to XML -----------------------------------------------------------------------------


def _document(proof: Proof, cases: Sequence[_Case]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    name = f"mainstay prove {proof.service}"
    yield f"<testsuites {_attributes({'name': name, **_counts(cases)})}>"
    for family in sorted({case.family for case in cases}):
        members = [case for case in cases if case.family == family]
        began = {"timestamp": proof.began.removesuffix("Z")}
        yield f"  <testsuite {_attributes({'name': family, **_counts(members), **began})}>"
        for case in members:
            yield from _testcase(case)
        yield "  </testsuite>"
    yield "</testsuites>"


def _counts(cases: Sequence[_Case]) -> dict[str, str]:
    elements = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {name: str(sum(c.element == element for c in cases)) for name, element in elements.items()}
    return {"tests": str(len(cases)), **counts, "time": f"{sum(c.seconds for c in cases):.3f}"}


def _testcase(case: _Case) -> Iterator[str]:
    about = {
        "classname": f"{case.family}.{case.experiment}",
        "name": case.name,
        "time": f"{case.seconds:.3f}",
    }
    lines = "\n".join(map(_text, case.lines))
    opened = f"    <testcase {_attributes(about)}"
    if case.element:
        yield f"{opened}>"
        said = _attributes({"message": case.message})
        yield f"      <{case.element} {said}>{lines}</{case.element}>"
        yield "    </testcase>"
    elif lines:
        yield f"{opened}>"
        yield f"      <system-out>{lines}</system-out>"
        yield "    </testcase>"
    else:
        yield f"{opened}/>"


def _attributes(values: Mapping[str, str]) -> str:
    return " ".join(f'{name}="{_text(value)}"' for name, value in values.items())


def _text(value: str) -> str:
    """Escaped for XML, attributes included; what XML cannot hold is written out."""
    return escape(visible(value))
