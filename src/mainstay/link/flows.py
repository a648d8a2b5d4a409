"""Where data that a requester chose reaches a sink, through any number of calls.

Each function is read on its own (`Carrying`) and summarised: which of its parameters reach which
sink, and which reach its result.  Callees come first, and functions that call each other are read
again until their summaries stand still, so the work grows with the code and not with its paths.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mainstay.link.calls import Calls
from mainstay.link.carrying import Carrying, Context
from mainstay.link.draft import Draft
from mainstay.link.effects import components
from mainstay.link.inputs import Inputs, converters, harmless_in_path
from mainstay.link.lookup import Lookup, where
from mainstay.link.relevance import relevant
from mainstay.link.requested import Requested, Sources
from mainstay.link.taint import EMPTY, Hit, Summary
from mainstay.model.finding import Hop
from mainstay.model.location import Location
from mainstay.model.system import Flow, Operation, Role

ROUNDS = 4  # readings of functions that call each other
READ = frozenset({Role.SOURCE})


def find_flows(calls: Calls, operations: Sequence[Operation]) -> tuple[Flow, ...]:
    """Every flow from what a requester fills, or from a request, to a sink."""
    return tuple(
        sorted(_Flows(calls, operations).find(), key=lambda f: (f.location, f.sink, f.source, f.what))
    )


class _Flows:
    def __init__(self, calls: Calls, operations: Sequence[Operation]) -> None:
        self._calls = calls
        self._names = calls.names
        lookup = Lookup(calls)
        self._inputs = Inputs(lookup)
        self._sources = Sources()
        self._summaries: dict[str, Summary] = {}
        self._operations = operations
        self._served: dict[str, Operation] = {}
        for operation in operations:
            self._served.setdefault(operation.function, operation)
        requested = Requested(calls, self._sources)
        self._context = Context(lookup, self._inputs, requested, self._summaries)
        self._hits: dict[str, dict[tuple[str, str], Hit]] = {}

    def find(self) -> Iterator[Flow]:
        drafts = {n: d for n, d in self._names.functions.items() if d.file.role in READ}
        graph = graph_of(drafts)
        read = relevant(self._calls, drafts, graph, self._served)
        for component in components({name: graph[name] for name in graph if name in read}):
            self._settle([drafts[name] for name in component])
        found: dict[tuple[str, int, str, str], Flow] = {}
        for flow in (*self._of_inputs(), *self._of_sources()):
            key = (flow.function, flow.statement, flow.sink, flow.what)
            if key not in found or len(flow.path) < len(found[key].path):
                found[key] = flow
        yield from found.values()

    def _settle(self, component: Sequence[Draft]) -> None:
        """Summarise functions that call each other until nothing changes, or often enough."""
        for _ in range(ROUNDS if len(component) > 1 else 1):
            changed = False
            for draft in component:
                carrying = Carrying(draft, self._context)
                summary = carrying.read()
                changed |= summary.size() != self._summaries.get(draft.name, EMPTY).size()
                self._summaries[draft.name] = summary
                if carrying.hits:
                    self._hits[draft.name] = carrying.hits
            if not changed:
                return

    # --- flows ----------------------------------------------------------------------------------------

    def _of_inputs(self) -> Iterator[Flow]:
        """What an operation's own parameters bring."""
        for operation in self._operations:
            draft = self._names.functions[operation.function]
            summary = self._summaries.get(operation.function)
            if summary is None:
                continue
            in_path = converters(operation)
            for (label, sink), hit in summary.sinks.items():
                name, _, path = label[2:].partition(".")
                if name not in operation.inputs or not self._inputs.may_be_text(draft, name, path):
                    continue
                if name in in_path and sink in harmless_in_path(in_path[name]):
                    continue
                what = f"{_kind(operation, name, path, in_path)} `{label[2:]}` of {_spoken(operation)}"
                yield _flow(sink, what, where(draft), hit)

    def _of_sources(self) -> Iterator[Flow]:
        """What is read off a request somewhere in the code."""
        for function, hits in self._hits.items():
            for (label, sink), hit in hits.items():
                source = self._sources.of(label)
                operation = self._served.get(source.function) or self._served.get(function)
                of = (
                    f" of {_spoken(operation)}"
                    if operation
                    else f" in {self._names.functions[source.function].body.qualname}"
                )
                yield _flow(sink, source.what + of, source.location, hit)


def graph_of(drafts: Mapping[str, Draft]) -> dict[str, list[str]]:
    """Which functions each one calls, now or later."""
    return {name: list(dict.fromkeys(_called(draft, drafts))) for name, draft in drafts.items()}


def _called(draft: Draft, drafts: Mapping[str, Draft]) -> Iterable[str]:
    for edges in draft.edges.values():
        for edge in edges:
            if edge.function in drafts:
                yield edge.function


def _flow(sink: str, what: str, source: Location, hit: Hit) -> Flow:
    begin = Hop(source, f"{what} is chosen by the requester")
    end = Hop(hit.location, f"reaches {hit.callee}()")
    return Flow(
        sink=sink,
        source=source,
        what=what,
        function=hit.function,
        statement=hit.statement,
        location=hit.location,
        path=(begin, *hit.hops, end),
        certain=hit.certain,
    )


def _kind(operation: Operation, name: str, path: str, in_path: Mapping[str, str]) -> str:
    if name in in_path:
        return "path parameter"
    if path:
        return "body field"
    return "query parameter" if operation.method in ("GET", "DELETE") else "parameter"


def _spoken(operation: Operation) -> str:
    return f"{operation.method} {operation.path or '.'.join(operation.function.split('.')[-2:])}"
