from collections.abc import Iterator

from mainstay.gates.base import Gate, missing
from mainstay.gates.loads import UNDER_LOAD
from mainstay.model.finding import Analysis
from mainstay.model.gate import Evidence
from mainstay.model.proof import Claim, Measurement, Proof, Subject, Verdict

_ALWAYS = frozenset(
    {
        Subject.ERRORS,
        Subject.REFUSAL,
        Subject.RECOVERY,
        Subject.INTEGRITY,
        Subject.RESTORE,
        Subject.AVAILABILITY,
    }
)
_NEEDED = {
    Subject.ERRORS: "how many requests fail",
    Subject.RECOVERY: "whether it recovers when something it depends on fails",
    Subject.INTEGRITY: "whether acknowledged writes are kept, and applied once",
}


class ErrorHandling(Gate):
    """Every failure is handled: no unhandled exception, no write lost or doubled, and a way back from each.

    It rests on the failure and integrity analyses of the code, and on what was measured while the service was
    broken: failed requests and how their callers were told, recovery, the ledger of all writes, the restore.

    Begin with what loses or doubles data, then with what does not recover by itself.
    """

    place = 1
    analyses = (Analysis.FAILURE, Analysis.INTEGRITY)
    families = ("database", "dependencies", "integrity", "metastability", "restarts")

    def asks(self, measurement: Measurement, claim: Claim) -> bool:
        """All of reliability; and the latency while something was broken."""
        if claim.subject is Subject.LATENCY:
            return measurement.experiment not in UNDER_LOAD
        return claim.subject in _ALWAYS

    def measured(self, proof: Proof) -> Iterator[Evidence]:
        """Also experiments that ended badly for a reason that no claim tells: none of those may be lost."""
        yield from super().measured(proof)
        seen = {c.subject for m in proof.measurements for c in m.claims}
        for subject, what in _NEEDED.items():
            if subject not in seen:
                yield missing("prove", str(subject), f"Nobody measured {what}.")
        for m in proof.measurements:
            if m.verdict is not Verdict.PASSED and not any(c.verdict is m.verdict for c in m.claims):
                yield Evidence(
                    "prove", m.experiment, m.verdict, m.why or "It does not say why.", m.experiment
                )
