"""Stopped in the middle, `mainstay prove` leaves nothing; `bench/cleanup.py` does it often, on more."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.prove.site import SOON_S, THINGS, Site, site, web

STOPPED = 130
DATABASE = """
[prove.dependency.database]
kind = "postgres"
"""
PATIENT = 'longest-wait = "30s"'  # so that the experiment is still under way
LOAD = '[prove.load]\nexpected = "20/s"\npeak = "20/s"\n'


@pytest.fixture
def place() -> Iterator[Site]:
    with site() as made:
        made.write(f"[prove]\n{PATIENT}\n{web('healthy.py')}{DATABASE}{LOAD}{THINGS}")
        yield made


@pytest.fixture
def running(place: Site) -> Iterator["subprocess.Popen[str]"]:
    """A run in the middle of its experiment, with all that belongs to it."""
    with place.start("--experiment", "all-killed", "--output", "../proof.json") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "1 experiment, about" in line:
                break
        time.sleep(1.0)
        assert process.poll() is None
        yield process
        process.kill()


def listens(port: int) -> bool:
    return any(
        each.laddr and each.laddr[1] == port and each.status == psutil.CONN_LISTEN
        for each in psutil.net_connections("inet")
    )


def test_ctrl_c_ends_with_130_and_leaves_nothing(place: Site, running: "subprocess.Popen[str]") -> None:
    ports = place.ports()
    assert len(place.processes()) > 5
    assert len(ports) >= 3  # the service, its database and the proxy
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to all in the foreground
    out, said = running.communicate(timeout=SOON_S * 2)
    assert running.returncode == STOPPED
    assert place.left() == ()  # at once: it has seen everything out
    assert not [port for port in ports if listens(port)]
    assert out == ""
    assert said.splitlines()[-1] == "mainstay: stopped"
    assert not (place.folder / "proof.json").exists()


def test_kill_9_of_mainstay_leaves_nothing(place: Site, running: "subprocess.Popen[str]") -> None:
    ports = place.ports()
    assert len(place.processes()) > 5
    running.kill()  # it alone, and nobody tells the others
    running.communicate(timeout=SOON_S)
    assert place.left(within=SOON_S) == ()
    assert not [port for port in ports if listens(port)]
    assert not (place.folder / "proof.json").exists()
