"""A scraper in the background, against servers that behave, hang, lie and die."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mainstay.lab.paging.scrape import ScrapeError, Scraper, Target
from mainstay.lab.paging.series import Recording

Answer = Callable[[BaseHTTPRequestHandler], None]


def text(handler: BaseHTTPRequestHandler, body: str, status: int = 200, length: int | None = None) -> None:
    data = body.encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(data) if length is None else length))
    handler.end_headers()
    handler.wfile.write(data)


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/metrics"
        finally:
            server.shutdown()
            thread.join()


def until(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    ends = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends:
        time.sleep(0.01)
    return condition()


def ups(recording: Recording, instance: str) -> list[float]:
    with recording.lock:
        return [
            value
            for series in recording.named("up")
            if ("instance", instance) in series.labels
            for value in series.values
        ]


def test_samples_come_in_with_job_and_instance_at_the_time_they_were_asked_for() -> None:
    began = time.monotonic()
    with serving(lambda handler: text(handler, "# TYPE a counter\na_total 5\n")) as url:
        with Scraper([Target("web", "web-1", url)], interval=0.05) as scraper:
            assert until(lambda: len(ups(scraper.recording, "web-1")) >= 3)
        (series,) = scraper.recording.named("a_total")
    assert series.labels == (("instance", "web-1"), ("job", "web"))
    assert set(series.values) == {5.0}
    assert began * 1000 - 1 <= series.times[0] <= time.monotonic() * 1000
    assert scraper.problems == {}


def test_a_target_that_goes_away_is_down_and_comes_back() -> None:
    well = threading.Event()
    well.set()
    with serving(lambda handler: text(handler, "a 1\n", 200 if well.is_set() else 503)) as url:
        target = Target("web", "web-1", url)
        with Scraper([target], interval=0.03) as scraper:
            assert until(lambda: ups(scraper.recording, "web-1")[-1:] == [1.0])
            well.clear()
            assert until(lambda: ups(scraper.recording, "web-1")[-1:] == [0.0])
            assert scraper.problems[target] == "web-1: /metrics answers 503"
            well.set()
            assert until(lambda: ups(scraper.recording, "web-1")[-1:] == [1.0])
            assert until(lambda: not scraper.problems)


def test_nobody_listening_is_down_and_a_target_that_hangs_holds_up_no_other() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, serving(lambda h: text(h, "a 1\n")) as url:
        free = socket.create_server(("127.0.0.1", 0))
        refused = f"http://127.0.0.1:{free.getsockname()[1]}/metrics"
        free.close()
        targets = [
            Target("hang", "hang-1", f"http://127.0.0.1:{silent.getsockname()[1]}/metrics"),
            Target("web", "web-1", url),
            Target("none", "none-1", refused),
        ]
        began = time.monotonic()
        with Scraper(targets, interval=0.05, timeout=1.0) as scraper:
            assert time.monotonic() - began < 0.9, "the caller is not blocked"
            assert until(lambda: len(ups(scraper.recording, "hang-1")) >= 1)
            assert set(ups(scraper.recording, "hang-1")) == {0.0}
            assert set(ups(scraper.recording, "none-1")) == {0.0}
            assert set(ups(scraper.recording, "web-1")) == {1.0}
            assert len(ups(scraper.recording, "web-1")) > len(ups(scraper.recording, "hang-1"))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda handler: text(handler, "a 1\nnot metrics\n"), "line 2 is not a sample"),
        (lambda handler: text(handler, "a 1\n", length=100), "IncompleteRead|cut off"),
        (lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n"), "SSH"),
    ],
)
def test_what_is_not_metrics_counts_as_down_as_in_prometheus(answer: Answer, why: str) -> None:
    with serving(answer) as url:
        target = Target("web", "web-1", url)
        with Scraper([target], interval=0.05) as scraper:
            assert until(lambda: target in scraper.problems)
            assert re.search(why, scraper.problems[target])
    assert set(ups(scraper.recording, "web-1")) == {0.0}


def test_a_drop_at_a_time_does_not_outlast_the_timeout() -> None:
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while not over.wait(0.05):
                handler.wfile.write(b"a 1\n")
        except OSError:
            pass

    with serving(drip) as url, Scraper([Target("web", "web-1", url)], timeout=0.3) as scraper:
        assert until(lambda: ups(scraper.recording, "web-1")[:1] == [0.0])
        over.set()


def test_once_stopped_no_thread_is_left_and_the_series_end() -> None:
    before = threading.active_count()
    recording = Recording()
    with serving(lambda handler: text(handler, "a 1\n")) as url:
        scraper = Scraper([Target("web", "web-1", url)], interval=0.05, recording=recording)
        assert until(lambda: len(ups(recording, "web-1")) >= 2)
        scraper.stop()
        scraper.stop()
    assert threading.active_count() == before
    now = round(time.monotonic() * 1000)
    assert [series.latest(now) for name in ("a", "up") for series in recording.named(name)] == [None, None]


@pytest.mark.parametrize("url", ["http://localhost:1/", "https://127.0.0.1/", "http://10.0.0.1:80/metrics"])
def test_nothing_but_this_machine_is_ever_asked(url: str) -> None:
    with pytest.raises(ScrapeError, match=r"127\.0\.0\.1 only"):
        Scraper([Target("web", "web-1", url)])
