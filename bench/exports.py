"""The exported loads of the example against ours: the same operations, errors and completed requests?

python bench/exports.py [--seconds N] [--others PYTHON] [--iterations N]

examples/payments is started once, on its own PostgreSQL, with the processor and the event bus played.  Our
driver, the locustfile under PYTHON, which has Locust, and the k6 script then send it the expected load.  k6
comes in no package index, so its script runs under node, with tests/exports/k6 as the modules of k6: that
shows its requests and its pools, not its rate.

    python3 -m venv /tmp/bench-venv && /tmp/bench-venv/bin/pip install locust
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mainstay.configuration import read_configuration
from mainstay.exports import exports
from mainstay.exports.mix import mix
from mainstay.lab.lab import Lab
from mainstay.lab.load.control import Driver
from mainstay.lab.proxy.control import FaultProxy
from mainstay.lab.service import Service
from mainstay.model.record import Record
from mainstay.model.service import Declaration

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples/payments"
STUB = ROOT / "tests/exports/k6"


class Sent(NamedTuple):
    """What became of the requests of one operation."""

    completed: int
    errors: int


Tally = Mapping[str, Sent]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=30.0, help="length of each load")
    arguments.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: what is expected")
    arguments.add_argument("--others", default="", help="a Python with locust")
    arguments.add_argument("--iterations", type=int, default=300, help="of the k6 script")
    options = arguments.parse_args()
    configuration = read_configuration(EXAMPLE / "mainstay.toml", [])
    declaration = configuration.declaration
    assert declaration is not None
    rate = options.rate or declaration.load.expected
    load = mix(declaration, declaration.actions, configuration.budgets)
    print(f"load average {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores, {rate:g}/s")
    with Lab() as lab:
        service = Service(lab, declaration, FaultProxy(lab), lambda line: None)
        service.prepare()
        service.start()
        folder = lab.subfolder("exports")
        (folder / "headers.json").write_text(json.dumps(service.headers))
        for export in exports().values():
            (folder / f"load{export.ENDING}").write_text(export.render(load))
        found: dict[str, Tally] = {"mainstay": _ours(lab, service, declaration, rate, options.seconds)}
        if options.others:
            found["locust"] = _locust(options.others, folder, service.addresses[0], rate, options.seconds)
        if shutil.which("node"):
            found["k6 (stub)"] = _k6(folder, service.addresses[0], options.iterations)
    _show(found)


def _ours(lab: Lab, service: Service, declaration: Declaration, rate: float, seconds: float) -> Tally:
    driver = Driver(
        lab,
        declaration.actions,
        targets=service.addresses,
        actors=service.headers,
        timeout=declaration.load.timeout,
        seed=1,
        prefix="bench",
    )
    driver.stock(driver.needs(rate, seconds), within=120)
    driver.start(rate, seconds, arrivals=declaration.load.arrivals)
    records: list[Record] = []
    while driver.running():
        records += driver.poll(0.5)
    records += driver.stop()
    driver.end()
    sent, failed = (
        Counter(one.action for one in records),
        Counter(one.action for one in records if not one.ok),
    )
    return {name: Sent(count, failed[name]) for name, count in sent.items()}


def _locust(python: str, folder: Path, address: str, rate: float, seconds: float) -> Tally:
    environment = os.environ | {
        "HEADERS": "headers.json",
        "EXPECTED": f"{rate:g}",
        "EXPECTED_SECONDS": f"{seconds:g}",
        "PEAK_SECONDS": "0",
    }
    command = ["-m", "locust", "-f", "load.py", "--headless", "--host", address, "--csv", "locust"]
    done = subprocess.run(
        [python, *command, "--only-summary"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds + 180,
        check=False,
    )
    print(f"locust ended with status {done.returncode}")
    problems = [line for line in done.stderr.splitlines() if "ERROR" in line or "Traceback" in line]
    print("\n".join(problems[:10]))
    with (folder / "locust_stats.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["Name"] != "Aggregated"]
    return {row["Name"]: Sent(int(row["Request Count"]), int(row["Failure Count"])) for row in rows}


def _k6(folder: Path, address: str, iterations: int) -> Tally:
    shutil.copytree(STUB, folder / "node_modules/k6")
    (folder / "package.json").write_text('{"type": "module"}')
    rate, seconds = 40, iterations / 40
    environment = os.environ | {"TARGET": address, "EXPECTED": f"{rate}", "EXPECTED_SECONDS": f"{seconds:g}"}
    done = subprocess.run(
        ["node", "node_modules/k6/run.js", "load.js", str(iterations), "8"],
        cwd=folder,
        env=environment | {"PEAK_SECONDS": "0"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    told = json.loads(done.stdout)["load"]
    return {name: Sent(one["sent"], one["failed"]) for name, one in told.items()}


def _show(found: Mapping[str, Tally]) -> None:
    print(f"\n{'completed / errors':26}" + "".join(f"{engine:>16}" for engine in found))
    for name in sorted({name for tally in found.values() for name in tally}):
        cells = [tally.get(name, Sent(0, 0)) for tally in found.values()]
        print(f"{name:26}" + "".join(f"{f'{one.completed} / {one.errors}':>16}" for one in cells))
    sums = [
        Sent(sum(one.completed for one in tally.values()), sum(one.errors for one in tally.values()))
        for tally in found.values()
    ]
    print(f"{'all':26}" + "".join(f"{f'{one.completed} / {one.errors}':>16}" for one in sums))
    for engine, one in list(zip(found, sums, strict=True))[1:]:
        if engine == "locust":
            print(f"\n{engine} completed {one.completed / sums[0].completed - 1:+.1%} against ours")


if __name__ == "__main__":
    main()
