from collections.abc import Iterator

from mainstay.gates.base import Gate, missing
from mainstay.model.finding import Analysis
from mainstay.model.gate import Evidence
from mainstay.model.project import ProjectFacts
from mainstay.model.proof import Claim, Measurement, Proof, Subject, Verdict
from mainstay.model.review import Review


class Monitoring(Gate):
    """Every critical metric is watched: when users suffer, someone is told, and the logs name the cause.

    It rests on the monitoring analysis of the code, on the alert rules of the project, and on whether one of
    them fired while the service was really broken.

    Write the alert for what users feel first (failed and slow requests), then those that name the cause.
    """

    place = 4
    analyses = (Analysis.MONITORING,)
    families = ("paging",)

    def asks(self, measurement: Measurement, claim: Claim) -> bool:
        return claim.subject is Subject.PAGING

    def measured(self, proof: Proof) -> Iterator[Evidence]:
        yield from super().measured(proof)
        if not any(c.subject is Subject.PAGING for m in proof.measurements for c in m.claims):
            yield missing("prove", "paging", "Nobody measured whether anyone would have been paged.")

    def known(self, review: Review | None, project: ProjectFacts) -> Iterator[Evidence]:
        documents = project.documents
        if documents is None:
            yield missing("project", "alerts", "Nobody looked for alert rules.")
        elif documents.alerts:
            count = len(documents.alerts)
            said = f"{count} alert {'rule has' if count == 1 else 'rules have'} a threshold."
            yield Evidence("project", "alerts", Verdict.PASSED, said, str(documents.alerts[0].location))
        elif documents.unread:
            said = f"No alert rule was found; {documents.unread[0]}"
            yield Evidence("project", "alerts", Verdict.INCONCLUSIVE, said)
        else:
            said = "There are no alert rules: nobody is told when users suffer."
            yield Evidence("project", "alerts", Verdict.FAILED, said)
