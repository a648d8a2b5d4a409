"""A balancer spreads requests over the instances that are ready, and repeats none that may have been done."""

import http.client
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mainstay.lab import balancer as balancer_module
from mainstay.lab.balancer import Balancer, find_haproxy
from mainstay.lab.error import LabError
from mainstay.lab.lab import Lab
from mainstay.lab.proxy.control import FaultProxy

SOON = 10.0
NEEDS_HAPROXY = pytest.mark.skipif(find_haproxy() is None, reason="HAProxy is not installed")
KINDS = [pytest.param(False, id="haproxy", marks=NEEDS_HAPROXY), pytest.param(True, id="own")]


class Instance(ThreadingHTTPServer):
    """Answers with its own port; is ready, or not; can break off in the middle of a request."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        self.is_ready = True
        self.breaks = False
        self.seen: list[str] = []
        super().__init__(("127.0.0.1", port), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that leaves is nothing to print."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Instance

    def do_GET(self) -> None:
        if self.path.startswith("/ready"):
            self._answer(200 if self.server.is_ready else 503)
            return
        self.server.seen.append(self.path)
        if self.server.breaks:
            self.close_connection = True
            return
        self._answer(200)

    def do_POST(self) -> None:
        self.do_GET()

    def _answer(self, status: int) -> None:
        body = str(self.server.port).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quietly."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def proxy(lab: Lab) -> Iterator[FaultProxy]:
    with FaultProxy(lab) as proxy:
        yield proxy


@pytest.fixture
def instances() -> Iterator[list[Instance]]:
    found = [Instance(), Instance()]
    yield found
    for instance in found:
        instance.stop()


@pytest.fixture(params=KINDS)
def balancer(lab: Lab, proxy: FaultProxy, request: pytest.FixtureRequest) -> Iterator[Balancer]:
    balancer = Balancer(lab, proxy, "/ready", own=request.param)
    yield balancer
    balancer.end()


def get(port: int, path: str = "/", method: str = "GET") -> tuple[int, int]:
    """Status, and the port of the instance that answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        return response.status, int(body) if body.isdigit() else 0
    finally:
        connection.close()


def eventually(holds: Callable[[], bool]) -> bool:
    ends = time.monotonic() + SOON
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True


def test_requests_are_spread_over_the_instances(balancer: Balancer, instances: list[Instance]) -> None:
    port = balancer.open([instance.port for instance in instances])
    served = Counter(get(port) for _ in range(20))
    assert served == {(200, instance.port): 10 for instance in instances}


def test_an_instance_that_is_not_ready_gets_nothing_until_it_is_again(
    balancer: Balancer, instances: list[Instance]
) -> None:
    one, two = instances
    port = balancer.open([one.port, two.port])
    one.is_ready = False
    assert eventually(lambda: balancer.well(port) == (False, True))
    assert {get(port) for _ in range(10)} == {(200, two.port)}
    one.is_ready = True
    assert eventually(lambda: balancer.well(port) == (True, True))
    assert {get(port)[1] for _ in range(10)} == {one.port, two.port}


def test_an_instance_that_refuses_is_passed_over_without_a_failed_request(
    balancer: Balancer, instances: list[Instance]
) -> None:
    one, two = instances
    port = balancer.open([one.port, two.port])
    one.stop()  # its checks have not failed yet
    assert [get(port, "/", "POST") for _ in range(10)] == [(200, two.port)] * 10


def test_a_request_that_an_instance_has_seen_is_not_repeated(
    balancer: Balancer, instances: list[Instance]
) -> None:
    for instance in instances:
        instance.breaks = True
    port = balancer.open([instance.port for instance in instances])
    try:
        status, _ = get(port, "/pay", "POST")
    except (http.client.RemoteDisconnected, ConnectionResetError):
        status = 502
    assert status == 502
    assert sum(instance.seen.count("/pay") for instance in instances) == 1


def test_a_rolling_restart_under_load_fails_no_request(balancer: Balancer, instances: list[Instance]) -> None:
    port = balancer.open([instance.port for instance in instances])
    found: list[int] = []
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            try:
                found.append(get(port)[0])
            except OSError:
                found.append(0)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number, instance in enumerate(instances):
            instance.is_ready = False
            assert eventually(lambda number=number: not balancer.well(port)[number])  # type: ignore[misc]
            time.sleep(0.05)  # what it still has in hand
            instance.stop()
            instances[number] = Instance(instance.port)
            assert eventually(lambda: balancer.well(port) == (True, True))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert len(found) > 20
    assert set(found) == {200}


def test_keep_alive_connections_are_kept(balancer: Balancer, instances: list[Instance]) -> None:
    port = balancer.open([instance.port for instance in instances])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)
    connection.connect()
    own_port = connection.sock.getsockname()
    for _ in range(10):
        connection.request("GET", "/")
        assert connection.getresponse().read().isdigit()
        assert connection.sock.getsockname() == own_port
    connection.close()


def test_without_a_path_an_instance_is_ready_while_it_takes_connections(
    lab: Lab, proxy: FaultProxy, instances: list[Instance]
) -> None:
    for own in (False, True) if find_haproxy() else (True,):
        balancer = Balancer(lab, proxy, "", own=own)
        port = balancer.open([instances[0].port])
        instances[0].is_ready = False
        assert get(port) == (200, instances[0].port)
        balancer.end()


def test_a_path_cannot_end_its_line_of_the_configuration(lab: Lab, proxy: FaultProxy) -> None:
    path = "/ready to go#\n  server evil 127.0.0.1:1 'x' \"y\" ${HOME} \\"
    for own in (False, True) if find_haproxy() else (True,):
        balancer = Balancer(lab, proxy, path, own=own)
        instance = Instance()
        port = balancer.open([instance.port])
        time.sleep(0.3)
        assert balancer.well(port) == (True,)
        assert get(port) == (200, instance.port)
        balancer.end()
        instance.stop()


def test_after_its_end_nobody_listens(balancer: Balancer, instances: list[Instance]) -> None:
    port = balancer.open([instances[0].port])
    assert get(port)[0] == 200
    balancer.end()
    balancer.end()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_several_ports_can_be_open(balancer: Balancer, instances: list[Instance]) -> None:
    ports = [balancer.open([instance.port]) for instance in instances]
    assert [get(port)[1] for port in ports] == [instance.port for instance in instances]


def test_it_says_what_it_is(lab: Lab, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "own" in Balancer(lab, proxy, "/ready", own=True).kind
    if find_haproxy():
        assert Balancer(lab, proxy, "/ready").kind.startswith("HAProxy 2") or sys.platform != "linux"
    monkeypatch.setattr(balancer_module, "find_haproxy", lambda: None)
    assert "own" in Balancer(lab, proxy, "/ready").kind


def test_without_instances_there_is_nothing_to_balance(balancer: Balancer) -> None:
    with pytest.raises(LabError, match="at least one instance"):
        balancer.open([])


@NEEDS_HAPROXY
def test_a_haproxy_that_does_not_start_is_told_with_its_log(
    lab: Lab, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balancer_module, "_CONFIGURATION", "nonsense {port}\n")
    with pytest.raises(LabError, match=r"ended with status 1(.|\n)*unknown keyword 'nonsense'"):
        Balancer(lab, proxy, "/ready").open([1])
