"""The metrics that alerts and the dashboard look at, and who tells them."""

from enum import StrEnum

from msgspec import Struct

from mainstay.model.specification import Specification
from mainstay.plan.objectives import REQUESTS, SECONDS

# What `mainstay_runtime.objectives` tells beside requests.
IN_FLIGHT = "http_requests_in_flight"
EVENTS = "guard_events_total"  # by kind, name, what: `mainstay_runtime.events`
LEVEL = "guard_level"  # by kind, name, what: what an event tells of a level, not of something that happened
BREAKER = "guard_breaker_open"  # by name: 1 while calls are refused, 0.5 while they are probed
OUTBOX = f'{LEVEL}{{kind="outbox",what="depth"}}'  # messages that wait
# What the service itself tells.
READY = "ready_check"  # by check: 1 while it passes
CALLS = "need_calls_total"  # by need and outcome: ok, failed, refused
POOL_USED = "database_pool_used"  # connections
POOL_SIZE = "database_pool_size"
# What others tell.
UP = "up"
DISK_LEFT = "kubelet_volume_stats_available_bytes"
DISK = "kubelet_volume_stats_capacity_bytes"
DATABASE_UP = "pg_up"
NOT_ARCHIVED = "pg_stat_archiver_failed_count"
BACKUP = "backup_last_success_timestamp_seconds"


class Source(StrEnum):
    """Who tells a metric."""

    RUNTIME = "mainstay-runtime"
    SERVICE = "the service"
    PROMETHEUS = "Prometheus"
    KUBELET = "the kubelet"
    POSTGRES = "postgres_exporter"
    BACKUP = "the backup script"


class Signal(Struct, frozen=True):
    """A metric that alerts and the dashboard look at."""

    name: str
    labels: tuple[str, ...]
    source: Source


SIGNALS = (
    Signal(REQUESTS, ("method", "route", "status"), Source.RUNTIME),
    Signal(f"{SECONDS}_bucket", ("method", "route", "status", "le"), Source.RUNTIME),
    Signal(f"{SECONDS}_count", ("method", "route", "status"), Source.RUNTIME),
    Signal(IN_FLIGHT, (), Source.RUNTIME),
    Signal(EVENTS, ("kind", "name", "what"), Source.RUNTIME),
    Signal(LEVEL, ("kind", "name", "what"), Source.RUNTIME),
    Signal(BREAKER, ("name",), Source.RUNTIME),
    Signal(READY, ("check",), Source.SERVICE),
    Signal(CALLS, ("need", "outcome"), Source.SERVICE),
    Signal(POOL_USED, (), Source.SERVICE),
    Signal(POOL_SIZE, (), Source.SERVICE),
    Signal(UP, ("job",), Source.PROMETHEUS),
    Signal(DISK_LEFT, ("persistentvolumeclaim",), Source.KUBELET),
    Signal(DISK, ("persistentvolumeclaim",), Source.KUBELET),
    Signal(DATABASE_UP, ("job",), Source.POSTGRES),
    Signal(NOT_ARCHIVED, ("job",), Source.POSTGRES),
    Signal(BACKUP, ("service",), Source.BACKUP),
)


def everywhere(specification: Specification) -> str:
    """The label of the service's processes, the relay's too."""
    return f'job=~"{specification.service}(-relay)?"'


def level(specification: Specification, kind: str, what: str) -> str:
    """PromQL: what a guard of that kind is at, in every process."""
    return f'{LEVEL}{{{everywhere(specification)},kind="{kind}",what="{what}"}}'
