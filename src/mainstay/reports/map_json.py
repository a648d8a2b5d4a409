"""`mainstay map` as JSON, and the part of it that `mainstay review` gives."""

from typing import Any

from mainstay.budgets import Budgets
from mainstay.model.location import Location
from mainstay.model.system import Bound, System
from mainstay.reports.encode import encode, place
from mainstay.reports.system_map import (
    CallOut,
    Does,
    JobEntry,
    OperationEntry,
    Store,
    SystemMap,
    build,
    waits,
)


def render(system: System, budgets: Budgets) -> str:
    """The whole map; calls out are numbered, and entries refer to them by number."""
    view = build(system)
    return encode(
        {
            "mainstay": 1,
            "counts": counts(view),
            "budgets": {
                "availability": budgets.availability,
                "errors": budgets.errors,
                "p95_seconds": budgets.p95,
                "recovery_seconds": budgets.recovery,
            },
            "operations": [_operation(e) for group in view.operations.values() for e in group],
            "jobs": [_job(e) for group in view.jobs.values() for e in group],
            "calls": [_call(call) for call in view.calls],
            "stores": [_store(store) for store in view.stores],
            "gaps": [{"location": place(gap.location), "why": gap.why} for gap in system.gaps],
        }
    )


def counts(view: SystemMap) -> dict[str, int]:
    """How much the map shows."""
    return {
        "operations": view.operation_count,
        "unguarded": view.unguarded,
        "jobs": view.job_count,
        "calls": len(view.calls),
        "unbounded": view.unbounded,
        "stores": len(view.stores),
        "tables": sum(len(store.tables) for store in view.stores),
    }


def _operation(entry: OperationEntry) -> dict[str, Any]:
    operation = entry.operation
    return {
        "method": operation.method,
        "path": operation.path,
        "function": operation.function,
        "location": place(operation.location),
        "router": operation.router,
        "framework": operation.framework,
        "basis": operation.basis.value,
        "access": entry.access.value,
        "guards": [
            {
                "name": guard.name,
                "location": place(guard.location),
                "authenticates": guard.authenticates,
                "public": guard.public,
                "why": guard.why,
            }
            for guard in operation.guards
        ],
        "inputs": list(operation.inputs),
        **_does(entry.does),
    }


def _job(entry: JobEntry) -> dict[str, Any]:
    job = entry.job
    return {
        "name": job.name,
        "function": job.function,
        "trigger": job.trigger,
        "location": place(job.location),
        "redelivers": job.redelivers,
        **_does(entry.does),
    }


def _does(does: Does) -> dict[str, Any]:
    return {
        "reads": list(does.reads),
        "writes": list(does.writes),
        "calls": list(does.calls),
        "calls_later": list(does.later),
    }


def _call(call: CallOut) -> dict[str, Any]:
    deadline = call.deadline
    known = deadline.bound in (Bound.BOUNDED, Bound.UNBOUNDED)
    return {
        "number": call.number,
        "target": call.target,
        "function": call.function,
        "location": place(call.location),
        "deadline": {
            "bound": deadline.bound.value,
            "seconds": deadline.seconds,
            "why": deadline.why,
            "says": waits(deadline),
            "figure": "derived" if known else "open question",
            "decided_at": _maybe(deadline.location),
        },
        "retried": call.retried,
        "in_transaction": call.in_transaction,
    }


def _maybe(location: Location | None) -> dict[str, Any] | None:
    return place(location) if location else None


def _store(store: Store) -> dict[str, Any]:
    return {
        "kind": store.kind,
        "location": place(store.location),
        "tables": list(store.tables),
        "read": list(store.read),
        "written": list(store.written),
    }
