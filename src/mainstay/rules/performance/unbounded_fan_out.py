import re
from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.code import Call, Each, Name, Operation, Result, ScopeKind, Value
from mainstay.model.effect import DATABASE, OUTSIDE, EffectKind, EnclosureKind
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.flow import ancestors, definition, parts
from mainstay.model.system import Function, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.loops import Collection, Collections, Size, fills, last_name

GATHERS = ("asyncio.gather", "asyncio.wait", "asyncio.as_completed")
STARTS = (
    "asyncio.create_task",
    "asyncio.ensure_future",
    "asyncio.AbstractEventLoop.create_task",
    "asyncio.TaskGroup.create_task",
    "anyio.abc.TaskGroup.start_soon",
    "threading.Thread.start",
)
BUSY = DATABASE | OUTSIDE
LIMITERS = re.compile(r"sem(aphore)?s?\b|_sem\b|limit|throttl|slots?\b|bounded|concurrency", re.IGNORECASE)
LOOPS = (ScopeKind.FOR, ScopeKind.COMPREHENSION)


class Fan(Struct, frozen=True):
    """Work that is started once for each item of a collection, all at the same time."""

    function: Function
    statement: int  # the gather, or what starts one task
    work: int  # the call that makes one piece of work
    over: Collection
    kinds: frozenset[EffectKind]
    name: str


class UnboundedFanOut(Rule):
    """All items of a collection of any size are worked on at once.

    With ten rows it is fast.  With ten thousand, as after an outage, ten thousand coroutines want a
    connection at the same moment: the pool is empty for everybody else, those that wait run into its
    time-out, the service on the other side is flooded, and memory holds them all.

    Bound how many run at once: an `asyncio.Semaphore` inside the coroutine, a fixed number of workers
    that read from a queue, or pieces of the collection one after the other.
    """

    severity = Severity.MEDIUM
    family = (Family.UNBOUNDED_WORK,)
    since = "0.1"
    references = ("CWE-770", "CWE-400")

    notices = (
        "Users of unrelated requests, as time-outs on getting a connection, and the service that is called, "
        "as a burst. It shows first on the day when there is a backlog."
    )
    recovers = "When the burst is over; what timed out has to be done again, in a burst of the same size."
    costs = "A number to choose, at most the pool's size, and a longer wait for the whole when there is much."

    bad = (
        Example(
            {
                "worker.py": """
                    import asyncio
                    import outbox
                    from delivery import deliver

                    async def relay(sessions, client):
                        messages = await asyncio.to_thread(outbox.claim, sessions)
                        await asyncio.gather(*(deliver(client, message) for message in messages))  # <-
                """,
                "outbox.py": """
                    from sqlalchemy import select
                    from sqlalchemy.orm import Session
                    from models import Message

                    def claim(session: Session):
                        return session.scalars(select(Message).where(Message.state == "waiting")).all()
                """,
                "delivery.py": """
                    import httpx

                    async def deliver(client: httpx.AsyncClient, message):
                        await client.post("/events", json=message.payload)
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Message(Base): ...
                """,
            },
            why="a backlog is delivered all at once; the rows come from another module, through a thread",
        ),
        Example(
            {
                "agents.py": """
                    import asyncio
                    from fastapi import APIRouter
                    from db import Agent, Session

                    router = APIRouter()

                    async def refresh(agent_id):
                        async with Session() as session:
                            agent = await session.get(Agent, agent_id)
                            agent.fresh = True
                            await session.commit()

                    @router.post("/agents/refresh")
                    async def refresh_all(ids: list[int]):
                        tasks = []
                        for agent_id in ids:
                            tasks.append(refresh(agent_id))
                        await asyncio.gather(*tasks)  # <-
                """,
                "db.py": """
                    from sqlalchemy.ext.asyncio import async_sessionmaker
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Agent(Base): ...

                    Session = async_sessionmaker()
                """,
            },
            why="the requester decides how many sessions are opened",
        ),
        Example(
            {
                "tell.py": """
                    import asyncio
                    import aiohttp
                    from models import Tenant

                    async def publish(http: aiohttp.ClientSession, tenant):
                        async with http.post("https://bus/settled", json={"tenant": tenant.pk}) as answer:
                            answer.raise_for_status()

                    async def tell(http: aiohttp.ClientSession):
                        async with asyncio.TaskGroup() as group:
                            async for tenant in Tenant.objects.all():
                                group.create_task(publish(http, tenant))  # <-
                """,
                "models.py": """
                    from django.db import models

                    class Tenant(models.Model): ...
                """,
            },
            why="a task for each row",
        ),
        Example(
            {
                "notify.py": """
                    import threading
                    import requests
                    from models import Customer

                    def notify(customer):
                        requests.post("https://push", json={"to": customer.pk}, timeout=5)

                    def notify_all():
                        for customer in Customer.objects.filter(active=True):
                            thread = threading.Thread(target=notify, args=(customer,))
                            thread.start()  # <-
                """,
                "models.py": """
                    from django.db import models

                    class Customer(models.Model): ...
                """,
            },
            why="a thread for each row",
        ),
    )
    good = (
        Example(
            {
                "worker.py": """
                    import asyncio
                    import httpx
                    from sqlalchemy import select
                    from sqlalchemy.orm import Session
                    from models import Message

                    at_once = asyncio.Semaphore(10)

                    async def deliver(client: httpx.AsyncClient, message):
                        async with at_once:
                            await client.post("/events", json=message.payload)

                    async def relay(session: Session, client: httpx.AsyncClient):
                        messages = session.scalars(select(Message)).all()
                        await asyncio.gather(*(deliver(client, message) for message in messages))
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Message(Base): ...
                """,
            },
            why="a semaphore inside the coroutine",
        ),
        Example(
            {
                "worker.py": """
                    import asyncio
                    import httpx
                    from sqlalchemy import select
                    from sqlalchemy.orm import Session
                    from models import Message

                    async def deliver(client: httpx.AsyncClient, message):
                        await client.post("/events", json=message.payload)

                    async def relay(session: Session, client: httpx.AsyncClient):
                        messages = session.scalars(select(Message).limit(20)).all()
                        await asyncio.gather(*(deliver(client, message) for message in messages))

                    async def relay_all(session: Session, client: httpx.AsyncClient):
                        messages = session.scalars(select(Message)).all()
                        for start in range(0, len(messages), 20):
                            chunk = messages[start : start + 20]
                            await asyncio.gather(*(deliver(client, message) for message in chunk))
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Message(Base): ...
                """,
            },
            why="twenty at a time, by the query or by pieces",
        ),
        Example(
            {
                "pages.py": """
                    import asyncio
                    import httpx

                    PLACES = ("https://a", "https://b")

                    async def ask(client: httpx.AsyncClient, url):
                        return await client.get(url)

                    async def page(client: httpx.AsyncClient):
                        both = await asyncio.gather(ask(client, "https://x"), ask(client, "https://y"))
                        more = await asyncio.gather(*[ask(client, place) for place in PLACES])
                        return both, more
                """
            },
            why="a handful, written down",
        ),
        Example(
            {
                "lines.py": """
                    import asyncio
                    from models import Order

                    async def line(order):
                        return {"id": order.pk}

                    async def lines():
                        return await asyncio.gather(*[line(order) async for order in Order.objects.all()])
                """,
                "models.py": """
                    from django.db import models

                    class Order(models.Model): ...
                """,
            },
            why="coroutines that wait for nothing take no connection",
        ),
        Example(
            {
                "notify.py": """
                    from concurrent.futures import ThreadPoolExecutor
                    import requests
                    from models import Customer

                    def notify(customer):
                        requests.post("https://push", json={"to": customer.pk}, timeout=5)

                    def notify_all():
                        with ThreadPoolExecutor(max_workers=8) as pool:
                            for customer in Customer.objects.filter(active=True):
                                pool.submit(notify, customer)
                """,
                "models.py": """
                    from django.db import models

                    class Customer(models.Model): ...
                """,
            },
            why="a pool of threads bounds how many run at once",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        collections = Collections(system)
        for function in system.source_functions():
            for statement, call, target in function.calls():
                if target.name in GATHERS:
                    found = self._gathered(system, collections, function, statement, call)
                elif target.name in STARTS:
                    found = self._started(system, collections, function, statement, call)
                else:
                    continue
                if found is not None:
                    yield self._report(found)

    def _gathered(
        self, system: System, collections: Collections, function: Function, statement: int, call: Call
    ) -> Fan | None:
        """A gather over as many coroutines as there are items."""
        for value in call.arguments:
            for work in made(function, value, statement):
                target = function.targets.get(work)
                if target is not None and target.name not in STARTS:
                    fan = self._fan(system, collections, function, statement, work)
                    if fan is not None:
                        return fan
        return None

    def _started(
        self, system: System, collections: Collections, function: Function, statement: int, call: Call
    ) -> Fan | None:
        """A task or thread that is started in a loop."""
        if function.targets[statement].name == "threading.Thread.start":
            built = built_in(function, call, statement)
            return self._fan(system, collections, function, statement, built) if built >= 0 else None
        value = call.arguments[0] if call.arguments else None
        work = value.call if isinstance(value, Result) else statement
        return self._fan(system, collections, function, statement, work)

    def _fan(
        self, system: System, collections: Collections, function: Function, statement: int, work: int
    ) -> Fan | None:
        over = self._over(collections, function, work)
        if over.size < Size.GIVEN or (over.limited and not over.page) or held_back(function, statement, work):
            return None
        kinds, name = frozenset[EffectKind](), ""
        for edge in function.edges.get(work, ()):
            callee = system.functions.get(edge.function)
            if callee is None or limits_itself(system, callee):
                return None
            kinds |= callee.kinds
            name = callee.body.name
        kinds |= {effect.kind for effect in function.direct.get(work, ())}
        if kinds.isdisjoint(BUSY) or (unsure(over) and kinds.isdisjoint(DATABASE)):
            return None
        return Fan(function, statement, work, over, kinds, name or function.targets[work].name)

    def _over(self, collections: Collections, function: Function, work: int) -> Collection:
        """What the loops around the call go over: the one that may grow furthest."""
        found = Collection(Size.SMALL)
        for index in ancestors(function.body, function.call(work).scope):
            if function.body.scopes[index].kind in LOOPS:
                over = collections.of_loop(function, index)
                if over.size is Size.SMALL:
                    break  # pieces of what the outer loop goes over
                found = over if over.size > found.size else found
        return found

    def _report(self, fan: Fan) -> Finding:
        function = fan.function
        takes = "a database connection" if not fan.kinds.isdisjoint(DATABASE) else "a connection"
        path = (
            Hop(fan.over.location or function.location, f"one for each of {fan.over.words}"),
            Hop(function.at(fan.work), f"{fan.name} takes {takes} each"),
            Hop(function.at(fan.statement), "all of them are started at once"),
        )
        return self.found(
            f"{function.body.name} runs {fan.name} at once for each of {fan.over.words}, with {takes} each",
            function.at(fan.statement),
            path=path,
            severity=severity(fan),
            confidence=Confidence.MEDIUM if unsure(fan.over) else Confidence.HIGH,
            clears="a semaphore, a fixed number of workers or a limit on the collection bounds it",
            subject=f"{function.name} {fan.name}",
        )


def severity(fan: Fan) -> Severity:
    """Emptying the pool stops everybody; a table grows by itself."""
    pooled = not fan.kinds.isdisjoint(DATABASE)
    return Severity.HIGH if pooled and not unsure(fan.over) else Severity.MEDIUM


def unsure(over: Collection) -> bool:
    """Whether there may be few: a list of which only the caller knows, or a page of rows."""
    return over.size is Size.GIVEN or over.page


def made(function: Function, value: Value, before: int) -> Iterator[int]:
    """The calls that make the coroutines which a value holds: by comprehension, or appended in a loop."""
    if isinstance(value, Operation) and value.operator == "*":
        value = value.operands[0]
    if isinstance(value, Each):
        if isinstance(value.element, Result):
            yield value.element.call
    elif isinstance(value, Name) and "." not in value.path:
        assigned = definition(function.body, value.path, before)
        if assigned is not None and isinstance(assigned[1], Each):
            yield from made(function, assigned[1], assigned[0])
        for index, statement in enumerate(function.body.statements[:before]):
            if fills(statement, value.path) and isinstance(statement, Call) and statement.arguments:
                added = statement.arguments[0]
                if isinstance(added, Name):
                    held = definition(function.body, added.path, index)
                    added = held[1] if held is not None else added
                yield from (part.call for part in parts(added) if isinstance(part, Result))


def built_in(function: Function, call: Call, before: int) -> int:
    """Where the thread that is started was built, when that is in the same block; else -1."""
    if not isinstance(call.callee, Name):
        return next((part.call for part in parts(call.callee) if isinstance(part, Result)), -1)
    assigned = definition(function.body, call.callee.path.rpartition(".")[0], before)
    if assigned is None or not isinstance(assigned[1], Result):
        return -1
    built = assigned[1].call
    return built if function.call(built).scope == call.scope else -1


def held_back(function: Function, statement: int, work: int) -> bool:
    """Whether something in the function itself bounds how many are started."""
    if any(e.kind is EnclosureKind.LIMIT for at in (statement, work) for e in function.around(at)):
        return True
    scope = function.call(work).scope
    beside = (each for each in function.body.statements if isinstance(each, Call) and each.scope == scope)
    return any(last_name(call.callee) in ("acquire", "join", "result") for call in beside)


def limits_itself(system: System, function: Function, deep: int = 2) -> bool:
    """Whether the work waits for a semaphore before it takes anything, itself or in what it calls first."""
    if any(each.kind is EnclosureKind.LIMIT for each in function.enclosures) or named_limit(function):
        return True
    if not deep:
        return False
    names = {edge.function for edges in function.edges.values() for edge in edges if edge.now}
    below = (system.functions[name] for name in names if name in system.functions)
    return any(limits_itself(system, callee, deep - 1) for callee in below)


def named_limit(function: Function) -> bool:
    """Whether the function enters a context that is called a semaphore or limiter."""
    contexts = (scope.head for scope in function.body.scopes if scope.kind is ScopeKind.WITH)
    entered = [value for head in contexts for value in head]
    entered += [function.call(part.call).callee for part in entered if isinstance(part, Result)]
    said = (part.path for value in entered for part in parts(value) if isinstance(part, Name))
    return any(LIMITERS.search(path) for path in said)
