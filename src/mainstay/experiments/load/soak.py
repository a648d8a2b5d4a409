"""The service under expected load for longer."""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import psutil
from msgspec import Struct

from mainstay.evidence import errors, latency
from mainstay.experiments.base import Experiment
from mainstay.experiments.checks import integrity
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.model.proof import Claim, Figure, Subject, Verdict

PARTS = 8  # a look at the processes after each; the first quarter is for warming up
MIB = 1 << 20
MEMORY_A_REQUEST = 4096  # bytes: a leak of this much a request is 350 MiB a day at one request a second
LEAST_GROWTH = 16 * MIB  # below it, caches that fill up explain the growth
FILES_A_REQUEST = 0.01


class _Look(Struct, frozen=True):
    """What the processes hold."""

    requests: int
    memory: int  # bytes
    files: int
    sessions: int


class Soak(Experiment):
    """Hour after hour the service needs no more than in the first minutes.

    Expected load for a few minutes, with a look at the memory, the open files and the database sessions of
    the service every now and then. It finds what grows with each request; what grows once a day takes a day.

    Close what is opened (a client for each call is the usual cause), and bound every cache.
    """

    order = 13
    explained_by = ("client-per-call",)

    def seconds(self, stand: Stand) -> float:
        return stand.profile.soak + stand.filling(stand.expected, stand.profile.soak) + 3.0

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        looks: list[_Look] = []
        trial.load(stand.expected, stand.profile.soak)
        for _ in range(PARTS):
            trial.go_on(stand.profile.soak / PARTS)
            looks.append(self._look(trial))
        trial.finish()
        yield errors.claim(trial.counted, stand.budgets, stand.standard, disturbed=trial.disturbed)
        yield latency.claim(trial.counted, stand.budgets, stand.standard, disturbed=trial.disturbed)
        yield self._grows(looks[PARTS // 4 :])
        yield from integrity(trial)

    def _look(self, trial: Trial) -> _Look:
        memory = files = 0
        for program in trial.stand.service.programs:
            for pid in program.pids():
                with suppress(psutil.Error):
                    process = psutil.Process(pid)
                    memory += process.memory_info().rss
                    files += process.num_fds() if os.name == "posix" else 0
        database = trial.stand.database
        sessions = len(database.sessions()) if database is not None else 0
        return _Look(len(trial.counted), memory, files, sessions)

    def _grows(self, looks: list[_Look]) -> Claim:
        first, last = looks[0], looks[-1]
        requests = max(1, last.requests - first.requests)
        memory, files = last.memory - first.memory, last.files - first.files
        steady = all(a.memory < b.memory for a, b in pairwise(looks))
        leaks = []
        if steady and memory > LEAST_GROWTH and memory / requests > MEMORY_A_REQUEST:
            leaks.append(f"memory grows by {memory / requests / 1024:.1f} KiB a request")
        if files / requests > FILES_A_REQUEST:
            leaks.append(f"open files grow by one in {requests / files:.0f} requests")
        said = f"Over {requests} requests memory went from {first.memory / MIB:.0f} MiB "
        said += f"to {last.memory / MIB:.0f} MiB"
        said += f", open files from {first.files} to {last.files}"
        said += f", database sessions from {first.sessions} to {last.sessions}"
        return Claim(
            name="nothing-grows",
            subject=Subject.CAPACITY,
            verdict=Verdict.FAILED if leaks else Verdict.PASSED,
            said=f"{said}{': ' if leaks else ''}{', '.join(leaks)}.",
            figures=(
                Figure("memory at the end", last.memory / MIB, "MiB"),
                Figure("open files at the end", last.files),
            ),
        )
