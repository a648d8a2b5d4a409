from collections.abc import Iterator

from mainstay.gates.base import Gate, missing
from mainstay.model.gate import Evidence
from mainstay.model.project import AlertPage, Documents, ProjectFacts, RunbookLink
from mainstay.model.proof import Verdict
from mainstay.model.review import Review

_PRINTS_ITS_OWN = {"fastapi": "FastAPI", "ninja": "Django Ninja"}
_LINKS = {
    RunbookLink.FOUND: (Verdict.PASSED, "{runbook} says what to do."),
    RunbookLink.NAMED: (Verdict.INCONCLUSIVE, "Its runbook is at {runbook}, where nobody has looked."),
    RunbookLink.BROKEN: (Verdict.FAILED, "Its runbook, {runbook}, is not there or does not speak of it."),
    RunbookLink.NONE: (Verdict.FAILED, "No runbook says what to do when it fires."),
}


class Documentation(Gate):
    """Whoever calls the service, is paged for it or has lost it finds what to do written down.

    It rests on the files of the project: an OpenAPI document, a runbook for each alert, and a document that
    says how to get the service and its data back after a disaster.

    Write the runbook of the alert that fires most first; the next one on call is the reader.
    """

    place = 5

    def known(self, review: Review | None, project: ProjectFacts) -> Iterator[Evidence]:
        documents = project.documents
        if documents is None:
            yield missing("project", "documents", "Nobody looked for documents.")
            return
        yield _specification(documents, review)
        yield from map(_runbook, documents.alerts)
        if not documents.alerts:
            yield missing("project", "runbooks", "There are no alert rules that runbooks could belong to.")
        yield _recovery(documents)
        for unread in documents.unread:
            yield missing("project", "not-read", unread)


def _specification(documents: Documents, review: Review | None) -> Evidence:
    if documents.openapi:
        path = documents.openapi[0]
        return Evidence("project", "openapi", Verdict.PASSED, "It specifies the API.", path)
    frameworks = {o.framework for o in review.system.operations} if review else set()
    for name, title in _PRINTS_ITS_OWN.items():
        if name in frameworks:
            said = f"{title} can print an OpenAPI document; none is kept with the code for reviewers."
            return missing("project", "openapi", said)
    return Evidence("project", "openapi", Verdict.FAILED, "There is no OpenAPI document.")


def _runbook(alert: AlertPage) -> Evidence:
    verdict, said = _LINKS[alert.link]
    sentence = f"Alert `{alert.name}`: {said.format(runbook=alert.runbook)}"
    return Evidence("project", "runbooks", verdict, sentence, str(alert.location))


def _recovery(documents: Documents) -> Evidence:
    if documents.recovery:
        said = "It says what to do after a disaster."
        return Evidence("project", "disaster-recovery", Verdict.PASSED, said, documents.recovery[0])
    said = "No document says how to get the service and its data back after a disaster."
    return Evidence("project", "disaster-recovery", Verdict.FAILED, said)
