"""Code that runs whenever a row is saved or deleted, inside whatever transaction does it."""

from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.code import Assign, Call, Display, Literal, Name, Result
from mainstay.model.effect import WRITES, EffectKind, EnclosureKind
from mainstay.model.finding import Hop
from mainstay.model.flow import parts
from mainstay.model.system import Function, System

# Django sends these inside the transaction that it opens around every deletion and relation change.
ALWAYS_INSIDE = frozenset({"pre_delete", "post_delete", "m2m_changed"})


class Hook(Struct, frozen=True):
    """A model's `save` or `delete`, or a receiver of its signals."""

    function: Function
    table: str  # "" when it cannot be told
    signal: str  # "" for a method


def hooks(system: System) -> dict[str, Hook]:
    """Every hook by the name of its function."""
    found = {}
    for job in system.jobs:
        function = system.functions.get(job.function)
        if job.trigger == "signal" and function is not None:
            found[function.name] = _receiver(system, function)
    for function in system.source_functions():
        cls = system.classes.get(function.owner)
        if cls is None or not cls.table or function.body.name not in ("save", "delete"):
            continue
        if any(base.startswith("django.") for base in cls.ancestry):
            found[function.name] = Hook(function, cls.fact.name, "")
    return found


def _receiver(system: System, function: Function) -> Hook:
    """A function under `@receiver(post_save, sender=Order)`."""
    parent = next(
        (f for f in system.functions.values() if f.file is function.file and f.index == function.body.parent),
        None,
    )
    for value in function.body.decorators:
        call = parent.body.statements[value.call] if parent and isinstance(value, Result) else None
        if isinstance(call, Call):
            signal = call.arguments[0] if call.arguments else None
            sender = call.keyword("sender")
            return Hook(
                function,
                sender.path.rpartition(".")[2] if isinstance(sender, Name) else "",
                signal.path.rpartition(".")[2] if isinstance(signal, Name) else "",
            )
    return Hook(function, "", "")


class Surroundings:
    """Which tables are written inside transactions, and whether every request is one."""

    def __init__(self, system: System) -> None:
        self._written = dict(_written(system))  # by table, and whether rows are deleted
        self._requests = next(_atomic_requests(system), None)

    def around(self, hook: Hook) -> Hop | None:
        """Where the transaction comes from that a hook runs in; None when nothing shows one."""
        if hook.signal in ALWAYS_INSIDE:
            return Hop(
                hook.function.location, f"{hook.signal} is sent inside the transaction of the deletion"
            )
        deletes = hook.function.body.name == "delete"
        return self._written.get((hook.table, deletes)) or self._requests


def _written(system: System) -> Iterator[tuple[tuple[str, bool], Hop]]:
    for function in system.source_functions():
        if function.kinds.isdisjoint(WRITES):
            continue
        if not any(e.kind is EnclosureKind.TRANSACTION for e in function.enclosures):
            continue
        for step in system.steps(function, *WRITES):
            held = step.within(EnclosureKind.TRANSACTION)
            if held is not None and step.effect.target:
                table = step.effect.target
                deletes = step.effect.kind is EffectKind.DELETE
                yield (table, deletes), Hop(step.location, f"{table} is written in a transaction")


def _atomic_requests(system: System) -> Iterator[Hop]:
    """Django's setting by which every request is one transaction."""
    for function in system.source_functions():
        if function.body.kind != "module" or "setting" not in function.file.path:
            continue
        for at, statement in enumerate(function.body.statements):
            if isinstance(statement, Assign) and statement.value is not None:
                told = any("ATOMIC_REQUESTS" in str(target) for target in statement.targets)
                if (told and statement.value == Literal(True)) or _switched_on(statement):
                    yield Hop(function.at(at), "ATOMIC_REQUESTS makes every request one transaction")


def _switched_on(statement: Assign) -> bool:
    for part in parts(statement.value or Literal(None)):
        if isinstance(part, Display) and part.kind == "dict":
            for key, item in zip(part.keys, part.items, strict=False):
                if key == Literal("ATOMIC_REQUESTS") and item == Literal(True):
                    return True
    return False
