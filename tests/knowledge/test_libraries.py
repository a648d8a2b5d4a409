"""Every knowledge file is well-formed, and what it refers to exists."""

import builtins
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from importlib import resources
from itertools import accumulate
from typing import Any

import pytest

from mainstay.knowledge import Knowledge, KnowledgeError
from mainstay.knowledge.load import decode
from mainstay.model.library import Callable, Library, Place

FILES = sorted(
    (f for f in (resources.files("mainstay.knowledge") / "libraries").iterdir() if f.name.endswith(".toml")),
    key=lambda f: f.name,
)
LIBRARIES: dict[str, Library] = {}
UNREADABLE: dict[str, Exception] = {}
for _file in FILES:
    try:
        LIBRARIES[_file.name] = decode(_file.name, _file.read_bytes())
    except KnowledgeError as _error:
        UNREADABLE[_file.name] = _error
KNOWLEDGE = Knowledge(LIBRARIES.values())
TYPES = {entry.name for library in LIBRARIES.values() for entry in library.type}
CALLABLES = {name for library in LIBRARIES.values() for entry in library.call for name in entry.names}
EXCEPTIONS = {name for library in LIBRARIES.values() for name in library.exceptions}
PREFIXES = {
    prefix
    for name in TYPES | CALLABLES | EXCEPTIONS
    for prefix in accumulate(name.split("."), lambda left, right: f"{left}.{right}")
}

every_file = pytest.mark.parametrize("name", LIBRARIES)


def known_type(expression: str) -> bool:
    """Whether a type expression speaks of types that are known."""
    head, _, argument = expression.partition("[")
    if argument and not (argument.endswith("]") and known_type(argument[:-1])):
        return False
    if head in ("", "self", "item", "owner") or re.fullmatch(r"(new|same|item):\w+", head):
        return True
    head = KNOWLEDGE.canonical(head)
    return head in TYPES or head in EXCEPTIONS or hasattr(builtins, head)


def known_exception(name: str) -> bool:
    name = KNOWLEDGE.canonical(name)
    return bool(KNOWLEDGE.exception_bases(name)) or name == "BaseException"


def places(call: Callable) -> Iterator[Place]:
    """Every place that a callable's entry mentions."""
    if call.timeout is not None and call.timeout.at is not None:
        yield call.timeout.at
    if call.runs is not None:
        yield call.runs.at
    if call.route is not None:
        yield call.route.path
        if call.route.handler is not None:
            yield call.route.handler
    yield from call.sinks.values()
    yield from (place for place in (call.catches, call.mounts, call.injects) if place is not None)


def test_every_file_is_valid() -> None:
    assert UNREADABLE == {}


@every_file
def test_file_is_named_and_says_what_was_checked(name: str) -> None:
    library = LIBRARIES[name]
    assert library.library
    assert library.modules
    assert library.checked


@every_file
def test_types_that_it_refers_to_are_known(name: str) -> None:
    library = LIBRARIES[name]
    named = [("hints", value) for value in library.hints.values()]
    for entry in library.type:
        named += [(entry.name, base) for base in entry.bases]
        named += [(entry.name, kind) for kind in (*entry.attributes.values(), entry.iterates, entry.enters)]
    for call in library.call:
        named.append((call.names[0], call.returns))
        named.append((call.names[0], call.returns_class))
        named.append((call.names[0], call.job.becomes if call.job else ""))
    assert [pair for pair in named if not known_type(pair[1])] == []


@every_file
def test_exceptions_that_it_refers_to_are_known(name: str) -> None:
    library = LIBRARIES[name]
    named = [(call.names[0], raised) for call in library.call for raised in call.raises]
    named += [(which, base) for which, bases in library.exceptions.items() for base in bases]
    assert [pair for pair in named if not known_exception(pair[1])] == []


@every_file
def test_aliases_lead_to_something_known_and_not_in_circles(name: str) -> None:
    lost = []
    for alias, target in LIBRARIES[name].aliases.items():
        end = KNOWLEDGE.canonical(target)
        assert KNOWLEDGE.canonical(end) == end, f"{alias} leads in circles"
        if not (end in PREFIXES or hasattr(builtins, end)):
            lost.append((alias, target))
    assert lost == []


@every_file
def test_names_are_not_themselves_aliases(name: str) -> None:
    library = LIBRARIES[name]
    own = [entry.name for entry in library.type]
    own += [name for call in library.call for name in call.names]
    own += list(library.exceptions)
    assert [n for n in own if KNOWLEDGE.canonical(n) != n] == []


@every_file
def test_places_are_plausible(name: str) -> None:
    for call in LIBRARIES[name].call:
        for place in places(call):
            position, keyword = place if isinstance(place, tuple) else (place, place)
            if isinstance(position, int):
                assert 0 <= position < 30, call.names
            if isinstance(keyword, str):
                assert keyword.isidentifier(), call.names


@every_file
def test_wildcard_stands_for_the_names_in_a_type_or_module(name: str) -> None:
    starred = [n for call in LIBRARIES[name].call for n in call.names if "*" in n]
    assert [n for n in starred if not n.endswith(".*") or n.count("*") > 1] == []
    assert [n for n in starred if n[:-2] not in TYPES and KNOWLEDGE.is_library(n[:-2]) is None] == []


@every_file
def test_timeouts_make_sense(name: str) -> None:
    for call in LIBRARIES[name].call:
        if call.timeout is not None and call.timeout.default is not None:
            assert 0 <= call.timeout.default <= 3600, call.names
        assert not (call.coroutine and call.blocking), call.names


def test_nothing_is_said_twice() -> None:
    names = [name for library in LIBRARIES.values() for call in library.call for name in call.names]
    types = [entry.name for library in LIBRARIES.values() for entry in library.type]
    modules = [module for library in LIBRARIES.values() for module in library.modules]
    for said in (names, types, modules):
        assert sorted({name for name in said if said.count(name) > 1}) == []


def standard() -> Iterator[tuple[str, int, str]]:
    """The callables of the standard library that have a place told by position and keyword."""
    for library in LIBRARIES.values():
        for call in library.call:
            pairs = {place for place in places(call) if isinstance(place, tuple)}
            for name in call.names:
                if name.partition(".")[0] in sys.stdlib_module_names or hasattr(builtins, name):
                    yield from ((name, position, keyword) for position, keyword in pairs)


@pytest.mark.parametrize(("name", "position", "keyword"), sorted(standard()))
def test_positions_in_the_standard_library_are_as_told(name: str, position: int, keyword: str) -> None:
    found = resolve(name)
    try:
        signature = inspect.signature(getattr(found, "__init__") if isinstance(found, type) else found)  # noqa: B009
    except (TypeError, ValueError):
        pytest.skip("has no signature to read")
    parameters = [p for p in signature.parameters if p not in ("self", "cls")]
    if "args" in parameters[: position + 1] or keyword not in parameters:
        pytest.skip("takes its arguments as they come")
    assert parameters.index(keyword) == position


def resolve(name: str) -> Any:
    """The object of that dotted name."""
    parts = name.split(".") if "." in name else ["builtins", name]
    for count in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for part in parts[count:]:
            if not hasattr(found, part):
                pytest.skip("not in this version of Python, or not a public attribute")
            found = getattr(found, part)
        return found
    pytest.skip("no module of this Python")
