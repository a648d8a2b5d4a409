"""The rule bad-item-ends-loop."""

from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.code import (
    Call,
    Leave,
    Literal,
    Name,
    Operation,
    Result,
    Return,
    Scope,
    ScopeKind,
    Value,
)
from mainstay.model.effect import DATABASE, OUTSIDE, EffectKind, Enclosure, EnclosureKind, Step
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.flow import ancestors, names, parts, results
from mainstay.model.system import Function, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.handlers import by_hand, is_outage
from mainstay.rules.reach import Reach, aside, runs_now

WORKS = OUTSIDE | DATABASE
PAUSES = frozenset({EffectKind.SLEEP, EffectKind.WAIT})
BY_DESIGN = frozenset(
    {
        *(
            "NotImplementedError",
            "AssertionError",
            "SystemExit",
            "KeyboardInterrupt",
            "StopIteration",
            "Retry",
        ),
        *(
            "StopAsyncIteration",
            "GeneratorExit",
            "CancelledError",
            "TypeError",
            "ImportError",
            "AttributeError",
        ),
        *(
            "ImproperlyConfigured",
            "Empty",
            "Full",
            "Ignore",
            "Reject",
            "SoftTimeLimitExceeded",
            "SessionExpired",
        ),
        *("MaxRetriesExceededError", "CancelledRun", "ObjectDoesNotExist", "DoesNotExist", "KeyError"),
    }
)
QUEUES = ("asyncio.QueueFull", "asyncio.QueueEmpty")
ASKS = (".full", ".empty", ".qsize")
FROM_ITEMS = frozenset(
    {
        "JSONDecodeError",
        "ValidationError",
        "IntegrityError",
        "UnicodeDecodeError",
        "DataError",
        "StaleDataError",
    }
)
BROKERS = ("kombu.", "redis.", "amqp.", "pika.", "sqlalchemy.exc.TimeoutError")
AWAY = frozenset({"OperationalError", "InterfaceError"})  # meets every item alike
NARROW = frozenset(
    {
        *("ConnectionError", "ConnectError", "ConnectTimeout", "HTTPError", "HTTPStatusError", "Timeout"),
        *("ReadTimeout", "TimeoutException", "TimeoutError", "IntegrityError", "ConnectionRefusedError"),
    }
)
EVERYTHING = frozenset({"Exception", "BaseException", "ExceptionGroup", "BaseExceptionGroup"})
STOPS = ("stop", "shutdown", "running", "closed", "exit", "terminat", "quit", "alive", "cancel", "done")
ENDINGS = ("stop", "shutdown", "closed", "exit", "terminat", "quit", "cancel")
JOBS = ("task", "schedule", "consumer")
NO_ITEM = (
    "page",
    "chunk",
    "batch",
    "attempt",
    "part",
    "line",
    "try",
    "retry",
    "offset",
    "index",
    "i",
    "_",
    "n",
)


class Loop(Struct, frozen=True):
    """A loop that must outlive a bad item, and the work in it that may raise."""

    function: Function
    enclosure: Enclosure
    step: Step
    certain: bool
    why: str  # what ends with it


class BadItemEndsLoop(Rule):
    """One bad item ends the loop.

    Nothing inside the loop catches what its work may raise, so one message that cannot be read, one
    refused request or one lost connection ends the worker, its thread, or the rest of the batch. The
    process may look alive, as only that thread is gone; and the item that did it is often the first again
    after a restart.

    Catch inside the loop, around the work of one item: log and count it with the item's id, set it aside
    after a few attempts, and go on with the next.
    """

    severity = Severity.HIGH
    family = (Family.EXCEPTION_ESCAPE,)
    since = "0.1"
    references = ("CWE-248", "CWE-755")

    notices = (
        "Whoever waits for the work: a growing backlog, or tenants late in the alphabet who get nothing. "
        "A thread that ends leaves one traceback on standard error."
    )
    recovers = (
        "After a restart, until the same item comes up again. What stood behind it in a batch waits for "
        "the next run."
    )
    costs = (
        "A handler for each item, and somewhere to put those that fail: without that, errors only become "
        "quieter."
    )

    bad = (
        Example(
            {
                "worker.py": """
                    import threading
                    import time
                    import requests
                    from sqlalchemy import select
                    from sqlalchemy.orm import Session
                    from models import Message

                    def deliver(message):
                        requests.put(f"https://bus.test/{message.id}", timeout=5).raise_for_status()

                    def relay(session: Session, stop: threading.Event):
                        while not stop.is_set():
                            for message in session.scalars(select(Message)):  # <-
                                deliver(message)
                            time.sleep(1)

                    def main(session, stop):
                        threading.Thread(target=relay, args=(session, stop)).start()
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

                    class Base(DeclarativeBase):
                        pass

                    class Message(Base):
                        __tablename__ = "messages"
                        id: Mapped[int] = mapped_column(primary_key=True)
                """,
            },
            why="one refused message ends the thread",
        ),
        Example(
            {
                "poller.py": """
                    import asyncio
                    import httpx

                    async def look(client: httpx.AsyncClient):
                        answer = await client.get("/jobs")
                        answer.raise_for_status()

                    async def poll(client):
                        while True:  # <-
                            await look(client)
                            await asyncio.sleep(5)

                    async def main():
                        async with httpx.AsyncClient(base_url="https://jobs.test") as client:
                            task = asyncio.create_task(poll(client))
                            await task
                """
            },
            why="the first time-out ends the task",
        ),
        Example(
            {
                "tasks.py": """
                    import requests
                    from celery import shared_task
                    from models import Tenant

                    def report(tenant):
                        requests.post(tenant.url, json={}, timeout=5).raise_for_status()

                    @shared_task
                    def report_all():
                        for tenant in Tenant.objects.all():  # <-
                            report(tenant)
                """,
                "models.py": """
                    from django.db import models

                    class Tenant(models.Model):
                        url = models.TextField()
                """,
            },
            why="one tenant whose address is wrong keeps all after it from being told",
        ),
        Example(
            {
                "sync.py": """
                    import threading
                    import time
                    import requests

                    def run():
                        while True:  # <-
                            try:
                                requests.get("https://feed.test", timeout=5)
                            except requests.ConnectionError:
                                print("away")
                            time.sleep(60)

                    threading.Thread(target=run, daemon=True).start()
                """
            },
            why="a read time-out is no ConnectionError",
        ),
        Example(
            {
                "relay.py": """
                    import asyncio
                    import httpx

                    async def relay(client: httpx.AsyncClient, queue: asyncio.Queue):
                        while True:  # <-
                            event = await queue.get()
                            try:
                                await client.post("https://bus.test", json=event)
                            except Exception:
                                queue.put_nowait(event)

                    async def main(client):
                        queue = asyncio.Queue(maxsize=1000)
                        asyncio.create_task(relay(client, queue))
                """
            },
            why="putting the event back raises QueueFull, in the handler itself",
        ),
    )
    good = (
        Example(
            {
                "worker.py": """
                    import logging
                    import threading
                    import time
                    import requests

                    log = logging.getLogger(__name__)

                    def relay(ids, stop: threading.Event):
                        while not stop.is_set():
                            for each in ids():
                                try:
                                    requests.put(f"https://bus.test/{each}", timeout=5).raise_for_status()
                                except Exception:
                                    log.exception("message %s not delivered", each)
                            time.sleep(1)

                    def main(ids, stop):
                        threading.Thread(target=relay, args=(ids, stop)).start()
                """
            },
            why="each item has its handler",
        ),
        Example(
            {
                "poller.py": """
                    import asyncio
                    import logging
                    import httpx

                    async def look(client: httpx.AsyncClient):
                        try:
                            (await client.get("/jobs")).raise_for_status()
                        except (httpx.HTTPError, httpx.InvalidURL):
                            logging.exception("no answer")

                    async def poll(client):
                        while True:
                            await look(client)
                            await asyncio.sleep(5)

                    async def main(client):
                        asyncio.create_task(poll(client))
                """
            },
            why="the function that is called catches",
        ),
        Example(
            {
                "tasks.py": """
                    from celery import shared_task
                    from django.db import transaction
                    from models import Line

                    @shared_task
                    def close(invoice_id):
                        with transaction.atomic():
                            for line in Line.objects.filter(invoice_id=invoice_id):
                                line.closed = True
                                line.save()
                """,
                "models.py": """
                    from django.db import models

                    class Line(models.Model):
                        invoice_id = models.IntegerField()
                        closed = models.BooleanField(default=False)
                """,
            },
            why="all or nothing is meant",
        ),
        Example(
            {
                "views.py": """
                    import requests
                    from fastapi import FastAPI

                    app = FastAPI()

                    @app.get("/titles")
                    def titles(urls: str):
                        found = []
                        for url in urls.split(","):
                            answer = requests.get(f"https://feeds.test/{url}", timeout=5)
                            answer.raise_for_status()
                            found.append(answer.text)
                        return found
                """
            },
            why="the requester gets the error",
        ),
        Example(
            {
                "supervisor.py": """
                    import logging
                    import threading
                    import time
                    import requests

                    def relay():
                        while True:
                            requests.get("https://bus.test", timeout=5).raise_for_status()
                            time.sleep(1)

                    def supervise():
                        while True:
                            try:
                                relay()
                            except Exception:
                                logging.exception("relay ended, starting again")
                                time.sleep(5)

                    threading.Thread(target=supervise).start()
                """
            },
            why="whoever calls it starts it again",
        ),
        Example(
            {
                "progress.py": """
                    import asyncio
                    import httpx

                    async def report(client: httpx.AsyncClient, queue: asyncio.Queue, total: int):
                        while True:
                            done = await queue.get()
                            share = int(done / total * 100)
                            try:
                                await tell(client, share, float(total - done))
                            except httpx.HTTPError:
                                if not queue.full():
                                    queue.put_nowait(done)

                    async def tell(client, share, left):
                        seconds = int(left * 60)
                        await client.put("https://ci.test/progress", json={"share": share, "left": seconds})

                    async def main(client):
                        queue = asyncio.Queue(maxsize=100)
                        asyncio.create_task(report(client, queue, 500))
                """
            },
            why="arithmetic gives a number, and a queue that was asked has room",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        reach = Reach(system)
        for function in system.source_functions():
            if EffectKind.RAISE not in function.kinds and not any(
                enclosure.kind is EnclosureKind.HANDLER for enclosure in function.enclosures
            ):
                continue
            if function.kinds.isdisjoint(WORKS) or aside(function) or by_hand(function, "commands"):
                continue
            found = sorted(loops(system, reach, function), key=innermost)
            if found:
                yield self._report(system, reach, found)

    def _report(self, system: System, reach: Reach, found: list[Loop]) -> Finding:
        loop = found[0]
        function, step = loop.function, loop.step
        exception = step.effect.target.rpartition(".")[2]
        below = f" below {step.via.rpartition('.')[2]}" if step.via else ""
        return self.found(
            f"{exception} raised{below} is caught by nothing inside `{loop.enclosure.what}` of "
            f"{function.body.name}: it ends {loop.why}.",
            loop.enclosure.location,
            clears="a handler inside the loop, around the work of one item",
            confidence=Confidence.HIGH if loop.certain and step.certain else Confidence.MEDIUM,
            severity=Severity.HIGH if loop.why.startswith("the worker") else Severity.MEDIUM,
            path=(Hop(loop.enclosure.location, "the loop"), *system.trace(function, step)),
            siblings=tuple(
                dict.fromkeys(
                    other.enclosure.location for other in found[1:] if other.enclosure != loop.enclosure
                )
            ),
            subject=f"{loop.enclosure.what} in {function.name}",
        )


def innermost(loop: Loop) -> tuple[int, int]:
    """The smallest loop first: that is where an item is an item."""
    return loop.enclosure.last - loop.enclosure.first, loop.enclosure.first


def loops(system: System, reach: Reach, function: Function) -> Iterator[Loop]:
    """The loops of a function that a bad item ends, and with them something that must go on."""
    plain = [e for e in function.enclosures if e.kind is EnclosureKind.LOOP and e.scope >= 0]
    endless = [e for e in plain if is_endless(function, function.body.scopes[e.scope])]
    batches = [e for e in plain if function.body.scopes[e.scope].kind is ScopeKind.FOR]
    if not endless and not batches:
        return
    if endless:
        worker = is_worker(system, reach, function, endless[0])
        if worker:
            for enclosure in [*endless, *(b for b in batches if any(within(b, e) for e in endless))]:
                step = escaping(system, function, enclosure)
                if step is not None:
                    yield Loop(function, enclosure, step, worker == "sure", "the worker's loop")
        return
    job = in_job(system, reach, function) if not function.body.is_generator else ""
    for enclosure in batches if job else ():
        step = escaping(system, function, enclosure, batch=True)
        if step is not None and is_batch(system, function, enclosure, step):
            yield Loop(function, enclosure, step, True, f"the rest of the batch in {job}")


def within(inner: Enclosure, outer: Enclosure) -> bool:
    return outer.first <= inner.first and inner.last <= outer.last


# --- which loops must go on ---------------------------------------------------------------------------


def is_endless(function: Function, scope: Scope) -> bool:
    """`while True`, or until somebody says stop."""
    if scope.kind is not ScopeKind.WHILE or arrives(function, scope):
        return False
    head = scope.head[0] if scope.head else None
    if isinstance(head, Literal):
        return bool(head.value)
    return any(any(word in text for word in STOPS) for text in asked(function, head))


def arrives(function: Function, scope: Scope) -> bool:
    """Whether the loop has an end of its own, and is not only left when told to stop."""
    body = function.body
    loop = body.scopes.index(scope)
    for statement in body.statements[scope.first : scope.last]:
        if not isinstance(statement, Return) and not (
            isinstance(statement, Leave) and statement.word == "break"
        ):
            continue
        around = [at for at in ancestors(body, statement.scope) if at > loop]
        kinds = [body.scopes[at].kind for at in around]
        if isinstance(statement, Leave) and (ScopeKind.FOR in kinds or ScopeKind.WHILE in kinds):
            continue  # it leaves a loop inside this one
        sentinel = any(
            e.kind is EffectKind.WAIT
            for at in range(scope.first, scope.last)
            for e in function.direct.get(at, ())
        )
        if ScopeKind.HANDLER in kinds or any(
            told_to_stop(function, body.scopes[at], sentinel) for at in around
        ):
            continue
        return True
    return False


def told_to_stop(function: Function, scope: Scope, sentinel: bool) -> bool:
    """Whether a branch asks for a stop, or for the item from a queue that means one."""
    for head in scope.head if scope.kind is ScopeKind.IF else ():
        for part in parts(head):
            if (
                sentinel
                and isinstance(part, Operation)
                and part.operator == "is"
                and part.operands[-1] == Literal(None)
            ):
                return True
            if any(any(word in text for word in ENDINGS) for text in asked(function, part)):
                return True
    return False


def asked(function: Function, head: Value | None) -> Iterator[str]:
    """The names in a test of the form `not stop.is_set()`, `not stop.wait(5)` or `self.running`."""
    if isinstance(head, Operation) and head.operator == "not":
        head = head.operands[0]
    if isinstance(head, Result):
        callee = function.call(head.call).callee
        head = callee if isinstance(callee, Name) else None
    if isinstance(head, Name):
        yield head.path.lower()


def is_worker(system: System, reach: Reach, function: Function, enclosure: Enclosure) -> str:
    """`sure` when the function runs in a thread or task of its own, `likely` when it looks like it."""
    if revived(system, function):
        return ""
    if not any(enclosure.holds(step.statement) for step in system.steps(function, *PAUSES)):
        return ""
    served = False
    for way in reach.ways(function):
        if spawned(system, way.outer) or reach.job(way.outer.name):
            return "sure"
        served = served or bool(reach.request(way.outer.name))
    return "" if served or function.body.is_generator else "likely"


def spawned(system: System, function: Function) -> bool:
    """Whether some call starts it beside the caller."""
    for name, at in function.callers:
        caller = system.functions.get(name)
        edges = caller.edges.get(at, ()) if caller else ()
        if any(edge.function == function.name and edge.how == "task" for edge in edges):
            return True
    return False


def revived(system: System, function: Function) -> bool:
    """Whether every caller catches what ends it, inside a loop of its own that starts it again."""
    calls = [(system.functions[name], at) for name, at in function.callers if name in system.functions]
    calls = [(caller, at) for caller, at in calls if runs_now(caller, at, function.name)]
    return bool(calls) and all(
        any(
            handler.kind is EnclosureKind.HANDLER
            and handler.holds(at)
            and not EVERYTHING.isdisjoint(handler.caught)
            for handler in caller.enclosures
        )
        and any(
            e.kind in (EnclosureKind.LOOP, EnclosureKind.RETRY) and e.holds(at) for e in caller.enclosures
        )
        for caller, at in calls
    )


def in_job(system: System, reach: Reach, function: Function) -> str:
    """The job that a function is, or is called by directly."""
    for way in reach.ways(function):
        if len(way.calls) > 2:
            return ""
        if reach.request(way.outer.name):
            return ""
        job = reach.job(way.outer.name)
        if job.removeprefix("the ").startswith(JOBS):
            return job
    return ""


def is_batch(system: System, function: Function, enclosure: Enclosure, step: Step) -> bool:
    """Whether the items are independent: each has its own effect outside, and none shares a transaction."""
    scope = function.body.scopes[enclosure.scope]
    items = {name for target in scope.targets for name in names(target)}
    if not items or any(item.lower() in NO_ITEM or item.lower().startswith(NO_ITEM[:8]) for item in items):
        return False
    if any(
        e.kind is EnclosureKind.TRANSACTION and within(enclosure, e) and not e.implied
        for e in function.enclosures
    ):
        return False
    return any(
        s.statement == step.statement and s.effect.target not in ("redis", "socket")
        for s in system.steps(function, EffectKind.CALL_OUT)
    ) and takes(function, step.statement, items)


def takes(function: Function, statement: int, items: set[str]) -> bool:
    """Whether the call is about the item."""
    call = function.call(statement)
    values = (call.callee, *call.arguments, *(keyword.value for keyword in call.keywords))
    return any(isinstance(p, Name) and p.path.partition(".")[0] in items for v in values for p in parts(v))


# --- what escapes -------------------------------------------------------------------------------------


def escaping(system: System, function: Function, enclosure: Enclosure, *, batch: bool = False) -> Step | None:
    """Work in the loop whose exception nothing inside the loop catches."""
    working = {step.statement for step in system.steps(function, *WORKS) if enclosure.holds(step.statement)}
    for step in sorted(system.steps(function, EffectKind.RAISE), key=lambda step: step.depth):
        full = not batch and enclosure.holds(step.statement) and overflows(function, step)
        if not full and (step.statement not in working or not telling(system, step, batch)):
            continue
        handlers = (
            e
            for e in function.enclosures
            if e.kind is EnclosureKind.HANDLER and within(e, enclosure) and e.holds(step.statement)
        )
        if not any(catches(system, handler.caught, step.effect.target) for handler in handlers):
            return step
    return None


def overflows(function: Function, step: Step) -> bool:
    """Whether a queue that was built with a limit in the same file has no room, or gives nothing."""
    name = step.effect.target
    if step.via or name not in QUEUES or looked_first(function, step.statement):
        return False
    return name.endswith("Empty") or any(
        isinstance(statement, Call)
        and isinstance(statement.callee, Name)
        and statement.callee.path.rpartition(".")[2].endswith("Queue")
        and (statement.arguments or statement.keyword("maxsize") is not None)
        for body in function.file.module.bodies
        for statement in body.statements
    )


def looked_first(function: Function, statement: int) -> bool:
    """Whether a test around the call asks the queue first."""
    return any(
        isinstance(callee := function.call(at).callee, Name) and callee.path.endswith(ASKS)
        for index in ancestors(function.body, function.call(statement).scope)
        for value in function.body.scopes[index].head
        for at in results(value)
    )


def telling(system: System, step: Step, batch: bool) -> bool:
    """Whether the exception is one that an item, or in a worker also an outage, brings about."""
    exception = step.effect.target
    name = exception.rpartition(".")[2]
    if name in BY_DESIGN or (batch and (name in AWAY or exception.startswith(BROKERS))):
        return False
    return (
        is_outage(exception)
        or name in FROM_ITEMS
        or exception in system.classes
        or (name == "ValueError" and step.depth < 3)
    )


def catches(system: System, caught: tuple[str, ...], exception: str) -> bool:
    """Whether a handler ends the exception, as far as names tell."""
    if not caught or not EVERYTHING.isdisjoint(caught) or exception in caught:
        return True
    known = system.classes.get(exception)
    if known is not None:
        return not set(known.ancestry).isdisjoint(caught)
    library, _, name = exception.partition(".")
    for each in caught:
        if each.rpartition(".")[2] == exception.rpartition(".")[2]:
            return True
        if name and each.partition(".")[0] == library and each.rpartition(".")[2] not in NARROW:
            return True
    return "OSError" in caught and library in ("requests", "smtplib", "socket", "urllib")
