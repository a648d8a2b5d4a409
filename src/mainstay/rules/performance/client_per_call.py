from collections.abc import Iterator

from mainstay.model.code import Assign, Call, Fate, Name, Return, ScopeKind, Value
from mainstay.model.effect import EnclosureKind
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.flow import ancestors, names, results
from mainstay.model.system import Function, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.loops import cached, last_name
from mainstay.rules.reach import Context, Reach

ENGINES = frozenset(
    {
        "sqlalchemy.create_engine",
        "sqlalchemy.engine_from_config",
        "sqlalchemy.ext.asyncio.create_async_engine",
    }
)
POOLS = frozenset(
    {
        "redis.Redis",
        "redis.Redis.from_url",
        "redis.from_url",
        "redis.ConnectionPool",
        "redis.ConnectionPool.from_url",
        "redis.asyncio.Redis",
        "redis.asyncio.Redis.from_url",
        "redis.asyncio.from_url",
        "asyncpg.create_pool",
        "psycopg_pool.ConnectionPool",
        "psycopg2.pool.ThreadedConnectionPool",
        "pymongo.MongoClient",
        "elasticsearch.Elasticsearch",
        "elasticsearch.AsyncElasticsearch",
        "httpx.Client",
        "httpx.AsyncClient",
        "httpx2.Client",
        "httpx2.AsyncClient",
        "aiohttp.ClientSession",
    }
)
BUILT = ENGINES | POOLS
CLOSES = frozenset({"close", "aclose", "dispose", "disconnect", "enter_context", "enter_async_context"})
SHARES = frozenset({"connection_pool", "transport", "poolclass"})  # given, it owns no connections
SETUP = frozenset({"__init__", "__new__", "__aenter__", "__enter__", "__post_init__", "lifespan", "main"})


class ClientPerCall(Rule):
    """A connection pool is built for each request and never closed.

    An engine or client keeps connections open so that the next request can use them.  Built anew
    for each request, it opens its own, shares them with nobody and leaves them to the garbage
    collector: under load they pile up until the database or the process has no more.

    Build it once, when the process starts, and hand it to those who need it; close it when the
    process ends.
    """

    severity = Severity.MEDIUM
    family = (Family.HELD_RESOURCE,)
    since = "0.1"
    preview = True
    references = ("CWE-772", "CWE-400")

    notices = (
        "The database, as connections near its limit, or the process, as open files; every request pays for "
        "connecting and for TLS."
    )
    recovers = "The garbage collector closes what nobody refers to, sooner or later; under load it is later."
    costs = "A place that owns the client: the application's state, a dependency, or a module."

    bad = (
        Example(
            {
                "reports.py": """
                    from fastapi import APIRouter
                    from sqlalchemy import create_engine, text

                    router = APIRouter()

                    def connect(url):
                        return create_engine(url)  # <-

                    @router.get("/reports")
                    def report():
                        with connect("postgresql://reports").connect() as connection:
                            return connection.execute(text("SELECT count(*) FROM orders")).scalar()
                """
            },
            why="each request builds an engine, through a helper",
        ),
        Example(
            {
                "limits.py": """
                    import redis
                    from flask import Flask

                    app = Flask(__name__)

                    @app.get("/orders")
                    def orders():
                        store = redis.Redis.from_url("redis://cache")  # <-
                        return {"seen": store.incr("orders")}
                """
            },
            why="each request opens a connection pool",
        ),
        Example(
            {
                "push.py": """
                    import httpx
                    from fastapi import APIRouter

                    router = APIRouter()

                    @router.post("/push")
                    async def push(body: dict):
                        client = httpx.AsyncClient(timeout=5)  # <-
                        await client.post("https://push", json=body)
                """
            },
            why="the client is not closed either",
        ),
    )
    good = (
        Example(
            {
                "reports.py": """
                    from fastapi import APIRouter
                    from sqlalchemy import create_engine, text

                    router = APIRouter()
                    engine = create_engine("postgresql://reports")

                    @router.get("/reports")
                    def report():
                        with engine.connect() as connection:
                            return connection.execute(text("SELECT count(*) FROM orders")).scalar()
                """
            },
            why="built once, with the module",
        ),
        Example(
            {
                "reports.py": """
                    from functools import lru_cache
                    from fastapi import APIRouter
                    from sqlalchemy import create_engine, text

                    router = APIRouter()

                    @lru_cache
                    def connect(url):
                        return create_engine(url)

                    @router.get("/reports")
                    def report():
                        with connect("postgresql://reports").connect() as connection:
                            return connection.execute(text("SELECT count(*) FROM orders")).scalar()
                """
            },
            why="the helper keeps it",
        ),
        Example(
            {
                "limits.py": """
                    import redis
                    from flask import Flask

                    app = Flask(__name__)
                    held = {}

                    def store():
                        if "store" not in held:
                            held["store"] = redis.Redis.from_url("redis://cache")
                        return held["store"]

                    @app.get("/orders")
                    def orders():
                        return {"seen": store().incr("orders")}
                """
            },
            why="built at the first request, and kept",
        ),
        Example(
            {
                "push.py": """
                    import httpx
                    from fastapi import APIRouter

                    router = APIRouter()

                    @router.post("/push")
                    async def push(body: dict):
                        async with httpx.AsyncClient(timeout=5) as client:
                            await client.post("https://push", json=body)
                """
            },
            why="closed when it is done: it costs a handshake, and leaks nothing",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        reach = Reach(system)
        for function in system.source_functions():
            if function.body.kind != "function" or function.body.name in SETUP:
                continue
            for statement, target in function.targets.items():
                if target.name not in BUILT or not target.certain:
                    continue
                call = function.call(statement)
                if kept(system, function, statement, call):
                    continue
                context = reach.context(function, statement)
                if context.request:
                    yield self._report(function, statement, target.name, context)

    def _report(self, function: Function, statement: int, name: str, context: Context) -> Finding:
        return self.found(
            f"{function.body.name} builds {name} for each {context.request}, and nothing closes it",
            function.at(statement),
            path=(*context.path, Hop(function.at(statement), f"builds {name}")),
            severity=Severity.HIGH if name in ENGINES else None,
            confidence=Confidence.MEDIUM,
            clears="it is built once and kept, or closed when the request is done",
            subject=f"{function.name} {name}",
        )


def kept(system: System, function: Function, statement: int, call: Call) -> bool:
    """Whether what is built outlives the call, or is closed by it."""
    if call.fate in (Fate.ENTERED, Fate.PASSED) or function.body.is_generator or cached(function):
        return True
    if any(keyword.name in SHARES for keyword in call.keywords):
        return True
    if any(e.kind is EnclosureKind.LOCK for e in function.around(statement)):
        return True  # the second look of a lazily built one
    body = function.body
    if any(body.scopes[at].kind is ScopeKind.IF for at in ancestors(body, call.scope)):
        return True  # when there is none yet
    held = {name for each in body.statements if isinstance(each, Assign) for name in bound(each, statement)}
    if "" in held or handed_on(system, function, statement, held):
        return True
    inner = [each for each in function.file.module.bodies if each.parent == function.index]
    return any(settles(each, held) for found in (body, *inner) for each in found.statements)


def bound(statement: Assign, built: int) -> Iterator[str]:
    """The plain names that a built client is bound to; "" when it is put into something that lasts."""
    if statement.value is not None and built in results(statement.value):
        for target in statement.targets:
            yield target.path if isinstance(target, Name) and "." not in target.path else ""


def settles(statement: object, held: set[str]) -> bool:
    """Whether a statement closes a client, or puts it into something that lasts."""
    if isinstance(statement, Call):
        if last_name(statement.callee) in CLOSES:
            return True
        given: list[Value] = [*statement.arguments, *(keyword.value for keyword in statement.keywords)]
        return any(not names(value).isdisjoint(held) for value in given)
    if isinstance(statement, Assign) and statement.value is not None:
        lasts = any(not isinstance(target, Name) or "." in target.path for target in statement.targets)
        return lasts and not names(statement.value).isdisjoint(held)
    return False


def handed_on(system: System, function: Function, statement: int, held: set[str]) -> bool:
    """Whether callers are given it and keep or close it."""
    returned = [each.value for each in function.body.statements if isinstance(each, Return) and each.value]
    if not any(statement in results(value) or not names(value).isdisjoint(held) for value in returned):
        return False
    for name, at in function.callers:
        caller = system.functions[name]
        if caller.body.kind != "function" or caller.body.name in SETUP:
            return True
        if kept(system, caller, at, caller.call(at)):
            return True
    return False
