"""What somebody does who is woken: one section for each alert, and one for each way to fail."""

from enum import StrEnum

from msgspec import Struct

from mainstay.model.specification import Specification
from mainstay.plan.alerts import CALLS, Alert, alerts, everywhere
from mainstay.plan.failures import failure_modes
from mainstay.plan.failures.mode import Doubt, FailureMode, Mode, Part
from mainstay.plan.failures.signals import Alarm, alert
from mainstay.plan.objectives import REQUESTS, SECONDS


class Tongue(StrEnum):
    """What a command is written in."""

    PROMQL = "promql"
    SQL = "sql"
    SHELL = "sh"


class Look(Struct, frozen=True):
    """Something to look at."""

    what: str  # that it shows
    tongue: Tongue
    command: str


class Act(StrEnum):
    """What to do, in the order of trying."""

    UNDO = "a release is fresh: undo it"
    TELL_NEED = "tell those who run the need"
    WAIT = "wait: it ends by itself"
    RELAY = "restart the relay"
    DEAD = "send again what was given up"
    ASK_OUTCOME = "find out by hand what the need did"
    RESTART = "replace the replicas"
    MORE = "add replicas, as far as the connections reach"
    ROOM = "give the disk more room"
    SLOT = "drop the replication slot that nobody reads"
    END_QUERY = "end the statement that holds the others up"
    BACKUP_NOW = "take a backup now"
    ARCHIVE = "mend the place that the log is copied to"
    RECOVER = "follow DISASTER_RECOVERY.md"


class Section(Struct, frozen=True):
    """One section."""

    title: str
    looks: tuple[Look, ...]
    acts: tuple[Act, ...]
    owner: str  # who is called when none of it helps
    alerts: tuple[Alert, ...] = ()  # that lead here by their address
    mode: FailureMode | None = None  # of a section about a way to fail

    @property
    def anchor(self) -> str:
        """As a page of Markdown addresses its heading."""
        return self.title.lower().replace(" ", "-")


def runbooks(specification: Specification) -> tuple[Section, ...]:
    """First the alerts that there are, then the ways to fail."""
    return (
        *(_of_alert(specification, alarm) for alarm in Alarm if _fired(specification, alarm)),
        *(_of_mode(specification, mode) for mode in failure_modes(specification)),
    )


def _fired(specification: Specification, alarm: Alarm) -> tuple[Alert, ...]:
    name = alert(specification, alarm)
    return tuple(found for found in alerts(specification) if found.name == name)


def _of_alert(specification: Specification, alarm: Alarm) -> Section:
    fired = _fired(specification, alarm)
    causes = tuple(_causes(fired))
    name = alert(specification, alarm)
    looks = (*causes, *_looks(specification, alarm))
    return Section(name, looks, _ACTS_OF_ALARM[alarm], specification.owner, alerts=fired)


def _causes(fired: tuple[Alert, ...]) -> list[Look]:
    """The expressions themselves, each once: they say which part, need or operation it is."""
    return [Look(each.summary, Tongue.PROMQL, each.expression) for each in fired if each.severity == "page"][
        :2
    ]


def _of_mode(specification: Specification, mode: FailureMode) -> Section:
    looks = _looks_of_mode(specification, mode)
    acts = _ACTS_OF_NEED[mode.mode] if mode.part is Part.NEED else _ACTS_OF_MODE[mode.part, mode.mode]
    if Doubt.OUTCOME in mode.doubts:  # what may have been done already is not sent again
        acts = (*(act for act in acts if act is not Act.DEAD), Act.ASK_OUTCOME)
    if mode.part is Part.NEED and mode.backlog is None:
        acts = tuple(act for act in acts if act not in (Act.RELAY, Act.DEAD))
    return Section(mode.title, looks, acts, specification.owner, mode=mode)


_ACTS_OF_ALARM = {
    Alarm.BUDGET: (Act.UNDO, Act.RESTART, Act.RECOVER),
    Alarm.SLOW: (Act.UNDO, Act.END_QUERY, Act.MORE),
    Alarm.NEED: (Act.UNDO, Act.TELL_NEED, Act.WAIT),
    Alarm.OUTBOX: (Act.UNDO, Act.RELAY, Act.TELL_NEED, Act.DEAD),
    Alarm.DATABASE: (Act.UNDO, Act.RESTART, Act.RECOVER),
    Alarm.DISK: (Act.SLOT, Act.ROOM),
    Alarm.BACKUP: (Act.ARCHIVE, Act.BACKUP_NOW),
}
_ACTS_OF_NEED = {
    Mode.DOWN: (Act.TELL_NEED, Act.WAIT, Act.RELAY),
    Mode.SLOW: (Act.TELL_NEED, Act.WAIT),
    Mode.WRONG: (Act.UNDO, Act.TELL_NEED, Act.DEAD),
    Mode.HALF_OPEN: (Act.TELL_NEED, Act.WAIT),
}
_ACTS_OF_MODE = {
    (Part.DATABASE, Mode.DOWN): (Act.WAIT, Act.RECOVER),
    (Part.DATABASE, Mode.SLOW): (Act.END_QUERY, Act.UNDO),
    (Part.DATABASE, Mode.WRONG): (Act.END_QUERY, Act.RESTART, Act.RECOVER),
    (Part.DATABASE, Mode.HALF_OPEN): (Act.WAIT, Act.RESTART, Act.RECOVER),
    (Part.SERVICE, Mode.KILLED): (Act.WAIT, Act.UNDO),
    (Part.SERVICE, Mode.TWO_VERSIONS): (Act.UNDO,),
    (Part.SERVICE, Mode.DISK_FULL): (Act.SLOT, Act.ROOM),
    (Part.SERVICE, Mode.OVERLOAD): (Act.MORE, Act.UNDO),
}


# --- what to look at -------------------------------------------------------------------------

_BUSY = Look(
    "what the database is doing, the longest first",
    Tongue.SQL,
    "select pid, state, wait_event_type, now() - xact_start as since, left(query, 80)\n"
    "from pg_stat_activity where state <> 'idle' order by xact_start;",
)
_CONNECTIONS = Look(
    "who holds the connections",
    Tongue.SQL,
    "select usename, state, count(*) from pg_stat_activity group by 1, 2 order by 3 desc;",
)
_DEAD = Look(
    "which messages were given up, and why",
    Tongue.SQL,
    "select id, topic, attempts, dead_at, left(error, 80) from outbox\n"
    "where dead_at is not null order by dead_at limit 20;",
)
REVIVE = (
    "update outbox set dead_at = null, attempts = 0, due_at = now() "
    "where dead_at is not null and topic = 'TOPIC';"
)
_LARGEST = Look(
    "what takes the room",
    Tongue.SQL,
    "select relname, pg_size_pretty(pg_total_relation_size(oid)) from pg_class\n"
    "where relkind = 'r' order by pg_total_relation_size(oid) desc limit 10;",
)
_SLOTS = Look(
    "whether a replication slot holds the log back",
    Tongue.SQL,
    "select slot_name, active, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))\n"
    "from pg_replication_slots;",
)
_ARCHIVER = Look(
    "whether the log is copied away",
    Tongue.SQL,
    "select last_archived_time, last_failed_time, last_failed_wal, failed_count from pg_stat_archiver;",
)
_READ_ONLY = Look(
    "whether it is a standby, which takes no writes",
    Tongue.SQL,
    "select pg_is_in_recovery(), current_setting('default_transaction_read_only');",
)


def _looks(specification: Specification, alarm: Alarm) -> tuple[Look, ...]:
    match alarm:
        case Alarm.BUDGET:
            return (
                _by_route(specification),
                _pods(specification),
                _errors(specification),
                _releases(specification),
            )
        case Alarm.SLOW:
            return (_slowest(specification), _BUSY, _releases(specification))
        case Alarm.NEED:
            return (_calls(specification), _errors(specification))
        case Alarm.OUTBOX:
            return (
                _pods(specification, "-relay"),
                _calls(specification),
                _DEAD,
                _errors(specification, "-relay"),
            )
        case Alarm.DATABASE:
            return (_ready(specification), _CONNECTIONS, _READ_ONLY)
        case Alarm.DISK:
            return (_LARGEST, _SLOTS, _ARCHIVER)
        case Alarm.BACKUP:
            return (_ARCHIVER, _jobs(specification))


def _looks_of_mode(specification: Specification, mode: FailureMode) -> tuple[Look, ...]:
    if mode.part is Part.NEED:
        dead = (_DEAD,) if mode.backlog is not None else ()
        return (_calls(specification, mode.name), *dead, _errors(specification))
    if mode.part is Part.DATABASE:
        own = {Mode.DOWN: (), Mode.SLOW: (_BUSY,), Mode.WRONG: (_CONNECTIONS, _READ_ONLY), Mode.HALF_OPEN: ()}
        return (_ready(specification), *own[mode.mode])
    if mode.mode is Mode.DISK_FULL:
        return (_LARGEST, _SLOTS)
    if mode.mode is Mode.OVERLOAD:
        return (_by_route(specification), _pods(specification))
    return (_pods(specification), _releases(specification))


def _by_route(specification: Specification) -> Look:
    said = f'sum by (route, status) (rate({REQUESTS}{{job="{specification.service}"}}[5m]))'
    return Look("which operation answers what", Tongue.PROMQL, said)


def _slowest(specification: Specification) -> Look:
    buckets = f'rate({SECONDS}_bucket{{job="{specification.service}"}}[5m])'
    said = f"histogram_quantile(0.95, sum by (route, le) ({buckets}))"
    return Look("which operation is slow", Tongue.PROMQL, said)


def _calls(specification: Specification, need: str = "") -> Look:
    labels = everywhere(specification) + (f',need="{need}"' if need else "")
    said = f"sum by (need, outcome) (rate({CALLS}{{{labels}}}[5m]))"
    return Look("which need answers how", Tongue.PROMQL, said)


def _ready(specification: Specification) -> Look:
    said = f"kubectl exec deployment/{specification.service} -- python -c \\\n"
    said += "  \"from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8000/readyz').read())\""
    return Look("what a replica says of its database", Tongue.SHELL, said)


def _pods(specification: Specification, part: str = "") -> Look:
    app = specification.service + part
    return Look(
        "what runs, since when, how often it began anew", Tongue.SHELL, f"kubectl get pods -l app={app}"
    )


def _errors(specification: Specification, part: str = "") -> Look:
    said = (
        f"kubectl logs -l app={specification.service}{part} --since=15m --prefix | grep -i error | tail -50"
    )
    return Look("what the log says of it", Tongue.SHELL, said)


def _releases(specification: Specification) -> Look:
    said = f"kubectl rollout history deployment/{specification.service}"
    return Look("whether a release is fresh", Tongue.SHELL, said)


def _jobs(specification: Specification) -> Look:
    said = f"kubectl get jobs -l app={specification.service}-backup"
    return Look("how the last backups ended", Tongue.SHELL, said)
