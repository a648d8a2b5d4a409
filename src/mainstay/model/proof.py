"""What was measured on a running service, and what follows from it."""

from enum import StrEnum

from msgspec import Struct

from mainstay.model.budget import Budgets


class Verdict(StrEnum):
    """What was not measured did not pass; what we got wrong ourselves says nothing of the service."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"  # too few samples, or undecided
    ERROR = "error"  # our own fault: the run is void


class Subject(StrEnum):
    """What a claim is about; each gate asks for some of these."""

    LATENCY = "latency"
    ERRORS = "errors"
    RECOVERY = "recovery"
    INTEGRITY = "integrity"
    REFUSAL = "refusal"  # failures are told in a way that callers can act on
    SECURITY = "security"
    PAGING = "paging"  # whether anyone would have been told
    CAPACITY = "capacity"
    AVAILABILITY = "availability"
    RESTORE = "restore"


class Origin(StrEnum):
    """Where a figure comes from; there is no fifth kind."""

    MEASURED = "measured"
    DERIVED = "derived"
    ASSUMED = "assumed"
    OPEN = "open question"


class Figure(Struct, frozen=True):
    """A number with its unit and where it comes from."""

    name: str
    value: float
    unit: str = ""  # "s", "/s", "%" (a fraction of 1), ""
    origin: Origin = Origin.MEASURED
    sum: str = ""  # how it was derived


class Claim(Struct, frozen=True):
    """One thing that an experiment says about the service."""

    name: str  # "no-acknowledged-write-lost"
    subject: Subject
    verdict: Verdict
    said: str  # one sentence with its figures and bounds
    figures: tuple[Figure, ...] = ()
    evidence: tuple[str, ...] = ()  # requests, rows, log lines that show it
    standard: Verdict | None = None  # against the standing budget, where the project loosened it


class Band(Struct, frozen=True):
    """A stretch of an experiment in which something was done to the service; seconds from its start."""

    what: str
    start: float
    end: float


class Window(Struct, frozen=True):
    """The requests that were due within one stretch of an experiment."""

    start: float  # seconds from the start of the experiment
    seconds: float
    due: int
    failed: int
    p50: float | None  # seconds; None when nothing was answered
    p95: float | None
    worst: float | None
    fresh_due: int = 0
    fresh_failed: int = 0
    fresh_p95: float | None = None


class Bar(Struct, frozen=True):
    """A bar of a latency histogram: requests answered within `upto` seconds and not within the bar before."""

    upto: float
    count: int


class Tally(Struct, frozen=True):
    """The requests of one action."""

    action: str
    sent: int
    ok: int
    statuses: dict[str, int] = {}  # "503" -> 12, "timed out" -> 3
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class LedgerEntry(Struct, frozen=True):
    """A write that did not become what its caller was told."""

    kind: str  # "lost", "doubled", "refused but applied", "phantom"
    action: str
    marker: str
    times: int  # it was applied
    said: str


class LedgerTotals(Struct, frozen=True):
    """What became of all writes of an experiment."""

    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    found: int = 0  # in the database
    lost: int = 0
    doubled: int = 0
    refused_but_applied: int = 0
    unknown_and_applied: int = 0
    phantom: int = 0
    unchecked: int = 0  # nothing in the database tells whether they were applied
    checked: int = 0  # acknowledged ones of which it does tell
    denied_but_applied: int = 0  # refused ones whose answer (4xx) said for certain that nothing happened
    entries: tuple[LedgerEntry, ...] = ()  # the worst, not all


class LogExcerpt(Struct, frozen=True):
    """Lines of a process's log, around something that failed."""

    process: str
    at: float  # seconds from the start of the experiment
    lines: tuple[str, ...]


class Point(Struct, frozen=True):
    """One point of a curve or of a map: the load, what was done, and what came of it."""

    rate: float  # requests a second
    x: float  # "length of the pause" in seconds; 0 on a plain curve
    held: bool
    y: float | None = None  # p95, or seconds to recover


class Curve(Struct, frozen=True):
    """Points that belong together."""

    title: str
    x: str  # what the x of its points is
    y: str
    points: tuple[Point, ...]


class Measurement(Struct, frozen=True):
    """What one experiment found out."""

    experiment: str
    verdict: Verdict
    hypothesis: str
    claims: tuple[Claim, ...] = ()
    seconds: float = 0.0
    bands: tuple[Band, ...] = ()
    windows: tuple[Window, ...] = ()
    histogram: tuple[Bar, ...] = ()
    tallies: tuple[Tally, ...] = ()
    ledger: LedgerTotals | None = None
    curve: Curve | None = None
    logs: tuple[LogExcerpt, ...] = ()
    notes: tuple[str, ...] = ()
    why: str = ""  # why it is inconclusive or void, when no claim says so
    explained_by: tuple[str, ...] = ()  # rules of `review` that find the usual causes


class Skipped(Struct, frozen=True):
    """An experiment that was not done."""

    experiment: str
    reason: str
    waived: bool = False  # by the project; otherwise it does not apply, or cannot be done here
    applies: bool = True


class Machine(Struct, frozen=True):
    """Where it was measured."""

    system: str
    python: str
    cores: int
    load: float  # the load average when it began
    postgres: str = ""


class Proof(Struct, frozen=True):
    """A whole run of `mainstay prove`."""

    version: str  # of Mainstay
    service: str  # the name of its folder
    profile: str
    began: str  # ISO 8601, UTC
    seconds: float
    machine: Machine
    budgets: Budgets
    standard: Budgets  # the standing budgets, for comparison
    verdict: Verdict
    measurements: tuple[Measurement, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    assumptions: tuple[str, ...] = ()
    schema: int = 1

    @property
    def failing(self) -> tuple[Measurement, ...]:
        """The experiments that the service failed."""
        return tuple(m for m in self.measurements if m.verdict is Verdict.FAILED)


def worst(verdicts: "list[Verdict]") -> Verdict:
    """One verdict for several: an error wins, then a failure, then doubt; of none, inconclusive."""
    for verdict in (Verdict.ERROR, Verdict.FAILED, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.PASSED if verdicts else Verdict.INCONCLUSIVE
