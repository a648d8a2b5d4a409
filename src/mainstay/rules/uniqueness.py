"""What keeps a row from being there twice, and who answers when it does."""

from collections.abc import Iterator
from enum import Enum

from mainstay.model.code import Assign, Attribute, Body, Call, Define, Display, Literal, Name, Result, Value
from mainstay.model.effect import Step
from mainstay.model.flow import origins, parts
from mainstay.model.system import Function, ProjectClass, System

HANDLED_BY = frozenset(
    {
        "add_exception_handler",
        "exception_handler",
        "errorhandler",
        "app_errorhandler",
        "register_error_handler",
    }
)


class Unique(Enum):
    """Whether a second row of the kind is refused."""

    YES = "its unique key then fails"
    NO = "its model declares no unique constraint that forbids the second row"
    UNKNOWN = "if a unique key forbids the second row, it fails"


def uniqueness(system: System, function: Function, read: Step, insert: Step) -> Unique:
    """What the models say about the table that is looked up and inserted into."""
    table = insert.effect.target
    models = [cls for cls in system.classes.values() if cls.table and cls.fact.name == table]
    if any(_declares(body) for cls in models for body in _bodies(system, cls)) or _names_its_key(
        system, function, insert
    ):
        return Unique.YES
    if any(_filters_key(function, cls, read) for cls in models):
        return Unique.YES
    if not models or any(_computed(system, cls) for cls in models):
        return Unique.UNKNOWN
    return Unique.NO


def answered(system: System) -> bool:
    """Whether the application answers integrity errors in one place, so that none of them is a 500."""
    for function in system.source_functions():
        asked = function.body.name in ("handle_exception", "exception_handler", "custom_exception_handler")
        for statement in function.body.statements:
            if not isinstance(statement, Call):
                continue
            for keyword in statement.keywords:
                if isinstance(keyword.value, Display) and _maps_conflict(keyword.value):
                    return True
            callee = statement.callee
            if not isinstance(callee, Name | Attribute):
                continue
            last = callee.path.rpartition(".")[2]
            handles = last in HANDLED_BY or (asked and last == "isinstance")
            if handles and any(_names_conflict(value) for value in statement.arguments):
                return True
    return False


def _maps_conflict(value: Display) -> bool:
    """Whether a dict somewhere in it gives integrity errors a handler: `{IntegrityError: answer}`."""
    return any(
        isinstance(part, Display) and any(isinstance(key, Name) and _names_conflict(key) for key in part.keys)
        for part in parts(value)
    )


def _names_conflict(value: Value) -> bool:
    return any(
        isinstance(part, Name) and part.path.rpartition(".")[2] == "IntegrityError" for part in parts(value)
    )


def _bodies(system: System, cls: ProjectClass) -> Iterator[Body]:
    """The bodies of a model and of the project's classes it derives from, each with its `Meta`."""
    for name in (cls.name, *cls.ancestry):
        each = system.classes.get(name)
        if each is None:
            continue
        for index, body in enumerate(each.file.module.bodies):
            is_meta = body.kind == "class" and body.parent == each.fact.body and body.name == "Meta"
            if index == each.fact.body or is_meta:
                yield body


def _declares(body: Body) -> bool:
    for statement in body.statements:
        if isinstance(statement, Call):
            name = getattr(statement.callee, "path", "").rpartition(".")[2]
            unique = statement.keyword("unique")
            if name == "UniqueConstraint" or (isinstance(unique, Literal) and unique.value is True):
                return True
        if isinstance(statement, Assign) and Name("unique_together") in statement.targets:
            return True
    return False


def _computed(system: System, cls: ProjectClass) -> bool:
    """Whether constraints may come from elsewhere: a computed `__table_args__`, a mixin, an heir."""
    if any(base == cls.name for other in system.classes.values() for base in other.ancestry):
        return True
    lineage = [cls, *(system.classes[base] for base in cls.ancestry if base in system.classes)]
    return any(_computes(each.file.module.bodies[each.fact.body]) for each in lineage)


def _computes(body: Body) -> bool:
    for statement in body.statements:
        if isinstance(statement, Define) and "table_args" in statement.name:
            return True
        if not isinstance(statement, Assign) or statement.value is None:
            continue
        told = any("table_args" in str(target) for target in statement.targets)
        if told and any(isinstance(part, Result) for part in parts(statement.value)):
            return True
    return False


def _names_its_key(system: System, function: Function, insert: Step) -> bool:
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
                keys = _key_columns(cls)
                if keys and keys <= given:
                    return True
    return False


def _filters_key(function: Function, cls: ProjectClass, read: Step) -> bool:
    """Whether the look-up asks for the whole primary key by name, which no second row can have."""
    keys = _key_columns(cls)
    asked: set[str] = set()
    for at in origins(function.body, Result(read.statement), read.statement) | {read.statement}:
        call = function.call(at)
        values = [*call.arguments, *(keyword.value for keyword in call.keywords)]
        asked |= {keyword.name for keyword in call.keywords}
        for value in values:
            asked |= _columns(function, value, cls.fact.name)
    return bool(keys) and keys <= asked


def _columns(function: Function, value: Value, table: str, depth: int = 0) -> set[str]:
    """The columns of a table that a value, and the calls it is made of, are about."""
    found: set[str] = set()
    for part in parts(value):
        if isinstance(part, Name) and part.path.count(".") == 1 and part.path.startswith(f"{table}."):
            found.add(part.path.rpartition(".")[2])
        elif isinstance(part, Result) and depth < 6:
            call = function.call(part.call)
            receiver = [call.callee.base] if isinstance(call.callee, Attribute) else []
            for inner in (*receiver, *call.arguments):
                found |= _columns(function, inner, table, depth + 1)
    return found


def _key_columns(cls: ProjectClass) -> set[str]:
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
