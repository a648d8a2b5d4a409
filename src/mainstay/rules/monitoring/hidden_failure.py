"""The rule hidden-failure."""

from collections.abc import Iterator

from mainstay.model.code import Assign, Display, Fate, Literal, Name, Result, Return, ScopeKind, Value
from mainstay.model.effect import DATABASE, WRITES, EffectKind, Step
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.flow import parts
from mainstay.model.system import Function, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.handlers import (
    Handler,
    acts,
    by_hand,
    empty,
    handlers,
    hands_back,
    likely,
    logs_context,
    looks,
    may_be_outage,
    outages,
    path_of,
    raises,
    sure,
    telemetry,
    tidies,
    tried_steps,
    tries_again,
)
from mainstay.rules.reach import Reach, Way

ASKED = DATABASE | {EffectKind.CALL_OUT}
REMOTE = frozenset({EffectKind.CALL_OUT})
LOST = WRITES | {EffectKind.COMMIT}
CACHES = ("redis", "cache", "memcached", "django.cache", "socket")
PROBES = (
    "is_",
    "has_",
    "can_",
    "check",
    "ping",
    "health",
    "exists",
    "test_",
    "valid",
    "verify",
    "probe",
    "alive",
)
SUCCESS = frozenset({"approved", "success", "succeeded", "ok", "paid", "delivered", "sent", "done", "valid"})
SWITCHES = frozenset(
    {"is_active", "active", "enabled", "is_enabled", "is_deleted", "deleted", "disabled", "is_valid"}
)
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class HiddenFailure(Rule):
    """A failure is handed on as an answer.

    The caller cannot tell "it could not be asked" from "there is none", or "it was not done" from "it is
    done": it shows an empty page, bills nobody, deletes what it did not find, or tells the sender that
    all is well, so nothing is sent again. Every dashboard stays green during the outage.

    Let the exception through, or raise one of your own from it, and answer it with a 5xx at the edge.
    Where an empty answer is the wanted degradation, log the exception and count it, and decide nothing
    lasting upon it.
    """

    severity = Severity.MEDIUM
    family = (Family.SILENT_FAILURE, Family.EXCEPTION_ESCAPE)
    since = "0.1"
    references = ("CWE-390", "CWE-636", "OWASP A10:2025")

    notices = "A user who misses data, or an accountant. No error rate moves, as no error is counted."
    recovers = (
        "Reads are right again when the outage ends. What was decided upon the wrong answer, and what was "
        "acknowledged and not done, stays wrong."
    )
    costs = (
        "Callers must handle an error that they have never seen. Some pages will show one instead of nothing."
    )

    bad = (
        Example(
            {
                "stock.py": """
                    import requests

                    def levels(sku):
                        try:
                            answer = requests.get(f"https://stock.test/{sku}", timeout=5)
                            answer.raise_for_status()
                            return answer.json()["levels"]
                        except requests.RequestException:  # <-
                            return []
                """
            },
            why="an outage looks like a product that is sold out",
        ),
        Example(
            {
                "repository.py": """
                    from sqlalchemy.ext.asyncio import AsyncSession
                    from sqlalchemy import select
                    from models import Account

                    async def load(session: AsyncSession, owner):
                        return (await session.scalars(select(Account).where(Account.owner == owner))).all()
                """,
                "accounts.py": """
                    import repository

                    async def balances(session, owner):
                        try:
                            return [a.balance for a in await repository.load(session, owner)]
                        except Exception:  # <-
                            return None
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

                    class Base(DeclarativeBase):
                        pass

                    class Account(Base):
                        __tablename__ = "accounts"
                        id: Mapped[int] = mapped_column(primary_key=True)
                        owner: Mapped[str]
                        balance: Mapped[int]
                """,
            },
            why="a lost connection looks like an owner without accounts",
        ),
        Example(
            {
                "refunds.py": """
                    import logging
                    import processor

                    log = logging.getLogger(__name__)

                    def give_back(refund):
                        try:
                            return processor.refund(refund.id)
                        except processor.Unavailable:  # <-
                            log.warning("refund %s not confirmed", refund.id)
                            return processor.Outcome(approved=True)
                """,
                "processor.py": """
                    import requests

                    class Unavailable(Exception):
                        pass

                    class Outcome:
                        def __init__(self, approved):
                            self.approved = approved

                    def refund(key):
                        try:
                            requests.put(f"https://pay.test/refunds/{key}", timeout=5)
                        except requests.RequestException as error:
                            raise Unavailable(key) from error
                        return Outcome(approved=True)
                """,
            },
            why="no answer is stored as a yes",
        ),
        Example(
            {
                "app.py": """
                    from fastapi import FastAPI
                    from sqlalchemy.orm import Session
                    import notices

                    app = FastAPI()

                    @app.post("/notices")
                    def take(body: dict, session: Session):
                        changed = notices.store(session, body)
                        return {"changed": changed}
                """,
                "notices.py": """
                    import logging
                    from sqlalchemy import insert
                    from sqlalchemy.exc import SQLAlchemyError
                    from sqlalchemy.orm import Session
                    from models import Notice

                    log = logging.getLogger(__name__)

                    def store(session: Session, body):
                        try:
                            session.execute(insert(Notice).values(body=body))
                            session.commit()
                        except SQLAlchemyError:  # <-
                            log.exception("notice not stored")
                            return False
                        return True
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

                    class Base(DeclarativeBase):
                        pass

                    class Notice(Base):
                        __tablename__ = "notices"
                        id: Mapped[int] = mapped_column(primary_key=True)
                        body: Mapped[str]
                """,
            },
            why="the sender is answered 200 and never sends the notice again",
        ),
        Example(
            {
                "hooks.py": """
                    import requests
                    from models import Hook

                    def probe(hook: Hook):
                        try:
                            requests.head(hook.url, timeout=5)
                        except requests.RequestException:  # <-
                            hook.is_active = False
                            hook.save()
                """,
                "models.py": """
                    from django.db import models

                    class Hook(models.Model):
                        url = models.TextField()
                        is_active = models.BooleanField(default=True)
                """,
            },
            why="a short outage of the network switches the customer's hook off for good",
        ),
        Example(
            {
                "seats.py": """
                    import logging
                    import httpx

                    log = logging.getLogger(__name__)

                    async def free(client: httpx.AsyncClient, event):
                        try:
                            return (await client.get(f"/events/{event}/seats")).json()
                        except httpx.HTTPError:  # <-
                            log.warning("no seats")
                            return []
                """
            },
            why="the log line does not say that it was an outage either",
        ),
    )
    good = (
        Example(
            {
                "stock.py": """
                    import logging
                    import requests

                    log = logging.getLogger(__name__)

                    def levels(sku):
                        try:
                            return requests.get(f"https://stock.test/{sku}", timeout=5).json()["levels"]
                        except requests.RequestException:
                            log.warning("stock is away", exc_info=True)
                            return []
                """
            },
            why="a degradation that is logged with its cause",
        ),
        Example(
            {
                "stock.py": """
                    import requests

                    class Unavailable(Exception):
                        pass

                    def levels(sku):
                        try:
                            return requests.get(f"https://stock.test/{sku}", timeout=5).json()["levels"]
                        except requests.RequestException as error:
                            raise Unavailable(sku) from error

                    def is_up():
                        try:
                            requests.get("https://stock.test/health", timeout=1)
                            return True
                        except requests.RequestException:
                            return False
                """
            },
            why="it is raised; and to say so is what a probe is for",
        ),
        Example(
            {
                "users.py": """
                    from django.contrib.auth.models import User

                    def find(name):
                        try:
                            return User.objects.get(username=name)
                        except User.DoesNotExist:
                            return None
                """
            },
            why="there is none",
        ),
        Example(
            {
                "flags.py": """
                    import json

                    def parse(text):
                        try:
                            return json.loads(text)
                        except Exception:
                            return {}
                """
            },
            why="nothing was asked outside",
        ),
        Example(
            {
                "app.py": """
                    from fastapi import FastAPI, HTTPException
                    from sqlalchemy import insert
                    from sqlalchemy.exc import SQLAlchemyError
                    from sqlalchemy.orm import Session
                    from models import Notice

                    app = FastAPI()

                    @app.post("/notices")
                    def take(body: dict, session: Session):
                        if not store(session, body):
                            raise HTTPException(503)

                    def store(session: Session, body):
                        try:
                            session.execute(insert(Notice).values(body=body))
                            session.commit()
                        except SQLAlchemyError as error:
                            print(error)
                            return False
                        return True
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

                    class Base(DeclarativeBase):
                        pass

                    class Notice(Base):
                        __tablename__ = "notices"
                        id: Mapped[int] = mapped_column(primary_key=True)
                        body: Mapped[str]
                """,
            },
            why="the caller looks at the answer",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        project, reach = outages(system), Reach(system)
        for function in system.source_functions():
            if function.kinds.isdisjoint(ASKED) or by_hand(function):
                continue
            for handler in handlers(function):
                if handler.scope >= 0 and may_be_outage(handler, project) and not raises(handler):
                    yield from self._judge(system, reach, handler)

    def _judge(self, system: System, reach: Reach, handler: Handler) -> Iterator[Finding]:
        steps = [s for s in tried_steps(system, handler, *ASKED, *LOST) if s.effect.target not in CACHES]
        steps = likely(handler, steps)
        if not steps or looks(handler) or telemetry(handler, steps) or tidies(handler, steps):
            return
        destroyed = destroys(system, handler, steps)
        if destroyed:
            yield self._report(
                system, handler, steps, f"takes a failure for gone and {destroyed}", Severity.HIGH
            )
        elif claims_success(handler):
            text = (
                "answers that it was done"
                if not logs_context(handler)
                else "logs it and answers that it was done"
            )
            yield self._report(system, handler, steps, text, Severity.HIGH)
        elif (way := acknowledged(system, reach, handler, steps)) is not None:
            request = reach.request(way.outer.name)
            text = f"answers {request} with success although the write failed"
            yield self._report(system, handler, steps, text, Severity.HIGH, way)
        elif self._silent(handler):
            back = hands_back(handler)
            text = f"returns {shown(back.value if isinstance(back, Return) else None)}, as if there were none"
            yield self._report(system, handler, steps, text, Severity.MEDIUM)

    def _silent(self, handler: Handler) -> bool:
        """Whether the empty answer is all that is left of the failure."""
        if logs_context(handler) or acts(handler) or tries_again(handler) or hands_back(handler) is None:
            return False
        return not handler.function.body.name.lower().lstrip("_").startswith(PROBES)

    def _report(
        self,
        system: System,
        handler: Handler,
        steps: list[Step],
        text: str,
        severity: Severity,
        way: Way | None = None,
    ) -> Finding:
        function = handler.function
        worst = min(
            steps, key=lambda s: (s.effect.kind not in WRITES, s.effect.kind is EffectKind.READ, s.depth)
        )
        return self.found(
            f"{handler.what()} in {function.body.name} {text} ({worst.effect.kind} {worst.effect.target}).",
            handler.location,
            clears="the exception raised on, or logged with its context and counted",
            confidence=min(
                sure([worst]), Confidence.HIGH if severity >= Severity.HIGH else Confidence.MEDIUM
            ),
            severity=severity,
            path=(
                *(way.hops() if way else ()),
                *system.trace(function, worst),
                Hop(handler.location, text),
            ),
            subject=f"{handler.what()} in {function.name}",
        )


def shown(value: Value | None) -> str:
    """An empty value as written."""
    if isinstance(value, Display):
        return {"list": "[]", "dict": "{}", "set": "an empty set", "tuple": "a tuple of nothing"}[value.kind]
    return repr(value.value) if isinstance(value, Literal) else "None"


# --- a lasting change upon a passing failure ----------------------------------------------------------


def destroys(system: System, handler: Handler, steps: list[Step]) -> str:
    """What the handler deletes or switches off after a remote call failed, in words."""
    if not any(step.effect.kind is EffectKind.CALL_OUT for step in steps):
        return ""
    before = range(handler.first)
    if any(s.effect.kind is EffectKind.INSERT for s in system.steps(handler.function, EffectKind.INSERT)):
        return ""  # it takes back what it has just made
    for step in system.steps(handler.function, EffectKind.DELETE):
        if step.statement in handler.does and step.statement not in before:
            return f"deletes {step.effect.target}".strip()
    for statement in handler.statements():
        if isinstance(statement, Assign) and isinstance(statement.value, Literal):
            for target in statement.targets:
                name = path_of(target).rpartition(".")
                if name[0] and name[2] in SWITCHES and isinstance(statement.value.value, bool):
                    return f"sets {path_of(target)}"
    return ""


# --- answers ------------------------------------------------------------------------------------------


def claims_success(handler: Handler) -> bool:
    """Whether it returns something that says yes: `Outcome(approved=True)`, `{"ok": True}`."""
    function = handler.function
    for statement in handler.statements():
        if not isinstance(statement, Return) or statement.value is None:
            continue
        if isinstance(statement.value, Result):
            call = function.call(statement.value.call)
            if any(k.name in SUCCESS and k.value == Literal(True) for k in call.keywords):
                return True
        if isinstance(statement.value, Display):
            pairs = zip(statement.value.keys, statement.value.items, strict=False)
            if any(isinstance(k, Literal) and k.value in SUCCESS and v == Literal(True) for k, v in pairs):
                return True
    return False


def acknowledged(system: System, reach: Reach, handler: Handler, steps: list[Step]) -> Way | None:
    """The way from a request that changes something to a write whose failure it never hears of."""
    if not any(step.effect.kind in WRITES for step in steps) or not says_no(handler) or acts(handler):
        return None
    for way in reach.ways(handler.function):
        if way.calls and way.calls[-1][0] is not handler.function and heeds(*way.calls[-1]):
            continue
        if way.calls and reach.request(way.outer.name).partition(" ")[0] in UNSAFE:
            return None if any(heeds(function, at) for function, at in way.calls) else way
    return None


def says_no(handler: Handler) -> bool:
    """Whether it returns a plain no, where the work would otherwise give an answer."""
    return any(isinstance(s, Return) and s.value is not None and empty(s.value) for s in handler.statements())


def heeds(caller: Function, at: int) -> bool:
    """Whether a caller looks at the answer before it goes on."""
    call = caller.call(at)
    if call.fate is Fate.TESTED:
        return True
    if call.fate is not Fate.STORED:
        return False
    names = {
        target.path
        for statement in caller.body.statements
        if isinstance(statement, Assign)
        and statement.value is not None
        and Result(at) in list(parts(statement.value))
        for target in statement.targets
        if isinstance(target, Name)
    }
    tested = (
        head
        for scope in caller.body.scopes
        if scope.kind in (ScopeKind.IF, ScopeKind.CASE)
        for head in scope.head
    )
    return any(
        isinstance(p, Name) and p.path.partition(".")[0] in names for head in tested for p in parts(head)
    )
