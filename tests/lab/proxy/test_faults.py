"""Each fault is seen at both ends as the event it plays would be."""

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mainstay.lab.error import LabError
from mainstay.lab.proxy.control import FaultProxy
from mainstay.lab.proxy.faults import (
    Bandwidth,
    Drop,
    Fault,
    HalfOpen,
    Hang,
    HoldDials,
    ImpossibleFault,
    Latency,
    Refuse,
    Reset,
    ResetAfter,
    Stall,
    Way,
)
from tests.lab.proxy.ends import (
    SOON,
    Listener,
    connect,
    cut,
    eventually,
    is_silent,
    meanwhile,
    noise,
    pair,
    read,
    read_to_end,
)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture
def link(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


@pytest.fixture
def port(proxy: FaultProxy, listener: Listener, link: str) -> Iterator[int]:
    yield proxy.open(link, ("127.0.0.1", listener.port))
    proxy.shut(link)


def round_trip(client: socket.socket, upstream: socket.socket) -> float:
    began = time.monotonic()
    client.sendall(b"?")
    assert read(upstream, 1) == b"?"
    upstream.sendall(b"!")
    assert read(client, 1) == b"!"
    return time.monotonic() - began


def works(port: int, listener: Listener) -> bool:
    with pair(port, listener) as (client, upstream):
        return round_trip(client, upstream) < SOON


def was_reset(sock: socket.socket) -> bool:
    try:
        return not read_to_end(sock) and False
    except ConnectionResetError:
        return True


# Latency


def test_latency_is_a_round_trip_and_grows_with_what_was_asked_for(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        taken = []
        for seconds in (0.0, 0.02, 0.1, 0.3):
            proxy.set(link, *([Latency(seconds)] if seconds else []))
            taken.append(min(round_trip(client, upstream) for _ in range(3)))
    assert taken == sorted(taken)
    for seconds, least in zip((0.0, 0.02, 0.1, 0.3), taken, strict=True):
        assert seconds <= least < seconds + 0.1


def test_latency_is_spent_half_on_each_way(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, Latency(0.2))
        for source, target in ((client, upstream), (upstream, client)):
            began = time.monotonic()
            source.sendall(b"x")
            assert read(target, 1) == b"x"
            assert 0.1 <= time.monotonic() - began < 0.19


def test_latency_delays_the_first_answer_on_a_new_connection_by_the_handshake_too(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    proxy.set(link, Latency(0.1))
    began = time.monotonic()
    with pair(port, listener) as (client, upstream):
        round_trip(client, upstream)
        assert 0.2 <= time.monotonic() - began < 0.4


def test_jitter_spreads_the_round_trips_around_the_latency(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, Latency(0.02, jitter=0.02))
        taken = [round_trip(client, upstream) for _ in range(40)]
    assert min(taken) < 0.015
    assert max(taken) > 0.025
    assert 0.012 < sorted(taken)[20] < 0.06


def test_latency_does_not_limit_the_rate(proxy: FaultProxy, link: str, port: int, listener: Listener) -> None:
    proxy.set(link, Latency(0.1))
    data = noise(2_000_000)
    with pair(port, listener) as (client, upstream), meanwhile(lambda: client.sendall(data)):
        began = time.monotonic()
        assert read(upstream, len(data)) == data
        assert time.monotonic() - began < 1.5  # 20 pieces after each other would take 3 s


def test_to_clear_a_latency_delivers_what_is_under_way_at_once(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, Latency(3000))
        client.sendall(b"x")
        assert is_silent(upstream, 0.05)
        proxy.clear(link)
        assert read(upstream, 1) == b"x"


# Bandwidth


@pytest.mark.parametrize("way", list(Way))
def test_bandwidth_is_the_rate_of_each_way(
    proxy: FaultProxy, link: str, port: int, listener: Listener, way: Way
) -> None:
    proxy.set(link, Bandwidth(200_000))
    data = noise(100_000)
    with pair(port, listener) as (client, upstream):
        source, target = (client, upstream) if way is Way.REQUESTS else (upstream, client)
        began = time.monotonic()
        with meanwhile(lambda: source.sendall(data)):
            assert read(target, len(data)) == data
        assert 0.45 < time.monotonic() - began < 0.9


def test_connections_share_the_bandwidth_fairly(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    proxy.set(link, Bandwidth(400_000))
    with ExitStack() as stack:
        pairs = [stack.enter_context(pair(port, listener)) for _ in range(4)]
        began = time.monotonic()
        finished = []

        def take(upstream: socket.socket) -> None:
            read(upstream, 50_000)
            finished.append(time.monotonic() - began)

        with ExitStack() as threads:
            for client, upstream in pairs:
                threads.enter_context(meanwhile(lambda upstream=upstream: take(upstream)))  # type: ignore[misc]
                client.sendall(noise(50_000))
    assert 0.45 < max(finished) < 1.0
    assert min(finished) > 0.6 * max(finished)


def test_a_narrow_line_that_widens_lets_the_rest_through(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    proxy.set(link, Bandwidth(1000))
    with pair(port, listener) as (client, upstream):
        client.sendall(noise(100_000))
        assert read(upstream, 10)
        proxy.set(link, Bandwidth(10_000_000))
        assert read(upstream, 99_990)[-10:] == noise(100_000)[-10:]


# The three black holes


def test_a_stall_holds_new_connections_and_serves_them_later(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    proxy.set(link, Stall())
    with connect(port) as client:
        client.sendall(b"hello")
        assert not listener.is_dialled()
        proxy.clear(link)
        with listener.accept() as upstream:
            assert read(upstream, 5) == b"hello"


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_stall_hides_that_the_other_end_has_gone_until_it_is_over(
    proxy: FaultProxy, link: str, port: int, listener: Listener, end: str
) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, Stall())
        client.sendall(b"last")
        if end == "close":
            client.close()
        else:
            cut(client)
        assert is_silent(upstream)
        proxy.clear(link)
        if end == "close":
            assert read_to_end(upstream) == b"last"
        else:
            assert was_reset(upstream)


def test_drop_acknowledges_and_never_delivers_even_after_it_is_cleared(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        round_trip(client, upstream)
        proxy.set(link, Drop())
        with meanwhile(lambda: client.sendall(noise(20_000_000))):  # nothing blocks: it is all acknowledged
            pass
        upstream.sendall(b"answer")
        assert is_silent(client)
        proxy.clear(link)
        client.sendall(b"more")
        upstream.sendall(b"more")
        assert is_silent(client)
        assert is_silent(upstream)
        assert works(port, listener)
        assert proxy.stats(link).lost == 20_000_000 + 6 + 8


def test_drop_tells_neither_end_that_the_other_one_closed(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream), pair(port, listener) as (other, far):
        proxy.set(link, Drop())
        client.close()
        cut(far)
        proxy.clear(link)
        assert is_silent(upstream)
        assert is_silent(other)
        assert proxy.stats(link).open == 2
        upstream.close()
        other.close()
        assert eventually(lambda: proxy.stats(link).open == 0)


def test_drop_loses_what_was_under_way(proxy: FaultProxy, link: str, port: int, listener: Listener) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, Latency(0.2))
        client.sendall(b"under way")
        assert is_silent(upstream, 0.03)
        proxy.set(link, Drop())
        proxy.clear(link)
        assert is_silent(upstream, 0.3)


def test_drop_loses_newcomers_while_it_lasts_and_these_for_ever(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    proxy.set(link, Drop())
    with connect(port) as client:
        client.sendall(b"hello")
        assert is_silent(client)
        proxy.clear(link)
        assert works(port, listener)
        assert is_silent(client)


def test_drop_without_newcomers_loses_open_connections_alone(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, Drop(newcomers=False))
        assert works(port, listener)
        client.sendall(b"x")
        assert is_silent(upstream)


def test_hang_accepts_never_dials_and_never_answers(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, Hang())
        with connect(port) as newcomer:
            newcomer.sendall(b"hello")
            assert is_silent(newcomer)
            assert not listener.is_dialled(0)
            round_trip(client, upstream)
            proxy.clear(link)
            assert works(port, listener)
            assert is_silent(newcomer)
        assert eventually(lambda: proxy.stats(link).open == 1)


def test_a_client_that_gave_up_on_a_hang_is_let_go_when_it_is_cleared(
    proxy: FaultProxy, link: str, port: int
) -> None:
    proxy.set(link, Hang())
    with connect(port) as client:
        client.shutdown(socket.SHUT_WR)
        assert is_silent(client)
        assert proxy.stats(link).open == 1
        proxy.clear(link)
        assert read_to_end(client) == b""
    assert proxy.stats(link).open == 0


def test_held_dials_wait_and_open_connections_do_not(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, HoldDials())
        with connect(port) as newcomer:
            newcomer.sendall(b"hello")
            assert not listener.is_dialled()
            round_trip(client, upstream)
            proxy.clear(link)
            with listener.accept() as served:
                assert read(served, 5) == b"hello"


# Cuts


def test_reset_is_an_rst_at_both_ends_once(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        round_trip(client, upstream)
        proxy.set(link, Reset())
        assert was_reset(client)
        assert was_reset(upstream)
    assert works(port, listener)
    assert proxy.faults(link) == ()


def test_reset_spares_the_faults_in_force(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    proxy.set(link, Latency(0.1))
    with pair(port, listener) as (client, upstream):
        proxy.reset(link)
        assert was_reset(client)
        assert was_reset(upstream)
    with pair(port, listener) as (client, upstream):
        assert round_trip(client, upstream) >= 0.1


def test_reset_ends_stalled_dropped_hung_and_waiting_connections_too(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    faults: list[Fault] = [Stall(), Drop(), Hang(), HoldDials()]
    with pair(port, listener) as (client, upstream):
        for fault in faults:
            proxy.set(link, fault)
            with connect(port) as newcomer:
                newcomer.sendall(b"x")
                assert is_silent(newcomer, 0.02)
                proxy.reset(link)
                assert was_reset(newcomer)
        assert was_reset(client)
        assert was_reset(upstream)
    assert proxy.stats(link).open == 0


def test_refuse_is_econnrefused_and_leaves_open_connections_alone(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, Refuse())
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                connect(port)
        round_trip(client, upstream)
        proxy.clear(link)
        round_trip(client, upstream)
    assert works(port, listener)


def test_refuse_with_reset_is_a_crash(proxy: FaultProxy, link: str, port: int, listener: Listener) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, Refuse(), Reset())
        assert was_reset(client)
        assert was_reset(upstream)
        with pytest.raises(ConnectionRefusedError):
            connect(port)
    proxy.clear(link)
    assert works(port, listener)


@pytest.mark.parametrize("way", list(Way))
def test_half_open_loses_one_direction_and_delivers_the_other(
    proxy: FaultProxy, link: str, port: int, listener: Listener, way: Way
) -> None:
    with pair(port, listener) as (client, upstream), pair(port, listener) as (quiet, far):
        dead, living = (client, upstream) if way is Way.REQUESTS else (upstream, client)
        proxy.set(link, HalfOpen(way))
        dead.sendall(b"lost")
        living.sendall(b"heard")
        assert read(dead, 5) == b"heard"
        assert is_silent(living)
        proxy.clear(link)
        dead.sendall(b"still lost")
        assert is_silent(living)
        round_trip(quiet, far)  # it had lost nothing
    assert works(port, listener)


def test_half_open_hides_the_end_of_who_is_not_heard(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream):
        proxy.set(link, HalfOpen(Way.ANSWERS))
        cut(upstream)
        assert is_silent(client)
        client.sendall(b"into the void")
        assert is_silent(client, 0.05)


@pytest.mark.parametrize("count", [1, 1000, 300_000])
@pytest.mark.parametrize("way", list(Way))
def test_reset_after_delivers_exactly_so_many_bytes(
    proxy: FaultProxy, link: str, port: int, listener: Listener, count: int, way: Way
) -> None:
    with pair(port, listener) as (client, upstream):
        round_trip(client, upstream)
        proxy.set(link, ResetAfter(count, way))
        source, target = (client, upstream) if way is Way.REQUESTS else (upstream, client)
        data = noise(400_000)
        found = bytearray()

        def listen() -> None:
            while data := target.recv(1 << 16):
                found.extend(data)

        def expect_reset() -> None:
            with pytest.raises(ConnectionResetError):
                listen()

        def talk() -> None:
            for _ in range(100):
                source.sendall(data)

        with meanwhile(expect_reset), pytest.raises((ConnectionResetError, BrokenPipeError)):
            talk()
        assert bytes(found) == data[:count]


def test_reset_after_counts_for_each_connection_and_spares_the_other_way(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    proxy.set(link, ResetAfter(3))
    with pair(port, listener) as (client, upstream), pair(port, listener) as (other, far):
        client.sendall(noise(10_000))
        assert read(upstream, 10_000) == noise(10_000)
        round_trip(other, far)
        round_trip(client, upstream)
        round_trip(client, upstream)
        upstream.sendall(b"!")
        assert read(client, 1) == b"!"
        assert was_reset(client)
        assert was_reset(upstream)
        proxy.clear(link)
        for _ in range(5):
            round_trip(other, far)


# What the ends do themselves


@pytest.mark.parametrize("faults", [(), (Latency(0.05),)], ids=["at once", "late"])
def test_an_rst_of_either_end_reaches_the_other_behind_its_last_bytes(
    proxy: FaultProxy, link: str, port: int, listener: Listener, faults: tuple[Fault, ...]
) -> None:
    for by_client in (True, False):
        with pair(port, listener) as (client, upstream):
            one, other = (client, upstream) if by_client else (upstream, client)
            proxy.set(link, *faults)
            one.sendall(b"last")
            assert read(other, 4) == b"last"
            cut(one)
            assert was_reset(other)
    assert eventually(lambda: proxy.stats(link).open == 0)


def test_who_writes_to_an_end_that_has_gone_learns_it(port: int, listener: Listener) -> None:
    with pair(port, listener) as (client, upstream):
        upstream.close()
        assert read_to_end(client) == b""

        def talk() -> bool:
            try:
                client.sendall(b"x")
            except OSError as error:
                return error.errno in (errno.ECONNRESET, errno.EPIPE)
            return False

        assert eventually(talk)


def test_an_answer_sent_before_an_early_close_arrives(port: int, listener: Listener) -> None:
    """A server that refuses a large body answers, and closes with the body unread: an RST follows."""
    with pair(port, listener) as (client, upstream):
        client.sendall(noise(50_000))
        read(upstream, 10)
        upstream.sendall(b"413 too large")
        assert read(client, 13) == b"413 too large"
        upstream.close()
        with pytest.raises(ConnectionResetError):
            read(client, 1)


def test_an_upstream_that_is_away_is_refused_for_it_and_found_again(proxy: FaultProxy, link: str) -> None:
    with Listener() as listener:
        upstream = listener.port
        port = proxy.open(link, ("127.0.0.1", upstream))
        assert works(port, listener)
    with pytest.raises(ConnectionResetError), connect(port) as client:  # some see it when they connect
        client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(port)
    assert proxy.stats(link).refused == 1
    with Listener(upstream) as listener:
        assert eventually(lambda: accepts(port))
        while listener.is_dialled(0.05):
            listener.accept().close()
        assert works(port, listener)
    proxy.shut(link)


def accepts(port: int) -> bool:
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return False
    return True


# What is asked for


def test_upstreams_take_turns_and_one_that_refuses_is_passed_over(proxy: FaultProxy, link: str) -> None:
    with Listener() as one, Listener() as two:
        port = proxy.open(link, ("127.0.0.1", one.port), ("127.0.0.1", two.port))
        with ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(connect(port))
            assert eventually(lambda: proxy.stats(link).dialled == (2, 2))
        one.sock.close()
        with ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(connect(port))
            assert eventually(lambda: proxy.stats(link).dialled == (2, 6))
        assert proxy.stats(link).well == (False, True)
        assert proxy.stats(link).refused == 0
    proxy.shut(link)


def test_stats_count_connections_and_bytes(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with pair(port, listener) as (client, upstream), pair(port, listener):
        client.sendall(b"abc")
        read(upstream, 3)
        upstream.sendall(b"defgh")
        read(client, 5)
        stats = proxy.stats(link)
        assert (stats.open, stats.accepted, stats.refused) == (2, 2, 0)
        assert (stats.requests, stats.answers, stats.lost) == (3, 5, 0)
    assert eventually(lambda: proxy.stats(link).open == 0)


def test_to_set_a_fault_says_since_when(proxy: FaultProxy, link: str, port: int) -> None:
    before = time.monotonic()
    since = proxy.set(link, Stall())
    assert before <= since <= proxy.clear(link) <= time.monotonic()


def test_links_know_nothing_of_each_other(
    proxy: FaultProxy, link: str, port: int, listener: Listener
) -> None:
    with Listener() as second:
        other = proxy.open(f"{link} 2", ("127.0.0.1", second.port))
        proxy.set(link, Stall())
        assert works(other, second)
        proxy.shut(f"{link} 2")
        with pytest.raises(ConnectionRefusedError):
            connect(other)


@pytest.mark.parametrize(
    ("fault", "values"),
    [
        (Latency, (-1.0,)),
        (Latency, (0.1, 0.2)),
        (Latency, (float("nan"),)),
        (Latency, (float("inf"),)),
        (Bandwidth, (0,)),
        (Bandwidth, (float("nan"),)),
        (ResetAfter, (0,)),
    ],
)
def test_a_fault_that_cannot_be_played_is_refused_in_a_sentence(
    fault: type[Fault], values: tuple[float, ...]
) -> None:
    with pytest.raises(ImpossibleFault, match=r"^[^\n]+$"):
        fault(*values)  # type: ignore[arg-type]


def test_the_same_fault_twice_is_refused(proxy: FaultProxy, link: str, port: int) -> None:
    with pytest.raises(ImpossibleFault, match="Latency was given twice"):
        proxy.set(link, Latency(1), Latency(2))
    proxy.set(link, HalfOpen(Way.ANSWERS), HalfOpen(Way.REQUESTS))


def test_misuse_is_answered_in_a_sentence(proxy: FaultProxy, link: str, port: int) -> None:
    with pytest.raises(LabError, match="no link named 'nowhere'"):
        proxy.set("nowhere", Stall())
    with pytest.raises(LabError, match="has a link named"):
        proxy.open(link, ("127.0.0.1", 1))
    with pytest.raises(LabError, match="at least one upstream"):
        proxy.open("no upstream")
    with pytest.raises(LabError, match="cannot play 'elsewhere'"):
        proxy.open("elsewhere", ("no.such.host.invalid", 1))
