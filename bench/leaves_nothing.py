"""Kills Mainstay, or the guardian of its run, at random moments, and looks for what is left.

`PYTHONPATH=src:. python bench/leaves_nothing.py [ROUNDS]`: each round starts the household of
`tests/lab/household.py` (programs of every kind), and at some moment of the first 1.2 seconds, while it
starts or runs, does one thing to it.  Within 20 seconds no process may be left that was
started for it, and its folder for temporary files has to be empty.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from mainstay.lab.processes import table

HOUSEHOLD = Path(__file__).parents[1] / "tests/lab/household.py"
LONGEST = 1.2  # seconds until the kill
SOON = 20.0  # seconds until all is gone

Deed = Callable[[int, list[int]], None]


def kill_mainstay(mainstay: int, _guardians: list[int]) -> None:
    os.kill(mainstay, signal.SIGKILL)


def ctrl_c(mainstay: int, _guardians: list[int]) -> None:
    os.killpg(mainstay, signal.SIGINT)


def kill_one_guardian(_mainstay: int, guardians: list[int]) -> None:
    if guardians:
        os.kill(random.choice(guardians), signal.SIGKILL)


def kill_mainstay_and_one_guardian(mainstay: int, guardians: list[int]) -> None:
    os.kill(mainstay, signal.SIGKILL)
    kill_one_guardian(mainstay, guardians)


def of(*words: str) -> list[int]:
    """The living processes that have one of the words among their arguments."""
    found = []
    for pid, process in table().items():
        with contextlib.suppress(OSError):
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            if not process.zombie and any(word in arguments for word in words):
                found.append(pid)
    return found


def one_round(deed: Deed) -> tuple[float, int, list[str]]:
    """When the deed was done, how many processes there were, and what was left."""
    token = uuid4().hex
    place = Path(f"/tmp/mainstay-bench-{token}")
    place.mkdir()
    place.chmod(0o777)
    household = subprocess.Popen(
        [sys.executable, str(HOUSEHOLD), token],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(place)},
        start_new_session=True,
    )
    moment = random.uniform(0, LONGEST)
    time.sleep(moment)
    guardians = [pid for pid in of(str(place)) if pid != household.pid]
    there = len(of(token))
    deed(household.pid, guardians)
    ends = time.monotonic() + SOON
    if deed in (ctrl_c, kill_one_guardian):
        if deed is kill_one_guardian:  # Mainstay would run on
            time.sleep(0.2)
            os.killpg(household.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            household.wait(SOON)
    left = ["something"]
    while left and time.monotonic() < ends:
        time.sleep(0.02)
        household.poll()
        left = [f"process {pid}" for pid in of(token, str(place))] + [str(one) for one in place.iterdir()]
    if not left:
        place.rmdir()
    return moment, there, left


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    bad = 0
    for deed in (kill_mainstay, ctrl_c, kill_one_guardian, kill_mainstay_and_one_guardian):
        outcomes = [one_round(deed) for _ in range(rounds)]
        unclean = [outcome for outcome in outcomes if outcome[2]]
        bad += len(unclean)
        most = max(there for _, there, _ in outcomes)
        print(f"{deed.__name__:32} {rounds} rounds, up to {most} processes, {len(unclean)} left something")
        for moment, there, left in unclean:
            print(f"    after {moment:.3f} s with {there} processes: {left}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
