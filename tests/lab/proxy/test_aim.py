"""A link that is aimed at another upstream takes new connections there and keeps its port."""

from collections.abc import Iterator

import pytest

from mainstay.lab.error import LabError
from mainstay.lab.proxy.control import FaultProxy
from mainstay.lab.proxy.faults import Refuse
from tests.lab.proxy.ends import Listener, connect, eventually, pair, read, read_to_end


@pytest.fixture
def ends() -> Iterator[tuple[Listener, Listener]]:
    with Listener() as first, Listener() as second:
        yield first, second


def test_new_connections_go_to_the_new_upstream_and_open_ones_stay(
    proxy: FaultProxy, ends: tuple[Listener, Listener]
) -> None:
    first, second = ends
    port = proxy.open("aimed", ("127.0.0.1", first.port))
    with pair(port, first) as (old, there):
        proxy.aim("aimed", ("127.0.0.1", second.port))
        with pair(port, second) as (new, here):
            new.sendall(b"new")
            assert read(here, 3) == b"new"
        old.sendall(b"old")
        assert read(there, 3) == b"old"
    assert proxy.stats("aimed").dialled == (1,)
    proxy.shut("aimed")


def test_a_link_whose_upstream_was_away_takes_connections_again_when_the_new_one_is_there(
    proxy: FaultProxy,
) -> None:
    with Listener() as gone:
        port = proxy.open("moved", ("127.0.0.1", gone.port))
    with pytest.raises(ConnectionResetError), connect(port) as client:
        read_to_end(client)
    with Listener() as there:
        proxy.aim("moved", ("127.0.0.1", there.port))

        def answers() -> bool:
            try:
                connect(port).close()
            except ConnectionRefusedError:
                return False
            return True

        assert eventually(answers)
    proxy.shut("moved")


def test_faults_stay_in_force(proxy: FaultProxy, ends: tuple[Listener, Listener]) -> None:
    first, second = ends
    port = proxy.open("refusing", ("127.0.0.1", first.port))
    proxy.set("refusing", Refuse())
    proxy.aim("refusing", ("127.0.0.1", second.port))
    with pytest.raises(ConnectionRefusedError):
        connect(port)
    proxy.shut("refusing")


def test_an_unknown_host_is_said_and_the_old_upstream_stays(
    proxy: FaultProxy, ends: tuple[Listener, Listener]
) -> None:
    port = proxy.open("kept", ("127.0.0.1", ends[0].port))
    with pytest.raises(LabError, match="cannot pass connections on"):
        proxy.aim("kept", ("no-such-host.invalid", 1))
    with pytest.raises(LabError, match="no link named 'other'"):
        proxy.aim("other", ("127.0.0.1", ends[0].port))
    with pair(port, ends[0]) as (client, upstream):
        client.sendall(b"here")
        assert read(upstream, 4) == b"here"
    proxy.shut("kept")
