"""What guard libraries do in an outage and what they cost, in one run.

python bench/guards.py [--others PYTHON]

Each library is used as its own documentation shows, in a process of its own.  `-` is what it does not have.
The others run under PYTHON, which has them:

    python3 -m venv /tmp/guards-venv
    /tmp/guards-venv/bin/pip install tenacity stamina pybreaker purgatory circuitbreaker

*50 %* and *slow*: the call after which it opened, of 200 of which every second fails, and of 40 that take
twice what counts as slow.  *half open*: of 50 threads that call at once when it may try again, how many reach
the dependency, which is still broken.  *threads*: 8 calls of 50 ms at once, in units of 50 ms.  *async*:
whether ten failures of an `async def` open it.  *outage*: calls per operation, of 300, that all fail and may
be tried three times. *deadline*: seconds until an `async` call that hangs for 2 s comes back with a deadline
of 0.5 s.  The rest is cost on the happy path, least of many rounds, as a multiple of a bare call and of
`asyncio.timeout` around the same call.
"""

import argparse
import asyncio
import importlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

RUNTIME = Path(__file__).resolve().parent.parent / "runtime" / "src"
UNIT_S = 0.05
OPEN_FOR_S = 0.3
SLOW_S = 0.01
PEERS = ("tenacity", "stamina", "pybreaker", "purgatory", "circuitbreaker")
COLUMNS = (
    "50 %", "slow", "half open", "threads", "async", "outage", "deadline",
    "x sync", "x async", "x timeout",
)  # fmt: skip
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Down(Exception):
    """What the dependency raises in an outage."""


class Library:
    """How one library is used.  What it has no notion of stays None."""

    breaker: Callable[[], Decorator] | None = None
    breaker_async: Callable[[], Decorator] | None = None
    retry: Callable[[], Decorator] | None = None  # three attempts without a wait
    retry_async: Callable[[], Decorator] | None = None
    deadline: Callable[[], Decorator] | None = None  # 0.5 s, for `async def`


# --- how each is used


def mainstay() -> Library:
    from mainstay_runtime.breaker import Breaker
    from mainstay_runtime.budget import Budget
    from mainstay_runtime.guard import Guard

    def retrying() -> Decorator:
        budget = Budget("dependency")
        return Guard("dependency", deadline=60, attempts=3, wait=0.0, retry_on=Down, budget=budget)

    library = Library()
    library.breaker = lambda: Breaker("dependency", slow=SLOW_S, open_for=OPEN_FOR_S)
    library.breaker_async = lambda: Breaker("dependency", minimum=5, open_for=OPEN_FOR_S)
    library.retry = library.retry_async = retrying
    library.deadline = lambda: Guard("dependency", deadline=0.5, attempts=3, retry_on=Down)
    return library


def tenacity() -> Library:
    module = importlib.import_module("tenacity")

    def timed() -> Decorator:
        stop = module.stop_after_attempt(3) | module.stop_after_delay(0.5)
        retry: Decorator = module.retry(stop=stop, retry=module.retry_if_exception_type(Down), reraise=True)
        return retry

    library = Library()
    library.retry = library.retry_async = lambda: module.retry(
        stop=module.stop_after_attempt(3), retry=module.retry_if_exception_type(Down), reraise=True
    )
    library.deadline = timed
    return library


def stamina() -> Library:
    module = importlib.import_module("stamina")

    library = Library()
    library.retry = library.retry_async = lambda: module.retry(
        on=Down, attempts=3, wait_initial=0, wait_max=0, wait_jitter=0
    )
    library.deadline = lambda: module.retry(on=Down, attempts=3, timeout=0.5)
    return library


def pybreaker() -> Library:
    module = importlib.import_module("pybreaker")

    library = Library()
    library.breaker = lambda: module.CircuitBreaker(fail_max=5, reset_timeout=OPEN_FOR_S)
    library.breaker_async = library.breaker
    return library


def purgatory() -> Library:
    module = importlib.import_module("purgatory")

    library = Library()
    library.breaker = lambda: module.SyncCircuitBreakerFactory(default_threshold=5, default_ttl=OPEN_FOR_S)(
        "dependency"
    )
    library.breaker_async = lambda: module.AsyncCircuitBreakerFactory(
        default_threshold=5, default_ttl=OPEN_FOR_S
    )("dependency")
    return library


def circuitbreaker() -> Library:
    module = importlib.import_module("circuitbreaker")

    library = Library()
    library.breaker = lambda: module.circuit(failure_threshold=5, recovery_timeout=OPEN_FOR_S)
    library.breaker_async = library.breaker
    return library


LIBRARIES: dict[str, Callable[[], Library]] = {
    "mainstay-runtime": mainstay,
    "tenacity": tenacity,
    "stamina": stamina,
    "pybreaker": pybreaker,
    "purgatory": purgatory,
    "circuitbreaker": circuitbreaker,
}


# --- what is measured


class Dependency:
    """Counts the calls that reach it."""

    def __init__(self, behaves: Callable[[int], None]) -> None:
        self.calls = 0
        self._behaves = behaves
        self._counting = threading.Lock()

    def call(self) -> None:
        with self._counting:
            self.calls += 1
            number = self.calls
        self._behaves(number)

    async def acall(self) -> None:
        await asyncio.sleep(0)
        self.call()


def fail(number: int) -> None:
    raise Down(number)


def fail_every_second(number: int) -> None:
    if number % 2:
        raise Down(number)


def opens_after(guarded: Callable[[], object], dependency: Dependency, calls: int) -> str:
    """The number of the last call that reached it, before one did not."""
    for number in range(1, calls + 1):
        with suppress(Exception):
            guarded()
        if dependency.calls < number:
            return str(dependency.calls)
    return "never"


def half(breaker: Decorator) -> str:
    dependency = Dependency(fail_every_second)
    return opens_after(decorated(breaker, dependency), dependency, 200)


def slow(breaker: Decorator) -> str:
    dependency = Dependency(lambda number: time.sleep(2 * SLOW_S))
    return opens_after(decorated(breaker, dependency), dependency, 40)


def decorated(decorator: Decorator, dependency: Dependency) -> Callable[[], object]:
    def call() -> None:
        dependency.call()

    return decorator(call)


def decorated_async(decorator: Decorator, dependency: Dependency) -> Callable[[], Awaitable[object]]:
    async def call() -> None:
        await dependency.acall()

    return decorator(call)


def half_open(breaker: Decorator) -> str:
    def behaves(number: int) -> None:
        if recovering:
            time.sleep(UNIT_S)
        raise Down(number)

    recovering = False
    dependency = Dependency(behaves)
    guarded = decorated(breaker, dependency)
    if opens_after(guarded, dependency, 40) == "never":
        return "never opened"
    time.sleep(OPEN_FOR_S + 0.1)
    before, recovering = dependency.calls, True
    at_once(guarded, 50)
    return str(dependency.calls - before)


def threads(breaker: Decorator) -> str:
    guarded = breaker(lambda: time.sleep(UNIT_S))
    return f"{at_once(guarded, 8) / UNIT_S:.1f}"


def at_once(guarded: Callable[[], object], callers: int) -> float:
    """Seconds until all threads that call at once are done."""
    ready = threading.Barrier(callers + 1)

    def work() -> None:
        ready.wait()
        with suppress(Exception):
            guarded()

    started = [threading.Thread(target=work) for _ in range(callers)]
    for thread in started:
        thread.start()
    ready.wait()
    begun = time.perf_counter()
    for thread in started:
        thread.join()
    return time.perf_counter() - begun


def async_counted(breaker: Decorator) -> str:
    dependency = Dependency(fail)
    guarded = decorated_async(breaker, dependency)

    async def outage() -> None:
        for _ in range(11):
            with suppress(Exception):
                await guarded()

    asyncio.run(outage())
    return "yes" if dependency.calls < 11 else "no"


def outage(retry: Decorator) -> str:
    dependency = Dependency(fail)
    guarded = decorated(retry, dependency)
    for _ in range(300):
        with suppress(Exception):
            guarded()
    return f"{dependency.calls / 300:.2f}"


def ends_after(deadline: Decorator) -> str:
    async def hang() -> None:
        await asyncio.sleep(2)

    async def call() -> None:
        with suppress(Exception):
            await deadline(hang)()

    begun = time.perf_counter()
    asyncio.run(call())
    return f"{time.perf_counter() - begun:.2f}"


def nothing() -> None:
    pass


async def nothing_async() -> None:
    pass


async def timed() -> None:
    async with asyncio.timeout(60):
        await nothing_async()


def costs(calls: Mapping[str, Callable[[], object]], rounds: int = 100, each: int = 100) -> dict[str, float]:
    """Seconds of CPU for one call of each: the least of rounds in which all take turns."""
    least: dict[str, float] = {}
    for _ in range(rounds):
        for name, call in calls.items():
            begun = time.process_time()
            for _ in range(each):
                call()
            least[name] = min(least.get(name, 1e9), (time.process_time() - begun) / each)
    return least


async def costs_async(
    calls: Mapping[str, Callable[[], Awaitable[object]]], rounds: int = 100, each: int = 100
) -> dict[str, float]:
    least: dict[str, float] = {}
    for _ in range(rounds):
        for name, call in calls.items():
            begun = time.process_time()
            for _ in range(each):
                await call()
            least[name] = min(least.get(name, 1e9), (time.process_time() - begun) / each)
            await asyncio.sleep(0)  # here the loop throws away cancelled timers, as in a service all the time
    return least


def figures(library: Library) -> dict[str, str]:
    found = dict.fromkeys(COLUMNS, "-")
    if library.breaker is not None:
        found["50 %"] = half(library.breaker())
        found["slow"] = slow(library.breaker())
        found["half open"] = half_open(library.breaker())
        found["threads"] = threads(library.breaker())
    if library.breaker_async is not None:
        found["async"] = async_counted(library.breaker_async())
    if library.retry is not None:
        found["outage"] = outage(library.retry())
    if library.deadline is not None:
        found["deadline"] = ends_after(library.deadline())
    sync, twin = library.breaker or library.retry, library.breaker_async or library.retry_async
    if sync is not None:
        least = costs({"bare": nothing, "guarded": sync()(nothing)})
        found["x sync"] = f"{least['guarded'] / least['bare']:.0f}"
    if twin is not None:
        made = {"bare": nothing_async, "timeout": timed, "guarded": twin()(nothing_async)}
        least = asyncio.run(costs_async(made))
        found["x async"] = f"{least['guarded'] / least['bare']:.0f}"
        found["x timeout"] = f"{least['guarded'] / least['timeout']:.2f}"
    return found


def parts() -> dict[str, dict[str, str]]:
    """What each of our guards costs, and all of them together."""
    from mainstay_runtime import deadline
    from mainstay_runtime.breaker import Breaker
    from mainstay_runtime.budget import Budget
    from mainstay_runtime.bulkhead import Bulkhead
    from mainstay_runtime.guard import Guard
    from mainstay_runtime.limiter import Limiter

    def whole() -> Guard:
        return Guard(
            "dependency", deadline=60, attempts=3, retry_on=Down,
            breaker=Breaker("dependency"), bulkhead=Bulkhead("dependency", 10),
            limiter=Limiter("dependency"), budget=Budget("dependency"),
        )  # fmt: skip

    async def within() -> None:
        async with deadline.within(60):
            await nothing_async()

    def within_sync() -> None:
        with deadline.within(60):
            nothing()

    guards: dict[str, Decorator] = {
        "breaker": Breaker("dependency"),
        "bulkhead": Bulkhead("dependency", 10),
        "limiter": Limiter("dependency"),
        "budget": Budget("dependency").attempt(),
        "guard: deadline alone": Guard("dependency", deadline=60),
        "guard: all of them": whole(),
    }
    sync = {"bare": nothing} | {name: one(nothing) for name, one in guards.items()}
    sync["deadline"] = within_sync
    twins = {"bare": nothing_async, "asyncio.timeout": timed, "deadline": within}
    twins |= {name: one(nothing_async) for name, one in guards.items()}
    called, awaited = costs(sync), asyncio.run(costs_async(twins))
    return {
        name: {
            "x sync": f"{called[name] / called['bare']:.0f}" if name in called else "-",
            "x async": f"{awaited[name] / awaited['bare']:.0f}",
            "x timeout": f"{awaited[name] / awaited['asyncio.timeout']:.2f}",
            "us async": f"{awaited[name] * 1e6:.1f}",
        }
        for name in twins
    }


# --- the run


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--others", default=sys.executable, help="a Python with the other libraries")
    arguments.add_argument("--one", help=argparse.SUPPRESS)  # what this program starts itself with
    options = arguments.parse_args()
    if options.one:
        sys.path.insert(0, str(RUNTIME))
        print(json.dumps(one(options.one)))
        return
    print(f"load average {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores\n")
    print(f"{'':24}" + "".join(f"{name:>14}" if name == "half open" else f"{name:>10}" for name in COLUMNS))
    show(measured(sys.executable, "mainstay-runtime"), COLUMNS)
    for name in PEERS:
        show(measured(options.others, name), COLUMNS)
    print()
    columns = ("x sync", "x async", "x timeout", "us async")
    print(f"{'':24}" + "".join(f"{name:>10}" for name in columns))
    for name, row in measured(sys.executable, "parts").items():
        show({"name": name, **row}, columns)
    print(f"\nload average {os.getloadavg()[0]:.2f} at the end")


def one(name: str) -> dict[str, Any]:
    if name == "parts":
        return parts()
    if name in PEERS and importlib.util.find_spec(name) is None:
        return {"name": name, "missing": "is not installed: see --others"}
    version = f" {importlib.metadata.version(name)}" if name in PEERS else ""
    return {"name": name + version, **figures(LIBRARIES[name]())}


def measured(python: str, name: str) -> dict[str, Any]:
    command = [python, __file__, "--one", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        return {"name": name, "missing": f"failed: {done.stderr.strip().splitlines()[-1]}"}
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def show(row: dict[str, str], columns: tuple[str, ...]) -> None:
    if "missing" in row:
        print(f"{row['name']:24}  {row['missing']}", flush=True)
        return
    cells = "".join(f"{row[name]:>14}" if name == "half open" else f"{row[name]:>10}" for name in columns)
    print(f"{row['name']:24}{cells}", flush=True)


if __name__ == "__main__":
    main()
