from collections.abc import Iterator
from enum import Enum

from msgspec import Struct

from mainstay.model.code import Assign, Body, Call, Leave, Literal, Name, Operation, Raise, Result, Return, Scope, ScopeKind, Value
from mainstay.model.effect import EffectKind, Enclosure, EnclosureKind, Step
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.flow import origins
from mainstay.model.location import Location
from mainstay.model.system import Function, ProjectClass, System
from mainstay.rules.base import Example, Rule

CONFLICTS = ("IntegrityError", "UniqueViolation", "UniqueViolationError", "DuplicateKeyError", "UniqueConstraintError")

NEAR = 2  # calls down that a look-up and its insert are still one piece of work

MODELS = """
    from sqlalchemy.orm import DeclarativeBase, mapped_column

    class Base(DeclarativeBase): ...

    class Customer(Base):
        email = mapped_column()
"""


class Race(Struct, frozen=True):
    """A look-up, the test of its answer, and the insert that follows."""

    read: Step
    test: int  # the scope of the test
    insert: Step


class CheckThenWrite(Rule):
    """A row is looked up, found missing, and inserted, with nothing to stop a second request in between.

    Two requests at once both find nothing and both insert.  Without a unique constraint the row is
    there twice, silently; with one, the slower request ends in an error that nobody handles.

    Let the database decide: a unique constraint over columns that are not null, and an insert that
    settles the conflict (`ON CONFLICT`), or that handles the integrity error and reads again.
    """

    severity = Severity.HIGH
    family = (Family.UNGUARDED_WRITE,)
    since = "0.1"
    references = ("CWE-362", "CWE-367")

    notices = "With a constraint, the user whose request was slower, as a 500; without one, whoever reads the duplicates later."
    recovers = "A repeated request finds the row; duplicates stay until somebody merges them."
    costs = "One constraint (built concurrently on a large table) and a conflict branch; duplicates that exist must be merged first."

    bad = (
        Example(
            {
                "models.py": MODELS,
                "customers.py": """
                    from sqlalchemy import select
                    from sqlalchemy.orm import Session
                    from models import Customer

                    def find(session: Session, email):
                        return session.scalar(select(Customer).where(Customer.email == email))

                    def register(session: Session, email):
                        known = find(session, email)
                        if known is not None:
                            return known
                        added = Customer(email=email)
                        session.add(added)  # <-
                        session.commit()
                        return added
                """,
            },
            why="through a helper, with an early return",
        ),
        Example(
            {
                "models.py": """
                    from django.db import models

                    class Customer(models.Model):
                        email = models.EmailField()
                """,
                "views.py": """
                    from models import Customer

                    def register(email):
                        if not Customer.objects.filter(email=email).exists():
                            Customer.objects.create(email=email)  # <-
                """,
            }
        ),
        Example(
            {
                "models.py": MODELS,
                "customers.py": """
                    from sqlalchemy import select
                    from sqlalchemy.orm import Session
                    from models import Customer

                    def register(session: Session, email):
                        known = session.scalar(select(Customer).where(Customer.email == email).with_for_update())
                        if known is None:
                            session.add(Customer(email=email))  # <-
                """,
            },
            why="the lock is on a row that is not there: it locks nothing",
        ),
    )
    good = (
        Example(
            {
                "models.py": MODELS,
                "customers.py": """
                    from sqlalchemy import select
                    from sqlalchemy.exc import IntegrityError
                    from sqlalchemy.orm import Session
                    from models import Customer

                    def find(session: Session, email):
                        return session.scalar(select(Customer).where(Customer.email == email))

                    def register(session: Session, email):
                        known = find(session, email)
                        if known is not None:
                            return known
                        try:
                            with session.begin_nested():
                                session.add(Customer(email=email))
                        except IntegrityError:
                            return find(session, email)
                """,
            },
            why="the error is handled and the row read again",
        ),
        Example(
            {
                "models.py": MODELS,
                "customers.py": """
                    from sqlalchemy import select
                    from sqlalchemy.dialects.postgresql import insert
                    from sqlalchemy.orm import Session
                    from models import Customer

                    def register(session: Session, email):
                        known = session.scalar(select(Customer).where(Customer.email == email))
                        if known is None:
                            session.execute(insert(Customer).values(email=email).on_conflict_do_nothing())
                """,
            },
            why="the insert settles the conflict",
        ),
        Example(
            {
                "models.py": """
                    from django.db import models

                    class Customer(models.Model):
                        email = models.EmailField(unique=True)
                    class Order(models.Model): ...
                """,
                "views.py": """
                    from django.db import transaction
                    from models import Customer, Order

                    def register(email):
                        Customer.objects.get_or_create(email=email)

                    def order(customer_id):
                        with transaction.atomic():
                            customer = Customer.objects.select_for_update().get(pk=customer_id)
                            if not Order.objects.filter(customer=customer).exists():
                                Order.objects.create(customer=customer)
                """,
            },
            why="a call that settles it by itself; a lock on the parent row, which surely exists",
        ),
        Example(
            {
                "models.py": MODELS + "    class Order(Base): ...\n",
                "orders.py": """
                    from sqlalchemy.orm import Session
                    from models import Customer, Order

                    def order(session: Session, customer_id):
                        customer = session.get(Customer, customer_id)
                        if customer is None:
                            raise LookupError(customer_id)
                        session.add(Order(customer=customer))
                        session.commit()
                """,
            },
            why="what is inserted is not what was looked up",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        """One finding for each insert: further functions that look up before it are its siblings."""
        found: dict[tuple[str, Location], list[tuple[Function, Race]]] = {}
        for function in system.source_functions():
            if EffectKind.INSERT in function.kinds and EffectKind.READ in function.kinds:
                for race in self._in_function(system, function):
                    key = (race.insert.effect.target, insert_place(system, race.insert))
                    found.setdefault(key, []).append((function, race))
        for (_, place), all_races in found.items():
            all_races.sort(key=lambda each: each[1].read.depth + each[1].insert.depth)
            yield self._report(system, place, *all_races[0], all_races[1:])

    def _in_function(self, system: System, function: Function) -> Iterator[Race]:
        inserts = [s for s in system.steps(function, EffectKind.INSERT) if s.depth <= NEAR and unguarded(system, s)]
        if not inserts:
            return
        reads = [s for s in system.steps(function, EffectKind.READ) if s.effect.target and s.depth <= NEAR]
        reported: set[str] = set()
        for race in races(function, reads, inserts):
            table = race.insert.effect.target
            if table not in reported and not locked_parent(system, function, race):
                reported.add(table)
                yield race

    def _report(
        self,
        system: System,
        place: Location,
        function: Function,
        race: Race,
        others: list[tuple[Function, Race]],
    ) -> Finding:
        table = race.insert.effect.target
        way = system.trace(function, race.insert)
        read = system.trace(function, race.read)
        test = function.body.scopes[race.test]
        unique = has_unique(system, table) or names_its_key(system, function, race.insert)
        if unique:
            then = "its unique key then fails as an error nobody handles"
        else:
            then = "its model declares no unique constraint that forbids the second row"
        sure = race.read.certain and race.insert.certain and race.read.depth < 2 and race.insert.depth < 2
        return self.found(
            f"`{function.body.qualname}` inserts {table} after finding none; two at once both insert, and {then}",
            place,
            path=(
                *read,
                Hop(function.at(test.first) if test.first < test.last else read[0].location, "found none, so goes on"),
                *way,
            ),
            siblings=tuple(dict.fromkeys(other.insert.location for _, other in others)),
            confidence=Confidence.HIGH if sure and not unique else Confidence.MEDIUM,
            clears=f"the insert of {table} settles the conflict, or its integrity error is handled by reading again",
            subject=f"{function.name} {table}",
        )


def races(function: Function, reads: list[Step], inserts: list[Step]) -> Iterator[Race]:
    """Every insert into a table that happens because a look-up in the same table found nothing."""
    for index, scope in enumerate(function.body.scopes):
        if scope.kind is not ScopeKind.IF or not scope.head:
            continue
        told = answer(scope.head[0])
        if told is Answer.NEITHER:
            continue
        behind = origins(function.body, scope.head[0], scope.first)
        for read in reads:
            if read.statement not in behind:
                continue
            for insert in inserts:
                if insert.effect.target == read.effect.target and insert.statement != read.statement:
                    if follows_absence(function, index, scope, insert.statement, told):
                        yield Race(read, index, insert)


class Answer(Enum):
    """What a test says when it holds."""

    PRESENT = "there is such a row"
    ABSENT = "there is none"
    EITHER = "it cannot be told"
    NEITHER = "it asks for something else"


def insert_place(system: System, step: Step) -> Location:
    """The insert's own line; for a method that any class inherits, the line that says which class."""
    place, effect = step.location, step.below
    for below, found in system.way(step):
        if effect is not None and effect.target != step.effect.target:
            break
        place, effect = below.at(found.statement), found.below
    return place


def answer(test: Value) -> Answer:
    """What a test of a look-up's result says; a test of how much there is asks for something else."""
    if isinstance(test, Operation):
        if test.operator == "not" and len(test.operands) == 1:
            return OPPOSITE[answer(test.operands[0])]
        if test.operator in ("and", "or"):
            return Answer.EITHER
        if len(test.operands) == 2 and test.operator in COMPARED:
            first, second = test.operands
            if isinstance(second, Literal) and (second.value is None or second.value in (0, 1)):
                return COMPARED[test.operator]
            if test.operator in ("in", "not in"):
                return COMPARED[test.operator]
            return Answer.NEITHER if test.operator in ("<", ">", "<=", ">=") else Answer.EITHER
    if isinstance(test, Name) and "." in test.path:
        return Answer.EITHER  # a property of the row, not whether it is there
    return Answer.PRESENT


OPPOSITE = {
    Answer.PRESENT: Answer.ABSENT,
    Answer.ABSENT: Answer.PRESENT,
    Answer.EITHER: Answer.EITHER,
    Answer.NEITHER: Answer.NEITHER,
}
COMPARED = {
    "is": Answer.ABSENT,
    "==": Answer.ABSENT,
    "is not": Answer.PRESENT,
    "!=": Answer.PRESENT,
    ">": Answer.PRESENT,
    ">=": Answer.PRESENT,
    "<": Answer.ABSENT,
    "<=": Answer.ABSENT,
    "in": Answer.PRESENT,
    "not in": Answer.ABSENT,
}


def follows_absence(function: Function, index: int, scope: Scope, statement: int, told: Answer) -> bool:
    """Whether a statement runs because there was no such row."""
    if statement < scope.first:
        return False
    if scope.first <= statement < scope.last:
        return told in (Answer.ABSENT, Answer.EITHER)
    if told is Answer.ABSENT:
        return False
    for other in function.body.scopes:
        if other.kind is ScopeKind.ELSE and other.of == index and other.first <= statement < other.last:
            return True
    return leaves(function, index, scope) and within(function, statement, scope.parent)


def leaves(function: Function, index: int, scope: Scope) -> bool:
    """Whether the branch ends the function or the round: what follows runs on the other answer."""
    return any(
        isinstance(s, Return | Raise | Leave) and s.scope == index
        for s in function.body.statements[scope.first : scope.last]
    )


def within(function: Function, statement: int, scope: int) -> bool:
    found = function.body.scopes[scope]
    return found.first <= statement < found.last


def unguarded(system: System, step: Step) -> bool:
    """Whether nothing around the insert, here or further down, settles the conflict."""
    if step.effect.repeatable or not step.effect.target or any(map(settles, step.enclosures)):
        return False
    return not any(settles(e) for below, found in system.way(step) for e in below.around(found.statement))


def settles(enclosure: Enclosure) -> bool:
    """A lock that is held, or a handler for the conflict (or for anything)."""
    if enclosure.kind is EnclosureKind.LOCK:
        return True
    if enclosure.kind is not EnclosureKind.HANDLER:
        return False
    names = [caught.rpartition(".")[2] for caught in enclosure.caught]
    return any(name in CONFLICTS or name in ("Exception", "BaseException", "DatabaseError", "DBAPIError") for name in names)


def locked_parent(system: System, function: Function, race: Race) -> bool:
    """Whether a row of another table, which surely exists, or an advisory lock, is taken before the look-up."""
    return any(
        lock.statement <= race.read.statement and lock.effect.target != race.read.effect.target
        for lock in system.steps(function, EffectKind.LOCK)
    )


def names_its_key(system: System, function: Function, insert: Step) -> bool:
    """Whether the inserted row is built with its primary key given, which the database keeps unique."""
    at = insert.statement
    for below, found in system.way(insert):
        function, at = below, found.statement
    for argument in function.call(at).arguments:
        for built in origins(function.body, argument, at):
            target = function.targets.get(built)
            cls = system.classes.get(target.name) if target else None
            if cls is not None:
                given = {keyword.name for keyword in function.call(built).keywords}
                keys = key_columns(cls)
                if keys and keys <= given:
                    return True
    return False


def key_columns(cls: ProjectClass) -> set[str]:
    """The columns of a model that are declared with `primary_key=True`."""
    body = cls.file.module.bodies[cls.fact.body]
    found: set[str] = set()
    for statement in body.statements:
        if not isinstance(statement, Assign) or not isinstance(statement.value, Result):
            continue
        call = body.statements[statement.value.call]
        key = call.keyword("primary_key") if isinstance(call, Call) else None
        if isinstance(key, Literal) and key.value is True:
            found |= {target.path for target in statement.targets if isinstance(target, Name)}
    return found


def has_unique(system: System, table: str) -> bool:
    """Whether a model of that name declares any unique column or constraint, itself or in its `Meta`."""
    return any(
        declares_unique(body)
        for cls in system.classes.values()
        if cls.table and cls.fact.name == table
        for body in (cls.file.module.bodies[cls.fact.body], *metas(cls))
    )


def metas(cls: ProjectClass) -> Iterator[Body]:
    for body in cls.file.module.bodies:
        if body.kind == "class" and body.parent == cls.fact.body and body.name == "Meta":
            yield body


def declares_unique(body: Body) -> bool:
    for statement in body.statements:
        if isinstance(statement, Call):
            name = getattr(statement.callee, "path", "").rpartition(".")[2]
            unique = statement.keyword("unique")
            if name == "UniqueConstraint" or (isinstance(unique, Literal) and unique.value is True):
                return True
        if isinstance(statement, Assign) and Name("unique_together") in statement.targets:
            return True
    return False
