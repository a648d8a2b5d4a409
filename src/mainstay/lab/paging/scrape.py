"""Scrapes the metrics of a service's processes once a second, as Prometheus would."""

import http.client
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from mainstay.lab.error import LabError
from mainstay.lab.paging.exposition import Exposition, Labels, NotExposition, Reader
from mainstay.lab.paging.series import Recording

_ACCEPT = "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"
_BIGGEST = 10 << 20  # bytes
_CHUNK = 1 << 16


class ScrapeError(LabError):
    """A target that cannot be scraped at all; the message is one sentence."""


class Target(Struct, frozen=True):
    """Where one process shows its metrics; `process` becomes the label `job`."""

    process: str
    instance: str
    url: str
    own: tuple[tuple[str, str], ...] = ()  # labels that the project's own Prometheus gives it

    @property
    def labels(self) -> Labels:
        """The labels that it adds to all its series, sorted."""
        return tuple(sorted({"instance": self.instance, "job": self.process, **dict(self.own)}.items()))


class Scraper:
    """Scrapes targets in the background, a thread for each, until `stop`.

    A target that does not answer whole within `timeout` seconds is down.  Prometheus waits 10 s unless it is
    told otherwise; an experiment has no such time.  Raises ScrapeError for an address that is not 127.0.0.1.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        interval: float = 1.0,
        timeout: float = 2.0,
        recording: Recording | None = None,
    ) -> None:
        self.recording = Recording() if recording is None else recording
        self.problems: dict[Target, str] = {}  # why the last scrape of a target failed
        self._interval = interval
        self._timeout = timeout
        self._stopping = threading.Event()
        self._threads = [self._thread(target) for target in targets]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Scraper":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End all scraping; returns within the timeout of one scrape.  May be called twice."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _thread(self, target: Target) -> threading.Thread:
        parts = urlsplit(target.url)
        if parts.scheme != "http" or parts.hostname != "127.0.0.1":
            raise ScrapeError(f"metrics are scraped on http://127.0.0.1 only, not at {target.url!r}")
        try:
            port = parts.port or 80
        except ValueError as error:
            raise ScrapeError(f"no port can be read in {target.url!r}") from error
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return threading.Thread(
            target=self._run, args=(target, port, path), name=f"scrape {target.instance}", daemon=True
        )

    def _run(self, target: Target, port: int, path: str) -> None:
        reader = Reader()
        due = time.monotonic()
        while not self._stopping.is_set():
            self._scrape(target, port, path, reader)
            now = time.monotonic()
            due += self._interval
            if due < now:  # a slow answer costs the scrapes that were due meanwhile, and sends none in a row
                due += ((now - due) // self._interval + 1) * self._interval
            self._stopping.wait(due - now)
        self.recording.left(time.monotonic(), target.labels)

    def _scrape(self, target: Target, port: int, path: str, reader: Reader) -> None:
        began = time.monotonic()
        try:
            shown = self._ask(port, path, reader, began + self._timeout)
        except (OSError, http.client.HTTPException, NotExposition) as error:
            if not self._stopping.is_set():
                self.problems[target] = f"{target.instance}: {str(error) or type(error).__name__}"
                self.recording.failed(began, target.labels, time.monotonic() - began)
            return
        self.problems.pop(target, None)
        took = time.monotonic() - began
        self.recording.scraped(began, target.labels, shown.samples, shown.types, took)

    def _ask(self, port: int, path: str, reader: Reader, ends: float) -> Exposition:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self._timeout)
        try:
            connection.request("GET", path, headers={"Accept": _ACCEPT, "Connection": "close"})
            with connection.getresponse() as answer:
                if answer.status != 200:
                    raise NotExposition(f"/metrics answers {answer.status}")
                body = self._body(answer, ends)
                kind = answer.headers.get("Content-Type", "")
        finally:
            connection.close()
        return reader.read(body.decode("utf-8", "replace"), openmetrics="openmetrics" in kind.lower())

    def _body(self, answer: http.client.HTTPResponse, ends: float) -> bytes:
        heard = bytearray()
        while part := answer.read1(_CHUNK):
            heard += part
            if len(heard) > _BIGGEST:
                raise NotExposition(f"/metrics is larger than {_BIGGEST >> 20} MB")
            if time.monotonic() > ends or self._stopping.is_set():
                raise TimeoutError("/metrics did not end in time")
        if answer.length:  # bytes that were promised and never came
            raise NotExposition("/metrics was cut off")
        return bytes(heard)
