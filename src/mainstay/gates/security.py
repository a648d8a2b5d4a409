from collections.abc import Iterator

from mainstay.gates.base import Gate, missing
from mainstay.model.finding import Analysis
from mainstay.model.gate import Evidence
from mainstay.model.proof import Claim, Measurement, Proof, Subject


class Security(Gate):
    """Every operation is authenticated, authorised and validates its input, or is public for a reason.

    It rests on the security analysis of the code, and on requests that were really sent: without credentials,
    with those of another tenant, malformed; and on planted secrets that were looked for in logs and answers.

    Close what is open to anyone first, then what is open between tenants, then what leaks.
    """

    place = 2
    analyses = (Analysis.SECURITY,)
    families = ("security",)

    def asks(self, measurement: Measurement, claim: Claim) -> bool:
        return claim.subject is Subject.SECURITY

    def measured(self, proof: Proof) -> Iterator[Evidence]:
        yield from super().measured(proof)
        if not any(c.subject is Subject.SECURITY for m in proof.measurements for c in m.claims):
            yield missing("prove", "security", "Nobody tried who may call the running service.")
