"""What a review reports."""

from enum import IntEnum, StrEnum

from msgspec import Struct

from mainstay.model.location import Location


class Severity(IntEnum):
    """How bad the failure is when it happens; higher is worse."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        return self.name.lower()


class Confidence(IntEnum):
    """How sure the facts are that the failure can happen; higher is surer."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def word(self) -> str:
        return self.name.lower()


class Analysis(StrEnum):
    """The five analyses; a rule's folder names the one it belongs to."""

    FAILURE = "failure"
    INTEGRITY = "integrity"
    SECURITY = "security"
    PERFORMANCE = "performance"
    MONITORING = "monitoring"


class Family(StrEnum):
    """The seventeen shapes in which backends go wrong."""

    UNGUARDED_WRITE = "unguarded-write"
    UNBOUNDED_WAIT = "unbounded-wait"
    LOST_UPDATE = "lost-update"
    INEFFECTIVE_LOCK = "ineffective-lock"
    COMMIT_ORDER = "commit-order"
    HELD_RESOURCE = "held-resource"
    QUERY_PER_ROW = "query-per-row"
    UNBOUNDED_WORK = "unbounded-work"
    MISSING_INDEX = "missing-index"
    UNSAFE_REPEAT = "unsafe-repeat"
    EXCEPTION_ESCAPE = "exception-escape"
    AUTHORISATION_GAP = "authorisation-gap"
    ASYNC_MISUSE = "async-misuse"
    SHARED_STATE = "shared-state"
    UNTRUSTED_INPUT = "untrusted-input"
    UNSAFE_MIGRATION = "unsafe-migration"
    SILENT_FAILURE = "silent-failure"


class Answers(Struct, frozen=True):
    """The five things every finding says."""

    fails: str
    notices: str
    recovers: str
    change: str
    costs: str


class Hop(Struct, frozen=True):
    """One place on the way to a finding, and what happens there."""

    location: Location
    what: str


class Finding(Struct, frozen=True):
    """One root cause.

    `path` leads from where it begins to where it bites; `siblings` are further places with the
    same cause; `clears` is the fact that would make the finding go away.
    """

    rule: str
    message: str
    location: Location
    severity: Severity
    confidence: Confidence
    answers: Answers
    clears: str
    path: tuple[Hop, ...] = ()
    siblings: tuple[Location, ...] = ()
    subject: str = ""  # what it is about in names, not lines: keeps the fingerprint still
