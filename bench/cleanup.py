"""Stops `mainstay prove` at random moments and counts what is left: processes, ports, files.

`PYTHONPATH=src:. python bench/cleanup.py [ROUNDS] [SECONDS]`: each round proves `examples/payments` and does
one thing to it at some moment of the first SECONDS: Ctrl-C, as a terminal sends it (SIGINT to the foreground
process group), or kill -9 of Mainstay itself.  Of the processes that were there before, of the ports on
which they listened and of the files below TMPDIR and beside the service, nothing may be left 20 s later;
after Ctrl-C the exit status is 130.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.prove.site import Site, site

SERVICE = Path(__file__).parents[1] / "examples/payments"
SOON = 20.0  # seconds until all is gone
STOPPED = 130

Deed = Callable[[int], None]


@dataclass
class Round:
    """What one round showed."""

    moment: float  # seconds until the deed
    processes: int  # when it was done
    ports: int
    ended: float  # seconds until mainstay was gone
    gone: float  # seconds until all was
    status: int
    left: list[str]


def ctrl_c(mainstay: int) -> None:
    os.killpg(mainstay, signal.SIGINT)


def kill_9(mainstay: int) -> None:
    os.kill(mainstay, signal.SIGKILL)


def one_round(deed: Deed, longest: float) -> Round:
    with site(SERVICE) as place:
        before = tree()
        report = place.folder / "proof.json"
        mainstay = place.start("--output", str(report), "--quiet")
        moment = random.uniform(0, longest)
        with suppress(subprocess.TimeoutExpired):
            mainstay.wait(moment)
            raise RuntimeError(f"it has ended by itself: {mainstay.communicate()}")
        members = {process.pid: process for process in place.processes()}
        for each in psutil.Process(mainstay.pid).children(recursive=True):
            members.setdefault(each.pid, each)
        ports = place.ports()
        began = time.monotonic()
        deed(mainstay.pid)
        mainstay.communicate(timeout=SOON + 40)
        ended = time.monotonic() - began
        left = what_is_left(place, list(members.values()), ports)
        gone = time.monotonic() - began
        left += [f"changed: {name}" for name in tree() ^ before]
        left += [f"half a report: {report}"] if report.exists() else []
        if deed is ctrl_c and mainstay.returncode != STOPPED:
            left.append(f"exit status {mainstay.returncode}")
        return Round(moment, len(members), len(ports), ended, gone, mainstay.returncode, left)


def what_is_left(place: Site, members: list[psutil.Process], ports: set[int]) -> list[str]:
    ends = time.monotonic() + SOON
    while True:
        left = [f"process {p.pid}" for p in members if p.is_running() and alive(p)]
        left += place.left()
        if not left or time.monotonic() > ends:
            break
        time.sleep(0.05)
    listening = {
        each.laddr[1]
        for each in psutil.net_connections("inet")
        if each.status == psutil.CONN_LISTEN and each.laddr
    }
    return left + [f"port {port}" for port in ports & listening]


def alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def tree() -> set[str]:
    """The files beside the service; those that others have compiled are not ours."""
    return {str(file) for file in SERVICE.rglob("*") if "__pycache__" not in file.parts}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    longest = float(sys.argv[2]) if len(sys.argv) > 2 else 40.0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores it
    bad = 0
    print("what     rounds  after (s)    processes  ports  ended (s), worst  all gone (s), worst  not clean")
    for deed in (ctrl_c, kill_9):
        found = []
        for _ in range(rounds):
            found.append(one_round(deed, longest))
            if found[-1].left:
                print(f"    after {found[-1].moment:.1f} s: {found[-1].left}", flush=True)
        unclean = sum(bool(each.left) for each in found)
        bad += unclean
        moments = f"{min(e.moment for e in found):.1f}-{max(e.moment for e in found):.1f}"
        most = max(e.processes for e in found), max(e.ports for e in found)
        worst = max(e.ended for e in found), max(e.gone for e in found)
        print(
            f"{deed.__name__:8} {rounds:6}  {moments:11} {most[0]:10} {most[1]:6} {worst[0]:17.1f} "
            f"{worst[1]:20.1f} {unclean:10}",
            flush=True,
        )
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
