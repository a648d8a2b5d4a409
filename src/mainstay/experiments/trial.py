"""One experiment under way: its load, what is done to the service meanwhile, and what is seen of it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mainstay.evidence import ledger
from mainstay.evidence.windows import bars, tallies, windows
from mainstay.experiments.stand import Stand
from mainstay.lab import logs
from mainstay.lab.load.control import LoadError
from mainstay.lab.logs import LogEvent, Place
from mainstay.lab.machine import Machine
from mainstay.lab.paging.scrape import Scraper, Target
from mainstay.model.proof import Band, Claim, Curve, LedgerTotals, LogExcerpt, Measurement, worst
from mainstay.model.record import Record

SHOWN_EVERY_S = 0.5
RESPAWN_S = 0.1  # a supervisor brings a process back this long after it ended
WINDOW_S = 1.0
EXCERPTS = 6


class Trial:
    """What an experiment holds in its hands while it runs."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.began = time.monotonic()
        self.records: list[Record] = []
        self.bands: list[Band] = []
        self.notes: list[str] = []
        self.ledger: LedgerTotals | None = None
        self.curve: Curve | None = None
        self.supervised = True  # a process that ends is started again, as in production
        self.deaths: list[str] = []
        self.known = stand.known() | stand.tokens  # of the ledger, from before
        self.machine = Machine()
        self.rate = 0.0  # of the load
        self.loaded = 0.0  # when the load began
        self.ended = 0.0  # when the last of it was due
        self._doing = "getting ready"
        self._ended_at: dict[str, float] = {}
        self._places = list(logs.mark({i.name: i.program.log for i in stand.service.instances}))
        self._scraper: Scraper | None = None

    @property
    def scraper(self) -> Scraper | None:
        """What is scraped of the service's metrics; None before `watch_metrics`."""
        return self._scraper

    def events(self) -> tuple[LogEvent, ...]:
        """The errors in the logs of the service since the trial began."""
        return logs.events(self._places)

    @property
    def places(self) -> tuple[Place, ...]:
        """The logs of the service, each from where the trial began."""
        return tuple(self._places)

    def follow(self) -> None:
        """The service was started anew: its logs are elsewhere now."""
        self._places = list(logs.mark({i.name: i.program.log for i in self.stand.service.instances}))

    # --- the load ----------------------------------------------------------------------------

    def load(
        self,
        rate: float,
        seconds: float,
        *,
        retries: int = 0,
        only: Sequence[str] = (),
        fresh: float = 0.5,
        arrivals: str = "",
    ) -> None:
        """Send so many requests a second from now on, for so many seconds; `go_on` lets the time pass."""
        stand = self.stand
        only = tuple(only) or stand.mix
        self.doing("filling the pools")
        try:
            self.records.extend(stand.stock(rate, seconds, only))
        except LoadError as error:
            self.records.extend(error.records)
            raise
        only = tuple(name for name in only if name in stand.mix)
        self.loaded = stand.driver.start(
            rate,
            seconds,
            arrivals=arrivals or stand.declaration.load.arrivals,
            fresh=fresh,
            retries=retries,
            only=only,
        )
        if not self.counted and not self.bands:
            self.began = self.loaded  # the timeline begins with the load, not with filling the pools
        self.ended = self.loaded + seconds
        self.rate = rate
        self.doing("steady load")

    def go_on(self, seconds: float) -> None:
        """Let so many seconds pass, and hear what becomes of the requests."""
        self.until(lambda: False, seconds)

    def until(self, done: Callable[[], bool], most: float) -> bool:
        """Let time pass until `done`, or for `most` seconds; True when it was done."""
        ends = time.monotonic() + most
        shown = 0.0
        while (now := time.monotonic()) < ends:
            self._hear(min(0.05, ends - now))
            self._supervise()
            self.machine.look()
            if done():
                return True
            if now - shown >= SHOWN_EVERY_S:
                shown = now
                self._show()
        return done()

    def _hear(self, seconds: float) -> None:
        """Take in what has become of requests; without a load, let the time pass."""
        heard = self.stand.driver.poll(seconds)
        self.records.extend(heard)
        if not heard and not self.stand.driver.running():
            time.sleep(seconds)

    def waiting_since(self) -> float:
        """When the oldest request that nobody has answered yet was due; now, when there is none."""
        return self.stand.driver.oldest or time.monotonic()

    def finish(self) -> None:
        """Send nothing more, and wait for the requests that are on their way."""
        self.doing("waiting for the last answers")
        self.records.extend(self.stand.driver.stop())
        if self.ended > time.monotonic():
            self.ended = time.monotonic()
        self._supervise()

    def run_load(self, rate: float, seconds: float) -> None:
        """A load from its beginning to its last answer, with nothing done to the service."""
        self.load(rate, seconds)
        self.go_on(self.loaded + seconds - time.monotonic())
        self.finish()

    # --- what is done to the service ---------------------------------------------------------

    def doing(self, what: str) -> None:
        """Tell whoever looks on what is being done."""
        self._doing = what
        self._show()

    @contextmanager
    def band(self, what: str) -> Iterator[None]:
        """Something is done to the service in this block; the timeline shows it."""
        began = time.monotonic()
        before, self._doing = self._doing, what
        self._show()
        try:
            yield
        finally:
            self.bands.append(Band(what, began - self.began, time.monotonic() - self.began))
            self._doing = before

    def watch_metrics(self) -> None:
        """Scrape the service's metrics from now on."""
        targets = [
            Target(instance.process.name, instance.name, url)
            for instance, url in self.stand.service.metrics()
        ]
        if targets and self._scraper is None:
            self._scraper = Scraper(targets)

    @property
    def disturbed(self) -> str:
        """What kept the machine busy beside us; empty when nothing did."""
        ended = min(self.ended, time.monotonic())
        if not self.machine.busy(self.loaded, ended):
            return ""
        return f"others used {self.machine.taken(self.loaded, ended):.0%} of the machine meanwhile"

    def close(self) -> None:
        """Let go of everything that the trial holds."""
        self.stand.tokens |= ledger.tokens(self.records)
        if self._scraper is not None:
            self._scraper.stop()

    def _supervise(self) -> None:
        """Bring back what has ended, as a supervisor would."""
        now = time.monotonic()
        for index, instance in enumerate(self.stand.service.instances):
            if instance.dismissed or instance.program.status() is None:
                continue
            key = f"{index}"
            if key not in self._ended_at:
                self._ended_at[key] = now
                self.deaths.append(f"{instance.name} ended with status {instance.program.status()}")
            elif self.supervised and now - self._ended_at[key] >= RESPAWN_S:
                del self._ended_at[key]
                self.stand.service.instances[index] = self.stand.service.relaunch(instance)
                self._places.append(Place(instance.name, self.stand.service.instances[index].program.log))

    def _show(self) -> None:
        counted = [r for r in self.records if not r.stocking]
        latest = [r.latency for r in counted[-200:] if r.ok]
        p95 = sorted(latest)[int(len(latest) * 0.95)] if latest else None
        failed = sum(not r.ok for r in counted)
        self.stand.observer.doing(self._doing, len(counted), failed, p95)

    # --- what was seen -----------------------------------------------------------------------

    @property
    def counted(self) -> list[Record]:
        """The requests of the load; those that filled pools are not of it."""
        return [record for record in self.records if not record.stocking]

    def between(self, start: float, end: float) -> list[Record]:
        """The requests of the load that were due then."""
        return [record for record in self.counted if start <= record.due < end]

    def due_between(self, start: float, end: float) -> float:
        """How many requests of the load were due then, those that nobody has answered yet included."""
        start, end = max(start, self.loaded), min(end, self.ended)
        return max(0.0, end - start) * self.rate

    def measurement(
        self, experiment: str, hypothesis: str, claims: Sequence[Claim], explained_by: tuple[str, ...]
    ) -> Measurement:
        """All of it in one struct."""
        counted = self.counted
        return Measurement(
            experiment=experiment,
            verdict=worst([claim.verdict for claim in claims]),
            hypothesis=hypothesis,
            claims=tuple(claims),
            seconds=time.monotonic() - self.began,
            bands=tuple(self.bands),
            windows=windows(counted, self.began, self.ended or time.monotonic(), WINDOW_S),
            histogram=bars(counted),
            tallies=tallies(counted),
            ledger=self.ledger,
            curve=self.curve,
            logs=self._excerpts(),
            notes=tuple(self.notes),
            explained_by=explained_by,
        )

    def _excerpts(self) -> tuple[LogExcerpt, ...]:
        """The first error event of each kind, with the lines around it."""
        paths = {place.process: place.path for place in self._places}
        kinds: dict[tuple[str, str], LogEvent] = {}
        for event in self.events():
            kinds.setdefault((event.process, event.text[:60]), event)
        return tuple(
            LogExcerpt(event.process, 0.0, logs.around(paths[event.process], event.line_offset))
            for event in list(kinds.values())[:EXCERPTS]
        )
