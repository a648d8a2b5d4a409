"""What the load driver adds to a latency, against a server that stamps its own times.

python bench/driver.py [--seconds N] [--others PYTHON]

The server answers 10 ms after it read a request and writes both times into the answer, on the clock that all
processes of the machine share.  *Added* is the time from when a request was due to when its answer was there,
less the server's own, so the connection, the kernel and the generator are in it.  wrk and hey do not show
answers: for them it is what they report less 10 ms, from when they sent.  Locust knows no due times either.
Cores are CPU seconds, user and system, of the generator per second of load.

wrk and hey are used when they are in PATH.  Locust and aiohttp run under PYTHON, which has them:

    python3 -m venv /tmp/bench-venv && /tmp/bench-venv/bin/pip install locust aiohttp
"""

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from mainstay.lab.lab import Lab
from mainstay.lab.load.control import Driver
from mainstay.model.record import Record
from mainstay.model.service import Action

HERE = Path(__file__).resolve().parent
SERVED_S = 0.010
RATES = (500, 2000)
CONNECTIONS = 64  # of wrk and hey, where the rate does not say


class Row(NamedTuple):
    """One generator at one rate; times in seconds."""

    name: str
    asked: float
    got: float  # requests a second
    p50: float
    p99: float
    cores: float
    note: str = ""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=4.0, help="length of each load")
    arguments.add_argument("--others", default="", help="a Python with locust and aiohttp")
    options = arguments.parse_args()
    server = subprocess.Popen([sys.executable, HERE / "driver_server.py"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        address = f"http://127.0.0.1:{int(server.stdout.readline())}"
        print(f"load average {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores, {options.seconds:g} s each\n")
        print(f"{'':24}{'asked/s':>8}{'got/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'cores':>7}")
        for rate in RATES:
            for measure in _generators(options.others):
                _show(measure(address, rate, options.seconds))
                time.sleep(0.5)
        print(f"\nload average {os.getloadavg()[0]:.2f} at the end")
    finally:
        server.kill()
        server.wait()
        if server.stdout:
            server.stdout.close()


def _generators(python: str) -> list[Callable[[str, float, float], Row]]:
    found: list[Callable[[str, float, float], Row]] = [_kept, _half_fresh]
    found += [one for name, one in (("wrk", _wrk), ("hey", _hey)) if _there(name)]
    for module, script in (("aiohttp", "driver_aiohttp.py"), ("locust", "driver_locust.py")):
        if python and _imports(python, module):
            found.append(_python(python, module, script))
        else:
            print(f"{module} is left out: --others names no Python that has it.")
    return found


def _imports(python: str, module: str) -> bool:
    done = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
    return done.returncode == 0


def _there(name: str) -> bool:
    if shutil.which(name):
        return True
    print(f"{name} is left out: it is not in PATH.")
    return False


def _kept(address: str, rate: float, seconds: float) -> Row:
    return _ours("mainstay, kept alive", address, rate, seconds, 0.0)


def _half_fresh(address: str, rate: float, seconds: float) -> Row:
    return _ours("mainstay, half fresh", address, rate, seconds, 0.5)


def _ours(name: str, address: str, rate: float, seconds: float, fresh: float) -> Row:
    action = Action("ask", "GET", "/", gives={"stamp": "id"})  # so that the stamps come back as what it made
    records: list[Record] = []
    with Lab() as lab:
        driver = Driver(
            lab, [action], targets=[address], actors={"one": {}}, timeout=5.0, seed=1, prefix="bench"
        )
        process = psutil.Process(driver.pid)
        before = sum(process.cpu_times()[:2])
        driver.start(rate, seconds, arrivals="constant", fresh=fresh)
        while driver.running():
            records += driver.poll(0.5)
        records += driver.stop()
        cores = (sum(process.cpu_times()[:2]) - before) / seconds
        driver.end()
    added = [one.latency - _served(one) for one in records if one.ok]
    lag = _percentile([one.lag for one in records], 0.99)
    failed = len(records) - len(added)
    note = f"lag p99 {lag * 1000:.2f} ms" + (f", {failed} failed" if failed else "")
    return _row(name, rate, added, seconds, cores, note)


def _served(record: Record) -> float:
    read, wrote = map(float, record.made.split())
    return wrote - read


def _wrk(address: str, rate: float, seconds: float) -> Row:
    connections = max(1, round(rate * SERVED_S))  # it sends as fast as answers come
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", address + "/"]
    said, cores = _run(command, seconds)
    found = dict(re.findall(r"^\s+(50|99)%\s+(\S+)$", said, re.MULTILINE))
    got = float(re.findall(r"Requests/sec:\s+(\S+)", said)[0])
    note = f"closed loop, {connections} connections"
    return Row(
        "wrk", rate, got, _wrk_time(found["50"]) - SERVED_S, _wrk_time(found["99"]) - SERVED_S, cores, note
    )


def _wrk_time(text: str) -> float:
    number, unit = re.findall(r"([\d.]+)(us|ms|s)", text)[0]
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[unit]


def _hey(address: str, rate: float, seconds: float) -> Row:
    each = rate / CONNECTIONS
    command = [
        "hey",
        "-c",
        str(CONNECTIONS),
        "-q",
        str(each),
        "-z",
        f"{seconds}s",
        "-o",
        "csv",
        address + "/",
    ]
    said, cores = _run(command, seconds)
    times = [float(line["response-time"]) - SERVED_S for line in csv.DictReader(said.splitlines())]
    return _row("hey", rate, times, seconds, cores, f"{CONNECTIONS} workers")


def _python(python: str, module: str, script: str) -> Callable[[str, float, float], Row]:
    def measure(address: str, rate: float, seconds: float) -> Row:
        said, cores = _run([python, str(HERE / script), address, str(rate), str(seconds)], seconds)
        result = json.loads(said)
        note = f"{result['failed']} failed" if result["failed"] else ""
        return _row(module, rate, result["added"], result["seconds"], cores, note)

    return measure


def _run(command: Sequence[str], seconds: float) -> tuple[str, float]:
    """What it printed, and the cores it kept busy; its start counts, which only matters for short loads."""
    before = os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stdout, used / seconds


def _row(name: str, asked: float, added: list[float], seconds: float, cores: float, note: str = "") -> Row:
    return Row(
        name, asked, len(added) / seconds, _percentile(added, 0.5), _percentile(added, 0.99), cores, note
    )


def _percentile(values: Sequence[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else float("nan")


def _show(row: Row) -> None:
    print(
        f"{row.name:24}{row.asked:8.0f}{row.got:8.0f}{row.p50 * 1000:9.2f}{row.p99 * 1000:9.2f}"
        f"{row.cores:7.2f}  {row.note}".rstrip(),
        flush=True,
    )


if __name__ == "__main__":
    main()
