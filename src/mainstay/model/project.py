"""Facts of a project that are neither code nor measured: its documents and what its tests reached."""

from enum import StrEnum

from msgspec import Struct

from mainstay.model.location import Location


class RunbookLink(StrEnum):
    """How well an alert is tied to the page that says what to do."""

    FOUND = "found"  # a document of the project says what to do about this alert
    NAMED = "named"  # it names an address outside of the project, which nobody has looked at
    BROKEN = "broken"  # it names a document, or a part of one, that is not there
    NONE = "none"


class AlertPage(Struct, frozen=True):
    """An alert rule, and the runbook it leads to."""

    name: str
    location: Location
    link: RunbookLink
    runbook: str = ""  # the document, or what the alert names


class Documents(Struct, frozen=True):
    """The documents of a project, as paths below its root."""

    openapi: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
    recovery: tuple[str, ...] = ()  # what to do after a disaster
    alerts: tuple[AlertPage, ...] = ()
    unread: tuple[str, ...] = ()  # what could not be looked at, and why: one sentence each


class FileCoverage(Struct, frozen=True):
    """The lines of one file that the tests reached, and those they did not."""

    path: str  # as the report names it
    reached: frozenset[int]
    missed: frozenset[int]


class CoverageReport(Struct, frozen=True):
    """What the tests of a project reached, by the report that their coverage tool wrote."""

    path: str
    files: tuple[FileCoverage, ...]


class ProjectFacts(Struct, frozen=True):
    """Everything of this module; None is what nobody looked at."""

    documents: Documents | None = None
    coverage: CoverageReport | None = None
