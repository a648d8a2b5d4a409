"""The rule retry-without-limit."""

from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.code import Attribute, Call, Display, Leave, Literal, Name, Operation, Raise, Result, Return
from mainstay.model.code import Scope, ScopeKind, Value
from mainstay.model.effect import DATABASE, OUTSIDE, EffectKind, Enclosure, EnclosureKind
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.flow import ancestors, parts, results
from mainstay.model.location import Location
from mainstay.model.system import Function, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.reach import Context, Reach

ENDS = frozenset({"max_time", "max_tries", "max_attempts", "stop", "timeout", "deadline", "stop_max_attempt_number"})
NEVER = ("stop_never", "None")
PAUSES = ("sleep", "wait", "delay", "pause", "backoff")
BY_HAND = ("cli", "commands")
COMPARES = frozenset({"<", "<=", ">", ">=", "!=", "=="})
FEW = 3  # tries without a pause that nobody notices


class Policy(Struct, frozen=True):
    """One retry, and what bounds it."""

    location: Location
    what: str  # "@retry", "while"
    function: Function  # what is repeated, or what holds the loop
    first: int  # the statements of `function` that are repeated
    last: int
    limited: bool
    paused: bool
    jittered: bool
    choosy: bool  # it names the exceptions that it retries
    certain: bool = True


class RetryWithoutLimit(Rule):
    """A retry has no limit, or no pause between its attempts.

    An error that stays (a revoked key, a refused address, a peer that is down) is tried for ever: the caller
    never gets an answer, the error never reaches anybody, and all callers together hammer the peer just when
    it tries to come back.

    Stop after a few attempts or a deadline, wait longer after each failure and add a random part, and let
    errors that no repetition mends (4xx, validation) through at once.
    """

    severity = Severity.HIGH
    family = (Family.UNSAFE_REPEAT, Family.UNBOUNDED_WORK)
    since = "0.1"
    references = ("CWE-835", "CWE-1088")

    notices = (
        "The peer, by load that grows while it is down; its callers wait and log the same line again and again. "
        "No error is counted, as no attempt is the last."
    )
    recovers = (
        "By itself once the peer answers; never when the error is permanent, or when the retries keep the peer down."
    )
    costs = "A limit turns an endless wait into an error that the caller must handle: requeue it, tell somebody, give up."

    bad = (
        Example(
            {
                "rates.py": """
                    import requests
                    from tenacity import retry, wait_fixed

                    @retry(wait=wait_fixed(1))  # <-
                    def rate(currency):
                        return requests.get(f"https://rates.test/{currency}", timeout=5).json()
                """
            },
            why="tenacity retries every exception for ever unless told to stop",
        ),
        Example(
            {
                "mails.py": """
                    import smtplib
                    import time

                    def deliver(message):
                        while True:  # <-
                            try:
                                send(message)
                                return
                            except OSError:
                                time.sleep(1)

                    def send(message):
                        with smtplib.SMTP("mail.test", 25, timeout=10) as server:
                            server.send_message(message)
                """
            },
            why="a loop written by hand that only success leaves",
        ),
        Example(
            {
                "crawl.py": """
                    import httpx
                    from tenacity import AsyncRetrying, wait_exponential

                    async def load(url):
                        async for attempt in AsyncRetrying(wait=wait_exponential()):  # <-
                            with attempt:
                                async with httpx.AsyncClient() as client:
                                    return (await client.get(url)).json()
                """
            },
            why="a growing wait is no limit",
        ),
        Example(
            {
                "tasks.py": """
                    import requests
                    from celery import shared_task

                    @shared_task(bind=True, autoretry_for=(requests.RequestException,), max_retries=None)  # <-
                    def push(self, order_id):
                        requests.put(f"https://erp.test/orders/{order_id}", timeout=5).raise_for_status()
                """
            },
            why="a task that comes back for ever",
        ),
        Example(
            {
                "search.py": """
                    import requests
                    from tenacity import retry, stop_after_attempt

                    @retry(stop=stop_after_attempt(10))  # <-
                    def search(words):
                        return requests.get("https://search.test", params={"q": words}, timeout=5).json()
                """
            },
            why="ten attempts within a moment",
        ),
    )
    good = (
        Example(
            {
                "rates.py": """
                    import requests
                    from tenacity import retry, stop_after_attempt, stop_after_delay, wait_random_exponential

                    @retry(stop=stop_after_attempt(3) | stop_after_delay(9), wait=wait_random_exponential(max=2))
                    def rate(currency):
                        return requests.get(f"https://rates.test/{currency}", timeout=5).json()
                """
            },
            why="limit, growing wait, jitter",
        ),
        Example(
            {
                "retries.py": """
                    import random
                    import time

                    def with_backoff(call, attempts=3):
                        for attempt in range(attempts):
                            try:
                                return call()
                            except OSError:
                                if attempt == attempts - 1:
                                    raise
                                time.sleep(random.uniform(0, 2 ** attempt))
                """
            },
            why="a counted loop",
        ),
        Example(
            {
                "mails.py": """
                    import smtplib
                    import time

                    def deliver(message):
                        failures = 0
                        while True:
                            try:
                                with smtplib.SMTP("mail.test", 25, timeout=10) as server:
                                    server.send_message(message)
                                return
                            except OSError:
                                failures += 1
                                if failures > 4:
                                    raise
                                time.sleep(2 ** failures)
                """
            },
            why="the loop gives up from inside",
        ),
        Example(
            {
                "slugs.py": """
                    import secrets
                    from django.db import IntegrityError
                    from links.models import Link

                    def shorten(url):
                        for _ in range(5):
                            try:
                                return Link.objects.create(url=url, slug=secrets.token_urlsafe(5))
                            except IntegrityError:
                                continue
                        raise RuntimeError("no free slug")
                """,
                "links/models.py": """
                    from django.db import models

                    class Link(models.Model):
                        url = models.TextField()
                        slug = models.CharField(max_length=16, unique=True)
                """,
            },
            why="another slug needs no pause",
        ),
        Example(
            {
                "tasks.py": """
                    import requests
                    from celery import shared_task

                    @shared_task(bind=True, max_retries=None)
                    def push(self, order_id):
                        try:
                            requests.put(f"https://erp.test/orders/{order_id}", timeout=5).raise_for_status()
                        except requests.RequestException as error:
                            raise self.retry(exc=error, countdown=60, max_retries=9)
                """
            },
            why="the call that retries sets the limit",
        ),
        Example(
            {
                "tasks.py": """
                    import requests
                    from celery import shared_task

                    @shared_task(bind=True, autoretry_for=(requests.RequestException,), retry_backoff=True, max_retries=5)
                    def push(self, order_id):
                        requests.put(f"https://erp.test/orders/{order_id}", timeout=5).raise_for_status()
                """
            },
            why="celery's backoff is jittered by default",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        reach = Reach(system)
        for policy in policies(system):
            if policy.limited and (policy.paused or not system_has(system, policy, OUTSIDE)):
                continue
            if not system_has(system, policy, OUTSIDE | DATABASE | {EffectKind.WAIT}):
                continue
            yield self._report(policy, reach.context(policy.function, policy.first))

    def _report(self, policy: Policy, context: Context) -> Finding:
        where = policy.function.body.name
        greedy = "" if policy.choosy else " It repeats after every exception, those included that no repetition mends."
        if policy.limited:
            text = f"{policy.what} of {where} tries again at once, without a pause{context.words()}.{greedy}"
        else:
            pause = "" if policy.paused else " or pause"
            text = f"{policy.what} of {where} tries for ever, without a limit{pause}{context.words()}.{greedy}"
        lower = Severity.MEDIUM if policy.limited else Severity.HIGH
        return self.found(
            text,
            policy.location,
            clears="a growing pause between the attempts" if policy.limited else "a limit on the attempts or their time",
            confidence=Confidence.HIGH if policy.certain else Confidence.MEDIUM,
            severity=Severity.CRITICAL if context.held is not None and not policy.limited else lower,
            path=(*context.path, Hop(policy.location, "tries again")),
            subject=f"{policy.what} of {policy.function.name}",
        )


def system_has(system: System, policy: Policy, kinds: frozenset[EffectKind]) -> bool:
    """Whether what is repeated has such an effect."""
    return any(
        policy.first <= step.statement < policy.last for step in system.steps(policy.function, *kinds)
    )


def policies(system: System) -> Iterator[Policy]:
    """Every retry of the system."""
    bodies = {(function.file.path, function.index): function for function in system.functions.values()}
    for function in system.source_functions():
        if function.decorators:
            yield from decorated(function, bodies.get((function.file.path, function.body.parent)))
        for enclosure in function.enclosures:
            if enclosure.kind is EnclosureKind.RETRY and enclosure.scope >= 0:
                yield from looped(function, enclosure)


# --- decorators ---------------------------------------------------------------------------------------


def decorated(function: Function, home: Function | None) -> Iterator[Policy]:
    """The retries that the decorators of a function set up."""
    for value in function.body.decorators:
        if home is None or not isinstance(value, Result):
            continue
        target = home.targets.get(value.call)
        if target is None or target.library is None:
            continue
        if target.library.retry:
            yield by_call(home, value.call, function, "@" + target.name.rpartition(".")[2])
        elif target.library.job and endless_task(home.call(value.call), function):
            yield Policy(
                location=home.at(value.call),
                what="@" + target.name.rpartition(".")[2],
                function=function,
                first=0,
                last=len(function.body.statements),
                limited=False,
                paused=True,
                jittered=True,
                choosy=True,
            )


def endless_task(call: Call, function: Function) -> bool:
    """Whether a task has `max_retries=None`, is retried, and nothing in it says when that ends."""
    if call.keyword("max_retries") != Literal(None):
        return False
    retries = [s for s in function.body.statements if isinstance(s, Call) and path_of(s.callee).endswith(".retry")]
    if any((limit := retry.keyword("max_retries")) is not None and not endless(limit) for retry in retries):
        return False
    counted = any(
        isinstance(part, Name) and part.path.endswith("request.retries")
        for scope in function.body.scopes
        for head in scope.head
        for part in parts(head)
    )
    return not counted and (bool(retries) or call.keyword("autoretry_for") is not None)


def path_of(callee: Value) -> str:
    """The name that is called, as written."""
    return callee.path if isinstance(callee, Name | Attribute) else ""


def by_call(home: Function, at: int, function: Function, what: str, first: int = 0, last: int = -1) -> Policy:
    """The policy that the arguments of a call make, for statements of `function`."""
    call = home.call(at)
    target = home.targets[at]
    retry = target.library.retry if target.library else None
    assert retry is not None
    limits = [call.keyword(name) for name in (retry.limit, *ENDS) if name]
    given = [value for value in limits if value is not None]
    pause = (call.keyword(retry.wait) if retry.wait else None) or (call.arguments[0] if call.arguments else None)
    provided = provides(home, pause) | frozenset(retry.has)
    return Policy(
        location=home.at(at),
        what=what,
        function=function,
        first=first,
        last=len(function.body.statements) if last < 0 else last,
        limited=call.spreads or "limit" in retry.has or any(not endless(value) for value in given),
        paused=call.spreads or pause is not None or "backoff" in provided or few(home, given),
        jittered="jitter" in provided,
        choosy=not retry.on or call.keyword(retry.on) is not None or len(call.arguments) > 1,
        certain=target.certain,
    )


def endless(value: Value) -> bool:
    """Whether a limit given is none."""
    if isinstance(value, Name):
        return value.path.rpartition(".")[2] in NEVER
    return value == Literal(None)


def few(home: Function, given: list[Value]) -> bool:
    """Whether the attempts are so few that they need no pause."""
    for value in given:
        for at in results(value):
            first = home.call(at).arguments[0] if home.call(at).arguments else None
            if isinstance(first, Literal) and isinstance(first.value, int) and first.value <= FEW:
                return True
    return any(isinstance(v, Literal) and isinstance(v.value, int) and v.value <= FEW for v in given)


def provides(home: Function, value: Value | None) -> frozenset[str]:
    """What the strategies in an argument bring along."""
    found: set[str] = set()
    for at in results(value) if value is not None else ():
        target = home.targets.get(at)
        if target and target.library:
            found |= set(target.library.provides)
    return frozenset(found)


# --- loops --------------------------------------------------------------------------------------------


def looped(function: Function, enclosure: Enclosure) -> Iterator[Policy]:
    """The retry that a loop is: over a policy's attempts, or written by hand."""
    opened = function.targets.get(enclosure.statement)
    if opened is not None and opened.library and opened.library.retry:
        yield by_call(function, enclosure.statement, function, "the loop", enclosure.first, enclosure.last)
        return
    scope = function.body.scopes[enclosure.scope]
    if scope.kind not in (ScopeKind.FOR, ScopeKind.WHILE):
        return
    first, last = tried(function, enclosure)
    if by_hand(function) or scope.kind is ScopeKind.WHILE and waits_in_head(function, scope):
        return
    yield Policy(
        location=enclosure.location,
        what="the loop",
        function=function,
        first=first,
        last=last,
        limited=counted(function, scope) or gives_up(function, enclosure.scope),
        paused=pauses(function, scope) or few_rounds(function, scope),
        jittered=False,
        choosy=names_exceptions(function, enclosure.scope),
    )


def by_hand(function: Function) -> bool:
    """Whether a person starts it, looks on and can stop it."""
    return not set(function.file.path.split("/")).isdisjoint(BY_HAND)


def tried(function: Function, loop: Enclosure) -> tuple[int, int]:
    """The statements that the loop tries again: those of its `try`."""
    tries = [s for s in function.body.scopes if s.kind is ScopeKind.TRY and s.parent == loop.scope]
    return min((s.first for s in tries), default=loop.first), max((s.last for s in tries), default=loop.last)


def waits_in_head(function: Function, scope: Scope) -> bool:
    """Whether the loop's own test waits: `while not stop.wait(5)` does something every five seconds."""
    return any(called(function, Result(at)).endswith("wait") for head in scope.head for at in results(head))


def counted(function: Function, scope: Scope) -> bool:
    """Whether the head of the loop ends it."""
    head = scope.head[0] if scope.head else None
    if scope.kind is ScopeKind.FOR:
        name = called(function, head)
        return not name.endswith("count")
    if head is None or isinstance(head, Literal):
        return False
    return any(isinstance(part, Operation) and part.operator in COMPARES for part in parts(head))


def called(function: Function, value: Value | None) -> str:
    """The name of the call that a value is the result of."""
    if not isinstance(value, Result):
        return ""
    callee = function.call(value.call).callee
    return callee.path if isinstance(callee, Name) else ""


def few_rounds(function: Function, scope: Scope) -> bool:
    """Whether `range(2)` or the like heads the loop."""
    head = scope.head[0] if scope.head else None
    if scope.kind is not ScopeKind.FOR or not isinstance(head, Result):
        return False
    last = function.call(head.call).arguments[-1:]
    return bool(last) and isinstance(last[0], Literal) and isinstance(last[0].value, int) and last[0].value <= FEW


def gives_up(function: Function, loop: int) -> bool:
    """Whether some way out of the loop is taken on a condition, or by what a handler calls."""
    scopes = function.body.scopes
    for index in range(scopes[loop].first, scopes[loop].last):
        statement = function.body.statements[index]
        around = [scopes[at].kind for at in within(function, statement.scope, loop)]
        if isinstance(statement, Raise | Return) or (isinstance(statement, Leave) and statement.word == "break"):
            if ScopeKind.HANDLER in around and conditional(around):
                return True
            if ScopeKind.TRY not in around and ScopeKind.IF in around:
                return True
        elif isinstance(statement, Call) and ScopeKind.HANDLER in around and raises(function, index):
            return True
    return False


def within(function: Function, scope: int, loop: int) -> Iterator[int]:
    """The scopes around a statement up to the loop, innermost first."""
    for at in ancestors(function.body, scope):
        if at == loop:
            return
        yield at


def conditional(around: list[ScopeKind]) -> bool:
    """Whether a branch lies between a statement and the handler around it."""
    return any(kind in (ScopeKind.IF, ScopeKind.ELSE, ScopeKind.CASE) for kind in around[: around.index(ScopeKind.HANDLER)])


def raises(function: Function, at: int) -> bool:
    """Whether a call inside a handler may raise by way of a function of the project, which then ends the loop."""
    target = function.targets.get(at)
    if target is not None and target.name in ("sys.exit", "os._exit", "exit"):
        return True
    return bool(function.edges.get(at)) and any(
        effect.kind is EffectKind.RAISE and occurrence.statement == at
        for effect, occurrence in function.effects.items()
    )


def pauses(function: Function, scope: Scope) -> bool:
    """Whether something in the loop waits between the attempts."""
    for index in range(scope.first, scope.last):
        if any(effect.kind in (EffectKind.SLEEP, EffectKind.WAIT) for effect in function.direct.get(index, ())):
            return True
        statement = function.body.statements[index]
        if isinstance(statement, Call):
            if any(word in path_of(statement.callee).lower() for word in PAUSES):
                return True
            if in_handler(function, statement.scope) and (statement.awaited or function.edges.get(index)):
                return True  # it does something about the failure before it tries again
    return any(
        effect.kind is EffectKind.SLEEP and scope.first <= occurrence.statement < scope.last
        for effect, occurrence in function.effects.items()
    )


def in_handler(function: Function, scope: int) -> bool:
    """Whether a scope lies in an `except`."""
    return any(function.body.scopes[at].kind is ScopeKind.HANDLER for at in ancestors(function.body, scope))


def names_exceptions(function: Function, loop: int) -> bool:
    """Whether every handler of the loop names what it catches, more narrowly than Exception."""
    for scope in function.body.scopes:
        if scope.kind is ScopeKind.HANDLER and loop in ancestors(function.body, scope.parent):
            heads = [item for head in scope.head for item in (head.items if isinstance(head, Display) else (head,))]
            if not heads or any(isinstance(h, Name) and h.path in ("Exception", "BaseException") for h in heads):
                return False
    return True
