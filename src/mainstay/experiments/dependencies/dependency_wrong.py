"""HTTP dependencies answer with errors and with nonsense."""

from mainstay.experiments.dependencies.base import DependencyFault
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial


class DependencyWrong(DependencyFault):
    """Errors and nonsense from a dependency are unknown outcomes: neither a crash nor a yes or no.

    Half of the answers of every HTTP dependency are 500s for a while; the others were carried out and cannot
    be read: half a document, a page of HTML, an answer of another shape.

    Treat everything but a well-formed answer as "we do not know", and find out later.
    """

    what = "the services it asks answer nonsense"
    explained_by = ("hidden-failure", "swallowed-exception")

    def applies(self, stand: Stand) -> str:
        if not stand.service.standins:
            return "no HTTP dependency is played by a stand-in of ours"
        return super().applies(stand)

    def asked(self, stand: Stand) -> tuple[str, ...]:
        return tuple(stand.service.standins)

    def inject(self, trial: Trial) -> None:
        for standin in trial.stand.service.standins.values():
            standin.behave(fail=0.5, garbage=True)

    def heal(self, trial: Trial) -> None:
        for standin in trial.stand.service.standins.values():
            standin.behave()
