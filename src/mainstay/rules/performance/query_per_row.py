from collections.abc import Iterator

import msgspec
from msgspec import Struct

from mainstay.model.code import (
    Assign,
    Attribute,
    Call,
    Code,
    Display,
    Each,
    Leave,
    Literal,
    Name,
    Opaque,
    Operation,
    Result,
    Return,
    ScopeKind,
    Value,
)
from mainstay.model.effect import WRITES, EffectKind, Enclosure, EnclosureKind, Step
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.flow import ancestors, names, parts
from mainstay.model.system import Function, ProjectClass, Role, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.loops import (
    Collection,
    Collections,
    Size,
    cached,
    following,
    given,
    last_name,
    made_of,
)
from mainstay.rules.reach import Context, Reach

SERIALIZERS = "rest_framework.serializers."
OWN = ("self.", "cls.")
SELF = frozenset({"self", "cls"})
FAR = 3  # calls between the loop and a query that only some branches reach
SETTLES = (EffectKind.COMMIT, EffectKind.CALL_OUT, EffectKind.SEND, EffectKind.RUN)
COMMAND_FOLDERS = frozenset({"commands", "cli", "cli.py"})
CHOICES = frozenset({ScopeKind.IF, ScopeKind.ELSE, ScopeKind.CASE, ScopeKind.HANDLER})
MANAGERS = (".objects", "._default_manager", "._base_manager", ".query")
MODELS = frozenset({"model_class", "get_model"})


class Round(Struct, frozen=True):
    """A query that each round of a loop runs."""

    function: Function
    loop: Enclosure
    over: Collection
    step: Step
    only: str = ""  # what must hold, whatever the item, for the query to run


class QueryPerRow(Rule):
    """A loop over rows runs a query for each of them.

    A list of 100 rows costs 101 round trips to the database, and the number grows with the data: the
    route that took 20 ms with the rows of a test takes seconds in production, and holds its
    connection throughout.

    Ask once for all rows: a join, an eager load (`selectinload`, `prefetch_related`), an aggregate
    with GROUP BY, or one query with `IN (...)` before the loop and a dict to look up in.
    """

    severity = Severity.MEDIUM
    family = (Family.QUERY_PER_ROW,)
    since = "0.1"
    references = ("CWE-1073",)

    notices = (
        "Users with much data, as latency that grows with what they own; the database, as many short queries "
        "of one shape. No single query is slow, so a slow-query log stays empty."
    )
    recovers = "It does not by itself: it grows worse with the tables, until requests time out."
    costs = "One larger query, and memory for its result: cut the keys in pieces when there can be many."

    bad = (
        Example(
            {
                "routes.py": """
                    from fastapi import APIRouter, Depends
                    from sqlalchemy.orm import Session
                    import repository
                    from db import get_session

                    router = APIRouter()

                    @router.get("/charges")
                    def charges(session: Session = Depends(get_session)):
                        rows = repository.charges(session)
                        lines = [{"id": row.id} for row in rows]
                        for line in lines:
                            line["refunded"] = repository.refunded(session, line["id"])  # <-
                        return lines
                """,
                "repository.py": """
                    from sqlalchemy import func, select
                    from db import Charge, Refund

                    def charges(session):
                        return session.scalars(select(Charge)).all()

                    def refunded(session, charge_id):
                        total = select(func.sum(Refund.amount)).where(Refund.charge_id == charge_id)
                        return session.scalar(total)
                """,
                "db.py": """
                    from sqlalchemy.orm import DeclarativeBase, Session

                    class Base(DeclarativeBase): ...
                    class Charge(Base): ...
                    class Refund(Base): ...

                    def get_session() -> Session:
                        with Session() as session:
                            yield session
                """,
            },
            why="the query is in a helper of another module, the rows in another one",
        ),
        Example(
            {
                "views.py": """
                    from django.http import JsonResponse
                    from models import Customer, Order

                    def customers(request):
                        found = []
                        for customer in Customer.objects.filter(active=True):
                            found.append(Order.objects.filter(customer=customer).count())  # <-
                        return JsonResponse({"orders": found})
                """,
                "models.py": """
                    from django.db import models

                    class Customer(models.Model): ...
                    class Order(models.Model): ...
                """,
            },
            why="a count for each customer",
        ),
        Example(
            {
                "orders.py": """
                    from fastapi import APIRouter
                    from sqlalchemy import select
                    from sqlalchemy.ext.asyncio import AsyncSession
                    from db import Order, Session

                    router = APIRouter()

                    @router.post("/orders/states")
                    async def states(ids: list[int]):
                        async with Session() as session:
                            return [await state(session, each) for each in ids]  # <-

                    async def state(session: AsyncSession, order_id: int):
                        order = await session.get(Order, order_id)
                        return order.state
                """,
                "db.py": """
                    from sqlalchemy.ext.asyncio import async_sessionmaker
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Order(Base): ...

                    Session = async_sessionmaker()
                """,
            },
            why="the requester decides how many; a comprehension, awaited",
        ),
        Example(
            {
                "export.py": """
                    from sqlalchemy import select
                    from sqlalchemy.orm import Session
                    from models import Charge, Order

                    def lines(session: Session):
                        for charge in session.scalars(select(Charge).execution_options(yield_per=500)):
                            order = session.get(Order, charge.order_id)  # <-
                            for item in session.scalars(select(Item).where(Item.order_id == order.id)):
                                yield charge.id, item.name
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Charge(Base): ...
                    class Order(Base): ...
                    class Item(Base): ...
                """,
            },
            why="streaming saves memory, not round trips; two queries a row are one finding",
        ),
        Example(
            {
                "serializers.py": """
                    from rest_framework import serializers
                    from models import Customer, Order

                    class CustomerSerializer(serializers.ModelSerializer):
                        orders = serializers.SerializerMethodField()

                        def get_orders(self, customer):
                            return Order.objects.filter(customer=customer).count()  # <-
                """,
                "models.py": """
                    from django.db import models

                    class Customer(models.Model): ...
                    class Order(models.Model): ...
                """,
            },
            why="the framework goes over the rows of a list and calls the method for each",
        ),
        Example(
            {
                "views.py": """
                    from django.http import HttpResponse
                    from models import Member, Prefix
                    from tasks import announce

                    def tree(request):
                        return HttpResponse(free(Prefix.objects.filter(kind="container")))

                    def free(prefixes):
                        return [p for p in prefixes if not Prefix.objects.filter(parent=p).exists()]  # <-

                    def invite(request):
                        if request.method == "POST":
                            for member in Member.objects.filter(invited=False):
                                prefix = Prefix.objects.get(pk=member.prefix_id)  # <-
                                announce.delay(member.pk)
                                print(prefix)
                        return HttpResponse()
                """,
                "tasks.py": """
                    from celery import shared_task

                    @shared_task
                    def announce(member): ...
                """,
                "urls.py": """
                    from django.urls import path
                    import views

                    urlpatterns = [path("tree/", views.tree), path("invite/", views.invite)]
                """,
                "models.py": """
                    from django.db import models

                    class Prefix(models.Model): ...
                    class Member(models.Model): ...
                """,
            },
            why="a child table walked by a page; a message elsewhere in the round excuses no query",
        ),
    )
    good = (
        Example(
            {
                "serializers.py": """
                    from rest_framework import serializers
                    from models import Customer

                    class CustomerSerializer(serializers.ModelSerializer):
                        orders = serializers.SerializerMethodField()
                        rank = serializers.SerializerMethodField()

                        def get_orders(self, customer):
                            return customer.number_of_orders

                        def get_rank(self, customer):
                            return self.context["ranks"][customer.pk]
                """,
                "models.py": """
                    from django.db import models

                    class Customer(models.Model): ...
                """,
            },
            why="the view's queryset has annotated the number, and looked the ranks up for all",
        ),
        Example(
            {
                "views.py": """
                    from django.db.models import Count
                    from django.http import JsonResponse
                    from models import Customer

                    def customers(request):
                        rows = Customer.objects.annotate(number=Count("order")).prefetch_related("addresses")
                        return JsonResponse({"orders": [row.number for row in rows]})
                """,
                "models.py": """
                    from django.db import models

                    class Customer(models.Model): ...
                """,
            },
            why="counted by the one query",
        ),
        Example(
            {
                "repository.py": """
                    from itertools import batched
                    from sqlalchemy import select
                    from sqlalchemy.orm import Session
                    from models import Charge, Order

                    def orders(session: Session):
                        keys = session.scalars(select(Charge.order_id)).all()
                        for chunk in batched(keys, 500):
                            yield from session.scalars(select(Order).where(Order.id.in_(chunk)))
                        for start in range(0, len(keys), 500):
                            part = keys[start : start + 500]
                            yield from session.scalars(select(Order).where(Order.id.in_(part)))
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Charge(Base): ...
                    class Order(Base): ...
                """,
            },
            why="one query for each 500 keys",
        ),
        Example(
            {
                "settings.py": """
                    from models import Setting

                    NAMES = ("currency", "zone")

                    def load():
                        found = {}
                        for name in NAMES:
                            found[name] = Setting.objects.get(name=name)
                        for attempt in range(3):
                            found[attempt] = Setting.objects.filter(attempt=attempt).first()
                        return found
                """,
                "models.py": """
                    from django.db import models

                    class Setting(models.Model): ...
                """,
            },
            why="a handful of names, written down",
        ),
        Example(
            {
                "relay.py": """
                    from sqlalchemy import select
                    from sqlalchemy.orm import Session
                    from models import Message, Customer

                    def relay(session: Session):
                        for message in session.scalars(select(Message.id)).all():
                            found = session.get(Message, message, with_for_update=True)
                            found.state = "sent"
                            session.commit()

                    def first(session: Session, rows: list[Message]):
                        for row in rows:
                            return session.get(Customer, row.customer_id)
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Message(Base): ...
                    class Customer(Base): ...
                """,
            },
            why="a job that settles each item in its own transaction; a loop that ends at its first round",
        ),
        Example(
            {
                "names.py": """
                    from functools import lru_cache
                    from models import Country, Customer

                    @lru_cache
                    def country(code):
                        return Country.objects.get(code=code)

                    def names():
                        known = {}
                        for customer in Customer.objects.all():
                            if customer.group_id not in known:
                                known[customer.group_id] = customer.group_set.count()
                            yield country(customer.country), known[customer.group_id]
                """,
                "models.py": """
                    from django.db import models

                    class Country(models.Model): ...
                    class Customer(models.Model): ...
                """,
            },
            why="what was read is kept",
        ),
        Example(
            {
                "sweep.py": """
                    from django.contrib.contenttypes.models import ContentType
                    from models import Folder

                    def forget(key):
                        for kind in ContentType.objects.all():
                            model = kind.model_class()
                            print(model.objects.filter(**{key: None}).count())

                    def depth(folder):
                        return 1 + max([depth(each) for each in Folder.objects.filter(parent=folder)])

                    def origins():
                        for folder in Folder.objects.all():
                            yield origin(folder)

                    def origin(folder):
                        while folder.parent_id:
                            folder = Folder.objects.get(pk=folder.parent_id)
                        return folder
                """,
                "models.py": """
                    from django.db import models

                    class Folder(models.Model): ...
                """,
            },
            why="many tables, a tree and a chain of links: no one query can do it",
        ),
        Example(
            {
                "listen.py": """
                    from sqlalchemy import text
                    from sqlalchemy.orm import Session
                    from models import Order

                    def announce(session: Session):
                        for order in session.query(Order).all():
                            session.execute(text("NOTIFY orders, :id"), {"id": order.id})
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Order(Base): ...
                """,
            },
            why="a statement that reads nothing",
        ),
        Example(
            {
                "shop/management/commands/report.py": """
                    from shop.management.utils import totals

                    def handle():
                        totals()
                """,
                "shop/management/utils.py": """
                    from shop.models import Customer, Order

                    def totals():
                        for customer in Customer.objects.all():
                            print(Order.objects.filter(customer=customer).count())
                """,
                "shop/models.py": """
                    from django.db import models

                    class Customer(models.Model): ...
                    class Order(models.Model): ...
                """,
            },
            why="a person starts it and waits for it",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        self._tables = {each.fact.name for each in system.classes.values() if each.table}
        collections = Collections(system)
        commands = Commands(system)
        rounds = [
            found
            for function in system.source_functions()
            if EffectKind.READ in function.kinds and not commands.holds(function)
            for found in self._rounds(system, collections, function)
        ]
        seen = {(found.function.name, found.step.statement) for found in rounds}
        loops: dict[tuple[str, int], list[Round]] = {}
        for found in rounds:
            if not passes(system, found.step, seen):
                loops.setdefault((found.function.name, found.loop.first), []).append(found)
        reach = Reach(system)
        causes: dict[tuple[str, str], list[tuple[list[Round], Context]]] = {}
        for each in loops.values():
            each.sort(key=lambda found: found.only != "")
            first = each[0]
            context = reach.context(first.function, first.step.statement)
            if not commands.only(reach, first.function) and not self._item_by_item(
                system, first, served=context.request != ""
            ):
                helper = first.step.via or f"{first.function.name} {first.loop.first}"
                cause = first.function.file.path, helper
                causes.setdefault(cause, []).append((each, context))
        for alike in causes.values():
            alike.sort(key=lambda each: (-sure(system, each[0][0]), -severity(each[0][0].over, each[1])))
            yield self._report(system, [found for each, _ in alike for found in each], alike[0][1])
        for owner in system.classes.values():
            serializes = any(base.startswith(SERIALIZERS) for base in owner.ancestry)
            if serializes and owner.file.role is Role.SOURCE:
                yield from self._of_fields(system, owner)

    def _of_fields(self, system: System, owner: ProjectClass) -> Iterator[Finding]:
        """Queries of a serializer's computed fields: the framework goes over the rows."""
        for field in computed_fields(owner):
            function = system.functions.get(f"{owner.name}.get_{field}")
            if function is None or len(function.body.parameters) != 2:
                continue
            row = Name(function.body.parameters[1].name)
            items = following(function, msgspec.structs.replace(function.body.scopes[0], targets=(row,)))
            for step in system.steps(function, EffectKind.READ):
                if step.statement in items and looks(system, step):
                    yield self._report_field(system, owner, function, step)
                    break

    def _report_field(self, system: System, owner: ProjectClass, function: Function, step: Step) -> Finding:
        table = step.effect.target if step.effect.target in self._tables else "the database"
        return self.found(
            f"{owner.fact.name} queries {table} in {function.body.name} once for each row it serialises",
            step.location,
            path=(Hop(function.location, "called for each row"), *system.trace(function, step)),
            confidence=Confidence.MEDIUM,
            clears="the queryset of the view brings what the field shows (annotate, prefetch_related)",
            subject=f"{function.name} {table}",
        )

    def _rounds(self, system: System, collections: Collections, function: Function) -> Iterator[Round]:
        """The reads of a function that work on the item of a loop over many."""
        loops = [e for e in function.enclosures if e.kind is EnclosureKind.LOOP and e.scope >= 0]
        if not loops:
            return
        steps = [step for step in system.steps(function, EffectKind.READ) if step.within(EnclosureKind.LOOP)]
        for loop in loops:
            inside = [step for step in steps if step.within(EnclosureKind.LOOP) is loop]
            if not inside or function.body.scopes[loop.scope].kind is ScopeKind.WHILE:
                continue
            over = collections.of_loop(function, loop.scope)
            if over.size < Size.REQUEST:
                continue
            items = following(function, function.body.scopes[loop.scope])
            for step in inside:
                if step.statement not in items or not repeated(function, loop, step):
                    continue
                if looks(system, step) and is_one_query(system, function, loop, step):
                    yield Round(function, loop, over, step, only_when(system, function, loop, step))

    def _item_by_item(self, system: System, found: Round, *, served: bool) -> bool:
        """Whether each item is a piece of work by itself: committed on its own, or sent elsewhere.

        While a requester waits, neither a commit in a helper nor a message that does not say what was
        read is a reason to query so often.
        """
        settling = (
            step for step in system.steps(found.function, *SETTLES) if found.loop.holds(step.statement)
        )
        if any(not served or (not step.via and feeds(found, step)) for step in settling):
            return True
        inside = [each for each in found.function.enclosures if found.loop.holds(each.first)]
        for function, statement in () if served else way(system, found.step):
            inside += function.around(statement)
        return any(each.kind is EnclosureKind.TRANSACTION and not each.implied for each in inside)

    def _report(self, system: System, rounds: list[Round], context: Context) -> Finding:
        found = rounds[0]
        function, step, over = found.function, found.step, found.over
        table = step.effect.target if step.effect.target in self._tables else "the database"
        through = f" in {system.functions[step.via].body.name}" if step.via else ""
        others = (each.step.location for each in rounds[1:])
        start = Hop(over.location or found.loop.location, f"the loop goes over {over.words}")
        served = f", for {context.request}" if context.request else ""
        only = f", only when {found.only}" if found.only else ""
        return self.found(
            f"{function.body.name} queries {table}{through} once for each of {over.words}{served}{only}",
            step.location,
            path=(start, Hop(found.loop.location, found.loop.what), *system.trace(function, step)),
            siblings=tuple(dict.fromkeys(place for place in others if place != step.location)),
            severity=severity(over, context),
            confidence=sure(system, found),
            clears="one query before the loop, or an eager load, gives what each round asks for",
            subject=f"{function.name} {table} {step.via}",
        )


def computed_fields(owner: ProjectClass) -> Iterator[str]:
    """The names of a serializer's fields that a method computes."""
    body = owner.file.module.bodies[owner.fact.body]
    for statement in body.statements:
        if isinstance(statement, Assign) and isinstance(statement.value, Result):
            call = body.statements[statement.value.call]
            if isinstance(call, Call) and last_name(call.callee) == "SerializerMethodField":
                yield from (target.path for target in statement.targets if isinstance(target, Name))


def severity(over: Collection, context: Context) -> Severity:
    """A requester waits for all of it; a limit bounds it; a job has time."""
    if over.size is Size.REQUEST:
        return Severity.LOW  # most send a few
    if context.request:
        return Severity.MEDIUM if over.limited or over.handed else Severity.HIGH
    return Severity.LOW if over.limited else Severity.MEDIUM


def sure(system: System, found: Round) -> Confidence:
    """How sure it is that many round trips come of it, and that one query could do instead."""
    if found.over.size is Size.REQUEST or found.over.few or found.only or writes_each(system, found):
        return Confidence.LOW
    return Confidence.HIGH if found.step.certain else Confidence.MEDIUM


def writes_each(system: System, found: Round) -> bool:
    """Whether a round that queries also writes, so that a query less saves the smaller part."""
    function, loop = found.function, found.loop
    read = choices(function, loop, found.step.statement)
    return any(
        loop.holds(step.statement)
        and (step.must or not step.via)
        and choices(function, loop, step.statement) <= read
        for step in system.steps(function, *WRITES)
    )


def choices(function: Function, loop: Enclosure, statement: int) -> set[int]:
    """The branches inside a loop that a statement stands in."""
    around = ancestors(function.body, function.call(statement).scope)
    return {at for at in around if at > loop.scope and function.body.scopes[at].kind in CHOICES}


def feeds(found: Round, step: Step) -> bool:
    """Whether a message is made of what was read; work of other kinds settles the item anyway."""
    if step.effect.kind is not EffectKind.SEND:
        return True
    function = found.function
    sent = Display("tuple", given(function.call(step.statement)))
    return found.step.statement in made_of(function, sent, step.statement)


def is_one_query(system: System, function: Function, loop: Enclosure, step: Step) -> bool:
    """Whether one query could ask for all items: not of many tables, nor up a tree or along links."""
    if many_tables(function, loop, step.statement):
        return False
    for below, statement in way(system, step):
        if below is function or any(
            edge.function == below.name for edges in below.edges.values() for edge in edges
        ):
            return False
        around = (e for e in below.around(statement) if e.kind is EnclosureKind.LOOP and e.scope >= 0)
        if any(below.body.scopes[each.scope].kind is ScopeKind.WHILE for each in around):
            return False
        if follows_link(below, statement):
            return False
    return True


def many_tables(function: Function, loop: Enclosure, statement: int) -> bool:
    """Whether the item says which table is asked."""
    items = {name for target in function.body.scopes[loop.scope].targets for name in names(target)}
    value = Display("tuple", given(function.call(statement)))
    calls = [statement, *made_of(function, value, statement)]
    if any(at >= loop.first and last_name(function.call(at).callee) in MODELS for at in calls):
        return True
    paths = (each.path for at in calls if isinstance(each := function.call(at).callee, Name))
    return any(
        path.partition(".")[0] in items and any(f"{manager}." in f"{path}." for manager in MANAGERS)
        for path in paths
    )


def follows_link(function: Function, statement: int) -> bool:
    """Whether what is asked for was read just before, so that the queries form a chain."""
    call = function.call(statement)
    asked = (*call.arguments, *(keyword.value for keyword in call.keywords))
    return any(
        effect.kind is EffectKind.READ
        for at in made_of(function, Display("tuple", asked), statement)
        for effect in function.direct.get(at, ())
    )


def only_when(system: System, function: Function, loop: Enclosure, step: Step) -> str:
    """The test of a branch on the way to the query that asks nothing about the item, in words."""
    for scope in choices(function, loop, step.statement):
        if found := settled_test(function, scope, loop.first, loop.last):
            return found
    for below, statement in way(system, step):
        asked = {parameter.name for parameter in below.body.parameters} - SELF
        for scope in ancestors(below.body, below.call(statement).scope):
            if below.body.scopes[scope].kind is ScopeKind.HANDLER:
                return f"something fails in {below.body.name}"
            last = below.body.scopes[scope].first
            if found := settled_test(below, scope, 0, last, asked):
                return found
    return ""


def settled_test(
    function: Function, scope: int, first: int, last: int, items: set[str] | frozenset[str] = frozenset()
) -> str:
    """The test of a branch, in words, when it comes out the same for all items."""
    found = function.body.scopes[scope]
    test = function.body.scopes[found.of] if found.kind is ScopeKind.ELSE and found.of >= 0 else found
    if test.kind is not ScopeKind.IF or not test.head:
        return ""
    held = set(items) | set(bound(function, first, last))
    if not settled(function, test.head[0], held, first):
        return ""
    words = spelled(function, test.head[0])
    return f"not {words}" if test is not found else words


def bound(function: Function, first: int, last: int) -> Iterator[str]:
    """The names that a stretch of code binds."""
    for statement in function.body.statements[first:last]:
        if isinstance(statement, Assign):
            for target in statement.targets:
                yield from names(target)
    for scope in function.body.scopes:
        if scope.first <= last and scope.last >= first:
            for target in scope.targets:
                yield from names(target)


def settled(function: Function, value: Value, held: set[str], first: int) -> bool:
    """Whether a value is the same in each round; what another function answers to no question is."""
    for part in parts(value):
        if isinstance(part, Each | Code | Opaque):
            return False
        if isinstance(part, Name) and part.path.partition(".")[0] in held - SELF:
            return False
        if isinstance(part, Result) and part.call >= first:
            call = function.call(part.call)
            if not isinstance(call.callee, Name) or call.callee.path in ("next", "input"):
                return False
            if not all(settled(function, each, held, first) for each in given(call)):
                return False
    return True


def spelled(function: Function, value: Value) -> str:
    """A test as written, as far as a sentence needs it."""
    if isinstance(value, Name | Attribute):
        return value.path
    if isinstance(value, Result):
        return f"{spelled(function, function.call(value.call).callee)}()"
    if isinstance(value, Operation) and value.operator == "not":
        return f"not {spelled(function, value.operands[0])}"
    if isinstance(value, Operation) and value.operator == "[]":
        return f"{spelled(function, value.operands[0])}[{spelled(function, value.operands[-1])}]"
    if isinstance(value, Operation) and len(value.operands) == 2:
        return f" {value.operator} ".join(spelled(function, each) for each in value.operands)
    return repr(value.value) if isinstance(value, Literal) else "..."


class Commands:
    """Tells what a person starts and waits for: management commands, command lines and their helpers."""

    def __init__(self, system: System) -> None:
        self._management = {
            file.path.rpartition("/commands/")[0]
            for file in system.files
            if "/management/commands/" in f"/{file.path}"
        }

    def holds(self, function: Function) -> bool:
        folders = function.file.path.split("/")
        return not COMMAND_FOLDERS.isdisjoint(folders) or "/".join(folders[:-1]) in self._management

    def only(self, reach: Reach, function: Function) -> bool:
        """Whether everything that leads to the function starts at a command."""
        ways = list(reach.ways(function))
        if any(reach.request(each.outer.name) or reach.job(each.outer.name) for each in ways):
            return False
        starts = [each.outer for each in ways if not each.outer.callers]
        return len(ways) > 1 and bool(starts) and all(map(self.holds, starts))


def passes(system: System, step: Step, seen: set[tuple[str, int]]) -> bool:
    """Whether the way to the query leads through a loop that is reported itself."""
    return any((function.name, statement) in seen for function, statement in way(system, step))


def looks(system: System, step: Step) -> bool:
    """Whether the query is there to look something up, rather than a part of a larger work on the item.

    What a helper keeps is asked once.  What it reads to change it, and what it reads on some branch
    far below, cannot be asked for all items at once.
    """
    below = list(way(system, step))
    if any(cached(function) for function, _ in below) or (step.depth > FAR and not step.must):
        return False
    if not below:
        return True
    if any(changes_rows(function) for function in (below[0][0], below[-1][0])):
        return False
    if below[0][0].kinds.isdisjoint(WRITES):
        return True
    written = {effect.target for effect in below[0][0].effects if effect.kind in WRITES}
    return step.depth == 1 and "" not in written and step.effect.target not in written


def changes_rows(function: Function) -> bool:
    """Whether a function sets attributes of something it has loaded or was given."""
    assigned = (each.targets for each in function.body.statements if isinstance(each, Assign))
    paths = (target.path for targets in assigned for target in targets if isinstance(target, Name))
    return any("." in path and not path.startswith(OWN) for path in paths)


def repeated(function: Function, loop: Enclosure, step: Step) -> bool:
    """Whether the query runs in round after round: not on the way out, not for a new key only."""
    body = function.body
    for index in ancestors(body, function.call(step.statement).scope):
        scope = body.scopes[index]
        if scope.kind is ScopeKind.HANDLER or (scope.kind is ScopeKind.IF and looks_up(scope.head)):
            return False
        if leaves(function, index, step.statement, scope.last):
            return False
        if index == loop.scope:
            return True
    return True


def way(system: System, step: Step) -> Iterator[tuple[Function, int]]:
    """The functions between the loop and the query, each with its call on the way."""
    name = step.via
    while name:
        function = system.functions[name]
        found = function.effects.get(step.effect)
        if found is None:
            return
        yield function, found.statement
        name = found.via


def looks_up(head: tuple[object, ...]) -> bool:
    """Whether a branch is only taken for a key that is not known yet."""
    return any(isinstance(value, Operation) and value.operator == "not in" for value in head)


def leaves(function: Function, scope: int, first: int, last: int) -> bool:
    """Whether what follows in the same block leaves the loop for good."""
    return any(
        statement.scope == scope
        and (isinstance(statement, Return) or (isinstance(statement, Leave) and statement.word == "break"))
        for statement in function.body.statements[first:last]
    )
