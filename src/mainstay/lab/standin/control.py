"""Mainstay's side of a stand-in."""

from pathlib import Path

from mainstay.lab.channel import Channel, Closed
from mainstay.lab.error import LabError
from mainstay.lab.lab import Lab
from mainstay.lab.own_program import own_program
from mainstay.lab.standin.messages import (
    Asked,
    Behave,
    Forget,
    Heard,
    News,
    Order,
    Play,
    Playing,
    Tell,
    Trouble,
)
from mainstay.lab.standin.plan import planned
from mainstay.model.service import Dependency

_WITHIN = 20.0  # seconds for an order; the machine may be busy


class StandInError(LabError):
    """A stand-in cannot do what it should; one sentence."""


class StandIn:
    """An HTTP dependency, played in a process of its own on 127.0.0.1."""

    def __init__(self, lab: Lab, dependency: Dependency, root: Path) -> None:
        """`root` is where the dependency's OpenAPI document is looked for.

        Raises StandInError, and OpenApiError for a document that cannot be read.
        """
        self.name = dependency.name
        self.untold = 0  # requests since `forget()` that were too many to be remembered
        answers = planned(dependency, root)
        command = own_program("mainstay.lab.standin.server")
        self._program = lab.start(f"stand-in-{dependency.name}", command, channel=True)
        assert self._program.channel is not None
        self._channel: Channel[News] = Channel(self._program.channel, News)
        try:
            playing = self._ask(Play(answers, dependency.idempotency_header, lab.port()))
        except StandInError:
            self.end()
            raise
        assert isinstance(playing, Playing)
        self.port = playing.port

    def behave(
        self, latency: float = 0.0, fail: float = 0.0, status: int = 500, garbage: bool = False
    ) -> None:
        """How it answers from now on; without arguments, well.

        `latency` is in seconds, and an effect takes place before it.  A share `fail` of the requests is
        answered `status` and has no effect.  With `garbage`, the effect takes place and no answer can be
        read: HTML, half a document, an empty one and one of another shape, in turn.
        """
        self._ask(Behave(latency, fail, status, garbage))

    def requests(self) -> list[Asked]:
        """What it heard since the last `forget()`, in order; `untold` says how many more there were."""
        asked: list[Asked] = []
        while True:
            page = self._ask(Tell(len(asked)))
            assert isinstance(page, Heard)
            self.untold = page.untold
            asked += page.asked
            if not page.asked or len(asked) >= page.total:
                return asked

    def forget(self) -> None:
        """Begin a new list of requests.  What was done under which idempotency key stays known."""
        self._ask(Forget())
        self.untold = 0

    def end(self) -> None:
        self._channel.close()
        self._program.end()

    def _ask(self, order: Order) -> News:
        try:
            news = self._channel.ask(order, _WITHIN)
        except (Closed, TimeoutError) as error:
            raise StandInError(f"the stand-in of {self.name} is gone: {error}") from error
        if isinstance(news, Trouble):
            raise StandInError(f"the dependency {self.name} cannot be played: {news.why}")
        return news
