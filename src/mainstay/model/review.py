"""What a review came to."""

from enum import StrEnum

from msgspec import Struct

from mainstay.model.budget import Budgets
from mainstay.model.finding import Confidence, Finding, Severity
from mainstay.model.location import Location
from mainstay.model.system import System


class Standing(StrEnum):
    """Whether a finding counts."""

    OPEN = "open"
    SUPPRESSED = "suppressed"  # suppressed in place, with a reason
    BASELINED = "baselined"  # known before
    PREVIEW = "preview"  # of a rule too new to fail a build


class Result(Struct, frozen=True):
    """A finding and whether it counts; `fingerprint` survives moved lines."""

    finding: Finding
    fingerprint: str
    standing: Standing = Standing.OPEN
    reason: str = ""  # of the suppression


class Notice(Struct, frozen=True):
    """Something a person should know about the review itself: a suppression that suppresses nothing."""

    message: str
    location: Location | None = None


class Review(Struct, frozen=True):
    """The outcome of one review; `results` are in the order people should read them."""

    root: str  # as the user named it
    system: System
    results: tuple[Result, ...]
    notices: tuple[Notice, ...]
    files: int
    lines: int
    rules: tuple[str, ...]  # the rules that ran
    threshold: Severity  # findings at or above it fail the review
    confidence: Confidence  # findings below it are not shown
    budgets: Budgets
    seconds: float

    @property
    def open(self) -> tuple[Result, ...]:
        return tuple(r for r in self.results if r.standing is Standing.OPEN)

    @property
    def failing(self) -> tuple[Result, ...]:
        return tuple(r for r in self.open if r.finding.severity >= self.threshold)
