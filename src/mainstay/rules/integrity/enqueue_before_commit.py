from collections.abc import Iterator

from mainstay.model.code import Fate
from mainstay.model.effect import WRITES, EffectKind, Enclosure, EnclosureKind, Step
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.system import Edge, Function, System
from mainstay.rules.base import Example, Rule

NEAR = 2  # calls down from a hook: what is sent further away is another matter

MODELS = """
    from sqlalchemy.orm import DeclarativeBase

    class Base(DeclarativeBase): ...
    class Order(Base): ...
"""


class EnqueueBeforeCommit(Rule):
    """A message, task or notification goes out before the commit of what it speaks of.

    The worker can be faster than the commit and find no row, or an old one; and when the commit
    fails, the message is out and speaks of something that never happened.

    Send after the commit (`transaction.on_commit`, or after the `with` block), or write the message
    to an outbox table in the same transaction and relay it from there.
    """

    severity = Severity.HIGH
    family = (Family.COMMIT_ORDER,)
    since = "0.1"
    references = ("CWE-362", "CWE-841")

    notices = "Nobody at first: the task fails with 'not found' now and then, under load more often."
    recovers = (
        "A task that retries finds the row later; a message about a rolled-back change is never taken back."
    )
    costs = (
        "Moving the call is free but loses the message in a crash just after the commit; an outbox does not, "
        "for one table and one relay."
    )

    bad = (
        Example(
            {
                "tasks.py": """
                    from celery import shared_task

                    @shared_task
                    def ship(order_id): ...
                """,
                "orders.py": """
                    from django.db import transaction
                    from models import Order
                    from tasks import ship

                    def place(body):
                        with transaction.atomic():
                            order = Order.objects.create(**body)
                            ship.delay(order.id)  # <-
                """,
                "models.py": """
                    from django.db import models

                    class Order(models.Model): ...
                """,
            }
        ),
        Example(
            {
                "tasks.py": """
                    import dramatiq

                    @dramatiq.actor
                    def ship(order_id): ...
                """,
                "notify.py": """
                    from tasks import ship

                    def placed(order):
                        ship.send(order.id)
                """,
                "orders.py": """
                    from sqlalchemy.orm import Session
                    from models import Order
                    from notify import placed

                    def place(session: Session, body):
                        order = Order(body)
                        session.add(order)
                        session.flush()
                        placed(order)  # <-
                        session.commit()
                """,
                "models.py": MODELS,
            },
            why="through a helper, and the transaction begins by itself",
        ),
        Example(
            {
                "orders.py": """
                    import requests
                    from sqlalchemy.orm import Session
                    from models import Order

                    def announce(order):
                        requests.post("https://events", json=order, timeout=3)

                    def place(session: Session, body):
                        session.add(Order(body))
                        announce(body)  # <-
                """,
                "api.py": """
                    from orders import place
                    from db import factory

                    def create(body):
                        with factory.begin() as session:
                            place(session, body)
                """,
                "db.py": """
                    from sqlalchemy.orm import sessionmaker

                    factory = sessionmaker()
                """,
                "models.py": MODELS,
            },
            why="the caller's transaction is still open",
        ),
        Example(
            {
                "tasks.py": """
                    from celery import shared_task

                    @shared_task
                    def index(pk): ...
                """,
                "models.py": """
                    from django.db import models
                    from django.db.models.signals import post_save
                    from django.dispatch import receiver
                    from tasks import index

                    class Page(models.Model):
                        def save(self, *args, **kwargs):
                            super().save(*args, **kwargs)
                            index.delay(self.pk)  # <-

                    @receiver(post_save, sender=Page)
                    def saved(sender, instance, **kwargs):
                        index.delay(instance.pk)  # <-
                """,
            },
            why="a model is saved in the transaction of whoever saves it: a request, the admin, an import",
        ),
    )
    good = (
        Example(
            {
                "tasks.py": """
                    from celery import shared_task

                    @shared_task
                    def ship(order_id): ...
                """,
                "orders.py": """
                    from django.db import transaction
                    from models import Order
                    from tasks import ship

                    def place(body):
                        with transaction.atomic():
                            order = Order.objects.create(**body)
                            transaction.on_commit(lambda: ship.delay(order.id))

                    def place_then_send(body):
                        with transaction.atomic():
                            order = Order.objects.create(**body)
                        ship.delay(order.id)
                """,
                "models.py": """
                    from django.db import models

                    class Order(models.Model): ...
                """,
            },
            why="waits for the commit, or comes after it",
        ),
        Example(
            {
                "orders.py": """
                    from sqlalchemy.orm import Session
                    from models import Order, Outbox

                    def place(session: Session, body):
                        session.add(Order(body))
                        session.add(Outbox(body))
                        session.commit()
                """,
                "models.py": MODELS + "    class Outbox(Base): ...\n",
            },
            why="an outbox is a row like any other",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        receivers = {job.function for job in system.jobs if job.trigger == "signal"}
        for function in system.source_functions():
            hooked = function.name in receivers or is_save(system, function)
            if function.kinds.isdisjoint(WRITES) and not hooked:
                continue
            found = list(self._from_hook(system, function) if hooked else self._sent(system, function))
            if found:
                held, step = found[0]
                yield self._report(system, function, held, step, [other for _, other in found[1:]])

    def _sent(self, system: System, function: Function) -> Iterator[tuple[Enclosure | None, Step]]:
        """What leaves between a write and its commit, this function's own or its caller's."""
        writes = [step for step in system.steps(function, *WRITES) if not step.follows_commit]
        if not writes:
            return
        first = min(step.statement for step in writes)
        for step in self._leaving(system, function):
            held = step.within(EnclosureKind.TRANSACTION)
            if held is not None:
                written = any(held.holds(w.statement) for w in writes) or held.implied
                if written and own(system, step):
                    yield held, step
            elif step.statement > first and self._in_callers(system, function) and own(system, step):
                yield None, step

    def _from_hook(self, system: System, function: Function) -> Iterator[tuple[Enclosure | None, Step]]:
        """What a model's `save` or a receiver of its signals sends: inside whatever transaction saves it."""
        for step in system.steps(function, EffectKind.SEND):
            if step.depth <= NEAR and own(system, step):
                yield step.within(EnclosureKind.TRANSACTION), step

    def _leaving(self, system: System, function: Function) -> Iterator[Step]:
        """Messages sent, threads started that read the database, and calls out whose answer nobody reads."""
        for step in system.steps(function, EffectKind.SEND, EffectKind.CALL_OUT):
            if step.effect.kind is EffectKind.SEND or (
                not step.effect.repeatable
                and function.call(step.statement).fate is Fate.DISCARDED
                and step.within(EnclosureKind.TRANSACTION) is None  # else the call itself is the fault
            ):
                yield step
        for statement, edges in function.edges.items():
            yield from self._spawned(system, function, statement, edges)

    def _spawned(
        self, system: System, function: Function, statement: int, edges: tuple[Edge, ...]
    ) -> Iterator[Step]:
        for edge in edges:
            task = system.functions.get(edge.function)
            if edge.how != "task" or task is None:
                continue
            for effect in task.effects:
                if effect.kind is EffectKind.READ or effect.kind in WRITES:
                    yield Step(
                        effect, statement, function.at(statement), function.around(statement), edge.function
                    )
                    break

    def _in_callers(self, system: System, function: Function) -> bool:
        """Whether the function leaves the commit to a caller that holds a transaction open around it."""
        if EffectKind.COMMIT in function.kinds:
            return False
        for name, statement in function.callers:
            caller = system.functions[name]
            if any(e.kind is EnclosureKind.TRANSACTION for e in caller.around(statement)):
                return True
        return False

    def _report(
        self, system: System, function: Function, held: Enclosure | None, step: Step, others: list[Step]
    ) -> Finding:
        way = system.trace(function, step)
        what = way[-1].what.partition(":")[0] or "a message"
        path = way if held is None else (Hop(held.location, f"the transaction opens ({held.what})"), *way)
        where = "its transaction" if held is not None else "the transaction of its caller"
        return self.found(
            f"`{function.body.qualname}` sends {what} before {where} commits",
            step.location,
            path=path,
            siblings=tuple(dict.fromkeys(o.location for o in others if o.location != step.location)),
            confidence=Confidence.HIGH if step.certain and held and not held.implied else Confidence.MEDIUM,
            clears="the message leaves after the commit, or is a row of the same transaction",
            subject=f"{function.name} {what}",
        )


def is_save(system: System, function: Function) -> bool:
    """Whether the function is `save` or `delete` of a Django model, which others call in transactions."""
    cls = system.classes.get(function.owner)
    if cls is None or not cls.table or function.body.name not in ("save", "delete"):
        return False
    return any(base.startswith("django.") for base in cls.ancestry)


def own(system: System, step: Step) -> bool:
    """Whether the effect is not already inside a transaction, or after a commit, further down."""
    if step.follows_commit:
        return False
    return not any(
        e.kind is EnclosureKind.TRANSACTION
        for below, found in system.way(step)
        for e in below.around(found.statement)
    )
