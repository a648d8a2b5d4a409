"""Which functions a requester's data can pass through on its way to a sink.

Reading every body for flows would cost more than the rest of linking.  Data can only reach a sink
from a function that leads to one, and can only get there from a function that a request leads to,
so the others are left out.
"""

from collections.abc import Iterable, Mapping

from mainstay.link.calls import Calls
from mainstay.link.draft import Draft
from mainstay.link.values import given
from mainstay.model.code import Call, Literal, Value
from mainstay.model.library import Callable
from mainstay.model.system import Type

Graph = Mapping[str, Iterable[str]]


def relevant(calls: Calls, drafts: Mapping[str, Draft], graph: Graph, served: Iterable[str]) -> set[str]:
    """The functions between a request and a sink, and those they call, whose results they use."""
    callers: dict[str, list[str]] = {}
    for name, callees in graph.items():
        for callee in callees:
            callers.setdefault(callee, []).append(name)
    towards = closure((name for name, draft in drafts.items() if holds_sink(calls, draft)), callers)
    if not towards:
        return set()
    asked = closure(_askers(calls, drafts), callers)  # what is read off a request may be returned
    onward = closure((*served, *asked), graph)
    return closure(towards & onward, graph)


def closure(start: Iterable[str], graph: Graph) -> set[str]:
    """Everything that can be reached."""
    found = set(start)
    work = list(found)
    while work:
        for following in graph.get(work.pop(), ()):
            if following not in found:
                found.add(following)
                work.append(following)
    return found


def holds_sink(calls: Calls, draft: Draft) -> bool:
    """Whether the body gives a value that is not written out to a sink of a library."""
    for at, target in draft.targets.items():
        if target.library is not None and target.library.sinks:
            call = draft.body.statements[at]
            if isinstance(call, Call) and any(_open(calls, draft, v) for v in _sunk(call, target.library)):
                return True
    return False


def _sunk(call: Call, library: Callable) -> Iterable[Value]:
    for place in library.sinks.values():
        value = call.callee if place == "self" else given(call, place)
        if value is not None:
            yield value


def _open(calls: Calls, draft: Draft, value: Value) -> bool:
    """Whether a requester could have a say in it: neither a constant nor a statement built from parts."""
    if isinstance(value, Literal):
        return False
    known = calls.known(draft, value)
    library = calls.knowledge.type(known.name) if isinstance(known, Type) else None
    return library is None or library.executes is None


def _askers(calls: Calls, drafts: Mapping[str, Draft]) -> set[str]:
    """The functions of files that import a library by which requests are read."""
    tops = {
        module
        for library in calls.knowledge.libraries
        if any(entry.untrusted for entry in library.call) or any(t.untrusted_attributes for t in library.type)
        for module in library.modules
    }
    files = {
        name
        for name, file in calls.names.files.items()
        if any(imported.module.partition(".")[0] in tops for imported in file.module.imports)
    }
    return {name for name, draft in drafts.items() if draft.file.name in files}
