from collections.abc import Iterator

from mainstay.model.code import Call, Literal, Operation, Result, Return, Value
from mainstay.model.effect import EffectKind, EnclosureKind, Step
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.flow import origins, parts, text_of
from mainstay.model.system import Function, System
from mainstay.rules.base import Example, Rule

MODELS = """
    from sqlalchemy.orm import DeclarativeBase, Mapped

    class Base(DeclarativeBase): ...

    class Order(Base):
        number: Mapped[int]
"""


class NumberFromMaximum(Rule):
    """The number of a new row is the highest number so far, plus one.

    Two requests at once read the same maximum and give out the same number: an order, invoice or
    version number is there twice, or the slower request ends in an error on the unique constraint.

    Take the number from a sequence or an identity column, from a counter row that is updated with
    `UPDATE ... SET next = next + 1 RETURNING`, or lock the parent row before reading the maximum.
    """

    severity = Severity.HIGH
    family = (Family.UNGUARDED_WRITE,)
    since = "0.1"
    references = ("CWE-362",)

    notices = (
        "With a unique constraint, some user as a 500 under load; without one, whoever meets the same number "
        "twice."
    )
    recovers = "A repeated request reads the new maximum; numbers given out twice stay."
    costs = "A sequence leaves gaps; a counter row or a lock makes inserts under one parent queue."

    bad = (
        Example(
            {
                "models.py": MODELS,
                "orders.py": """
                    from sqlalchemy import func, select
                    from sqlalchemy.orm import Session
                    from models import Order

                    def next_number(session: Session):
                        return (session.scalar(select(func.max(Order.number))) or 0) + 1

                    def place(session: Session):
                        order = Order(number=next_number(session))
                        session.add(order)  # <-
                        session.commit()
                """,
            },
            why="through a helper",
        ),
        Example(
            {
                "models.py": """
                    from django.db import models

                    class Page(models.Model):
                        position = models.IntegerField()
                """,
                "views.py": """
                    from django.db.models import Max
                    from models import Page

                    def append():
                        highest = Page.objects.aggregate(top=Max("position"))["top"] or 0
                        Page.objects.create(position=highest + 1)  # <-
                """,
            }
        ),
    )
    good = (
        Example(
            {
                "models.py": MODELS + "    class Tenant(Base): ...\n",
                "orders.py": """
                    from sqlalchemy import func, select
                    from sqlalchemy.orm import Session
                    from models import Order, Tenant

                    def place(session: Session, tenant_id):
                        session.scalars(select(Tenant).where(Tenant.id == tenant_id).with_for_update()).one()
                        highest = session.scalar(select(func.max(Order.number))) or 0
                        session.add(Order(number=highest + 1))
                        session.commit()
                """,
            },
            why="orders of one tenant queue at its row",
        ),
        Example(
            {
                "models.py": MODELS,
                "orders.py": """
                    from sqlalchemy import func, select
                    from sqlalchemy.orm import Session
                    from models import Order

                    def place(session: Session, number):
                        session.add(Order(number=number + 1))
                        session.commit()
                        return session.scalar(select(func.max(Order.number)))
                """,
            },
            why="the maximum is read and not used for the row",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        readers = [f for f in system.source_functions() if names_maximum(f)]
        helpers = {f.name for f in readers if returns_next(f)}
        callers = {caller for name in helpers for caller, _ in system.functions[name].callers}
        near = [f for f in system.source_functions() if f.name in callers]
        for function in {f.name: f for f in (*readers, *near)}.values():
            if EffectKind.INSERT in function.kinds:
                yield from self._in_function(system, function, helpers)

    def _in_function(self, system: System, function: Function, helpers: set[str]) -> Iterator[Finding]:
        nexts = next_values(function, helpers)
        if not nexts:
            return
        for step in system.steps(function, EffectKind.INSERT):
            source = nexts.get(step.statement) or self._built(function, step, nexts)
            if source is not None and not step.via and not self._guarded(system, function, step):
                yield self._report(function, step, source)
                return

    def _built(self, function: Function, step: Step, nexts: dict[int, int]) -> int | None:
        """Where the number comes from that the inserted object was built with."""
        for argument in function.call(step.statement).arguments:
            for at in origins(function.body, argument, step.statement):
                if at in nexts:
                    return nexts[at]
        return None

    def _guarded(self, system: System, function: Function, step: Step) -> bool:
        if step.within(EnclosureKind.LOCK) or step.within(EnclosureKind.RETRY):
            return True
        return any(lock.statement < step.statement for lock in system.steps(function, EffectKind.LOCK))

    def _report(self, function: Function, step: Step, source: int) -> Finding:
        return self.found(
            f"`{function.body.qualname}` numbers a new {step.effect.target or 'row'} with the highest number "
            "plus one",
            step.location,
            path=(
                Hop(function.at(source), "the highest number so far is read"),
                Hop(step.location, "the row is added"),
            ),
            confidence=Confidence.HIGH if step.certain else Confidence.MEDIUM,
            clears="the number comes from the database, or inserts queue at a lock before it is read",
            subject=f"{function.name} {step.effect.target}",
        )


def next_values(function: Function, helpers: set[str]) -> dict[int, int]:
    """Calls that are given a maximum plus one -> the call that read the maximum."""
    found: dict[int, int] = {}
    for index, statement in enumerate(function.body.statements):
        if isinstance(statement, Call):
            for value in (*statement.arguments, *(keyword.value for keyword in statement.keywords)):
                source = next_of(function, value, index, helpers)
                if source is not None:
                    found[index] = source
    return found


def next_of(function: Function, value: Value, at: int, helpers: set[str]) -> int | None:
    """The call that read the maximum which `value` is one more than."""
    for call in origins(function.body, value, at):
        target = function.targets.get(call)
        if target is not None and target.name in helpers:
            return call
    return maximum_plus_one(function, value, at)


def maximum_plus_one(function: Function, value: Value, at: int) -> int | None:
    for part in parts(value):
        if (
            isinstance(part, Operation)
            and part.operator == "+"
            and any(is_one(each) for each in part.operands)
        ):
            for call in origins(function.body, part, at):
                if reads_maximum(function, call):
                    return call
    return None


def is_one(value: Value) -> bool:
    return isinstance(value, Literal) and value.value == 1 and value.value is not True


def reads_maximum(function: Function, at: int) -> bool:
    """Whether a call asks the database for a maximum, in its statement or its arguments."""
    call = function.call(at)
    for argument in (*call.arguments, *(keyword.value for keyword in call.keywords)):
        text = text_of(argument)
        if text is not None and "max(" in text.lower():
            return True
        for part in parts(argument):
            inner = function.targets.get(part.call) if isinstance(part, Result) else None
            if inner is not None and is_maximum(inner.name):
                return True
            if isinstance(part, Result) and part.call != at and reads_maximum(function, part.call):
                return True
    return False


def names_maximum(function: Function) -> bool:
    """Whether a body mentions a maximum of the database at all."""
    for at, target in function.targets.items():
        if is_maximum(target.name):
            return True
        if target.library is None or target.library.executes is None:
            continue
        call = function.call(at)
        if any("max(" in (text_of(argument) or "").lower() for argument in call.arguments):
            return True
    return False


def is_maximum(name: str) -> bool:
    return name.endswith(("func.max", ".Max")) and name.partition(".")[0] in (
        "sqlalchemy",
        "django",
        "sqlmodel",
    )


def returns_next(function: Function) -> bool:
    """Whether a helper returns a maximum plus one."""
    return any(
        isinstance(s, Return)
        and s.value is not None
        and maximum_plus_one(function, s.value, index) is not None
        for index, s in enumerate(function.body.statements)
    )
