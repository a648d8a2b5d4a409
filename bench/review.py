"""What a review costs, against one process that reads and `ast.parse`s the same files.

python bench/review.py PATH [--runs N]

Everything runs in child processes, on a private copy of the Python files that discovery yields, so
PATH is never written to.  Each run measures the three in turn: `ast.parse`, a cold review with an
empty cache, a warm one after a single file changed.  CPU is user and system time of the child and
of every process it started.  Memory is watched in a cold review of its own, whose time does not count.
"""

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from mainstay.configuration import OWN_FILE, SHARED_FILE
from mainstay.sources.discovery import discover

SOURCES = Path(__file__).resolve().parent.parent / "src"
PROC = Path("/proc")
PAUSE_S = 0.02  # between two looks at the memory of the processes
REVIEWED = (0, 1)  # statuses of a review that went through

# The yardstick, in a process that imports nothing else. It says how many files it could not parse.
YARDSTICK = """\
import ast, sys
failed = 0
for name in open(sys.argv[1]).read().split("\\0"):
    try:
        ast.parse(open(name, "rb").read())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        failed += 1
print(failed)
"""


class Cost(NamedTuple):
    """What one child process took, with its own children."""

    cpu: float  # seconds
    wall: float  # seconds


class Memory(NamedTuple):
    """Peaks over one review, in MiB; `together` shares out pages that several processes hold."""

    largest: float
    together: float | None  # only where /proc tells


class Sample(NamedTuple):
    """The three that are compared, from one run."""

    parse: Cost
    cold: Cost
    warm: Cost


def main() -> None:
    """Measure, and print the figures with the machine they come from."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path, metavar="PATH", help="the backend to review")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="how many of each (3)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as folder:
        bench = Bench(asked.path, Path(folder))
        print(f"{bench.title()}\n{machine()}\n", flush=True)
        bench.warm_up()
        samples = [bench.sample(number) for number in range(asked.runs)]
        print("\n".join(table(samples)))
        print("\n".join(remembered(bench.memory())))


class Bench:
    """A copy of a tree, and what is measured on it."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._folder = folder
        self._tree = folder / "tree"
        self._name = path.resolve().name
        self._files = [self._tree / name for name in copy(path, self._tree)]
        if not self._files:
            sys.exit(f"{path}: there is no Python file to read")
        self._listing = folder / "files"
        self._listing.write_text("\0".join(map(str, self._files)))
        contents = [file.read_bytes() for file in self._files]
        self._lines = sum(content.count(b"\n") for content in contents)
        by_size = sorted(zip(map(len, contents), self._files, strict=True))
        self._changing = by_size[len(by_size) // 2][1]  # a file of middling size

    def title(self) -> str:
        """What is measured."""
        return f"{self._name}: {len(self._files):,} files, {self._lines:,} lines"

    def warm_up(self) -> None:
        """Once, not counted: Python's own bytecode cache and the system's cache of files."""
        failed = subprocess.run(self._parsing(), stdout=subprocess.PIPE, check=True).stdout
        self._review(self._folder / "first")
        if int(failed):
            print(f"ast.parse of this Python could not read {int(failed):,} of the files.\n", flush=True)

    def sample(self, number: int) -> Sample:
        """One run of each, in turn, so that what slows the machine slows them alike."""
        cache = self._folder / f"cache-{number}"
        parsed = cost_of(lambda: _run(self._parsing()))
        cold = cost_of(lambda: self._review(cache))
        with self._changing.open("a") as file:
            file.write(f"\n# Changed for run {number}.\n")
        warm = cost_of(lambda: self._review(cache))
        shutil.rmtree(cache)
        return Sample(parsed, cold, warm)

    def memory(self) -> Memory:
        """The peaks of one more cold review, watched from outside."""
        command, environment = self._reviewing(self._folder / "watched")
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        together = 0
        while process.poll() is None:
            together = max(together, sum(map(_share, _family(process.pid))))
            time.sleep(PAUSE_S)
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
        return Memory(largest * unit / 2**20, together / 2**20 if together else None)

    def _parsing(self) -> list[str]:
        return [sys.executable, "-I", "-W", "ignore", "-c", YARDSTICK, str(self._listing)]

    def _reviewing(self, cache: Path) -> tuple[list[str], dict[str, str]]:
        environment = {**os.environ, "PYTHONPATH": str(SOURCES), "MAINSTAY_CACHE_DIR": str(cache)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its byte code
        return [sys.executable, "-m", "mainstay", "review", str(self._tree)], environment

    def _review(self, cache: Path) -> None:
        command, environment = self._reviewing(cache)
        _run(command, environment, expected=REVIEWED)


def copy(path: Path, tree: Path) -> list[str]:
    """Copy the files that discovery yields, and the configuration; gives the files' names."""
    found = discover([path])
    for file in found.files:
        target = tree / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.real, target)
    for name in (OWN_FILE, SHARED_FILE):
        if (found.root / name).is_file():
            shutil.copyfile(found.root / name, tree / name)
    return [file.path for file in found.files]


def _run(
    command: list[str], environment: dict[str, str] | None = None, expected: tuple[int, ...] = (0,)
) -> None:
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in expected:
        sys.exit(f"{' '.join(command)} ended with status {done.returncode}")


def cost_of(action: Callable[[], None]) -> Cost:
    """What the processes that `action` starts and waits for take."""
    before, started = _spent(), time.monotonic()
    action()
    return Cost(_spent() - before, time.monotonic() - started)


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# --- memory, from /proc --------------------------------------------------------------------------


def _family(pid: int) -> Iterator[int]:
    """A process and everything below it."""
    yield pid
    try:
        children = (PROC / f"{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _share(pid: int) -> int:
    """The bytes a process holds, shared ones divided among its holders; 0 where that cannot be told."""
    try:
        lines = (PROC / f"{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


# --- what is printed -----------------------------------------------------------------------------


def machine() -> str:
    """Where the figures come from; figures of two machines are not to be compared, only ratios."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{platform.system()} {platform.machine()}, {usable} cores, {python}"


def table(samples: list[Sample]) -> Iterator[str]:
    """The middle of each, and the ratio to `ast.parse` with the least and the most that one run gave."""
    yield f"{'':34}{'CPU s':>8}{'clock s':>9}{'ratio':>8}   least to most of {len(samples)}"
    for name, title in (
        ("parse", "read and ast.parse"),
        ("cold", "review, cold"),
        ("warm", "review, warm, one file changed"),
    ):
        costs: list[Cost] = [getattr(sample, name) for sample in samples]
        ratios = [cost.cpu / sample.parse.cpu for cost, sample in zip(costs, samples, strict=True)]
        cpu, wall = (statistics.median(each) for each in zip(*costs, strict=True))
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        yield f"{title:34}{cpu:8.2f}{wall:9.2f}{statistics.median(ratios):8.2f}   {spread}"


def remembered(memory: Memory) -> Iterator[str]:
    """The peaks of memory, in MiB."""
    yield f"{'peak memory, largest process':34}{memory.largest:8.0f} MiB"
    if memory.together is not None:
        yield f"{'peak memory, all processes':34}{memory.together:8.0f} MiB"


if __name__ == "__main__":
    main()
