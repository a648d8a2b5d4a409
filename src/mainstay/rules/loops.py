"""How large a loop is: what the collection that a body goes over is made of."""

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import reduce

from msgspec import Struct, structs

from mainstay.model.code import (
    Assign,
    Attribute,
    Call,
    Display,
    Each,
    Literal,
    Name,
    Operation,
    Parameter,
    Result,
    Return,
    Scope,
    ScopeKind,
    Text,
    Value,
    Yield,
)
from mainstay.model.effect import DATABASE
from mainstay.model.flow import ancestors, bindings, definition, names, parts, results, text_of
from mainstay.model.location import Location
from mainstay.model.system import Function, System, Type

HOPS = 8  # variables, wrappers and calls followed backwards
LOOPS = (ScopeKind.FOR, ScopeKind.COMPREHENSION)
CALLERS = 6  # callers looked at for what a parameter is given
QUERIES = frozenset(
    {
        "django.db.models.QuerySet",
        "django.db.models.Manager",
        "django.db.models.query.RawQuerySet",
        "sqlalchemy.orm.Query",
        "sqlalchemy.Result",
        "sqlalchemy.CursorResult",
        "sqlalchemy.ScalarResult",
        "sqlalchemy.MappingResult",
        "sqlalchemy.ext.asyncio.AsyncResult",
        "sqlalchemy.ext.asyncio.AsyncScalarResult",
    }
)  # a loop over one of these goes over rows
SAME = frozenset({"list", "tuple", "set", "frozenset", "sorted", "reversed", "enumerate", "iter", "tqdm"}) | {
    "dict",
    "zip",
}
SECOND = frozenset({"map", "filter"})
CACHES = frozenset({"cache", "lru_cache", "cached", "cached_property", "memoize", "memoized", "alru_cache"})
LISTS = frozenset({"list", "tuple", "set", "List", "Sequence", "Iterable", "Set", "Collection"})
VIEWS = frozenset({"items", "values", "keys", "copy", "all", "scalars", "unique", "mappings", "fetchall"})
LIMITS = frozenset({"limit", "fetch", "slice", "islice", "fetchmany", "sample"})
PIECES = re.compile(r"batch|chunk|page|paginat|slice|islice|group(er|ed)|window|partition", re.IGNORECASE)
ASKED = tuple(
    f"{head}.{part}"
    for head in ("request", "self.request")
    for part in ("GET.", "POST.", "FILES.", "data.", "query_params.", "args.", "form.", "json", "values.")
)
KEY = re.compile(r"(^|_)(id|pk|key)s?$")
OWNERS = frozenset({"user", "user_id", "owner", "owner_id", "user__id"})
PAGES = frozenset({"limit", "page_size", "per_page", "size"})
SQL_LIMIT = re.compile(r"\blimit\s+[\d:%$?{]", re.IGNORECASE)
ONE_ROW = frozenset({"get", "first", "last", "one", "one_or_none", "fetchone"}) | {
    "scalar",
    "scalar_one",
    "scalar_one_or_none",
}


class Size(IntEnum):
    """What decides how many items a collection has; what grows without anyone's doing comes last."""

    SMALL = 0  # written down, cut or counted
    UNKNOWN = 1
    GIVEN = 2  # callers do
    REQUEST = 3  # the requester does
    ROWS = 4  # the table does


class Collection(Struct, frozen=True):
    """What a loop goes over (in words that follow "each of"), where that is made, and whether it is limited.

    `page`: the limit is the caller's to choose.  `few`: its origin keeps it small (what one user owns,
    the distinct values of an attribute).  `handed`: a list that callers give.
    """

    size: Size
    words: str = ""
    location: Location | None = None
    limited: bool = False
    page: bool = False
    few: bool = False
    handed: bool = False


UNKNOWN = Collection(Size.UNKNOWN)
SMALL = Collection(Size.SMALL)


class Collections:
    """Answers what loops go over; build one for each check."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._returned: dict[str, Collection] = {}
        self._tables = {each.fact.name for each in system.classes.values() if each.table}
        self._inputs = {each.function: frozenset(each.inputs) for each in system.operations}

    def of_loop(self, function: Function, scope: int) -> Collection:
        """What the FOR or COMPREHENSION scope of a function goes over."""
        loop = function.body.scopes[scope]
        if not loop.head or any(PIECES.search(name) for target in loop.targets for name in names(target)):
            return SMALL
        if "formset" in last_name(loop.head[0]).lower():
            return SMALL
        return self.of(function, loop.head[0], loop.first)

    def of(self, function: Function, value: Value, before: int, hops: int = 0) -> Collection:
        """What a value is a collection of, as read ahead of statement `before`."""
        if hops > HOPS:
            return UNKNOWN
        if isinstance(value, Result):
            return self._of_call(function, value.call, hops + 1)
        if isinstance(value, Name):
            return self._of_path(function, value.path, before, hops + 1)
        if isinstance(value, Each):
            found = self.of_each(function, value, hops)
            return few(found) if value.kind == "set" and distinct(value.element) else found
        if isinstance(value, Operation):
            return self._of_operation(function, value, before, hops)
        if isinstance(value, Display):
            spread = [item for item in value.items if isinstance(item, Operation) and item.operator == "*"]
            return self._largest(function, spread, before, hops) if spread else SMALL
        return SMALL if isinstance(value, Literal | Text) else UNKNOWN

    def of_each(self, function: Function, value: Each, hops: int = 0) -> Collection:
        """What a comprehension goes over, the largest of its nested loops."""
        found = SMALL
        for index in ancestors(function.body, value.scope):
            if function.body.scopes[index].kind is not ScopeKind.COMPREHENSION:
                break
            scope = function.body.scopes[index]
            if scope.head:
                found = larger(found, self.of(function, scope.head[0], scope.first, hops + 1))
        return found

    def _largest(self, function: Function, values: Iterable[Value], before: int, hops: int) -> Collection:
        found = SMALL
        for value in values:
            found = larger(found, self.of(function, value, before, hops + 1))
        return found

    def _of_operation(self, function: Function, value: Operation, before: int, hops: int) -> Collection:
        if value.operator == "[]":
            key = value.operands[-1]
            cut = isinstance(key, Operation) and key.operator == ":"
            return SMALL if cut else UNKNOWN
        if value.operator == "if":
            return self._largest(function, value.operands[1:], before, hops)
        if value.operator in ("or", "and", "+", "|", "-", "&", "await", "*"):
            return self._largest(function, value.operands, before, hops)
        return UNKNOWN

    # --- names --------------------------------------------------------------------------------------

    def _of_path(self, function: Function, path: str, before: int, hops: int) -> Collection:
        head, _, rest = path.partition(".")
        if rest:
            asked = head in self._inputs.get(function.name, ()) or head == "request"
            if not asked or rest.rpartition(".")[2].startswith(("settings", "user", "state")):
                return UNKNOWN
            return Collection(Size.REQUEST, f"{path}, which the requester gives", function.location)
        assigned = definition(function.body, head, before)
        if assigned is not None:
            found = self.of(function, assigned[1], assigned[0], hops)
            filled = self._filled(function, head, before, hops)
            return larger(found, few(filled) if collects_values(function, head, assigned[1]) else filled)
        for parameter in function.body.parameters:
            if parameter.name == head:
                return self._of_parameter(function, parameter, hops)
        return SMALL if head.isupper() else UNKNOWN

    def _filled(self, function: Function, name: str, before: int, hops: int) -> Collection:
        """What a list, set or dict that was built in a loop has one item for each of."""
        found = SMALL
        for index, statement in enumerate(function.body.statements[:before]):
            if not fills(statement, name):
                continue
            for scope in ancestors(function.body, statement.scope):
                loop = function.body.scopes[scope]
                if loop.kind is ScopeKind.FOR and loop.head and loop.first <= index:
                    found = larger(found, self.of(function, loop.head[0], loop.first, hops + 1))
        return found

    def _of_parameter(self, function: Function, parameter: Parameter, hops: int) -> Collection:
        known = function.types.get(parameter.name)
        if known is not None and self._of_rows(known):
            words = f"the rows given as {parameter.name}"
            handed = not self._whole(known)
            limited = handed and self._of_arguments(function, parameter, hops).limited
            return Collection(Size.ROWS, words, function.location, limited, handed=handed)
        if parameter.name in self._inputs.get(function.name, ()) or self._is_filter(function, parameter):
            return Collection(Size.REQUEST, f"{parameter.name}, which the requester gives", function.location)
        return self._of_arguments(function, parameter, hops)

    def _is_filter(self, function: Function, parameter: Parameter) -> bool:
        """Whether it is the value that a requester picked for a filter of a list."""
        owner = self._system.classes.get(function.owner)
        return (
            owner is not None
            and parameter.name in ("value", "values")
            and any(
                name.startswith("django_filters.") or name.endswith("FilterSet") for name in owner.ancestry
            )
        )

    def _of_arguments(self, function: Function, parameter: Parameter, hops: int) -> Collection:
        """What callers give for a parameter: the largest of what is known."""
        given = []
        for name, statement in function.callers[:CALLERS]:
            caller = self._system.functions[name]
            target = caller.targets.get(statement)
            if target is None or target.name != function.name:
                continue
            value = argument(function, caller.call(statement), parameter.name)
            if value is not None:
                given.append(self.of(caller, value, statement, hops + 2))
        if given and all(each.size is Size.SMALL for each in given):
            return SMALL
        unknown = Collection(Size.GIVEN, f"{parameter.name}, which callers give", function.location)
        return reduce(larger, given, unknown)

    # --- calls --------------------------------------------------------------------------------------

    def _of_call(self, function: Function, statement: int, hops: int) -> Collection:
        call = function.call(statement)
        last = last_name(call.callee)
        if last == "range":
            return self._of_range(function, call, statement, hops)
        if PIECES.search(last):
            return SMALL
        if isinstance(call.callee, Name) and call.callee.path.startswith(ASKED):
            return Collection(
                Size.REQUEST, f"{call.callee.path}, which the requester gives", function.at(statement)
            )
        if last == "gather" or (isinstance(call.callee, Name) and call.callee.path in SAME | SECOND):
            found = self._largest(function, call.arguments[last in SECOND :], statement, hops)
            return few(found) if last == "set" and any(map(distinct, call.arguments)) else found
        if self._queries(function, statement) and last not in ONE_ROW:
            limits = list(limiting(function, Result(statement), statement))
            page = bool(limits) and all(chosen_by_caller(function, call) for call in limits)
            about = self._table(function, statement)
            words = f"the rows of {about}" if about else "its rows"
            made = [statement, *made_of(function, Result(statement), statement)]
            if self._picked(function, made, hops):
                words = f"{words.replace('its', 'the')} that the requester picks"
                return Collection(Size.REQUEST, words, function.at(statement), bool(limits), page)
            owned = any(of_one_user(function.call(at)) for at in made)
            return Collection(Size.ROWS, words, function.at(statement), bool(limits), page, few=owned)
        below = self._of_edges(function, statement)
        if below.size is Size.UNKNOWN and last in VIEWS:
            return self.of(function, receiver(call.callee), statement, hops + 1)
        return below

    def _picked(self, function: Function, made: list[int], hops: int) -> bool:
        """Whether a query asks for the rows of a list of keys that the requester gives."""
        for at in made:
            call = function.call(at)
            keys = [keyword.value for keyword in call.keywords if keyword.name.endswith("__in")]
            if last_name(call.callee) in ("in_", "in_bulk"):
                keys += call.arguments
            if any(self.of(function, key, at, hops + 1).size is Size.REQUEST for key in keys):
                return True
        return False

    def _of_range(self, function: Function, call: Call, statement: int, hops: int) -> Collection:
        """A `range` counts; `range(len(rows))` counts rows, unless it goes by steps."""
        if len(call.arguments) > 2:
            return SMALL
        for value in call.arguments:
            inner = function.body.statements[value.call] if isinstance(value, Result) else None
            if isinstance(inner, Call) and last_name(inner.callee) == "len" and inner.arguments:
                return self.of(function, inner.arguments[0], statement, hops + 1)
        return SMALL

    def _queries(self, function: Function, statement: int) -> bool:
        """Whether the library call gives rows: it runs a statement, or builds a query."""
        if any(effect.kind in DATABASE for effect in function.direct.get(statement, ())):
            return True
        target = function.targets.get(statement)
        if target is None or target.library is None or target.receiver is None:
            return False
        return self._whole(target.receiver) and target.library.returns != ""

    def _of_rows(self, known: Type) -> bool:
        """Whether a loop over a value of that type goes over rows."""
        if self._whole(known):
            return True
        item = self._system.classes.get(known.argument)
        return known.name == "list" and item is not None and item.table

    def _whole(self, known: Type) -> bool:
        """Whether a value of that type is a query, or its result."""
        if known.name in QUERIES:
            return True
        found = self._system.classes.get(known.name)
        return found is not None and not QUERIES.isdisjoint(found.ancestry)

    def _table(self, function: Function, statement: int) -> str:
        target = function.targets.get(statement)
        known = target.receiver.argument.rpartition(".")[2] if target and target.receiver else ""
        found = [effect.target for effect in function.direct.get(statement, ()) if effect.kind in DATABASE]
        return next((name for name in (*found, known) if name in self._tables), "")

    def _of_edges(self, function: Function, statement: int) -> Collection:
        """What the project's function called there returns."""
        found = UNKNOWN
        for edge in function.edges.get(statement, ()):
            callee = self._system.functions.get(edge.function)
            if callee is None:
                continue
            found = larger(found, self.returned(callee))
            if found.size is Size.UNKNOWN and lists(callee.body.returns):
                words = f"the items that {callee.body.name} gives"
                found = Collection(Size.GIVEN, words, function.at(statement))
        return found

    def returned(self, function: Function) -> Collection:
        """What a function returns, or yields one by one."""
        known = self._returned.get(function.name)
        if known is None:
            self._returned[function.name] = UNKNOWN  # what calls itself settles nothing
            known = self._returned[function.name] = self._returns(function)
        return known

    def _returns(self, function: Function) -> Collection:
        found = UNKNOWN
        for index, statement in enumerate(function.body.statements):
            if isinstance(statement, Yield):
                found = larger(found, self._yielded(function, statement))
            elif isinstance(statement, Return) and statement.value and not function.body.is_generator:
                found = larger(found, self.of(function, statement.value, index, HOPS // 2))
        return found

    def _yielded(self, function: Function, statement: Yield) -> Collection:
        found = UNKNOWN
        for scope in ancestors(function.body, statement.scope):
            loop = function.body.scopes[scope]
            if loop.kind is ScopeKind.FOR and loop.head:
                found = larger(found, self.of(function, loop.head[0], loop.first, HOPS // 2))
        return found


def larger(one: Collection, other: Collection) -> Collection:
    """The collection that may grow further; of two alike, the one without a limit."""
    if one.size is other.size:
        return other if (one.limited, one.few) > (other.limited, other.few) else one
    return other if other.size > one.size else one


def few(collection: Collection) -> Collection:
    return structs.replace(collection, few=True)


def distinct(value: Value) -> bool:
    """Whether items are the values of an attribute, of which many rows share one; keys are not."""
    if isinstance(value, Each):
        return distinct(value.element)
    if isinstance(value, Attribute | Name):
        return "." in value.path.removeprefix("self.") and last_name(value) not in ("id", "pk")
    return False


def collects_values(function: Function, name: str, value: Value) -> bool:
    """Whether an empty set takes up values that are no keys."""
    call = function.body.statements[value.call] if isinstance(value, Result) else None
    if not isinstance(call, Call) or call.callee != Name("set") or call.arguments:
        return False
    added = (s for s in function.body.statements if isinstance(s, Call) and fills(s, name))
    return not any(KEY.search(last_name(item)) for call in added for item in call.arguments)


def of_one_user(call: Call) -> bool:
    """Whether it asks for what one user has."""
    if any(keyword.name in OWNERS for keyword in call.keywords):
        return True
    if isinstance(call.callee, Name) and "user" in call.callee.path.split(".")[:-2]:
        return True
    return any(
        isinstance(part, Operation)
        and part.operator == "=="
        and any(last_name(operand) in OWNERS for operand in part.operands[:1])
        for value in call.arguments
        for part in parts(value)
    )


def lists(annotation: Value | None) -> bool:
    """Whether an annotation says that a function returns a list or the like."""
    if isinstance(annotation, Operation) and annotation.operator == "[]":
        annotation = annotation.operands[0]
    return last_name(annotation) in LISTS if annotation is not None else False


def cached(function: Function) -> bool:
    """Whether a function keeps what it returned."""
    return any(last_name(Name(target.name)) in CACHES for target in function.decorators)


def last_name(callee: Value) -> str:
    return callee.path.rpartition(".")[2] if isinstance(callee, Name | Attribute) else ""


def receiver(callee: Value) -> Value:
    """What a method is called on."""
    if isinstance(callee, Name | Attribute):
        before = callee.path.rpartition(".")[0]
        if isinstance(callee, Name):
            return Name(before) if before else Literal(None)
        return Attribute(callee.base, before) if before else callee.base
    return callee


def fills(statement: object, name: str) -> bool:
    """Whether a statement adds to the container of that name."""
    if isinstance(statement, Call) and isinstance(statement.callee, Name):
        return statement.callee.path in (f"{name}.append", f"{name}.add", f"{name}.extend", f"{name}.update")
    if isinstance(statement, Assign):
        return any(
            isinstance(target, Operation) and target.operator == "[]" and target.operands[0] == Name(name)
            for target in statement.targets
        )
    return False


def argument(function: Function, call: Call, parameter: str) -> Value | None:
    """The value that a call gives for a parameter of the function."""
    given = call.keyword(parameter)
    if given is not None:
        return given
    positional = [p.name for p in function.body.parameters if p.kind == "positional"]
    if positional and function.owner and positional[0] in ("self", "cls"):
        positional = positional[1:]
    position = positional.index(parameter) if parameter in positional else -1
    return call.arguments[position] if 0 <= position < len(call.arguments) else None


def limiting(function: Function, value: Value, before: int) -> Iterator[Call]:
    """The calls that set a limit in what the value is made of, arguments included."""
    for index in made_of(function, value, before):
        call = function.call(index)
        keywords = any(PIECES.search(keyword.name) or keyword.name in PAGES for keyword in call.keywords)
        if keywords or last_name(call.callee) in LIMITS or limits_in_text(call):
            yield call


def limits_in_text(call: Call) -> bool:
    texts = (text_of(part) for value in call.arguments for part in parts(value))
    return any(text is not None and SQL_LIMIT.search(text) for text in texts)


def chosen_by_caller(function: Function, call: Call) -> bool:
    """Whether the limit is a parameter of the function."""
    parameters = {parameter.name for parameter in function.body.parameters}
    limits = [*call.arguments, *(k.value for k in call.keywords if k.name in PAGES)]
    return any(isinstance(value, Name) and value.path in parameters for value in limits)


def made_of(function: Function, value: Value, before: int) -> Iterator[int]:
    """The calls a value is made of: through variables, receivers and arguments."""
    seen: set[int] = set()
    known: set[str] = set()
    work: list[tuple[Value, int]] = [(value, before)]
    while work and len(seen) < 60:
        current, at = work.pop()
        for part in parts(current):
            if isinstance(part, Result) and part.call not in seen:
                seen.add(part.call)
                yield part.call
                call = function.call(part.call)
                work += [(value, part.call) for value in given(call)]
            elif isinstance(part, Name):
                name = part.path.partition(".")[0]
                if name not in known:
                    known.add(name)
                    work += bindings(function.body, name, at)


def following(function: Function, scope: Scope) -> frozenset[int]:
    """The statements of a loop that work on its items: on a loop variable, or what was made of one."""
    held = {name for target in scope.targets for name in names(target)}
    inner = {loop.first: loop for loop in function.body.scopes if loop.kind in LOOPS and loop is not scope}
    found: set[int] = set()
    for index in range(scope.first, scope.last):
        loop = inner.get(index)
        if loop is not None and any(touches(value, held, found) for value in loop.head):
            held |= {name for target in loop.targets for name in names(target)}
        statement = function.body.statements[index]
        if isinstance(statement, Call) and any(touches(value, held, found) for value in given(statement)):
            found.add(index)
        elif isinstance(statement, Assign) and statement.value and touches(statement.value, held, found):
            held |= {name for target in statement.targets for name in bound_names(target)}
    return frozenset(found)


def given(call: Call) -> tuple[Value, ...]:
    """What a call is made of."""
    return (call.callee, *call.arguments, *(keyword.value for keyword in call.keywords))


def touches(value: Value, held: set[str], found: set[int]) -> bool:
    return not names(value).isdisjoint(held) or not results(value).isdisjoint(found)


def bound_names(target: Value) -> Iterator[str]:
    """The plain names an assignment binds."""
    if isinstance(target, Name) and "." not in target.path:
        yield target.path
    elif isinstance(target, Display):
        for item in target.items:
            yield from bound_names(item)
