"""A proof made up for the tests of the reports: one experiment of every shape."""

from mainstay.budgets import STANDARD
from mainstay.model.gate import Evidence, GateResult
from mainstay.model.proof import (
    Band,
    Bar,
    Claim,
    Curve,
    Figure,
    LedgerEntry,
    LedgerTotals,
    LogExcerpt,
    Machine,
    Measurement,
    Origin,
    Point,
    Proof,
    Skipped,
    Subject,
    Tally,
    Verdict,
    Window,
)

BAD = (
    "a\x1b[2J\x07\r\x9b1m\u202e\u2066\u200b\u2028\x7f\udcff\n"
    "</script><script>alert(1)</script>]]>\"'`{{7*7}}[x](y:z)|<!--"
)

FAMILIES = {
    "steady": "load",
    "knee": "load",
    "database-paused": "database",
    "database-slowed": "database",
    "idempotent-retry": "integrity",
    "two-versions": "restarts",
    "metastability": "metastability",
}


def claim(
    name: str, subject: Subject, verdict: Verdict, said: str = "It was measured.", **more: object
) -> Claim:
    """A claim."""
    return Claim(name, subject, verdict, said, **more)  # type: ignore[arg-type]  # named by the test


def windows(bad: range = range(0), count: int = 30, due: int = 120) -> tuple[Window, ...]:
    """Windows of 2 s; in those of `bad` most requests fail, and in their middle none is answered."""
    made = []
    for n in range(count):
        if n not in bad:
            quick = 0.012 + 0.001 * (n % 3)
            made.append(Window(2.0 * n, 2.0, due, 0, quick, quick * 1.6, quick * 3, due // 2, 0, quick * 1.8))
        elif n in (bad.start, bad.stop - 1):
            made.append(Window(2.0 * n, 2.0, due, due // 2, 2.1, 7.4, 9.9, due // 2, due // 3, 8.1))
        else:
            made.append(Window(2.0 * n, 2.0, due, due, None, None, None, due // 2, due // 2))
    return tuple(made)


BARS = (
    Bar(0.005, 12),
    Bar(0.01, 1400),
    Bar(0.02, 1900),
    Bar(0.05, 240),
    Bar(0.1, 40),
    Bar(0.2, 6),
    Bar(0.5, 2),
    Bar(float("inf"), 31),
)

STEADY = Measurement(
    experiment="steady",
    verdict=Verdict.PASSED,
    hypothesis="At the expected load every request is answered within the budget.",
    claims=(
        claim(
            "p95-within-budget",
            Subject.LATENCY,
            Verdict.PASSED,
            "p95 is 17 ms (at most 19 ms at 95 % confidence) of 200 ms.",
            figures=(
                Figure("p95", 0.017, "s"),
                Figure("upper bound", 0.019, "s", Origin.DERIVED, "rank 3,442"),
            ),
        ),
        claim(
            "errors-within-budget",
            Subject.ERRORS,
            Verdict.PASSED,
            "0 of 3,600 requests failed: less than 0.083 % at 95 % confidence.",
            figures=(Figure("bound", 0.00083, "%", Origin.DERIVED, "1 - 0.05^(1/3600)"),),
        ),
    ),
    seconds=60.0,
    windows=windows(),
    histogram=BARS[:7],
    tallies=(
        Tally("create-order", 1080, 1080, {"201": 1080}, 0.014, 0.019, 0.03),
        Tally("list-orders", 2520, 2520, {"200": 2520}, 0.008, 0.014, 0.02),
    ),
)

KNEE = Measurement(
    experiment="knee",
    verdict=Verdict.PASSED,
    hypothesis="The service holds its budgets beyond its declared peak.",
    claims=(
        claim(
            "carries-the-peak",
            Subject.CAPACITY,
            Verdict.PASSED,
            "The budgets hold up to 210 requests/s; the declared peak is 180/s.",
            figures=(Figure("highest rate", 210, "/s"),),
        ),
    ),
    seconds=75.0,
    curve=Curve(
        "p95 by load",
        "",
        "p95",
        tuple(Point(rate, 0.0, rate <= 210, y) for rate, y in
              ((60, 0.017), (120, 0.03), (180, 0.072), (210, 0.15), (240, 0.46), (300, 3.1))),
    ),
)  # fmt: skip

PAUSED = Measurement(
    experiment="database-paused",
    verdict=Verdict.FAILED,
    hypothesis="After a pause of the database the service recovers by itself.",
    claims=(
        claim(
            "recovers-in-time",
            Subject.RECOVERY,
            Verdict.FAILED,
            "Requests still failed 31 s after the pause of 5 s had ended; the fault outlives its cause.",
            figures=(
                Figure("failed", 0.8, "%"),
                Figure("longest timeout", 30, "s", Origin.ASSUMED),
                Figure("outage", 36, "s", Origin.DERIVED, "5 s + 31 s"),
                Figure("pool size of the replicas", 0, "", Origin.OPEN),
            ),
            evidence=(
                "POST /orders at 14.2 s: timed out after 10 s",
                "45 sessions idle in transaction",
                *(f"GET /orders at {n} s: 500" for n in range(15, 25)),
            ),
        ),
        claim("no-acknowledged-write-lost", Subject.INTEGRITY, Verdict.PASSED, "All 640 were found."),
        claim(
            "someone-is-paged",
            Subject.PAGING,
            Verdict.FAILED,
            "Users failed for 36 s; no alert fired; the cause is named in 0 of 84 error lines.",
        ),
        claim(
            "errors-within-budget",
            Subject.ERRORS,
            Verdict.INCONCLUSIVE,
            "3 of 900 requests failed outside of the fault; 2,100 more would settle it.",
        ),
    ),
    seconds=60.0,
    bands=(Band("the database is paused", 10.0, 15.0), Band("watched", 15.0, 60.0)),
    windows=windows(range(5, 24)),
    histogram=BARS,
    tallies=(
        Tally("create-order", 900, 180, {"201": 180, "500": 20, "timed out": 700}, 2.2, 9.1, 10.0),
        Tally("list-orders", 2700, 542, {"200": 542, "timed out": 2158}, None, None, None),
    ),
    ledger=LedgerTotals(
        sent=900, acknowledged=180, refused=20, unknown=700, found=199, doubled=6, unknown_and_applied=13,
        refused_but_applied=2, entries=(
            LedgerEntry("doubled", "create-order", "m-7f3a", 2, "Repeated after a cut connection."),
            LedgerEntry("refused but applied", "create-order", "m-91c0", 1, "Answered 500, yet stored."),
        ),
    ),
    logs=(
        LogExcerpt("web-1", 14.4, ("ERROR QueuePool limit of size 5 overflow 10 reached", "Traceback ...")),
        LogExcerpt("web-2", 15.1, tuple(f"ERROR request {n} failed" for n in range(12))),
    ),
    notes=("Half of the load came on fresh connections.",),
    explained_by=("call-without-deadline", "rule-nobody-knows"),
)  # fmt: skip

SLOWED = Measurement(
    experiment="database-slowed",
    verdict=Verdict.INCONCLUSIVE,
    hypothesis="With 200 ms on each round trip to the database every request is still answered.",
    claims=(
        claim(
            "p95-within-budget",
            Subject.LATENCY,
            Verdict.INCONCLUSIVE,
            "The load driver was late: p99 of 31 ms.",
        ),
    ),
    seconds=30.0,
    bands=(Band("+200 ms", 5.0, 25.0),),
    windows=windows(count=15),
)

RETRIED = Measurement(
    experiment="idempotent-retry",
    verdict=Verdict.FAILED,
    hypothesis="A write that is sent twice with one key is applied once.",
    claims=(
        claim(
            "applied-once",
            Subject.INTEGRITY,
            Verdict.FAILED,
            "6 of 40 writes with the same key were applied twice.",
        ),
    ),
    seconds=8.0,
)

VOID = Measurement(
    experiment="two-versions",
    verdict=Verdict.ERROR,
    hypothesis="Two versions run side by side.",
    why="The fault proxy ended with status 1.",
)

MAP = Measurement(
    experiment="metastability",
    verdict=Verdict.PASSED,
    hypothesis="From its declared peak the service comes back once the fault is gone.",
    claims=(claim("comes-back-from-peak", Subject.CAPACITY, Verdict.PASSED, "It comes back from 180/s."),),
    seconds=200.0,
    curve=Curve(
        "Comes back by itself",
        "pause of the database in seconds",
        "seconds to recover",
        tuple(
            Point(rate, pause, rate * pause < 900, 1.2 * pause if rate * pause < 900 else None)
            for rate in (60, 120, 180, 240)
            for pause in (1, 2, 5, 10)
        ),
    ),
)

MACHINE = Machine("Linux 6.1", "3.11.2", 2, 0.4, "16.4")


def proof(*measurements: Measurement, verdict: Verdict | None = None, **more: object) -> Proof:
    """A proof of these experiments; of all the above when none is given."""
    from mainstay.model.proof import worst

    chosen = measurements or (STEADY, KNEE, PAUSED, SLOWED, RETRIED, VOID, MAP)
    given = {
        "version": "0.2.0",
        "service": "orders",
        "profile": "quick",
        "began": "2026-11-23T17:00:00Z",
        "seconds": 172.4,
        "machine": MACHINE,
        "budgets": STANDARD,
        "standard": STANDARD,
        "verdict": verdict or worst([m.verdict for m in chosen]),
        "measurements": chosen,
        "skipped": (
            Skipped("disk-full", "user namespaces are not allowed here"),
            Skipped("rolling-restart", "one instance by design; a restart is announced", waived=True),
            Skipped("redis-down", "no dependency of kind redis", applies=False),
        ),
        "assumptions": ("A stall of the database happens once a month.",),
    }
    return Proof(**(given | more))  # type: ignore[arg-type]  # named by the test


GATES = (
    GateResult(
        "error-handling",
        "Error handling",
        Verdict.FAILED,
        ("database-paused: the fault outlives its cause.",),
        (
            Evidence(
                "prove", "recovers-in-time", Verdict.FAILED, "It outlives its cause.",
                "database-paused/recovers-in-time",
            ),
        ),
    ),
    GateResult("documentation", "Documentation", Verdict.INCONCLUSIVE, ("Nobody named a runbook.",)),
)  # fmt: skip


def hostile() -> Proof:
    """A proof in which every text is BAD."""
    figure = Figure(BAD, float("nan"), BAD, Origin.DERIVED, BAD)
    measurement = Measurement(
        experiment=BAD,
        verdict=Verdict.FAILED,
        hypothesis=BAD,
        claims=(Claim(BAD, Subject.ERRORS, Verdict.FAILED, BAD, (figure,), (BAD, BAD), Verdict.PASSED),),
        seconds=3.0,
        bands=(Band(BAD, 1.0, 2.0),),
        windows=(Window(0.0, 2.0, 4, 1, 0.1, 0.2, 0.3),),
        histogram=(Bar(0.1, 3),),
        tallies=(Tally(BAD, 4, 3, {BAD: 1}),),
        ledger=LedgerTotals(sent=4, lost=1, entries=(LedgerEntry(BAD, BAD, BAD, 0, BAD),)),
        curve=Curve(BAD, BAD, BAD, (Point(1.0, 1.0, True, 1.0), Point(2.0, 2.0, False))),
        logs=(LogExcerpt(BAD, 1.0, (BAD, BAD)),),
        notes=(BAD,),
        why=BAD,
        explained_by=(BAD,),
    )
    passed = Measurement(BAD, Verdict.PASSED, BAD, measurement.claims[:1])
    return proof(
        measurement,
        passed,
        version=BAD,
        service=BAD,
        profile=BAD,
        began=BAD,
        machine=Machine(BAD, BAD, 2, 1.0, BAD),
        skipped=(Skipped(BAD, BAD),),
        assumptions=(BAD,),
    )
