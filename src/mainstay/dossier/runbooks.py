"""What to do when something fails, as a page: one section for each alert and each way to fail."""

from collections.abc import Iterator

from mainstay.dossier.failure_modes import degraded, effects, end
from mainstay.model.dossier import Artefact, Chapter, Grid, Row
from mainstay.model.specification import Specification
from mainstay.plan.failures.mode import FailureMode
from mainstay.plan.failures.signals import Alarm
from mainstay.plan.runbooks import REVIVE, Act, Look, Section, runbooks

PLACE = 70


def chapter(specification: Specification) -> Chapter:
    """The sections, and the page."""
    sections = runbooks(specification)
    rows = tuple(Row((f"`{s.title}`", _shows(s), "; ".join(s.acts)), sum=_why(s)) for s in sections)
    return Chapter(
        "runbooks",
        "What to do when it fails",
        "For each alert and each way to fail: how it shows, what to look at, what to do, when it is over.",
        (
            Grid(("section", "how it shows", "what to do"), rows, "The sections"),
            Artefact("RUNBOOK.md", "markdown", page(specification), "The page that the alerts lead to"),
        ),
    )


def page(specification: Specification) -> str:
    """`RUNBOOK.md`: the address of each section is its heading, in small letters, with `-` for spaces."""
    keys = any(operation.critical for operation in specification.operations)
    lines = [
        "# Runbook",
        "",
        f"`{specification.service}`: {specification.purpose} It belongs to {specification.owner}.",
        "",
        "The first part has a section for each alert of `alerts.yml`, the second one for each way to fail.",
        "If a disaster is behind it, go to [DISASTER_RECOVERY.md](DISASTER_RECOVERY.md).",
    ]
    if keys:
        lines.append(
            "Critical writes may be repeated with their `Idempotency-Key` at any time: nothing doubles."
        )
    for section in runbooks(specification):
        lines += ["", f"## {section.title}", "", *_section(specification, section)]
    return "\n".join(lines) + "\n"


# --- a section -------------------------------------------------------------------------------


def _section(specification: Specification, section: Section) -> Iterator[str]:
    if section.mode is not None:
        yield f"How it shows: {_shows(section)}"
    else:
        yield "How it shows:"
        yield ""
        yield from dict.fromkeys(f"- {alert.summary} ({alert.severity})" for alert in section.alerts)
    yield ""
    if section.mode is not None:
        yield f"Meanwhile: {degraded(section.mode)}."
        yield ""
    yield "What to look at:"
    for look in section.looks:
        yield from _look(look)
    yield ""
    yield "What to do:"
    yield ""
    for number, act in enumerate(section.acts, start=1):
        yield f"{number}. {_act(specification, section, act)}"
    yield ""
    yield f"It is over {_over(section)}"
    yield ""
    yield f"If none of it helps within a quarter of an hour, call {section.owner}."


def _shows(section: Section) -> str:
    if section.mode is not None:
        names = ", ".join(f"`{signal.alert}`" for signal in section.mode.signals)
        return f"{effects(section.mode)}. Alerts: {names}."
    said = tuple(dict.fromkeys(f"{alert.summary} ({alert.severity})" for alert in section.alerts))
    return said[0] if len(said) == 1 else f"{said[0]} Or {len(said) - 1} more of its kind."


def _look(look: Look) -> Iterator[str]:
    yield ""
    yield f"- {look.what[0].upper()}{look.what[1:].rstrip('.')}:"
    yield ""
    yield f"  ```{look.tongue}"
    yield from (f"  {line}" for line in look.command.splitlines())
    yield "  ```"


def _over(section: Section) -> str:
    if section.mode is not None:
        return f"{_ended(section.mode)} It ends {end(section.mode)}."
    if any("window" in dict(alert.labels) for alert in section.alerts):
        return "when the short window is well again: the long ones take their time to forget."
    return "when the alert has ended, and an hour later has not come again."


def _ended(mode: FailureMode) -> str:
    waiting = next((s.metric for s in mode.signals if s.alert.endswith(Alarm.OUTBOX)), "")
    if mode.backlog is not None:
        return f"when `{waiting}` is back where it was: then all that was owed is settled."
    return "when the operations above answer as ever."


def _act(specification: Specification, section: Section, act: Act) -> str:
    service, said = specification.service, f"{act.value[0].upper()}{act.value[1:]}"
    match act:
        case Act.UNDO:
            return f"{said}: `kubectl rollout undo deployment/{service}`. The schema fits the version before."
        case Act.RESTART:
            return f"{said}: `kubectl rollout restart deployment/{service}`."
        case Act.RELAY:
            return (
                f"{said}: `kubectl rollout restart deployment/{service}-relay`. Nothing that waits is lost."
            )
        case Act.MORE:
            return f"{said}: `kubectl scale deployment/{service} --replicas=N`; the dossier has the sum."
        case Act.END_QUERY:
            return f"{said}, by its number above: `select pg_terminate_backend(PID);`."
        case Act.SLOT:
            return f"{said}: `select pg_drop_replication_slot('NAME');`. Its standby has to be made anew."
        case Act.BACKUP_NOW:
            return f"{said}: `kubectl create job --from=cronjob/{service}-backup {service}-backup-now`."
        case Act.RECOVER:
            return "If the database does not come back: [DISASTER_RECOVERY.md](DISASTER_RECOVERY.md)."
        case Act.DEAD:
            return f"{said}, once the receiver is well: `{REVIVE}`. Each has its id, so it counts once."
        case Act.ASK_OUTCOME:
            name = section.mode.name if section.mode is not None else "the need"
            return (
                f"{said}: ask those who run `{name}`, and enter the outcome by hand. Do not repeat the call."
            )
        case Act.TELL_NEED:
            names = [section.mode.name] if section.mode is not None else [n.name for n in specification.needs]
            return f"{said}: {', '.join(f'`{name}`' for name in names)}."
        case _:
            return f"{said}."


def _why(section: Section) -> str:
    if section.mode is None:
        return "an alert of `alerts.yml` has its address"
    return f"`{section.mode.name}` × {section.mode.mode} of the failure modes"
