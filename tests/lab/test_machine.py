"""Who uses the processors: we and what we started, or others."""

import os
import subprocess
import sys
import time
from typing import NamedTuple

import psutil
import pytest

from mainstay.lab.machine import EVERY_S, Machine

BURN = [sys.executable, "-c", "import time; ends = time.monotonic() + 60\nwhile time.monotonic() < ends: 0"]
DETACHED = [
    sys.executable,
    "-c",
    """
import subprocess, sys
print(subprocess.Popen(sys.argv[1:], start_new_session=True, stdout=subprocess.DEVNULL).pid)
""",
]


def watched(seconds: float) -> tuple[Machine, float]:
    machine, began = Machine(), time.monotonic()
    while time.monotonic() < began + seconds:
        time.sleep(EVERY_S / 2)
        machine.look()
    return machine, began


def test_what_we_started_is_ours_and_what_others_started_is_theirs() -> None:
    """Others use this machine as well: so theirs is compared with what it is without the one we disown."""
    ours = subprocess.Popen(BURN)
    machine, began = watched(2.0)
    ours.kill()
    ours.wait()
    with_ours = machine.taken(began, time.monotonic())
    started = subprocess.run([*DETACHED, *BURN], stdout=subprocess.PIPE, check=True)
    pid = int(started.stdout)
    machine, began = watched(2.0)
    subprocess.run(["kill", "-9", str(pid)], check=True)
    with_theirs = machine.taken(began, time.monotonic())
    assert 0.0 <= with_ours <= 1.0
    assert 0.05 < with_theirs <= 1.0


def test_on_a_full_machine_a_little_taken_is_missing_and_on_an_idle_one_it_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Times(NamedTuple):
        user: float
        system: float
        idle: float

    def busy(used: float, ours: float) -> bool:
        cores = psutil.cpu_count() or 1
        now = time.monotonic()
        monkeypatch.setattr(psutil, "cpu_times", lambda: Times(0.0, 0.0, 0.0))
        monkeypatch.setattr(Machine, "_ours", lambda _: iter([0.0]))
        machine = Machine()
        time.sleep(EVERY_S)
        seconds = (time.monotonic() - now) * cores
        monkeypatch.setattr(psutil, "cpu_times", lambda: Times(used * seconds, 0.0, 0.0))
        monkeypatch.setattr(Machine, "_ours", lambda _: iter([ours * seconds]))
        machine.look()
        return machine.busy(now, time.monotonic())

    assert busy(used=1.0, ours=0.85)
    assert not busy(used=1.0, ours=1.0)
    assert not busy(used=0.8, ours=0.65)
    assert busy(used=0.8, ours=0.4)


def test_before_two_looks_nothing_is_known() -> None:
    machine = Machine()
    assert machine.taken(0.0, time.monotonic()) == 0.0
    assert not machine.busy(0.0, time.monotonic())


def test_what_has_given_its_priority_up_takes_nothing_from_us(monkeypatch: pytest.MonkeyPatch) -> None:
    class Times(NamedTuple):
        user: float
        nice: float
        system: float
        idle: float

    def taken(first: Times, last: Times) -> float:
        looks = iter([first, last])
        monkeypatch.setattr(psutil, "cpu_times", lambda: next(looks))
        machine = Machine()
        time.sleep(EVERY_S)
        machine.look()
        return machine.taken(0.0, time.monotonic())

    monkeypatch.setattr(Machine, "_ours", lambda _: iter([0.0]))
    monkeypatch.setattr(os, "getpriority", lambda *_: 0)
    assert taken(Times(0.0, 0.0, 0.0, 0.0), Times(0.0, 5.0, 0.0, 5.0)) == 0.0
    assert taken(Times(0.0, 0.0, 0.0, 0.0), Times(5.0, 0.0, 0.0, 5.0)) == 1.0
    monkeypatch.setattr(os, "getpriority", lambda *_: 19)  # then we compete with it
    assert taken(Times(0.0, 0.0, 0.0, 0.0), Times(0.0, 5.0, 0.0, 5.0)) == 1.0
