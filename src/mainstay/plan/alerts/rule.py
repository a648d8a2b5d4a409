"""Rules as Prometheus knows them: series to keep, and something to tell somebody."""

from msgspec import Struct


class Recording(Struct, frozen=True):
    """A series that Prometheus keeps for the others to use."""

    name: str
    expression: str
    labels: tuple[tuple[str, str], ...] = ()


class Alert(Struct, frozen=True):
    """Something to tell somebody."""

    name: str
    expression: str
    wait: float  # seconds that it has to hold
    severity: str  # "page": at once; "ticket": in working hours
    summary: str
    labels: tuple[tuple[str, str], ...] = ()
    assumed: bool = False  # its threshold does not follow from the specification

    @property
    def runbook(self) -> str:
        """Where it is told what to do."""
        return f"RUNBOOK.md#{self.name.lower()}"


class Group(Struct, frozen=True):
    """Rules that are evaluated one after the other."""

    name: str
    every: str
    rules: tuple[Recording | Alert, ...]


def pascal(service: str) -> str:
    """`user-auth` as alerts write it: `UserAuth`."""
    return "".join(part.capitalize() for part in service.split("-"))
