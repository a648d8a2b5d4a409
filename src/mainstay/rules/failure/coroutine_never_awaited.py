from collections.abc import Iterator

from mainstay.model.code import (
    Assign,
    Body,
    Call,
    Display,
    Fate,
    Module,
    Name,
    Result,
    Return,
    Statement,
    Use,
    Value,
    Yield,
)
from mainstay.model.finding import Family, Finding, Hop, Severity
from mainstay.model.flow import names, parts, results
from mainstay.model.system import Function, System, Target
from mainstay.rules.base import Example, Rule

KEEPS = frozenset({"staticmethod", "classmethod", "abstractmethod", "override", "final", "wraps"})
TASKS = ("asyncio.create_task", "asyncio.ensure_future", "asyncio.AbstractEventLoop.create_task")
LOST = {
    Fate.DISCARDED: "is called and not awaited, so it never runs",
    Fate.TESTED: "is tested without being awaited, and a coroutine is always true",
}


class CoroutineNeverAwaited(Rule):
    """An async function is called and its coroutine is never awaited.

    Calling it only makes a coroutine object; its body does not run until someone awaits it.  The
    alert is not sent, the row not written, the permission not checked: a coroutine counts as true,
    so a test on one always passes.  Nothing raises, and the warning "was never awaited" is
    printed once, to stderr, when the object is collected.

    Await it. From a plain function, hand it to the loop that runs (`asyncio.run_coroutine_threadsafe`,
    `async_to_sync`), or make the caller async. Work that is meant to run beside needs a task that
    someone keeps: a `TaskGroup`, or a set that holds it until it is done.
    """

    severity = Severity.HIGH
    family = (Family.ASYNC_MISUSE,)
    since = "0.1"
    references = ("CWE-252",)

    notices = "Nobody, until what should have happened is missed; the only trace is a warning on stderr."
    recovers = "It does not: each call loses its effect, which has to be found and done again by hand."
    costs = "The caller waits for the work it now really does, and may have to become async itself."

    bad = (
        Example(
            {
                "tracing.py": """
                    import functools, inspect

                    def traced(name):
                        def decorate(function):
                            @functools.wraps(function)
                            async def later(*args):
                                return await function(*args)

                            @functools.wraps(function)
                            def now(*args):
                                return function(*args)

                            return later if inspect.iscoroutinefunction(function) else now
                        return decorate
                """,
                "steps.py": """
                    from tracing import traced

                    class Agent:
                        @traced("finish")
                        async def finish(self, step):
                            return step, None

                        async def run(self, step):
                            progress, metrics = self.finish(step)  # <-
                """,
            },
            why="the decorator keeps an async function async",
        ),
        Example(
            {
                "notifications.py": """
                    import httpx

                    async def alert(text):
                        async with httpx.AsyncClient() as client:
                            await client.post("https://pager", json={"text": text})
                """,
                "charges.py": """
                    from notifications import alert

                    def settle(charge):
                        if not charge.known:
                            alert(f"{charge.id} is pending")  # <-
                """,
            },
            why="a plain function drops the coroutine of another module",
        ),
        Example(
            {
                "access.py": """
                    async def may_refund(user, order):
                        return order.owner == user.id
                """,
                "routes.py": """
                    from fastapi import APIRouter, HTTPException
                    from access import may_refund

                    router = APIRouter()

                    @router.post("/refunds")
                    async def refund(user: dict, order: dict):
                        if not may_refund(user, order):  # <-
                            raise HTTPException(403)
                        return {}
                """,
            },
            why="the check lets everybody through",
        ),
        Example(
            {
                "orders.py": """
                    from sqlalchemy.ext.asyncio import AsyncSession

                    async def cancel(session: AsyncSession, order):
                        order.state = "cancelled"
                        session.commit()  # <-
                """
            },
            why="a library's coroutine: nothing is committed",
        ),
        Example(
            {
                "store.py": """
                    class Store:
                        async def flush(self):
                            ...

                        def close(self):
                            return self.flush()
                """,
                "app.py": """
                    from store import Store

                    def stop(store: Store):
                        store.close()  # <-
                """,
            },
            why="a plain function passes the coroutine on, and its caller drops it",
        ),
        Example(
            {
                "jobs.py": """
                    from store import load

                    async def run():
                        loaded = load()  # <-
                        print("loaded")
                """,
                "store.py": """
                    async def load():
                        return {}
                """,
            },
            why="stored, and never looked at again",
        ),
        Example(
            {
                "events.py": """
                    import asyncio

                    async def publish(event):
                        ...

                    async def handle(event):
                        asyncio.create_task(publish(event))  # <-
                """
            },
            why="the loop holds a task by a weak reference only: it can be collected before it ends",
        ),
    )
    good = (
        Example(
            {
                "jobs.py": """
                    import asyncio

                    async def load(key): ...

                    async def run(keys):
                        first = load("first")
                        rest = [load(key) for key in keys]
                        await first
                        await asyncio.gather(*rest)
                        async with asyncio.TaskGroup() as group:
                            group.create_task(load("last"))

                    def main():
                        asyncio.run(run([]))
                """
            },
            why="stored, gathered, put in a group, run",
        ),
        Example(
            {
                "clients.py": """
                    class Client:
                        async def get(self, path): ...

                        def orders(self):
                            return self.get("/orders")

                    async def show(client: Client):
                        return await client.orders()
                """
            },
            why="a plain function gives its caller the coroutine, who awaits it",
        ),
        Example(
            {
                "tasks.py": """
                    from asgiref.sync import async_to_sync
                    from celery import shared_task

                    @async_to_sync
                    async def send(text): ...

                    @shared_task
                    def remind(text):
                        send(text)
                """
            },
            why="the decorator makes it a plain function",
        ),
        Example(
            {
                "rows.py": """
                    from contextlib import asynccontextmanager

                    async def rows():
                        yield 1

                    @asynccontextmanager
                    async def session():
                        yield 2

                    async def show():
                        found = rows()
                        async with session():
                            async for row in found:
                                print(row)
                """
            },
            why="an asynchronous generator and a context manager are no coroutines",
        ),
        Example(
            {
                "hub.py": """
                    import asyncio

                    class Hub:
                        def __init__(self):
                            self.tasks = set()

                        async def publish(self, event): ...

                        def send(self, event):
                            task = asyncio.create_task(self.publish(event))
                            self.tasks.add(task)
                            task.add_done_callback(self.tasks.discard)
                """
            },
            why="the task is kept until it is done",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        coroutines = Coroutines(system)
        for function in system.source_functions():
            dropped: list[int] = []
            for statement, call, target in function.calls():
                if call.awaited:
                    continue
                # A receiver that may be of another type may well have a plain method of that name.
                if target.certain and coroutines.gives(target) and self._lost(function, statement, call):
                    yield self._report(system, function, statement, target)
                elif call.fate is Fate.DISCARDED and target.name in TASKS:
                    dropped.append(statement)
            if dropped:
                yield self._unkept(function, dropped)

    def _lost(self, function: Function, statement: int, call: Call) -> bool:
        if call.fate is Fate.STORED:
            return unpacked(function, statement) or forgotten(function, statement)
        return call.fate in LOST

    def _report(self, system: System, function: Function, statement: int, target: Target) -> Finding:
        call = function.call(statement)
        stored = "is unpacked" if unpacked(function, statement) else "is stored"
        how = LOST.get(call.fate, f"{stored}, and the coroutine is never awaited")
        name = target.name
        path = [Hop(function.at(statement), f"calls {name}")]
        while name in system.functions and not system.functions[name].is_async:
            below = system.functions[name]
            given = passed_on(below)
            path.append(Hop(below.at(given), f"returns the coroutine of {below.targets[given].name}"))
            name = below.targets[given].name
        if name in system.functions:
            path.append(Hop(system.functions[name].location, "is an async def"))
        return self.found(
            f"{last(target.name)} {how} ({function.body.name})",
            function.at(statement),
            path=tuple(path),
            severity=Severity.CRITICAL if call.fate is Fate.TESTED else None,
            clears="the coroutine is awaited, gathered, returned or handed to a task",
            subject=f"{function.name} {target.name}",
        )

    def _unkept(self, function: Function, dropped: list[int]) -> Finding:
        first = dropped[0]
        return self.found(
            f"{function.body.name} keeps no reference to the task it starts, which may vanish before it ends",
            function.at(first),
            siblings=tuple(function.at(at) for at in dropped[1:]),
            severity=Severity.LOW,
            clears="the task is kept until it is done: in a TaskGroup, a set or an attribute",
            subject=f"{function.name} task",
            change=(
                "Keep the task (`tasks.add(task)`, `task.add_done_callback(tasks.discard)`), or start it in "
                "a TaskGroup: the loop itself holds a weak reference only, and nobody sees its exception."
            ),
        )


class Coroutines:
    """Tells the callables that give a coroutine when they are called."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._known: dict[str, bool] = {}

    def gives(self, target: Target) -> bool:
        if target.library is not None:
            return target.library.coroutine
        known = self._known.get(target.name)
        if known is None:
            self._known[target.name] = False  # a function that returns its own call settles nothing
            function = self._system.functions.get(target.name)
            known = self._known[target.name] = function is not None and self._function(function)
        return known

    def _function(self, function: Function) -> bool:
        body = function.body
        if body.kind != "function" or body.is_generator or not self._plain(function):
            return False
        if body.is_async:
            return True
        given = passed_on(function)
        return given >= 0 and self.gives(function.targets[given])

    def _plain(self, function: Function) -> bool:
        """Whether each decorator leaves an async function an async function."""
        written = [v for v in function.body.decorators if not (isinstance(v, Name) and last(v.path) in KEEPS)]
        known = [target for target in function.decorators if last(target.name) not in KEEPS]
        return len(known) == len(written) and all(self._keeps(target) for target in known)

    def _keeps(self, decorator: Target) -> bool:
        if decorator.library is not None:
            return bool(decorator.library.route or decorator.library.retry or decorator.library.encloses)
        return gives_async(self._system, decorator.name)


def gives_async(system: System, decorator: str) -> bool:
    """Whether a decorator of the project returns an async wrapper that it defines itself.

    It may choose between two (`return wrapper if iscoroutinefunction(f) else plain`), or be made by
    a function with arguments.
    """
    found = system.functions.get(decorator)
    return found is not None and _returns_async(found.file.module, found.index)


def unpacked(function: Function, statement: int) -> bool:
    """Whether the coroutine itself is taken apart: `a, b = finish(step)`."""
    return any(
        isinstance(each, Assign)
        and each.value == Result(statement)
        and any(isinstance(target, Display) for target in each.targets)
        for each in function.body.statements[statement + 1 : statement + 2]
    )


def _returns_async(module: Module, index: int, depth: int = 0) -> bool:
    inner = {body.name: at for at, body in enumerate(module.bodies) if body.parent == index}
    for statement in module.bodies[index].statements:
        if not isinstance(statement, Return) or statement.value is None:
            continue
        for part in parts(statement.value):
            at = inner.get(part.path) if isinstance(part, Name) else None
            if at is not None and (
                module.bodies[at].is_async or (depth < 2 and _returns_async(module, at, depth + 1))
            ):
                return True
    return False


def last(path: str) -> str:
    return path.rpartition(".")[2]


def passed_on(function: Function) -> int:
    """The call whose result a plain function returns in every `return`, or -1."""
    found = -1
    for statement in function.body.statements:
        if isinstance(statement, Return):
            value = statement.value
            if not isinstance(value, Result) or value.call not in function.targets:
                return -1
            if function.call(value.call).awaited:
                return -1
            found = value.call
    return found


def forgotten(function: Function, statement: int) -> bool:
    """Whether the result is bound to a plain local name that nothing reads."""
    bound = set()
    for each in function.body.statements:
        if isinstance(each, Assign) and each.value == Result(statement):
            if not all(isinstance(target, Name) and "." not in target.path for target in each.targets):
                return False
            bound |= {target.path for target in each.targets if isinstance(target, Name)}
        elif not isinstance(each, Call) and statement in results_of(each):
            return False
    if not bound or function.body.kind != "function":
        return False
    inner = (body for body in function.file.module.bodies if body.parent == function.index)
    return not any(reads(body, bound) for body in (function.body, *inner))


def reads(body: Body, wanted: set[str]) -> bool:
    """Whether a body reads one of the names, or declares it to be someone else's."""
    heads = (value for scope in body.scopes for value in scope.head)
    values = (value for statement in body.statements for value in values_of(statement))
    return any(not names(value).isdisjoint(wanted) for value in (*heads, *values))


def values_of(statement: Statement) -> Iterator[Value]:
    """The values a statement reads."""
    if isinstance(statement, Call):
        yield statement.callee
        yield from statement.arguments
        yield from (keyword.value for keyword in statement.keywords)
    elif isinstance(statement, Assign):
        if statement.value is not None:
            yield statement.value
        yield from (target for target in statement.targets if not isinstance(target, Name))
    elif isinstance(statement, Return | Yield | Use) and statement.value is not None:
        yield statement.value


def results_of(statement: Statement) -> frozenset[int]:
    return frozenset(at for value in values_of(statement) for at in results(value))
