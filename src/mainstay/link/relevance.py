"""Which functions a requester's data can pass through on its way to a sink.

Reading every body for flows would cost more than the rest of linking.  Data can only reach a sink
from a function that leads to one, and can only get there from a function that a request leads to,
so the others are left out.
"""

from collections.abc import Iterable, Mapping

from mainstay.link.calls import Calls
from mainstay.link.draft import Draft, Known
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
    asked = closure(_Askers(calls).among(drafts), callers)  # what is read off a request may be returned
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


class _Askers:
    """The functions that may read a request: by a call, a parameter, a global object or `self`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._types: dict[str, bool] = {}  # whether attributes of a type are chosen by the requester

    def among(self, drafts: Mapping[str, Draft]) -> set[str]:
        files = {name for name in self._calls.names.files if self._holds_request(name)}
        owners = {draft.owner for draft in drafts.values()}
        serving = {owner for owner in owners if owner and self._serves(owner)}
        return {
            name
            for name, draft in drafts.items()
            if draft.file.name in files or draft.owner in serving or self._reads_request(draft)
        }

    def _holds_request(self, file: str) -> bool:
        """Whether a file binds a request that is the same object everywhere (`flask.request`)."""
        names = self._calls.names
        bound = names.functions[file].locals.values()
        return any(self._untrusted(self._calls.held(names.canonical(dotted))) for dotted in bound)

    def _serves(self, owner: str) -> bool:
        """Whether a class serves HTTP, so that its methods find the request on `self`."""
        knowledge = self._calls.knowledge
        for base in self._calls.ancestry(owner):
            for ancestor in knowledge.ancestry(base):
                known = knowledge.type(ancestor)
                if known is not None and known.handler_methods:
                    return True
        return False

    def _reads_request(self, draft: Draft) -> bool:
        if any(target.library is not None and target.library.untrusted for target in draft.targets.values()):
            return True
        if any(self._untrusted(known) for known in draft.env.values()):
            return True
        names = (parameter.name for parameter in draft.body.parameters if parameter.name not in draft.env)
        return any(self._untrusted(self._calls.path(draft, name)) for name in names)

    def _untrusted(self, known: Known | None) -> bool:
        if not isinstance(known, Type):
            return False
        told = self._types.get(known.name)
        if told is None:
            told = self._types[known.name] = any(
                library is not None and bool(library.untrusted_attributes)
                for name in (known.name, *self._calls.ancestry(known.name))
                for library in map(self._calls.knowledge.type, self._calls.knowledge.ancestry(name))
            )
        return told
