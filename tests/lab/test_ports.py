"""Ports that nobody else has, and who listens."""

import os
import socket
import subprocess
import sys

import pytest

from mainstay.lab import ports
from mainstay.lab.error import LabError
from mainstay.lab.ports import Ports, ephemeral, listening


@pytest.fixture
def handed_out() -> list[int]:
    some = Ports()
    try:
        return [some.take() for _ in range(200)]
    finally:
        some.close()


def test_no_port_is_handed_out_twice(handed_out: list[int]) -> None:
    assert len(set(handed_out)) == len(handed_out)


def test_the_kernel_gives_none_of_them_to_an_outgoing_connection(handed_out: list[int]) -> None:
    first, last = ephemeral()
    assert [port for port in handed_out if first <= port <= last] == []
    assert min(handed_out) > 1024


def test_a_port_can_be_bound_at_once_here_and_everywhere() -> None:
    some = Ports()
    for address in ("127.0.0.1", ""):
        with socket.create_server((address, some.take())):
            pass
    some.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reserved by an abstract socket")
def test_two_runs_never_get_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    free = Ports()
    port = free.take()
    free.close()
    one, other = Ports(), Ports()
    for run in (one, other):
        monkeypatch.setattr(run, "_left", [port])
    assert one.take() == port
    with pytest.raises(LabError, match="no port of this machine is free"):
        other.take()
    one.close()
    monkeypatch.setattr(other, "_left", [port])
    assert other.take() == port  # the first run is over
    other.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "", "127.0.0.9"])
def test_a_port_that_is_in_use_is_passed_over(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    some = Ports()
    taken, free = some.take(), some.take()
    some.close()
    with socket.create_server((address, taken)):
        monkeypatch.setattr(some, "_left", [free, taken])  # the last one is tried first
        assert some.take() == free
    some.close()


def test_when_the_kernel_uses_all_ports_they_are_tried_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "ephemeral", lambda: (1, 65535))
    some = Ports()
    assert some.take() >= 10240
    some.close()


def test_who_listens_is_told_by_the_process_and_not_by_the_port() -> None:
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    with (
        socket.create_server(("127.0.0.1", 0)) as here,
        socket.create_server(("", 0)) as everywhere,
        socket.create_connection(here.getsockname()[:2]) as connected,
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other,
    ):
        assert other.stdout is not None
        other.stdout.readline()
        mine = listening([os.getpid()])
        assert {here.getsockname()[1], everywhere.getsockname()[1]} <= mine
        assert connected.getsockname()[1] not in mine
        assert listening([other.pid]) == set()
    assert listening([other.pid]) == set()  # it has gone
