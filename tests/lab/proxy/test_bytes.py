"""Whatever holds bytes back, all of them arrive, in order, and so do both ends."""

import random
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from mainstay.lab.proxy.control import FaultProxy
from mainstay.lab.proxy.faults import (
    Bandwidth,
    Fault,
    Hang,
    HoldDials,
    Latency,
    Refuse,
    ResetAfter,
    Stall,
    Way,
)
from tests.lab.proxy.ends import (
    BRIEFLY,
    Listener,
    connect,
    eventually,
    is_silent,
    meanwhile,
    noise,
    pair,
    read,
    read_to_end,
)

LARGE = noise(3_000_000)

CONSERVING: dict[str, tuple[Fault, ...]] = {
    "nothing": (),
    "latency": (Latency(0.01),),
    "jitter": (Latency(0.01, jitter=0.01),),
    "bandwidth": (Bandwidth(10_000_000),),
    "latency and bandwidth": (Latency(0.01, jitter=0.005), Bandwidth(10_000_000)),
    "hang for newcomers": (Hang(),),
    "held dials for newcomers": (HoldDials(),),
    "refusal of newcomers": (Refuse(),),
    "a reset that is never reached": (ResetAfter(1 << 40), ResetAfter(1 << 40, Way.REQUESTS)),
}


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture
def port(proxy: FaultProxy, listener: Listener, request: pytest.FixtureRequest) -> Iterator[int]:
    name = request.node.name
    yield proxy.open(name, ("127.0.0.1", listener.port))
    proxy.shut(name)


@pytest.fixture
def link(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


@pytest.mark.parametrize("faults", CONSERVING.values(), ids=CONSERVING)
def test_a_large_transfer_each_way_at_once_is_conserved(
    proxy: FaultProxy, link: str, port: int, listener: Listener, faults: tuple[Fault, ...]
) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, *faults)
        with (
            meanwhile(lambda: send_all(client, LARGE)),
            meanwhile(lambda: send_all(upstream, LARGE[::-1])),
            meanwhile(lambda: check(upstream, LARGE)),
        ):
            check(client, LARGE[::-1])
    assert eventually(lambda: proxy.stats(link).open == 0)
    stats = proxy.stats(link)
    assert (stats.requests, stats.answers, stats.lost) == (len(LARGE), len(LARGE), 0)


def send_all(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def check(sock: socket.socket, expected: bytes) -> None:
    assert read_to_end(sock) == expected  # pytest would print megabytes, were it not for the helper


@pytest.mark.parametrize("faults", list(CONSERVING.values())[:5], ids=list(CONSERVING)[:5])
def test_many_small_writes_are_conserved(
    proxy: FaultProxy, link: str, port: int, listener: Listener, faults: tuple[Fault, ...]
) -> None:
    proxy.set(link, *faults)
    pieces = [noise(1 + number % 40, number) for number in range(3000)]
    with pair(port, listener) as (client, upstream):

        def send() -> None:
            for piece in pieces:
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)

        with meanwhile(send):
            check(upstream, b"".join(pieces))


def test_questions_and_answers_alternate_unharmed(port: int, listener: Listener) -> None:
    with pair(port, listener) as (client, upstream):
        for number in range(500):
            question = noise(1 + number, number)
            client.sendall(question)
            assert read(upstream, len(question)) == question
            upstream.sendall(question[::-1])
            assert read(client, len(question)) == question[::-1]


def test_bytes_sent_before_the_dial_is_finished_are_conserved(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    for fault in (Latency(0.1), Stall(), HoldDials()):
        proxy.set(link, fault)
        with connect(port) as client:
            client.sendall(LARGE[:200_000])
            client.shutdown(socket.SHUT_WR)
            if not isinstance(fault, Latency):
                assert not listener.is_dialled()
                proxy.clear(link)
            with listener.accept() as upstream:
                check(upstream, LARGE[:200_000])
                upstream.sendall(b"got it")
                assert read(client, 6) == b"got it"


def test_what_the_upstream_says_first_arrives(port: int, listener: Listener) -> None:
    with pair(port, listener) as (client, upstream):
        upstream.sendall(b"220 ready")
        assert read(client, 9) == b"220 ready"


def test_an_end_of_the_client_leaves_the_answers_open(port: int, listener: Listener) -> None:
    with pair(port, listener) as (client, upstream):
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        check(upstream, b"question")
        assert is_silent(client, 0.05)
        upstream.sendall(LARGE[:50_000])
        upstream.shutdown(socket.SHUT_WR)
        check(client, LARGE[:50_000])


def test_an_end_of_the_upstream_leaves_the_requests_open(port: int, listener: Listener) -> None:
    with pair(port, listener) as (client, upstream):
        upstream.sendall(b"goodbye")
        upstream.shutdown(socket.SHUT_WR)
        check(client, b"goodbye")
        client.sendall(LARGE[:50_000])
        client.shutdown(socket.SHUT_WR)
        check(upstream, LARGE[:50_000])


@pytest.mark.parametrize("faults", [(), (Latency(0.05),)], ids=["at once", "late"])
def test_a_connection_that_closes_right_after_its_last_byte_loses_none(
    proxy: FaultProxy, link: str, port: int, listener: Listener, faults: tuple[Fault, ...]
) -> None:
    proxy.set(link, *faults)
    for number in range(8):
        with connect(port) as client:
            client.sendall(LARGE[:30_000])
        with listener.accept() as upstream:
            check(upstream, LARGE[:30_000])
        with pair(port, listener) as (client, upstream):
            upstream.sendall(LARGE[: 1000 * number])
            upstream.close()
            check(client, LARGE[: 1000 * number])


def test_a_stall_delivers_everything_later_both_ways(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, Stall())
        client.sendall(b"early question")
        upstream.sendall(b"early answer")
        upstream.shutdown(socket.SHUT_WR)
        assert is_silent(client)
        assert is_silent(upstream, 0.02)
        with meanwhile(lambda: send_all(client, LARGE)):
            time.sleep(0.05)
            proxy.clear(link)
            check(upstream, b"early question" + LARGE)
        check(client, b"early answer")


def test_a_stall_on_top_of_a_latency_delivers_what_was_under_way(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, Latency(0.2))
        client.sendall(LARGE[:100_000])
        time.sleep(0.03)
        proxy.set(link, Latency(0.2), Stall())
        assert is_silent(upstream, 0.3)
        proxy.set(link, Latency(0.01))
        client.shutdown(socket.SHUT_WR)
        check(upstream, LARGE[:100_000])


def test_faults_that_come_and_go_in_the_middle_of_a_transfer_conserve_it(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    changes: list[tuple[Fault, ...]] = [
        (Latency(0.02, jitter=0.02),),
        (Stall(),),
        (Bandwidth(5_000_000),),
        (),
        (Latency(0.005), Bandwidth(20_000_000)),
        (Stall(), Latency(0.01)),
        (Refuse(),),
    ]
    data = LARGE * 4
    with (
        pair(port, listener) as (client, upstream),
        meanwhile(lambda: send_all(client, data)),
        meanwhile(lambda: send_all(upstream, data)),
        meanwhile(lambda: check(client, data)),
        meanwhile(lambda: check(upstream, data)),
    ):
        for change in changes * 3:
            proxy.set(link, *change)
            time.sleep(0.01)
        proxy.clear(link)


def test_two_hundred_connections_at_once_are_each_conserved(port: int, listener: Listener) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(200)]
        upstreams = [stack.enter_context(listener.accept()) for _ in clients]
        for number, client in enumerate(clients):
            client.sendall(b"%03d" % number + noise(5000, number))
        for upstream in upstreams:
            head = read(upstream, 3)
            assert read(upstream, 5000) == noise(5000, int(head))
            upstream.sendall(head)
            upstream.shutdown(socket.SHUT_WR)
        for number, client in enumerate(clients):
            check(client, b"%03d" % number)


@pytest.mark.parametrize("faults", [(), (Latency(0.002),), (Stall(),)], ids=["plain", "latency", "stall"])
def test_a_writer_blocks_when_nobody_reads(
    proxy: FaultProxy, link: str, port: int, listener: Listener, faults: tuple[Fault, ...]
) -> None:
    most = 32 << 20  # what kernels hold for three sockets, and some
    proxy.set(link)
    with pair(port, listener) as (client, upstream):
        proxy.set(link, *faults)
        client.setblocking(False)
        sent = 0
        while sent < 3 * most and select.select([], [client], [], 2 * BRIEFLY)[1]:
            sent += client.send(LARGE)
        assert sent < most
        proxy.clear(link)
        arrived = 0
        while arrived < sent:
            arrived += len(upstream.recv(1 << 20))
        assert arrived == sent


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_faults_that_lose_nothing_loses_nothing(
    proxy: FaultProxy, link: str, port: int, listener: Listener, seed: int
) -> None:
    """Ten connections talk in pieces of any size, pause, end in any order, while the faults change."""
    chance = random.Random(seed)
    with ExitStack() as stack:
        pairs = [stack.enter_context(pair(port, listener)) for _ in range(10)]
        with ExitStack() as threads:
            for number, ends in enumerate(pairs):
                for sock, other in (ends, ends[::-1]):
                    data = noise(chance.randrange(400_000), number)
                    sizes = random.Random(chance.random())
                    threads.enter_context(meanwhile(partial(dribble, sock, data, sizes)))
                    threads.enter_context(meanwhile(partial(check, other, data)))
            for _ in range(25):
                proxy.set(link, *any_faults(chance))
                time.sleep(chance.random() * 0.02)
            proxy.clear(link)
    assert eventually(lambda: proxy.stats(link).open == 0)
    assert proxy.stats(link).lost == 0


def dribble(sock: socket.socket, data: bytes, sizes: random.Random) -> None:
    while data:
        size = sizes.choice((1, 100, 10_000, 200_000))
        sock.sendall(data[:size])
        data = data[size:] if size > 1 else data[1:]
        if sizes.random() < 0.3:
            time.sleep(0.002)
    sock.shutdown(socket.SHUT_WR)


def any_faults(chance: random.Random) -> list[Fault]:
    faults: list[Fault] = [
        Latency(0.02 * chance.random()),
        Bandwidth(chance.choice((500_000, 5_000_000, 50_000_000))),
        Stall(),
        Hang(),
        HoldDials(),
        Refuse(),
        ResetAfter(1 << 40),
    ]
    return [fault for fault in faults if chance.random() < 0.3]
