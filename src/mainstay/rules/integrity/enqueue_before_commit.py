from collections.abc import Iterator, Mapping

from msgspec import Struct

from mainstay.model.code import Fate
from mainstay.model.effect import WRITES, EffectKind, Enclosure, EnclosureKind, Step
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.system import Edge, Function, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.hooks import Hook, Surroundings, hooks

NEAR = 2  # calls down from a hook: what is sent further away is another matter

MODELS = """
    from sqlalchemy.orm import DeclarativeBase

    class Base(DeclarativeBase): ...
    class Order(Base): ...
"""


class Opened(Struct, frozen=True):
    """The transaction that is open when a message leaves."""

    hop: Hop
    whose: str
    certain: bool


def opened_by(held: Enclosure) -> Opened:
    """A transaction of the function itself."""
    hop = Hop(held.location, f"the transaction opens ({held.what})")
    return Opened(hop, "its transaction", certain=not held.implied)


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
                "imports.py": """
                    from django.db import transaction
                    from models import Page

                    def bring(rows):
                        with transaction.atomic():
                            for row in rows:
                                Page(**row).save()
                """,
            },
            why="a model is saved in the transaction of whoever saves it, here an import",
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
        Example(
            {
                "tasks.py": """
                    from celery import shared_task

                    @shared_task
                    def index(pk): ...
                """,
                "models.py": """
                    from django.db import models
                    from tasks import index

                    class Page(models.Model):
                        def save(self, *args, **kwargs):
                            super().save(*args, **kwargs)
                            index.delay(self.pk)
                """,
            },
            why="nothing saves a page inside a transaction, so each save commits by itself",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        known = hooks(system)
        surroundings = Surroundings(system)
        for function in system.source_functions():
            hook = known.get(function.name)
            around = surroundings.around(hook) if hook else None
            if around is not None:
                found = list(self._from_hook(system, function, around))
            elif function.kinds.isdisjoint(WRITES):
                continue
            else:
                sent = self._sent(system, function)
                found = [each for each in sent if not through_hook(system, each[1], known)]
            if found:
                opened, step = found[0]
                yield self._report(system, function, opened, step, [other for _, other in found[1:]])

    def _sent(self, system: System, function: Function) -> Iterator[tuple[Opened, Step]]:
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
                    yield opened_by(held), step
            elif step.statement > first and own(system, step):
                caller = self._in_callers(system, function)
                if caller is not None:
                    yield Opened(caller, "the transaction of its caller", certain=False), step

    def _from_hook(self, system: System, function: Function, around: Hop) -> Iterator[tuple[Opened, Step]]:
        """What a model's `save` or a receiver of its signals sends, inside the transaction that saves it."""
        for step in system.steps(function, EffectKind.SEND):
            if step.depth <= NEAR and own(system, step):
                held = step.within(EnclosureKind.TRANSACTION)
                yield (
                    opened_by(held) if held else Opened(around, "the transaction around it", certain=False),
                    step,
                )

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

    def _in_callers(self, system: System, function: Function) -> Hop | None:
        """The transaction of a caller around this function, which leaves the commit to it."""
        if EffectKind.COMMIT in function.kinds:
            return None
        for name, statement in function.callers:
            for held in system.functions[name].around(statement):
                if held.kind is EnclosureKind.TRANSACTION:
                    return opened_by(held).hop
        return None

    def _report(
        self, system: System, function: Function, opened: Opened, step: Step, others: list[Step]
    ) -> Finding:
        way = system.trace(function, step)
        what = way[-1].what.partition(":")[0] or "a message"
        return self.found(
            f"`{function.body.qualname}` sends {what} before {opened.whose} commits",
            step.location,
            path=(opened.hop, *way),
            siblings=tuple(dict.fromkeys(o.location for o in others if o.location != step.location)),
            confidence=Confidence.HIGH if step.certain and opened.certain else Confidence.MEDIUM,
            clears="the message leaves after the commit, or is a row of the same transaction",
            subject=f"{function.name} {what}",
        )


def through_hook(system: System, step: Step, known: Mapping[str, Hook]) -> bool:
    """Whether the message leaves from a hook further down, which is where to mend it."""
    return any(below.name in known for below, _ in system.way(step))


def own(system: System, step: Step) -> bool:
    """Whether the effect is not already inside a transaction, or after a commit, further down."""
    if step.follows_commit:
        return False
    return not any(
        e.kind is EnclosureKind.TRANSACTION
        for below, found in system.way(step)
        for e in below.around(found.statement)
    )
