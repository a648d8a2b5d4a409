import re
from collections.abc import Iterator

from mainstay.model.code import (
    Assign,
    Body,
    Call,
    Fate,
    Literal,
    Name,
    Operation,
    Result,
    Return,
    ScopeKind,
    Statement,
    Value,
)
from mainstay.model.effect import DATABASE, EffectKind, Step
from mainstay.model.finding import Confidence, Family, Finding, Severity
from mainstay.model.flow import ancestors, parts, results
from mainstay.model.system import Bound, Function, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.loops import cached
from mainstay.rules.reach import Reach

DATABASE_WORK = DATABASE - {EffectKind.LOCK} | {EffectKind.COMMIT}
WAITS = DATABASE_WORK | {
    EffectKind.CALL_OUT,
    EffectKind.SEND,
    EffectKind.SLEEP,
    EffectKind.WAIT,
    EffectKind.RUN,
}
WORDS = {
    EffectKind.READ: "queries {0}",
    EffectKind.INSERT: "writes {0}",
    EffectKind.UPDATE: "writes {0}",
    EffectKind.DELETE: "deletes from {0}",
    EffectKind.COMMIT: "commits",
    EffectKind.CALL_OUT: "waits for {0}",
    EffectKind.SEND: "hands a message to {0}",
    EffectKind.SLEEP: "sleeps",
    EffectKind.WAIT: "waits for another thread or process",
    EffectKind.RUN: "runs another program",
}
QUICK = frozenset({"redis", "django cache", "memcached", "socket"})  # answer within milliseconds, mostly
SHORT_SLEEP = 0.05  # seconds that no requester notices
STARTING = re.compile(r"(^|_)(lifespan|startup|shutdown|bootstrap|on_start|on_stop)(_|$)")
LOOKS = (".empty", ".qsize", ".done", ".is_alive", ".poll", ".is_set")
COMMANDS = (".command", ".callback", ".cli_command")
COMMAND_FOLDERS = frozenset({"cli", "commands", "cli.py"})
ASIDE = frozenset({"examples", "example", "samples", "scripts", "docs", "demo", "benches", "benchmarks"})
RUNNING = frozenset({"running", "started", "initialized", "initialised", "ready", "loaded", "connected"})
LOOP_RUNNERS = (
    "asyncio.run",
    "asyncio.Runner.run",
    "asyncio.AbstractEventLoop.run_until_complete",
    "anyio.run",
    "asgiref.sync.async_to_sync",
)


class BlockingCallInAsync(Rule):
    """A coroutine makes a call that blocks the event loop.

    One thread runs every coroutine of the process.  While it waits in a synchronous call, no other
    request is read, answered or timed out, and the health probe gets no answer either: one slow
    query or neighbour freezes the whole process, and under load the freezes add up.

    Await an asynchronous client, or move the synchronous work off the loop with
    `asyncio.to_thread` (`run_in_threadpool`, `sync_to_async`).  A route that only does synchronous
    work is better a plain `def`, which FastAPI and Starlette run on a thread of their own.
    """

    severity = Severity.HIGH
    family = (Family.ASYNC_MISUSE,)
    since = "0.1"
    references = ("CWE-400",)

    notices = (
        "Users of every route of the process, as latency that follows the slowest call; the orchestrator, "
        "when the probe times out. The route's own latency shows nothing unusual."
    )
    recovers = (
        "The loop goes on when the call returns. A call without a deadline holds it until the liveness probe "
        "has the process killed, with every request in it."
    )
    costs = "One thread per call at work, from a pool of limited size, or a move to the asynchronous client."

    bad = (
        Example(
            {
                "routes.py": """
                    from fastapi import APIRouter
                    from charges import settle

                    router = APIRouter()

                    @router.post("/webhooks")
                    async def notice(body: dict):
                        settle(body)  # <-
                        return {}
                """,
                "charges.py": """
                    from processor import find

                    def settle(body):
                        return find(body["id"])
                """,
                "processor.py": """
                    import requests

                    def find(charge_id):
                        return requests.get(f"https://processor/{charge_id}", timeout=5).json()
                """,
            },
            why="the request is made three functions down, in another file",
        ),
        Example(
            {
                "orders.py": """
                    from fastapi import APIRouter, Depends
                    from sqlalchemy import select
                    from sqlalchemy.orm import Session
                    from models import Order, get_session

                    router = APIRouter()

                    @router.get("/orders")
                    async def orders(session: Session = Depends(get_session)):
                        return session.scalars(select(Order)).all()  # <-
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase, Session

                    class Base(DeclarativeBase): ...
                    class Order(Base): ...

                    def get_session():
                        with Session() as session:
                            yield session
                """,
            },
            why="a synchronous session in an asynchronous route",
        ),
        Example(
            {
                "worker.py": """
                    import asyncio
                    import time

                    def rest():
                        time.sleep(5)

                    async def relay(queue: asyncio.Queue):
                        while True:
                            message = await queue.get()
                            if message is None:
                                rest()  # <-

                    async def main():
                        queue = asyncio.Queue(10)
                        async with asyncio.TaskGroup() as group:
                            group.create_task(relay(queue))
                            group.create_task(relay(queue))

                    if __name__ == "__main__":
                        asyncio.run(main())
                """
            },
            why="one of two tasks sleeps for both",
        ),
        Example(
            {
                "views.py": """
                    from django.http import JsonResponse
                    from models import Order

                    async def order(request, pk):
                        found = Order.objects.get(pk=pk)  # <-
                        return JsonResponse({"id": found.pk})
                """,
                "models.py": """
                    from django.db import models

                    class Order(models.Model): ...
                """,
            },
            why="an asynchronous Django view calls the synchronous manager",
        ),
        Example(
            {
                "clients.py": """
                    import subprocess

                    async def convert(path):
                        return await render(path)

                    async def render(path):
                        subprocess.run(["soffice", path], check=True)  # <-
                """
            },
            why="reported once, where it happens, and not again for `convert`",
        ),
        Example(
            {
                "examples/ask.py": """
                    import asyncio
                    from clients import lookup

                    async def main():
                        await asyncio.gather(ask(1), ask(2))

                    async def ask(key):
                        return lookup(key)

                    if __name__ == "__main__":
                        asyncio.run(main())
                """,
                "routes.py": """
                    from fastapi import APIRouter
                    from clients import lookup

                    router = APIRouter()

                    @router.get("/names/{key}")
                    async def name(key: str):
                        return lookup(key)  # <-
                """,
                "clients.py": """
                    import requests

                    def lookup(key):
                        return requests.get(f"https://names/{key}", timeout=5).json()
                """,
            },
            why="told where the service makes the call, not where an example does",
        ),
    )
    good = (
        Example(
            {
                "routes.py": """
                    import requests
                    from fastapi import APIRouter

                    router = APIRouter()

                    @router.get("/rates")
                    def rates():
                        return requests.get("https://rates", timeout=5).json()
                """
            },
            why="a plain `def` runs on a thread of the pool",
        ),
        Example(
            {
                "routes.py": """
                    import asyncio
                    import requests
                    from fastapi import APIRouter

                    router = APIRouter()

                    def fetch(url):
                        return requests.get(url, timeout=5).json()

                    @router.get("/rates")
                    async def rates():
                        loop = asyncio.get_running_loop()
                        first = await loop.run_in_executor(None, fetch, "https://rates")
                        return first, await asyncio.to_thread(lambda: fetch("https://more"))
                """
            },
            why="the work is handed to threads",
        ),
        Example(
            {
                "app.py": """
                    from contextlib import asynccontextmanager
                    import requests
                    from fastapi import FastAPI

                    async def warm_up():
                        requests.get("https://rates", timeout=5)

                    @asynccontextmanager
                    async def lifespan(app: FastAPI):
                        await warm_up()
                        yield

                    app = FastAPI(lifespan=lifespan)
                """
            },
            why="nobody is served yet while it starts",
        ),
        Example(
            {
                "views.py": """
                    import httpx
                    from asgiref.sync import sync_to_async
                    from models import Order

                    def load(pk):
                        return Order.objects.get(pk=pk)

                    async def order(request, pk):
                        found = await sync_to_async(load)(pk)
                        first = await Order.objects.aget(pk=pk)
                        async with httpx.AsyncClient() as client:
                            await client.post("https://events", json={"id": found.pk})
                """,
                "models.py": """
                    from django.db import models

                    class Order(models.Model): ...
                """,
            },
            why="asynchronous interfaces, and a wrapped synchronous one",
        ),
        Example(
            {
                "report.py": """
                    import asyncio
                    import requests

                    async def fetch(day):
                        return requests.get(f"https://reports/{day}", timeout=30).text

                    async def main():
                        print(await fetch("today"))

                    asyncio.run(main())
                """
            },
            why="a program with one task only: there is nobody to keep waiting",
        ),
        Example(
            {
                "cache.py": """
                    import threading

                    lock = threading.Lock()
                    held = {}

                    async def remember(key, value):
                        lock.acquire()
                        try:
                            held[key] = value
                        finally:
                            lock.release()
                """
            },
            why="a mutex around a dictionary is held for microseconds",
        ),
        Example(
            {
                "objects.py": """
                    import asyncio
                    import boto3

                    client = boto3.client("s3")

                    async def keys(bucket):
                        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
                        return await asyncio.to_thread(collect, pages)

                    def collect(pages):
                        return [item["Key"] for page in pages for item in page["Contents"]]
                """
            },
            why="pages are asked for where they are looped over, which a thread does",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        alone = Alone(system)
        reach = Reach(system)
        causes: dict[tuple[str, str, bool], dict[str, tuple[Function, list[Step]]]] = {}
        for function in system.source_functions():
            if not function.is_async or function.kinds.isdisjoint(WAITS) or alone.holds(function):
                continue
            for step in self._stops(system, function):
                alike = causes.setdefault(self._cause(system, function, step), {})
                alike.setdefault(function.name, (function, []))[1].append(step)
        for found in causes.values():
            yield self._report(system, reach, list(found.values()))

    def _stops(self, system: System, function: Function) -> list[Step]:
        """The worst blocking effect of each statement of a coroutine, the worst statement first."""
        worst: dict[int, Step] = {}
        for step in system.steps(function, *WAITS):
            if not step.effect.blocking or not on_loop(system, function, step):
                continue
            old = worst.get(step.statement)
            if (old is None or rank(step) > rank(old)) and not trifling(system, function, step):
                worst[step.statement] = step
        return sorted(worst.values(), key=rank, reverse=True)

    def _cause(self, system: System, function: Function, step: Step) -> tuple[str, str, bool]:
        """What one change would put right: a file's synchronous session or cache, or a helper's library."""
        first = once(system, function, step)
        if step.effect.kind in DATABASE_WORK:
            return function.file.path, "", first
        if step.effect.target in QUICK:
            return function.file.path, step.effect.target, first
        leaf, statement = bottom(system, function, step)
        return leaf.name, leaf.targets[statement].name.partition(".")[0], first

    def _report(self, system: System, reach: Reach, found: list[tuple[Function, list[Step]]]) -> Finding:
        found.sort(key=lambda each: (not is_program(each[0]), rank(each[1][0])), reverse=True)
        function, stops = found[0]
        step = stops[0]
        leaf, statement = bottom(system, function, step)
        others = [s.location for _, steps in found for s in steps if s.location != step.location]
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        through = f", reached through {system.functions[step.via].body.name}" if step.via else ""
        first = once(system, function, step)
        low = first or not any(runs(system, reach, each) for each, _ in found)
        surely = Confidence.HIGH if step.certain else Confidence.MEDIUM
        return self.found(
            f"{function.body.name}{more} block{'' if more else 's'} the event loop while "
            f"{waiting(leaf, statement, step)}{through}{', on first use' if first else ''}",
            step.location,
            path=system.trace(function, step),
            siblings=tuple(dict.fromkeys(others)),
            severity=severity(step),
            confidence=Confidence.LOW if low else surely,
            clears="the call is awaited on an asynchronous client, or runs on a thread",
            subject=f"{function.name} {leaf.targets[statement].name}",
        )


def is_program(function: Function) -> bool:
    """Whether it is an example, or a file that is run by itself."""
    if not ASIDE.isdisjoint(function.file.path.split("/")[:-1]):
        return True
    module = function.file.module.bodies[0]
    heads = (part for scope in module.scopes for head in scope.head for part in parts(head))
    return Name("__name__") in heads


def runs(system: System, reach: Reach, function: Function) -> bool:
    """Whether something is known, or likely, to run a coroutine: a caller, a library, a scheduler."""
    owner = system.classes.get(function.owner)
    if (
        function.callers
        or function.body.decorators
        or reach.request(function.name)
        or reach.job(function.name)
    ):
        return True
    if (owner is not None and owner.ancestry) or function.body.name.startswith("__"):
        return True
    return any(
        part.path.rpartition(".")[2] == function.body.name
        for body in function.file.module.bodies
        for statement in body.statements
        for value in read(statement)
        for part in parts(value)
        if isinstance(part, Name)
    )


def read(statement: Statement) -> Iterator[Value]:
    """The values that a statement hands on."""
    if isinstance(statement, Call):
        yield from statement.arguments
        yield from (keyword.value for keyword in statement.keywords)
    elif isinstance(statement, Assign | Return) and statement.value is not None:
        yield statement.value


def once(system: System, function: Function, step: Step) -> bool:
    """Whether the call is made on first use only: what it gave is kept, or it installs what is missing."""
    places = [(function, step.statement), *((below, found.statement) for below, found in system.way(step))]
    return any(keeps(below, at) or installs(below, at) for below, at in places)


def installs(function: Function, statement: int) -> bool:
    """Whether it runs when an import has failed."""
    around = ancestors(function.body, function.call(statement).scope)
    return any(
        function.body.scopes[at].kind is ScopeKind.HANDLER
        and any(
            isinstance(part, Name) and part.path in ("ImportError", "ModuleNotFoundError")
            for head in function.body.scopes[at].head
            for part in parts(head)
        )
        for at in around
    )


def keeps(function: Function, statement: int) -> bool:
    """Whether a test, around the call or on the way out ahead of it, asks for what the function then sets."""
    body = function.body
    around = set(ancestors(body, function.call(statement).scope))
    for index, scope in enumerate(body.scopes):
        ahead = scope.parent in around and scope.last <= statement and leaves(body, index)
        if scope.kind is ScopeKind.IF and scope.head and (index in around or ahead):
            asked = remembered(scope.head[0], taken=index in around)
            if asked and (
                asked.rpartition(".")[2].lstrip("_") in RUNNING or is_set(body, asked, scope.first)
            ):
                return True
    return False


def remembered(test: Value, *, taken: bool) -> str:
    """What is kept from call to call, in a test that finds it missing (`taken`) or there."""
    if isinstance(test, Operation) and test.operator == "not":
        return remembered(test.operands[0], taken=not taken)
    held: Value | None = None if taken else test
    if isinstance(test, Operation) and test.operator in ("and", "or"):
        return next(filter(None, (remembered(each, taken=taken) for each in test.operands)), "")
    if isinstance(test, Operation) and len(test.operands) == 2:
        one, other = test.operands
        held = other if test.operator == ("not in" if taken else "in") else None
        if test.operator == ("is" if taken else "is not") and other == Literal(None):
            held = one
    if not isinstance(held, Name):
        return ""
    lasting = held.path.startswith(("self.", "cls.")) or held.path.isupper() or held.path.startswith("_")
    return held.path if lasting else ""


def is_set(body: Body, name: str, first: int) -> bool:
    """Whether a body assigns to that name, or puts something into it."""
    return any(
        target == Name(name) or (isinstance(target, Operation) and target.operands[0] == Name(name))
        for statement in body.statements[first:]
        if isinstance(statement, Assign)
        for target in statement.targets
    )


def leaves(body: Body, scope: int) -> bool:
    """Whether a branch ends in a `return`."""
    block = body.scopes[scope]
    return any(
        isinstance(statement, Return) and statement.scope == scope
        for statement in body.statements[block.first : block.last]
    )


def waiting(leaf: Function, statement: int, step: Step) -> str:
    """What the loop stands still for, in words."""
    deadline = leaf.deadlines.get(statement)
    words = WORDS[step.effect.kind].format(step.effect.target or "the database")
    unbounded = deadline is not None and deadline.bound is Bound.UNBOUNDED
    return f"{leaf.targets[statement].name} {words}{' without a deadline' if unbounded else ''}"


def severity(step: Step) -> Severity:
    """Waiting for others can take for ever; a query is usually short."""
    if step.effect.kind in DATABASE_WORK or step.effect.kind in (EffectKind.SEND, EffectKind.WAIT):
        return Severity.MEDIUM
    return Severity.MEDIUM if step.effect.target in QUICK else Severity.HIGH


def rank(step: Step) -> tuple[int, bool, int, int]:
    """Worse first, then the surer, the more direct and the earlier."""
    return severity(step), step.certain, -step.depth, -step.statement


def on_loop(system: System, function: Function, step: Step) -> bool:
    """Whether the loop's own thread waits, and no other coroutine on the way is the one to change."""
    name = step.via
    if any(edge.function == name and edge.how == "thread" for edge in function.edges.get(step.statement, ())):
        return False
    if name and runs_elsewhere(system.functions[name], function.call(step.statement)):
        return False
    while name:
        callee = system.functions[name]
        found = callee.effects.get(step.effect)
        if callee.is_async or found is None or cached(callee):
            return False
        name = found.via
    return True


def runs_elsewhere(callee: Function, call: Call) -> bool:
    """Whether calling the plain function does not yet run its body on the loop."""
    if callee.is_async:
        return False
    if callee.body.is_generator and not callee.decorators:
        # Handed on: Starlette, for one, iterates a synchronous generator on a thread.
        return call.fate not in (Fate.ITERATED, Fate.YIELDED)
    return call.awaited  # what it returns is awaited: it was decorated, or written, to work elsewhere


def bottom(system: System, function: Function, step: Step) -> tuple[Function, int]:
    """The function and the call in it at the end of a step's way."""
    statement, name = step.statement, step.via
    while name:
        function = system.functions[name]
        found = function.effects[step.effect]
        statement, name = found.statement, found.via
    return function, statement


def trifling(system: System, function: Function, step: Step) -> bool:
    """A mutex, a queue that is known not to be empty, or a sleep too short to matter."""
    if step.effect.kind not in (EffectKind.WAIT, EffectKind.SLEEP):
        return False
    leaf, statement = bottom(system, function, step)
    if step.effect.kind is EffectKind.WAIT:
        return leaf.targets[statement].name.endswith(".acquire") or looked_first(leaf, statement)
    slept = leaf.call(statement).argument(0, "secs")
    seconds = slept.value if isinstance(slept, Literal) else None
    return isinstance(seconds, int | float) and seconds < SHORT_SLEEP


def looked_first(function: Function, statement: int) -> bool:
    """Whether a test around the wait asks first if there is anything to wait for."""
    for index in ancestors(function.body, function.call(statement).scope):
        for asked in (at for value in function.body.scopes[index].head for at in results(value)):
            call = function.body.statements[asked]
            if isinstance(call, Call) and isinstance(call.callee, Name) and call.callee.path.endswith(LOOKS):
                return True
    return False


class Alone:
    """Tells the coroutines that no other work waits beside: start, shutdown, commands, one-task programs."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._known: dict[str, bool] = {}

    def holds(self, function: Function) -> bool:
        known = self._known.get(function.name)
        if known is None:
            self._known[function.name] = False  # a circle of callers is no way in
            known = self._known[function.name] = self._begins(function) or self._only_below(function)
        return known

    def _begins(self, function: Function) -> bool:
        if STARTING.search(function.body.name) or commanded(function):
            return True
        if not COMMAND_FOLDERS.isdisjoint(function.file.path.split("/")):
            return True
        return any(
            target.library and target.library.job and target.library.job.trigger in ("startup", "shutdown")
            for target in function.decorators
        )

    def _only_below(self, function: Function) -> bool:
        """Whether every caller is such a one, or runs the coroutine as the only task of a loop."""
        if not function.callers:
            return False
        return all(self._caller(function, name, statement) for name, statement in function.callers)

    def _caller(self, function: Function, name: str, statement: int) -> bool:
        caller = self._system.functions[name]
        target = caller.targets.get(statement)
        if target is not None and target.name in LOOP_RUNNERS:
            return not self._concurrent(function)
        if target is not None and not caller.is_async and self._runs_alone(caller, function, statement):
            return True
        return self.holds(caller)

    def _runs_alone(self, caller: Function, function: Function, statement: int) -> bool:
        """Whether the coroutine made here is handed to a runner: the run itself is a caller of its own."""
        return any(
            target.name in LOOP_RUNNERS and Result(statement) in caller.call(at).arguments
            for at, target in caller.targets.items()
        ) and not self._concurrent(function)

    def _concurrent(self, function: Function) -> bool:
        """Whether anything below starts tasks or threads, or gathers."""
        seen = {function.name}
        work = [function]
        while work:
            found = work.pop()
            if EffectKind.SPAWN in found.kinds:
                return True
            for edges in found.edges.values():
                for edge in edges:
                    if edge.how in ("task", "gather"):
                        return True
                    if edge.function not in seen and edge.function in self._system.functions:
                        seen.add(edge.function)
                        work.append(self._system.functions[edge.function])
        return False


def commanded(function: Function) -> bool:
    """Whether a decorator makes it a command of a command line."""
    bodies = function.file.module.bodies
    if function.body.parent < 0:
        return False
    home = bodies[function.body.parent]
    for value in function.body.decorators:
        call = home.statements[value.call] if isinstance(value, Result) else None
        callee = call.callee if isinstance(call, Call) else value
        if isinstance(callee, Name) and callee.path.endswith(COMMANDS):
            return True
    return False
