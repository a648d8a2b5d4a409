"""The rule retry-of-unsafe-call."""

import re
from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.code import Call, Literal, Name, Value
from mainstay.model.effect import OUTSIDE, EffectKind, EnclosureKind, Step
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.flow import parts
from mainstay.model.location import Location
from mainstay.model.system import Function, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.reach import aside
from mainstay.rules.retries import policies

ORDER = (EffectKind.CALL_OUT, EffectKind.SEND, EffectKind.INSERT, EffectKind.COMMIT, EffectKind.READ)
# Requests that are sent by POST and yet only ask, or are sent at least once by design: their words begin so.
ASKS = (
    *(
        "search",
        "query",
        "graphql",
        "token",
        "auth",
        "oauth",
        "login",
        "embed",
        "predict",
        "complet",
        "rerank",
    ),
    *(
        "infer",
        "classif",
        "fetch",
        "find",
        "lookup",
        "download",
        "check",
        "validat",
        "verif",
        "count",
        "scan",
    ),
    *(
        "load",
        "retriev",
        "poll",
        "chat",
        "llm",
        "ai",
        "model",
        "translat",
        "encod",
        "render",
        "preview",
        "convert",
    ),
    *(
        "metric",
        "status",
        "read",
        "list",
        "get",
        "info",
        "detect",
        "extract",
        "heartbeat",
        "introspect",
        "generat",
    ),
    *(
        "health",
        "ping",
        "index",
        "upsert",
        "cancel",
        "delet",
        "pars",
        "ask",
        "webhook",
        "hook",
        "event",
        "log",
    ),
    *(
        "upload",
        "renew",
        "refresh",
        "acquire",
        "lease",
        "sync",
        "trace",
        "span",
        "completion",
        "reply",
        "update",
    ),
)
MOVES = frozenset(
    {
        *(
            "charge",
            "charges",
            "pay",
            "payment",
            "payments",
            "refund",
            "refunds",
            "transfer",
            "transfers",
            "payout",
        ),
        *(
            "payouts",
            "invoice",
            "invoices",
            "purchase",
            "purchases",
            "order",
            "orders",
            "subscription",
            "checkout",
        ),
        *("subscriptions", "withdraw", "withdrawal", "deposit"),
    }
)
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
GENERIC = frozenset({"send", "request", "build_request", "execute", "stream"})
ASKING = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
UNSENT = frozenset(
    {"ConnectError", "ConnectTimeout", "NewConnectionError", "ConnectTimeoutError", "RateLimitError"}
)
POSTS = frozenset({"POST", "PATCH"})
NOT_SERVICES = ("socket", "redis")
SAFE_BY = ("allowed_methods", "method_whitelist")
KEY = "idempot"


class Region(Struct, frozen=True):
    """What is repeated: some statements of a function, or what one call of it hands to be repeated."""

    location: Location
    what: str
    function: Function
    first: int
    last: int
    on: tuple[str, ...] = ()  # the exceptions that make it repeat
    through: frozenset[str] = frozenset()  # only effects that come by way of these functions

    def holds(self, step: Step) -> bool:
        return self.first <= step.statement < self.last and (not self.through or step.via in self.through)


class RetryOfUnsafeCall(Rule):
    """A retry repeats what must happen once.

    The first attempt took the money, created the ticket or queued the mail, and only its answer was lost,
    to a time-out or a dropped connection. The retry does it again: buyers are charged twice, and nothing
    in the logs looks wrong, as the last attempt succeeded.

    Send an idempotency key that is made once, outside the retry, and that the receiver remembers; or ask
    what became of the first attempt before the second; or retry only what cannot have arrived, such as a
    refused connection.
    """

    severity = Severity.HIGH
    family = (Family.UNSAFE_REPEAT,)
    since = "0.1"
    references = ("CWE-837",)

    notices = "The customer who was charged twice, or whoever reconciles the books with the provider's."
    recovers = "It does not: what was done twice must be found and undone by hand."
    costs = (
        "A key that is stored with the request, and a receiver that honours it; most payment interfaces do."
    )

    bad = (
        Example(
            {
                "gateway.py": """
                    import requests
                    from tenacity import retry, stop_after_attempt, wait_random_exponential

                    @retry(stop=stop_after_attempt(3), wait=wait_random_exponential())  # <-
                    def charge(token, amount):
                        return _post("/charges", {"token": token, "amount": amount})

                    def _post(path, body):
                        answer = requests.post(f"https://pay.test{path}", json=body, timeout=5)
                        answer.raise_for_status()
                        return answer.json()
                """
            },
            why="a time-out after the provider acted charges again",
        ),
        Example(
            {
                "retry.py": """
                    import time

                    def with_backoff(call, attempts=3):
                        for attempt in range(attempts):
                            try:
                                return call()
                            except OSError:
                                time.sleep(2 ** attempt)
                        return call()
                """,
                "refunds.py": """
                    import requests
                    from retry import with_backoff

                    class Refunds:
                        def give_back(self, charge):
                            return with_backoff(lambda: self._send(charge))  # <-

                        def _send(self, charge):
                            return requests.post("https://pay.test/refunds", json=charge, timeout=5)
                """,
            },
            why="the loop is in a helper of another module",
        ),
        Example(
            {
                "tickets.py": """
                    import time
                    import httpx

                    async def open_ticket(client: httpx.AsyncClient, text):
                        for attempt in range(5):  # <-
                            try:
                                answer = await client.post("/tickets", json={"text": text})
                                return answer.json()["id"]
                            except httpx.TransportError:
                                time.sleep(2 ** attempt)
                """
            },
            why="a read time-out says nothing about whether the ticket is there",
        ),
        Example(
            {
                "client.py": """
                    import requests
                    from requests.adapters import HTTPAdapter
                    from urllib3.util.retry import Retry

                    def session():
                        policy = Retry(total=3, status_forcelist=[502, 503], allowed_methods=None)  # <-
                        made = requests.Session()
                        made.mount("https://", HTTPAdapter(max_retries=policy))
                        return made

                    def create_build(version):
                        return session().post("https://api.test/builds", json=version, timeout=10)
                """
            },
            why="None lets the adapter repeat POST, too",
        ),
        Example(
            {
                "tasks.py": """
                    import requests
                    from celery import shared_task
                    from django.core.mail import send_mail

                    @shared_task(autoretry_for=(requests.RequestException,), retry_backoff=True)  # <-
                    def ship(order_id, address):
                        send_mail("On its way", "Your order", "us@shop.test", [address])
                        requests.put(f"https://depot.test/{order_id}", timeout=5).raise_for_status()
                """
            },
            why="each time the depot is away the buyer gets another mail",
        ),
    )
    good = (
        Example(
            {
                "gateway.py": """
                    import requests
                    from tenacity import retry, stop_after_attempt, wait_random_exponential

                    @retry(stop=stop_after_attempt(3), wait=wait_random_exponential())
                    def charge(token, amount, key):
                        headers = {"Idempotency-Key": key}
                        return requests.post("https://pay.test", json=token, headers=headers, timeout=5)
                """
            },
            why="the provider drops the repeat by its key",
        ),
        Example(
            {
                "rates.py": """
                    import requests
                    from tenacity import retry, stop_after_attempt

                    @retry(stop=stop_after_attempt(3))
                    def rate(currency):
                        return requests.get(f"https://rates.test/{currency}", timeout=5).json()
                """
            },
            why="asking twice changes nothing",
        ),
        Example(
            {
                "search.py": """
                    import requests
                    from tenacity import retry, stop_after_attempt

                    @retry(stop=stop_after_attempt(3))
                    def search(words):
                        return requests.post("https://search.test", json={"q": words}, timeout=5).json()
                """
            },
            why="a question, though it is sent by POST",
        ),
        Example(
            {
                "tickets.py": """
                    import httpx
                    from tenacity import retry, retry_if_exception_type, stop_after_attempt

                    @retry(retry=retry_if_exception_type(httpx.ConnectError), stop=stop_after_attempt(3))
                    def open_ticket(text):
                        return httpx.post("https://desk.test/tickets", json={"text": text}, timeout=5)
                """
            },
            why="a refused connection cannot have arrived",
        ),
        Example(
            {
                "client.py": """
                    import requests
                    from requests.adapters import HTTPAdapter
                    from urllib3.util.retry import Retry

                    def session():
                        made = requests.Session()
                        made.mount("https://", HTTPAdapter(max_retries=Retry(3, status_forcelist=[503])))
                        return made
                """
            },
            why="urllib3 leaves POST alone unless told otherwise",
        ),
        Example(
            {
                "tasks.py": """
                    import requests
                    from celery import shared_task
                    from django.core.mail import send_mail

                    @shared_task(autoretry_for=(OSError,), retry_backoff=True)
                    def ship(order_id, address):
                        requests.put(f"https://depot.test/{order_id}", timeout=5).raise_for_status()
                        send_mail("On its way", "Your order", "us@shop.test", [address])
                """
            },
            why="the mail is the last step: nothing behind it can fail and repeat it",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        for region in regions(system):
            if (
                region.function.kinds.isdisjoint(OUTSIDE)
                or aside(region.function)
                or (region.on and UNSENT.issuperset(region.on))
            ):
                continue
            steps = [step for step in system.steps(region.function, *ORDER) if region.holds(step)]
            unsafe = repeated_request(system, region, steps) or repeated_message(region, steps)
            unsafe = unsafe or repeated_row(steps)
            if unsafe is not None:
                yield self._report(system, region, unsafe)
        for function in system.source_functions():
            yield from self._adapters(function)

    def _report(self, system: System, region: Region, step: Step) -> Finding:
        source, at = origin(system, region.function, step)
        done = source.targets[at].name if at in source.targets else f"{step.effect.kind} {step.effect.target}"
        words = spoken(source, at, region.function)
        moves = bool(words & MOVES)
        again = (
            "and carries no idempotency key"
            if step.effect.kind is EffectKind.CALL_OUT
            else "and may fail after it"
        )
        sure = step.certain and (moves or step.effect.kind is not EffectKind.CALL_OUT)
        return self.found(
            f"{region.what} repeats {done} below {region.function.body.name} {again}: "
            "a lost answer does it twice.",
            region.location,
            clears="an idempotency key that all attempts share",
            confidence=Confidence.HIGH if sure else Confidence.MEDIUM,
            severity=Severity.CRITICAL
            if moves and step.effect.kind is EffectKind.CALL_OUT
            else Severity.HIGH,
            path=(Hop(region.location, "repeats"), *system.trace(region.function, step)),
            subject=f"{region.what} around {done} in {region.function.name}",
        )

    def _adapters(self, function: Function) -> Iterator[Finding]:
        """Policies of urllib3 that repeat every method."""
        for at, call, target in function.calls():
            retry = target.library.retry if target.library else None
            if retry is None or retry.on not in SAFE_BY:
                continue
            given = [value for name in SAFE_BY if (value := call.keyword(name)) is not None]
            if any(map(allows_post, given)):
                yield self.found(
                    f"The retry policy built in {function.body.name} repeats POST requests, too.",
                    function.at(at),
                    clears="POST left out of the methods that are repeated",
                    # Who lists POST by name has thought of it; who lifts the limit often has not.
                    confidence=Confidence.MEDIUM if isinstance(given[0], Literal) else Confidence.LOW,
                    severity=Severity.MEDIUM,
                    subject=f"{target.name} in {function.name}",
                )


def regions(system: System) -> Iterator[Region]:
    """Everything that is repeated on failure."""
    for policy in policies(system):
        yield Region(policy.location, policy.what, policy.function, policy.first, policy.last, policy.on)
    for function in system.source_functions():
        for at, edges in function.edges.items():
            through = frozenset(edge.function for edge in edges if edge.how == "retry")
            if through:
                name = function.targets[at].name.rpartition(".")[2] if at in function.targets else "it"
                yield Region(function.at(at), name, function, at, at + 1, through=through)


def repeated_request(system: System, region: Region, steps: list[Step]) -> Step | None:
    """The first request that changes something at another service each time."""
    for step in sorted(steps, key=lambda s: s.depth):
        if (
            step.effect.kind is not EffectKind.CALL_OUT
            or step.effect.repeatable
            or step.effect.target in NOT_SERVICES
        ):
            continue
        source, at = origin(system, region.function, step)
        if any(effect.kind is EffectKind.SEND for effect in source.direct.get(at, ())):
            continue
        if changes(source, at, region.function, step) and not keyed(source, at, region.function):
            return step
    return None


def repeated_message(region: Region, steps: list[Step]) -> Step | None:
    """A mail or message behind which something may still fail."""
    for step in steps:
        if step.effect.kind is not EffectKind.SEND or step.effect.repeatable or step.depth > 2:
            continue
        if step.within(EnclosureKind.TRANSACTION):
            continue
        later = (s for s in steps if s.statement > step.statement and s.effect.kind is EffectKind.CALL_OUT)
        if any(s.effect.target not in (step.effect.target, "redis") for s in later):
            return step
    return None


def repeated_row(steps: list[Step]) -> Step | None:
    """A row that is added and committed, and a request behind it that may fail."""
    for step in steps:
        if step.effect.kind is not EffectKind.INSERT or step.effect.repeatable or not step.effect.target:
            continue
        asked = any(
            s.effect.kind is EffectKind.READ
            and s.effect.target == step.effect.target
            and s.statement <= step.statement
            for s in steps
        )
        commits = [
            s.statement for s in steps if s.effect.kind is EffectKind.COMMIT and s.statement > step.statement
        ]
        if (
            not asked
            and commits
            and any(
                s.effect.kind is EffectKind.CALL_OUT and s.statement > commits[0] and (s.must or not s.via)
                for s in steps
            )
        ):
            return step
    return None


# --- what is sent -------------------------------------------------------------------------------------


def origin(system: System, function: Function, step: Step) -> tuple[Function, int]:
    """The function and the call in which an effect comes about."""
    statement, via = step.statement, step.via
    for _ in range(50):
        below = system.functions.get(via)
        occurrence = below.effects.get(step.effect) if below else None
        if below is None or occurrence is None:
            break
        function, statement, via = below, occurrence.statement, occurrence.via
    return function, statement


def spoken(source: Function, at: int, function: Function) -> frozenset[str]:
    """The words in the names and addresses around a request, in lower case."""
    statement = source.body.statements[at]
    texts = [source.body.name, function.body.name, source.owner.rpartition(".")[2]]
    if isinstance(statement, Call):
        for value in (statement.callee, *statement.arguments):
            texts += list(words_of(value))
        texts += list(words_of(statement.keyword("url")))
    return frozenset(word.lower() for text in texts for word in WORD.findall(text))


def words_of(value: Value | None) -> Iterator[str]:
    """The texts and names in a value."""
    for part in parts(value) if value is not None else ():
        if isinstance(part, Literal) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, Name):
            yield part.path


def changes(source: Function, at: int, function: Function, step: Step) -> bool:
    """Whether the request does more than ask, as far as its method, names and address tell."""
    statement = source.body.statements[at]
    if not isinstance(statement, Call) or at not in source.targets:
        return False
    methods = {v.value for v in (*statement.arguments, statement.keyword("method")) if isinstance(v, Literal)}
    if methods & ASKING:
        return False
    words = spoken(source, at, function) | spoken(function, step.statement, function)
    if words & MOVES:
        return True
    if source.targets[at].name.rpartition(".")[2] in GENERIC and not methods & POSTS:
        return False
    return not any(word.startswith(ASKS) for word in words)


def keyed(source: Function, at: int, function: Function) -> bool:
    """Whether a key is at hand where the request is built, though not seen in its arguments."""
    for body in (source.body, function.body):
        if any(KEY in parameter.name.lower() for parameter in body.parameters):
            return True
        for statement in body.statements:
            if isinstance(statement, Call) and any(KEY in k.name.lower() for k in statement.keywords):
                return True
    return any(KEY in word for word in spoken(source, at, function))


def allows_post(value: Value) -> bool:
    """Whether the methods given are all of them, or name POST."""
    if isinstance(value, Literal):
        return value.value in (None, False)
    return any(isinstance(part, Literal) and part.value in POSTS for part in parts(value))
