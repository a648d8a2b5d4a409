from collections.abc import Iterator

from mainstay.gates.base import Gate, missing
from mainstay.gates.loads import EXPECTED, PEAK, UNDER_LOAD
from mainstay.model.finding import Analysis
from mainstay.model.gate import Evidence
from mainstay.model.proof import Claim, Measurement, Proof, Subject

_LOADS = {EXPECTED: "the expected load", PEAK: "the peak load"}


class Performance(Gate):
    """The budgets of latency and errors hold at the expected load and at the peak.

    It rests on the performance analysis of the code, and on the load that was really put on the service: p95
    and failed requests at both loads, with their bounds, and how much more it carries.

    Mend what the analysis found on the slowest operations first; then add capacity.
    """

    place = 3
    analyses = (Analysis.PERFORMANCE,)
    families = ("load",)

    def asks(self, measurement: Measurement, claim: Claim) -> bool:
        """Capacity always; latency and errors where nothing but load was put on the service."""
        if claim.subject is Subject.CAPACITY:
            return True
        return measurement.experiment in UNDER_LOAD and claim.subject in (Subject.LATENCY, Subject.ERRORS)

    def measured(self, proof: Proof) -> Iterator[Evidence]:
        yield from super().measured(proof)
        for experiment, load in _LOADS.items():
            for subject in (Subject.LATENCY, Subject.ERRORS):
                if not _seen(proof, experiment, subject):
                    yield missing("prove", f"{experiment}/{subject}", f"Nobody measured {subject} at {load}.")


def _seen(proof: Proof, experiment: str, subject: Subject) -> bool:
    return any(
        claim.subject is subject
        for measurement in proof.measurements
        if measurement.experiment == experiment
        for claim in measurement.claims
    )
