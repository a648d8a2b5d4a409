from collections.abc import Iterator

from mainstay.model.effect import EffectKind, Enclosure, EnclosureKind, Step
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.system import Bound, Deadline, Function, System
from mainstay.rules.base import Example, Rule

WAITS = (EffectKind.CALL_OUT, EffectKind.RUN, EffectKind.SLEEP)


class ExternalCallInTransaction(Rule):
    """Another service is called while a database transaction is open.

    The connection, and every row the transaction has locked, is held until the other service
    answers: when it turns slow, the pool runs dry and requests that never call it fail too.  And the
    two cannot be undone together: a rollback after the call forgets what the other side has done.

    Commit what is known first (a row in state "pending"), call with no transaction open, then
    settle the outcome in a second transaction with a conditional update.
    """

    severity = Severity.HIGH
    family = (Family.COMMIT_ORDER, Family.HELD_RESOURCE)
    since = "0.1"
    references = ("CWE-662", "CWE-400")

    notices = (
        "Users of unrelated requests, as time-outs on getting a connection; the pool's wait time shows it "
        "first. Nobody notices a lost outcome until the books are compared."
    )
    recovers = (
        "The pool refills when the other service answers or the call times out; what it did before a "
        "rollback stays done and has to be found by reconciliation."
    )
    costs = "One more state and one more short transaction; readers must expect rows that are still pending."

    bad = (
        Example(
            {
                "processor.py": """
                    import requests

                    def collect(charge):
                        return requests.post("https://processor/charges", json=charge, timeout=5)
                """,
                "service.py": """
                    from processor import collect

                    def ask(charge):
                        return collect(charge)
                """,
                "charges.py": """
                    from sqlalchemy.orm import Session
                    from models import Charge
                    from service import ask

                    def create(session: Session, body):
                        with session.begin():
                            session.add(Charge(body))
                            ask(body)  # <-
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Charge(Base): ...
                """,
            },
            why="three functions below the transaction, in another file",
        ),
        Example(
            {
                "orders.py": """
                    import httpx
                    from django.db import transaction

                    @transaction.atomic
                    def ship(order):
                        order.save()
                        httpx.post("https://carrier/labels", timeout=5)  # <-
                """
            },
            why="the decorator opens the transaction",
        ),
        Example(
            {
                "orders.py": """
                    import httpx
                    from sqlalchemy.orm import Session
                    from sqlalchemy import update
                    from models import Order

                    def ship(session: Session, order_id):
                        session.execute(update(Order).where(Order.id == order_id).values(state="shipped"))
                        httpx.post("https://carrier/labels", timeout=5)  # <-
                        session.commit()
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Order(Base): ...
                """,
            },
            why="the transaction begins by itself at the update",
        ),
    )
    good = (
        Example(
            {
                "orders.py": """
                    import httpx
                    from django.db import transaction

                    def ship(order):
                        with transaction.atomic():
                            order.save()
                        httpx.post("https://carrier/labels", timeout=5)
                """
            },
            why="called after the commit",
        ),
        Example(
            {
                "orders.py": """
                    import httpx
                    from django.db import transaction

                    def label():
                        httpx.post("https://carrier/labels", timeout=5)

                    def ship(order):
                        with transaction.atomic():
                            order.save()
                            transaction.on_commit(label)
                """
            },
            why="runs after the commit, though it is written inside",
        ),
        Example(
            {
                "orders.py": """
                    import httpx
                    from sqlalchemy import update
                    from sqlalchemy.orm import Session
                    from models import Order

                    def ship(session: Session, order_id):
                        session.execute(update(Order).where(Order.id == order_id).values(state="pending"))
                        session.commit()
                        answer = httpx.post("https://carrier/labels", timeout=5)
                        session.execute(update(Order).where(Order.id == order_id).values(state=answer.text))
                        session.commit()
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Order(Base): ...
                """,
            },
            why="pending first, settled after",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        stores = {store.kind for store in system.datastores}
        for function in system.source_functions():
            if function.kinds.isdisjoint(WAITS):
                continue
            inside: dict[int, list[tuple[Enclosure, Step]]] = {}
            for step in system.steps(function, *WAITS):
                held = step.within(EnclosureKind.TRANSACTION)
                if step.effect.kind is EffectKind.SLEEP and step.depth:
                    continue  # a pause further down belongs to whatever it retries
                if held is not None and step.effect.target not in stores and self._own(system, step):
                    inside.setdefault(held.first, []).append((held, step))
            for steps in inside.values():
                steps.sort(key=lambda found: (WAITS.index(found[1].effect.kind), found[1].statement))
                yield self._report(system, function, *steps[0], [step for _, step in steps[1:]])

    def _own(self, system: System, step: Step) -> bool:
        """Whether the call happens in this transaction, not after its commit or in one opened below."""
        if step.follows_commit:
            return False
        return not any(
            e.kind is EnclosureKind.TRANSACTION
            for below, found in system.way(step)
            for e in below.around(found.statement)
        )

    def _report(
        self, system: System, function: Function, held: Enclosure, step: Step, others: list[Step]
    ) -> Finding:
        path = (Hop(held.location, f"the transaction opens ({held.what})"), *system.trace(function, step))
        what = path[-1].what.partition(":")[0] or "an external call"
        deadline = leaf_deadline(system, function, step)
        unbounded = deadline is not None and deadline.bound is Bound.UNBOUNDED
        if deadline is None or deadline.seconds is None:
            wait = ", which may wait for ever" if unbounded else ""
        else:
            wait = f", which may take {deadline.seconds:g} s"
        sure = step.certain and not held.implied
        return self.found(
            f"`{function.body.qualname}` calls {what} while its transaction is open{wait}",
            step.location,
            path=path,
            siblings=tuple(
                dict.fromkeys(other.location for other in others if other.location != step.location)
            ),
            severity=Severity.CRITICAL if unbounded else None,
            confidence=Confidence.HIGH if sure else Confidence.MEDIUM,
            clears="the call happens before the transaction begins or after it has committed",
            subject=f"{function.name} {what}",
        )


def leaf_deadline(system: System, function: Function, step: Step) -> Deadline | None:
    """The deadline of the library call at the end of a step's way."""
    statement = step.statement
    for below, found in system.way(step):
        function, statement = below, found.statement
    return function.deadlines.get(statement)
