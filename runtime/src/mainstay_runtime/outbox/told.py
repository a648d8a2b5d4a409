"""What relays tell: metrics and alerts are made of it."""

from mainstay_runtime.events import tell
from mainstay_runtime.outbox.leases import Backlog


def backlog(name: str, now: Backlog) -> None:
    tell("outbox", name, "depth", now.depth)
    tell("outbox", name, "age", now.age)
    tell("outbox", name, "dead", now.dead)


def outcome(name: str, what: str) -> None:
    """`delivered`, `failed`, `died`, `late` (delivered after the lease, so to be again), `unreachable`."""
    tell("outbox", name, what)
