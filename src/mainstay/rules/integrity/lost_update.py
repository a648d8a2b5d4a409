from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.code import Assign, Attribute, Call, Display, Name, Operation, Result, Value
from mainstay.model.effect import WRITES, EffectKind, EnclosureKind
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.flow import definition, origins, parts
from mainstay.model.system import Function, System, Type
from mainstay.rules.base import Example, Rule
from mainstay.rules.callers import unreached

ARITHMETIC = frozenset({"+", "-", "*", "/", "//", "%", "|", "&", "^", "**"})

MODELS = """
    from sqlalchemy.orm import DeclarativeBase, Mapped

    class Base(DeclarativeBase): ...

    class Account(Base):
        balance: Mapped[int]
"""


class Change(Struct, frozen=True):
    """A column of a loaded row that is set to something computed from its old value."""

    statement: int
    row: str
    column: str
    table: str
    certain: bool


class LostUpdate(Rule):
    """A column is read, changed in Python and written back, with no lock on its row.

    Two requests at once read the same value, and the second write erases what the first one added:
    a balance, a counter or a list of entries is wrong from then on, and nothing failed.

    Let the database compute it (`UPDATE ... SET balance = balance + 1`, an SQL expression or `F()`),
    or load the row with FOR UPDATE before reading it, or check a version column in the update.
    """

    severity = Severity.HIGH
    family = (Family.LOST_UPDATE, Family.UNGUARDED_WRITE)
    since = "0.1"
    references = ("CWE-362",)

    notices = "Nobody, until the figures are compared with what should have added up to them."
    recovers = "It does not: the lost change has to be found and applied again by hand."
    costs = (
        "An SQL expression costs nothing; a row lock makes writers of that row queue for the length of the "
        "transaction."
    )

    bad = (
        Example(
            {
                "models.py": MODELS,
                "accounts.py": """
                    from sqlalchemy import select
                    from sqlalchemy.orm import Session
                    from models import Account

                    def find(session: Session, account_id) -> Account:
                        return session.scalars(select(Account).where(Account.id == account_id)).one()

                    def credit(session: Session, account_id, amount):
                        account = find(session, account_id)
                        account.balance += amount  # <-
                        session.commit()

                    def debit(session: Session, account_id, amount):
                        account = session.get(Account, account_id)
                        rest = account.balance - amount
                        if rest < 0:
                            raise ValueError(amount)
                        account.balance = rest  # <-
                        session.commit()
                """,
            }
        ),
        Example(
            {
                "models.py": """
                    from django.db import models

                    class Page(models.Model):
                        views = models.IntegerField(default=0)
                """,
                "views.py": """
                    from models import Page

                    def show(pk):
                        page = Page.objects.get(pk=pk)
                        page.views = page.views + 1  # <-
                        page.save()
                """,
            }
        ),
    )
    good = (
        Example(
            {
                "models.py": MODELS,
                "accounts.py": """
                    from sqlalchemy import select, update
                    from sqlalchemy.orm import Session
                    from models import Account

                    def locked(session: Session, account_id, amount):
                        account = session.scalars(
                            select(Account).where(Account.id == account_id).with_for_update()
                        ).one()
                        account.balance += amount
                        session.commit()

                    def by_the_database(session: Session, account_id, amount):
                        account = session.get(Account, account_id)
                        account.balance = Account.balance + amount
                        session.commit()

                    def statement(session: Session, account_id, amount):
                        more = Account.balance + amount
                        session.execute(update(Account).where(Account.id == account_id).values(balance=more))
                        session.commit()

                    def opened(session: Session, amount):
                        account = Account()
                        account.balance = 0
                        account.balance += amount
                        session.add(account)
                        session.commit()
                """,
            },
            why="locked, computed by the database, or not stored yet",
        ),
        Example(
            {
                "models.py": """
                    from django.db import models

                    class Page(models.Model):
                        views = models.IntegerField(default=0)
                        title = models.TextField()
                """,
                "views.py": """
                    from django.db import transaction
                    from django.db.models import F
                    from models import Page

                    def by_the_database(pk):
                        page = Page.objects.get(pk=pk)
                        page.views = F("views") + 1
                        page.save()

                    def locked(pk):
                        with transaction.atomic():
                            page = Page.objects.select_for_update().get(pk=pk)
                            page.views += 1
                            page.save()

                    def renamed(pk, title):
                        page = Page.objects.get(pk=pk)
                        page.title = title
                        page.save()

                    def shown(pk):
                        page = Page.objects.get(pk=pk)
                        page.views += 1
                        return page
                """,
            },
            why="computed by the database, locked, not derived from the old value, or never saved",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        for function in system.source_functions():
            stores = not function.kinds.isdisjoint(WRITES) or EffectKind.COMMIT in function.kinds
            if not stores and not self._handed_in(system, function):
                continue
            changes = [
                change for change in changes_in(system, function) if self._stored(system, function, change)
            ]
            by_table: dict[str, list[Change]] = {}
            for change in changes:
                by_table.setdefault(change.table, []).append(change)
            for found in by_table.values():
                yield self._report(system, function, found)

    def _handed_in(self, system: System, function: Function) -> bool:
        """Whether the function works in a session its caller commits."""
        return any(held.name.endswith("Session") for held in function.types.values()) and bool(
            function.callers
        )

    def _stored(self, system: System, function: Function, change: Change) -> bool:
        """Whether the changed row is written, and was not locked before it was read."""
        if any(e.kind is EnclosureKind.LOCK for e in function.around(change.statement)):
            return False
        for lock in system.steps(function, EffectKind.LOCK):
            if lock.statement <= change.statement and lock.effect.target in (change.table, ""):
                return False
        if versioned(system, change.table) or self._locked_by_callers(system, function, change):
            return False
        saves = [
            s for s in function.targets.items() if s[1].name.endswith(".save") and s[0] > change.statement
        ]
        if self._is_django(system, change.table):
            return any(receiver(function.call(at)) == change.row for at, _ in saves)
        return True

    def _is_django(self, system: System, table: str) -> bool:
        return any(
            cls.table and cls.fact.name == table and any(base.startswith("django.") for base in cls.ancestry)
            for cls in system.classes.values()
        )

    def _locked_by_callers(self, system: System, function: Function, change: Change) -> bool:
        """Whether a row handed in by the callers was locked by all of them first."""
        if not any(p.name == change.row for p in function.body.parameters) or not function.callers:
            return False
        return all(
            any(
                lock.statement <= at and lock.effect.target in (change.table, "")
                for lock in system.steps(system.functions[name], EffectKind.LOCK)
            )
            for name, at in function.callers
        )

    def _report(self, system: System, function: Function, changes: list[Change]) -> Finding:
        first = changes[0]
        place = function.at(first.statement)
        loaded = sorted(
            at for at in origins(function.body, Name(first.row), first.statement) if at in function.targets
        )
        path = [Hop(function.at(at), f"{first.row} is read here, without a lock") for at in loaded[-1:]]
        path.append(Hop(place, f"{first.column} is written back as a value computed here"))
        return self.found(
            f"`{function.body.qualname}` reads {first.table}.{first.column}, changes it and writes it back "
            "without a lock",
            place,
            path=tuple(path),
            siblings=tuple(function.at(change.statement) for change in changes[1:]),
            severity=Severity.MEDIUM if unreached(system, function) else None,
            confidence=Confidence.HIGH if first.certain and loaded else Confidence.MEDIUM,
            clears=f"the row of {first.table} is loaded FOR UPDATE, or {first.column} is computed by the "
            "database",
            subject=f"{function.name} {first.table}.{first.column}",
        )


def changes_in(system: System, function: Function) -> Iterator[Change]:
    """Assignments to a column of a stored row whose new value is computed from the old one."""
    for index, statement in enumerate(function.body.statements):
        if not isinstance(statement, Assign) or statement.value is None:
            continue
        for target in statement.targets:
            if not isinstance(target, Name) or target.path.count(".") != 1:
                continue
            row, _, column = target.path.partition(".")
            held = function.types.get(row)
            if held is None or held.fresh or not is_table(system, held) or row in ("self", "cls"):
                continue
            if statement.operator:
                derived = statement.operator in ARITHMETIC and not in_database(
                    system, function, statement.value
                )
            else:
                derived = computed_from(system, function, statement.value, target.path, index)
            if derived:
                yield Change(index, row, column, held.name.rpartition(".")[2], held.certain)


def is_table(system: System, held: Type) -> bool:
    found = system.classes.get(held.name)
    return found is not None and found.table


def computed_from(system: System, function: Function, value: Value, path: str, at: int) -> bool:
    """Whether `value` is arithmetic on the old value at `path`, directly or through one variable."""
    if in_database(system, function, value):
        return False
    for part in expanded(function, value):
        if isinstance(part, Operation) and part.operator in ARITHMETIC and reads(part, path):
            return True
        if isinstance(part, Display) and any(
            isinstance(item, Operation) and item.operator in ("*", "**") and reads(item, path)
            for item in part.items
        ):
            return True
    if isinstance(value, Name) and "." not in value.path:
        assigned = definition(function.body, value.path, at)
        return assigned is not None and computed_from(system, function, assigned[1], path, 0)
    return False


def expanded(function: Function, value: Value) -> Iterator[Value]:
    """A value's parts, and those of the arguments of calls like `max(0, x - 1)`."""
    for part in parts(value):
        yield part
        if isinstance(part, Result):
            call = function.body.statements[part.call]
            if isinstance(call, Call) and isinstance(call.callee, Name) and "." not in call.callee.path:
                for argument in call.arguments:
                    yield from parts(argument)


def reads(value: Value, path: str) -> bool:
    return any(isinstance(part, Name) and part.path == path for part in parts(value))


def in_database(system: System, function: Function, value: Value) -> bool:
    """Whether the value is an SQL expression: on a column of the class, or made by a library's call."""
    for part in parts(value):
        if isinstance(part, Result):
            target = function.targets.get(part.call)
            if target is not None and target.name.startswith(("django.db.models.", "sqlalchemy.")):
                return True
        if isinstance(part, Name) and "." in part.path and part.path[:1].isupper():
            return True
    return False


def versioned(system: System, table: str) -> bool:
    """Whether the model checks a version in its updates (`version_id_col`)."""
    for cls in system.classes.values():
        if cls.table and cls.fact.name == table:
            body = cls.file.module.bodies[cls.fact.body]
            if any("version_id_col" in str(s) for s in body.statements if isinstance(s, Assign)):
                return True
    return False


def receiver(call: Call) -> str:
    """The name that a method is called on."""
    if isinstance(call.callee, Name):
        return call.callee.path.rpartition(".")[0]
    return (
        call.callee.base.path
        if isinstance(call.callee, Attribute) and isinstance(call.callee.base, Name)
        else ""
    )
