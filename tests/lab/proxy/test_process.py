"""The proxy's process ends with whoever started it, and its own failures are told as such."""

import os
import signal
import socket
import subprocess
import time
from contextlib import ExitStack

import pytest

from mainstay.lab.channel import Channel
from mainstay.lab.error import LabError
from mainstay.lab.lab import Lab
from mainstay.lab.own_program import own_program
from mainstay.lab.proxy.control import FaultProxy
from mainstay.lab.proxy.faults import Latency, Stall
from mainstay.lab.proxy.messages import Answer, Ask, Done, Open, Stats
from tests.lab.proxy.ends import SOON, Listener, connect, eventually, pair, read

PROCESS = own_program("mainstay.lab.proxy.server")


def test_it_ends_at_once_when_its_channel_closes() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(PROCESS, stdin=theirs.fileno())
    ours.close()
    assert process.wait(SOON) == 0


def test_it_leaves_ctrl_c_to_whoever_started_it() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(PROCESS, stdin=theirs.fileno())
    channel: Channel[Answer] = Channel(ours, Answer)
    channel.ask(Ask(1, "nothing"), SOON)  # it is up
    process.send_signal(signal.SIGINT)
    channel.ask(Ask(2, "nothing"), SOON)
    channel.close()
    assert process.wait(SOON) == 0


def test_many_connections_more_than_it_has_files_for_wait_and_harm_no_other() -> None:
    """With 40 files, about a dozen connections are served at a time, and all in the end."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            ["bash", "-c", 'ulimit -n 40; exec "$@"', "bash", *PROCESS], stdin=theirs.fileno()
        )
    channel: Channel[Answer] = Channel(ours, Answer)
    with Listener() as listener, ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        assert isinstance(channel.ask(Open(1, "link", port, (("127.0.0.1", listener.port),)), SOON), Done)
        clients = [stack.enter_context(connect(port)) for _ in range(60)]
        for number, client in enumerate(clients):
            client.sendall(bytes([number]))
        for _ in clients:
            with listener.accept() as upstream:
                number = read(upstream, 1)[0]
                upstream.sendall(b"answer")
                assert read(clients[number], 6) == b"answer"
                clients[number].close()
        stats = channel.ask(Ask(2, "link"), SOON)
        assert isinstance(stats, Stats)
        assert (stats.accepted, stats.refused) == (60, 0)
    channel.close()
    assert process.wait(SOON) == 0


def test_a_proxy_that_was_killed_is_told_in_a_sentence(lab: Lab) -> None:
    with Listener() as listener:
        proxy = FaultProxy(lab)
        proxy.open("link", ("127.0.0.1", listener.port))
        os.kill(proxy.pid, signal.SIGKILL)
        with pytest.raises(LabError, match="the fault proxy does not answer any more"):
            proxy.set("link", Stall())
        proxy.end()


def test_an_answer_that_nobody_waited_for_is_not_taken_for_another(lab: Lab) -> None:
    """Ctrl-C between a command and its answer leaves the answer on the wire."""
    with Listener() as listener, FaultProxy(lab) as proxy:
        port = proxy.open("link", ("127.0.0.1", listener.port))
        proxy._channel.send(Ask(proxy._next(), "link"))
        since = proxy.set("link", Latency(0.1))
        assert time.monotonic() - since < SOON
        assert proxy.stats("link").accepted == 0
        with pair(port, listener):
            assert eventually(lambda: proxy.stats("link").open == 1)


def test_after_its_end_nobody_listens_and_a_second_end_is_none(lab: Lab) -> None:
    with Listener() as listener:
        proxy = FaultProxy(lab)
        port = proxy.open("link", ("127.0.0.1", listener.port))
        proxy.end()
        proxy.end()
        with pytest.raises(ConnectionRefusedError):
            connect(port)


def test_it_says_how_late_it_was_itself(lab: Lab) -> None:
    with Listener() as listener, FaultProxy(lab) as proxy:
        proxy.open("link", ("127.0.0.1", listener.port))
        proxy.stats("link")
        os.kill(proxy.pid, signal.SIGSTOP)
        time.sleep(0.4)
        os.kill(proxy.pid, signal.SIGCONT)
        late = proxy.stats("link").late
        assert late > 0.3
        assert proxy.stats("link").late < late
