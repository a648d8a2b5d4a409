from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.code import Display, Name, ScopeKind, Value
from mainstay.model.effect import EffectKind, Enclosure, EnclosureKind, Step
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.location import Location
from mainstay.model.system import Function, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.lookups import Answer, copies, follows_absence, keyed, told
from mainstay.rules.uniqueness import Unique, answered, uniqueness

CONFLICTS = (
    "IntegrityError",
    "UniqueViolation",
    "UniqueViolationError",
    "DuplicateKeyError",
    "UniqueConstraintError",
)

MISSING = ("DoesNotExist", "ObjectDoesNotExist", "NoResultFound", "Exception")
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

    notices = (
        "With a constraint, the user whose request was slower, as an error; without one, whoever reads the "
        "duplicates later."
    )
    recovers = "A repeated request finds the row; duplicates stay until somebody merges them."
    costs = (
        "One constraint (built concurrently on a large table) and a conflict branch; duplicates that exist "
        "must be merged first."
    )

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
                        wanted = select(Customer).where(Customer.email == email).with_for_update()
                        known = session.scalar(wanted)
                        if known is None:
                            session.add(Customer(email=email))  # <-
                """,
            },
            why="the lock is on a row that is not there: it locks nothing",
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
                        try:
                            return Customer.objects.get(email=email)
                        except Customer.DoesNotExist:
                            return Customer.objects.create(email=email)  # <-
                """,
            },
            why="an exception says that there is none",
        ),
    )
    good = (
        Example(
            {
                "models.py": """
                    from django.db import models

                    class Customer(models.Model):
                        email = models.EmailField(unique=True)
                """,
                "views.py": """
                    from django.db import IntegrityError
                    from models import Customer

                    def register(email):
                        try:
                            return Customer.objects.get(email=email)
                        except Customer.DoesNotExist:
                            try:
                                return Customer.objects.create(email=email)
                            except IntegrityError:
                                return Customer.objects.get(email=email)
                """,
            },
            why="missed, inserted, and the conflict is handled by reading again",
        ),
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
        self._answered = answered(system)
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
        inserts = [
            s for s in system.steps(function, EffectKind.INSERT) if s.depth <= NEAR and unguarded(system, s)
        ]
        if not inserts:
            return
        reads = [s for s in system.steps(function, EffectKind.READ) if s.effect.target and s.depth <= NEAR]
        reported: set[str] = set()
        for race in races(function, reads, inserts):
            table = race.insert.effect.target
            if table not in reported and not locked_parent(system, function, race):
                reported.add(table)
                yield race

    def _mild(self, unique: Unique) -> bool:
        """Whether the slower of two requests gets a proper answer, and no row is there twice."""
        return self._answered and unique is Unique.YES

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
        unique = uniqueness(system, function, race.read, race.insert)
        once = not keyed(function, race.read.statement)
        then = unique.value
        mild = self._mild(unique)
        if unique is not Unique.NO:
            then += ", answered as any other" if self._answered else " as an error nobody handles"
        sure = race.read.certain and race.insert.certain and race.read.depth < 2 and race.insert.depth < 2
        return self.found(
            f"`{function.body.qualname}` inserts {table} after finding none; two at once both insert, "
            f"and {then}",
            place,
            path=(
                *read,
                Hop(
                    Location(function.file.path, test.line),
                    "found none, so goes on",
                ),
                *way,
            ),
            siblings=tuple(dict.fromkeys(other.insert.location for _, other in others)),
            severity=Severity.LOW if once else Severity.MEDIUM if mild else None,
            confidence=Confidence.HIGH if sure and unique is Unique.NO else Confidence.MEDIUM,
            clears=f"the insert of {table} settles the conflict, or its integrity error is handled by "
            "reading again",
            subject=f"{function.name} {table}",
        )


def races(function: Function, reads: list[Step], inserts: list[Step]) -> Iterator[Race]:
    """Every insert into a table that happens because a look-up in the same table found nothing."""
    tables = {insert.effect.target for insert in inserts}
    reads = [read for read in reads if read.effect.target in tables]
    yield from missed(function, reads, inserts)
    for index, scope in enumerate(function.body.scopes):
        if scope.kind is not ScopeKind.IF or not scope.head or not reads:
            continue
        for read in reads:
            answer = told(function, scope.head[0], scope.first, read.statement)
            for insert in inserts if answer is not Answer.NEITHER else ():
                if insert.effect.target != read.effect.target or insert.statement == read.statement:
                    continue
                if copies(function, insert.statement, read.statement):
                    continue
                if follows_absence(function, index, scope, insert.statement, answer):
                    yield Race(read, index, insert)


def missed(function: Function, reads: list[Step], inserts: list[Step]) -> Iterator[Race]:
    """Inserts in the handler of the exception by which a look-up says that there is no row."""
    for index, scope in enumerate(function.body.scopes):
        if scope.kind is not ScopeKind.HANDLER or not any(
            map(says_missing, scope.head or (Name("Exception"),))
        ):
            continue
        tried = function.body.scopes[scope.of]
        for read in reads:
            if not tried.first <= read.statement < tried.last:
                continue
            for insert in inserts:
                inside = scope.first <= insert.statement < scope.last
                if inside and insert.effect.target == read.effect.target:
                    yield Race(read, index, insert)


def says_missing(caught: Value) -> bool:
    """Whether an exception is raised for a row that is not there, or may be."""
    if isinstance(caught, Display):
        return any(map(says_missing, caught.items))
    path = getattr(caught, "path", "")
    return str(path).rpartition(".")[2] in MISSING


def insert_place(system: System, step: Step) -> Location:
    """The insert's own line; for a method that any class inherits, the line that says which class."""
    place, effect = step.location, step.below
    for below, found in system.way(step):
        if effect is not None and effect.target != step.effect.target:
            break
        place, effect = below.at(found.statement), found.below
    return place


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
    return any(
        name in CONFLICTS or name in ("Exception", "BaseException", "DatabaseError", "DBAPIError")
        for name in names
    )


def locked_parent(system: System, function: Function, race: Race) -> bool:
    """Whether a row of another table, which surely exists, or an advisory lock, is taken first."""
    return any(
        lock.statement <= race.read.statement and lock.effect.target != race.read.effect.target
        for lock in system.steps(function, EffectKind.LOCK)
    )
