"""The rule call-without-deadline."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from mainstay.model.code import Assign, Call, Display, Literal, Name, Operation, Result, Value
from mainstay.model.effect import EffectKind, EnclosureKind
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.location import Location
from mainstay.model.system import Bound, Deadline, Function, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.reach import Context, Reach, aside

LEAVES = frozenset({EffectKind.CALL_OUT, EffectKind.SEND})
BY_HAND = ("commands", "cli", "cli.py", "commands.py")  # a person looks on, and can stop it
WRAPPERS = 4  # wrappers around wrappers
IN_PROCESS = ("threading.", "queue.", "concurrent.", "asyncio.", "multiprocessing.", "os.")
MAIL = "django.core.mail."
MAIL_SETTING = "EMAIL_TIMEOUT"  # bounds every mail that Django sends
MAIL_HOST = "EMAIL_HOST"
LIMITS = ("time_limit", "soft_time_limit")
LIMIT_SETTINGS = (
    *("CELERY_TASK_TIME_LIMIT", "CELERYD_TASK_TIME_LIMIT", "task_time_limit"),
    *("CELERY_TASK_SOFT_TIME_LIMIT", "CELERYD_TASK_SOFT_TIME_LIMIT", "task_soft_time_limit"),
)
POOL_SETTINGS = ("worker_pool", "CELERY_WORKER_POOL", "CELERYD_POOL")
POOLS = frozenset({"threads", "solo", "eventlet", "gevent"})  # these end no task that waits
LASTING = (EffectKind.WAIT, EffectKind.RUN)


class Wait(Struct, frozen=True):
    """One call that may wait for ever."""

    function: Function
    statement: int
    waits: str  # the library's callable that waits
    inner: Function  # the function that calls it: `function`, or a wrapper below
    where: int  # the call there
    deadline: Deadline
    kinds: frozenset[EffectKind]
    certain: bool
    context: Context
    limit: str = ""  # what ends the task that waits

    @property
    def location(self) -> Location:
        return self.function.at(self.statement)


class CallWithoutDeadline(Rule):
    """A call waits without a deadline.

    A peer that accepts the connection and never answers keeps the caller for ever: its thread or task,
    and the transaction, lock and pooled connection it holds. A few such calls use up every worker, and
    the service is down although it has not failed once.

    Give the call a deadline shorter than that of whoever waits for it, best where the client is built, so
    that no call can forget it; then say what happens when the deadline passes.
    """

    severity = Severity.HIGH
    family = (Family.UNBOUNDED_WAIT,)
    since = "0.1"
    references = ("CWE-1088", "CWE-400")

    notices = (
        "Nobody at first: nothing fails and nothing is logged. Users see time-outs of the proxy once all "
        "workers wait."
    )
    recovers = (
        "It does not: a thread that waits without a deadline comes back only when the process is restarted."
    )
    costs = (
        "One argument for each client, and a decision what the caller answers when the deadline passes. "
        "Too short a deadline turns slow answers into errors: start from the slowest answer that is still "
        "of use."
    )

    bad = (
        Example(
            {
                "billing/gateway.py": """
                    import requests

                    def charge(token, amount):
                        answer = requests.post("https://pay.test", json={"card": token, "sum": amount})  # <-
                        answer.raise_for_status()
                        return answer.json()["id"]
                """,
                "billing/orders.py": """
                    from django.db import transaction

                    from billing.gateway import charge
                    from billing.models import Order

                    def pay(order_id, token):
                        with transaction.atomic():
                            order = Order.objects.select_for_update().get(id=order_id)
                            order.reference = charge(token, order.amount)
                            order.save()
                """,
                "billing/models.py": """
                    from django.db import models

                    class Order(models.Model):
                        amount = models.IntegerField()
                        reference = models.TextField()
                """,
            },
            why="two functions above, the row of the order is locked meanwhile",
        ),
        Example(
            {
                "clients.py": """
                    import httpx

                    def events():
                        return httpx.AsyncClient(base_url="https://events.test", timeout=None)
                """,
                "publish.py": """
                    import httpx
                    from clients import events

                    async def publish(client: httpx.AsyncClient, event):
                        await client.post("/events", json=event)  # <-

                    async def publish_all(batch):
                        async with events() as client:
                            for event in batch:
                                await publish(client, event)
                """,
            },
            why="the client is built without a limit in another file",
        ),
        Example(
            {
                "mail.py": """
                    import smtplib

                    def send(host, message):
                        with smtplib.SMTP(host, 25) as server:  # <-
                            server.starttls()
                            server.send_message(message)
                """
            },
            why="smtplib has no default",
        ),
        Example(
            {
                "http.py": """
                    import requests

                    def fetch(url, timeout=None):
                        return requests.get(url, timeout=timeout)  # <-
                """,
                "feeds.py": """
                    from http import fetch

                    def titles(url):
                        return fetch(url).json()

                    def authors(url):
                        return fetch(f"{url}/authors").json()
                """,
            },
            why="no caller of the wrapper gives what it leaves open",
        ),
        Example(
            {
                "shop/settings.py": """
                    EMAIL_HOST = "mail.test"  # <-
                    EMAIL_PORT = 25
                """,
                "shop/mails.py": """
                    from django.core.mail import send_mail

                    def welcome(user):
                        send_mail("Welcome", "Hello", "us@shop.test", [user.email])
                """,
            },
            why="mail is set up, its time-out is not",
        ),
        Example(
            {
                "jobs.py": """
                    from celery import shared_task
                    import subprocess

                    @shared_task
                    def convert(path):
                        subprocess.run(["soffice", "--convert-to", "pdf", path], check=True)  # <-
                """
            },
            why="a program that hangs takes the worker's slot with it",
        ),
        Example(
            {
                "tasks.py": """
                    import requests
                    from celery import shared_task

                    @shared_task(time_limit=600)
                    def notify(url):
                        requests.post(url, json={})  # <-
                """
            },
            why="the task's limit ends it, after ten minutes of a worker's time",
        ),
    )
    good = (
        Example(
            {
                "shop/settings.py": """
                    EMAIL_HOST = "mail.test"
                    EMAIL_TIMEOUT = 10
                """,
                "shop/mails.py": """
                    from django.core.mail import send_mail

                    def welcome(user):
                        send_mail("Welcome", "Hello", "us@shop.test", [user.email])
                """,
            },
            why="the setting bounds every mail",
        ),
        Example(
            {
                "gateway.py": """
                    import requests

                    def fetch(url, timeout=5):
                        return requests.get(url, timeout=timeout)

                    def titles(url):
                        return fetch(url).json()
                """
            },
            why="the wrapper has a default",
        ),
        Example(
            {
                "clients.py": """
                    import httpx

                    def build():
                        return httpx.AsyncClient(timeout=httpx.Timeout(5.0, connect=2.0))
                """,
                "publish.py": """
                    import httpx
                    from clients import build

                    async def publish(client: httpx.AsyncClient, event):
                        await client.post("/events", json=event)

                    async def main(event):
                        async with build() as client:
                            await publish(client, event)
                """,
            },
            why="the client has one",
        ),
        Example(
            {
                "probe.py": """
                    import asyncio
                    import httpx

                    async def probe(url):
                        async with httpx.AsyncClient(timeout=None) as client:
                            async with asyncio.timeout(5):
                                return await client.get(url)
                """
            },
            why="the block around it has a deadline",
        ),
        Example(
            {
                "worker.py": """
                    import queue
                    import threading

                    items = queue.Queue()

                    def consume():
                        while True:
                            item = items.get()
                            print(item)

                    def main():
                        thread = threading.Thread(target=consume)
                        thread.start()
                        thread.join()
                """
            },
            why="a consumer waits for work, which is its purpose",
        ),
        Example(
            {
                "release.py": """
                    import subprocess

                    def revision():
                        return subprocess.check_output(["git", "rev-parse", "HEAD"])
                """
            },
            why="nobody is known to wait for it but the person who started it",
        ),
        Example(
            {
                "tasks.py": """
                    import subprocess
                    from celery import shared_task

                    @shared_task(time_limit=600)
                    def render(path):
                        subprocess.run(["soffice", "--convert-to", "pdf", path], check=True)

                    @shared_task
                    def pack(path):
                        subprocess.run(["tar", "czf", f"{path}.tgz", path], check=True)
                """,
                "settings.py": """
                    CELERY_TASK_TIME_LIMIT = 10 * 60
                """,
            },
            why="the worker ends a task that takes too long",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        groups: dict[tuple[str, ...], list[Wait]] = {}
        reach = Reach(system)
        self._limits = TaskLimits(system)
        for function in system.source_functions():
            for at, deadline in function.deadlines.items():
                if deadline.bound is Bound.UNBOUNDED and (wait := self._wait(system, function, at, reach)):
                    groups.setdefault(cause(wait), []).append(wait)
        yield from self._mail(system, sorted(groups.pop((MAIL,), []), key=urgency))
        for waits in joined(sorted(waits, key=urgency) for waits in groups.values()):
            yield self._report(system, waits)

    def _wait(self, system: System, function: Function, at: int, reach: Reach) -> Wait | None:
        target = function.targets.get(at)
        if target is None or aside(function):
            return None
        inner, where = wrapped(system, function, at)
        waits = inner.targets[where]
        context = reach.context(function, at)
        wait = Wait(
            function=function,
            statement=at,
            waits=waits.name,
            inner=inner,
            where=where,
            deadline=function.deadlines[at],
            kinds=frozenset(effect.kind for effect in inner.direct.get(where, ())),
            certain=target.certain and waits.certain,
            context=context,
            limit=self._limits.of(context),
        )
        return wait if bites(wait) else None

    def _report(self, system: System, waits: list[Wait]) -> Finding:
        first = waits[0]
        same_socket = is_constructor(first)
        others = tuple(wait.location for wait in waits[1:] if not same_socket or is_constructor(wait))
        until = f", until {first.limit} ends it" if first.limit else ""
        function, at = first.function, first.statement
        path = first.context.path
        if first.inner is not function:
            path = (*path, Hop(first.location, f"calls {first.inner.body.name} without a timeout"))
            if not any(bounded(system, *caller) for caller in first.inner.callers):
                function, at = first.inner, first.where
                others = (first.location, *others)
        elif first.deadline.location is not None:
            path = (Hop(first.deadline.location, "built here, without a deadline"), *path)
        path = (*path, Hop(first.inner.at(first.where), f"{first.waits} waits"))
        return self.found(
            f"{first.waits} in {function.body.name} has no deadline{first.context.words()}{until}: "
            f"{first.deadline.why}.",
            function.at(at),
            clears=f"a timeout given to {first.waits}, or to the client it is called on",
            confidence=Confidence.HIGH if first.certain else Confidence.MEDIUM,
            severity=severity(first),
            path=path,
            siblings=others,
            subject=f"{first.waits} in {function.name}",
        )

    def _mail(self, system: System, waits: list[Wait]) -> Iterator[Finding]:
        """Django's mails have one bound for all, in the settings."""
        settings = dict(assigned(system, (MAIL_SETTING, MAIL_HOST))) if waits else {}
        if not waits or MAIL_SETTING in settings:
            return
        first = waits[0]
        place = settings.get(MAIL_HOST, first.location)
        yield self.found(
            f"Mail is sent by {first.function.body.name}{first.context.words()} and no {MAIL_SETTING} is "
            "set: a mail server that hangs holds the sender for ever.",
            place,
            clears=f"a setting {MAIL_SETTING}",
            path=(*first.context.path, Hop(first.location, f"{first.waits} waits")),
            siblings=tuple(wait.location for wait in waits if wait.location != place),
            subject=MAIL_SETTING,
        )


def wrapped(system: System, function: Function, at: int) -> tuple[Function, int]:
    """The library's call that waits: the call itself, or the one inside the wrapper called there."""
    for _ in range(WRAPPERS):
        target = function.targets[at]
        below = system.functions.get(target.name) if target.library is None else None
        inside = (
            next((i for i, d in below.deadlines.items() if d.bound is Bound.CALLER), None) if below else None
        )
        if below is None or inside is None:
            break
        function, at = below, inside
    return function, at


def bites(wait: Wait) -> bool:
    """Whether somebody would act on it: who waits, and for whom?"""
    if wait.kinds & LEAVES:
        return True
    if wait.limit and not wait.kinds.isdisjoint(LASTING):
        return False
    context = wait.context
    transaction = context.held is not None and context.held.kind is EnclosureKind.TRANSACTION
    if wait.waits.startswith(IN_PROCESS):
        return transaction and context.held is not None and not context.held.implied
    return EffectKind.LOCK in wait.kinds or transaction or bool(context.request or context.job)


def cause(wait: Wait) -> tuple[str, ...]:
    """What one change would settle: the wrapper, the client, the session, or the function alone."""
    if wait.waits.startswith(MAIL):
        return (MAIL,)
    if wait.inner is not wait.function:
        return ("wrapper", wait.inner.name)
    place = wait.deadline.location
    if place is not None:
        return ("built", place.path, str(place.line), str(place.column))
    if is_constructor(wait):
        return ("built", wait.location.path, str(wait.location.line), str(wait.location.column))
    callee = wait.function.call(wait.statement).callee
    if isinstance(callee, Name) and callee.path.startswith("self.") and callee.path.count(".") > 1:
        return ("attribute", wait.function.owner, callee.path.rpartition(".")[0])
    return ("function", wait.function.name, wait.waits.rpartition(".")[0])


def joined(groups: Iterable[list[Wait]]) -> Iterator[list[Wait]]:
    """The groups, those joined whose clients one function builds: the branches of a factory."""
    found: dict[tuple[str, str], list[Wait]] = {}
    for waits in groups:
        first = waits[0]
        if is_constructor(first):
            key = (first.function.name, first.waits.partition(".")[0])
            found.setdefault(key, []).extend(waits)
        else:
            yield waits
    yield from found.values()


def is_constructor(wait: Wait) -> bool:
    """Whether the call connects by being built, as smtplib.SMTP does."""
    return wait.waits.rpartition(".")[2][:1].isupper()


def urgency(wait: Wait) -> tuple[bool, int, bool, Location]:
    """The constructor first, then the worst, then the surest of a reader, then by place."""
    context = wait.context
    return not is_constructor(wait), -severity(wait), not (context.request or context.job), wait.location


def severity(wait: Wait) -> Severity:
    """Worst where a row is locked or a requester waits; a task that is ended some time holds less."""
    if wait.limit:
        return Severity.HIGH if wait.context.held is not None else Severity.MEDIUM
    context, leaves = wait.context, bool(wait.kinds & LEAVES)
    if context.held is not None and leaves:
        return Severity.CRITICAL
    if not (context.held or context.request) and not set(wait.function.file.path.split("/")).isdisjoint(
        BY_HAND
    ):
        return Severity.LOW
    return Severity.HIGH if leaves or context.held or context.request else Severity.MEDIUM


class TaskLimits:
    """Tells what ends a task that takes too long: its own limit, or the one in the settings."""

    def __init__(self, system: System) -> None:
        found = list(settings(system, (*LIMIT_SETTINGS, *POOL_SETTINGS)))
        pools = [
            value.value for name, _, value in found if name in POOL_SETTINGS and isinstance(value, Literal)
        ]
        self._works = POOLS.isdisjoint(pools)
        self._general = [(body, value) for name, body, value in found if name in LIMIT_SETTINGS]

    def of(self, context: Context) -> str:
        """The limit, in words; "" when nothing ends the work, or no task does it."""
        if (
            not self._works
            or context.request
            or context.outer is None
            or not context.job.startswith("the task ")
        ):
            return ""
        given = self._own(context.outer) or next(iter(self._general), None)
        if given is None or given[1] == Literal(None):
            return ""
        seconds = number(*given)
        return f"the task's limit of {seconds:g} s" if seconds else "the task's time limit"

    def _own(self, function: Function) -> tuple[Function | None, Value] | None:
        """The limit that the decorator of a task sets."""
        bodies = function.file.module.bodies
        for value in function.body.decorators if function.body.parent >= 0 else ():
            call = bodies[function.body.parent].statements[value.call] if isinstance(value, Result) else None
            for name in LIMITS if isinstance(call, Call) else ():
                limit = call.keyword(name) if isinstance(call, Call) else None
                if limit is not None:
                    return None, limit
        return None


def number(function: Function | None, value: Value) -> float | None:
    """A number written down, as a product or by itself."""
    if isinstance(value, Literal):
        return float(value.value) if isinstance(value.value, int | float) else None
    if isinstance(value, Operation) and value.operator == "*" and len(value.operands) == 2:
        one, other = (number(function, each) for each in value.operands)
        return one * other if one is not None and other is not None else None
    return None


def settings(system: System, names: tuple[str, ...]) -> Iterator[tuple[str, Function, Value]]:
    """The values of settings: assigned, or in a dict or call that configures."""
    for function in system.source_functions():
        if function.body.kind not in ("module", "class"):
            continue
        for statement in function.body.statements:
            if isinstance(statement, Assign) and statement.value is not None:
                for target in statement.targets:
                    name = target.path.rpartition(".")[2] if isinstance(target, Name) else ""
                    if name in names:
                        yield name, function, statement.value
                if isinstance(statement.value, Display):
                    for key, item in zip(statement.value.keys, statement.value.items, strict=False):
                        if isinstance(key, Literal) and key.value in names:
                            yield str(key.value), function, item
            elif isinstance(statement, Call):
                for keyword in statement.keywords:
                    if keyword.name in names:
                        yield keyword.name, function, keyword.value


def bounded(system: System, caller: str, at: int) -> bool:
    """Whether that caller bounds the wait."""
    function = system.functions.get(caller)
    deadline = function.deadlines.get(at) if function else None
    return deadline is None or deadline.bound is not Bound.UNBOUNDED


def assigned(system: System, names: tuple[str, ...]) -> Iterator[tuple[str, Location]]:
    """Where settings of these names are assigned."""
    for function in system.source_functions():
        if function.body.kind in ("module", "class"):
            for statement in function.body.statements:
                if isinstance(statement, Assign):
                    for target in statement.targets:
                        if isinstance(target, Name) and target.path in names:
                            yield target.path, Location(function.file.path, statement.line, statement.column)
