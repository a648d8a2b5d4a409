"""What each function does to the world, directly or through the functions it calls.

This is the heart of Mainstay, in four ideas.

1. *A summary is a finite set.*  Each function has at most a few hundred `Effect`s (a kind and what
   it is about), each with one `Occurrence`: the call of its own body through which it comes about,
   by the shortest way found.  A callee's body is never looked at again: its summary is enough, and
   following `via` from summary to summary spells out a witness path.

2. *Bottom-up over the call graph.*  Functions are taken in the order of `components`, callees
   first.  Functions that call each other form one component and are repeated until nothing
   changes; sets only grow and are finite, so that ends.

3. *A call passes on what happens now.*  A task that is spawned, or a callback that waits for the
   commit, is not its caller's doing.  Work handed to a thread does not block the caller's.
   An exception that a surrounding handler catches goes no further.

4. *Must and may, before and after.*  `must` holds when the statement lies on every way through the
   body and the callee must, too.  `precedes_commit` and `follows_commit` say on which side of a
   commit (the body's own, or a callee's) the effect may fall.
"""

from collections.abc import Iterable, Iterator, Mapping

from mainstay.link.direct import Direct
from mainstay.link.draft import Draft
from mainstay.link.exceptions import Exceptions
from mainstay.model.code import Body, Call, Leave, Name, Raise, Result, Return, ScopeKind
from mainstay.model.effect import Effect, EffectKind, EnclosureKind, Occurrence
from mainstay.model.system import effect_through

Summary = dict[Effect, Occurrence]

MOST_TARGETS = 40  # of one kind in one summary; further ones are joined under no name
PASSES = frozenset({ScopeKind.BODY, ScopeKind.WITH, ScopeKind.TRY, ScopeKind.TRY_ELSE, ScopeKind.FINALLY})


class Effects:
    """Works out the summary of every draft."""

    def __init__(self, drafts: Mapping[str, Draft], direct: Direct, exceptions: Exceptions) -> None:
        self._drafts = drafts
        self._direct = direct
        self._exceptions = exceptions
        self._handlers: dict[str, list[tuple[int, int, frozenset[str]]]] = {}
        self.summaries: dict[str, Summary] = {}

    def run(self) -> dict[str, Summary]:
        """The summaries by function name."""
        graph = {
            name: [edge.function for edges in draft.edges.values() for edge in edges if edge.now]
            for name, draft in self._drafts.items()
        }
        for component in components(graph):
            self._settle(component, graph)
        return self.summaries

    def _settle(self, component: list[str], graph: Mapping[str, list[str]]) -> None:
        """Summarise functions that call each other until nothing changes."""
        for name in component:
            self.summaries[name] = {}
        recursive = len(component) > 1 or component[0] in graph[component[0]]
        changed = True
        while changed:
            changed = False
            for name in component:
                summary = self._summarise(self._drafts[name])
                changed |= summary.keys() != self.summaries[name].keys()
                self.summaries[name] = summary
            changed &= recursive

    def _summarise(self, draft: Draft) -> Summary:
        """One function's effects, from its own calls and the summaries of those it leads to."""
        places = sorted(draft.direct.keys() | draft.edges.keys() | raising(draft.body))
        if not places:
            return {}
        always = unconditional(draft.body)
        commits = self._commits(draft, places)
        first_sure = min((at for at in commits if at in always), default=len(draft.body.statements))
        last = max(commits, default=-1)
        summary: Summary = {}
        for at in places:
            must = at in always
            for found in self._at(draft, at, must, at < last, at > first_sure):
                keep(summary, found)
        return limited(summary)

    def _commits(self, draft: Draft, places: Iterable[int]) -> list[int]:
        """The statements at which the function commits, itself or through a call."""
        return [
            at
            for at in places
            if any(effect.kind is EffectKind.COMMIT for effect in draft.direct.get(at, ()))
            or any(
                effect.kind is EffectKind.COMMIT
                for edge in draft.edges.get(at, ())
                if edge.now
                for effect in self.summaries.get(edge.function, ())
            )
        ]

    def _at(self, draft: Draft, at: int, must: bool, before: bool, after: bool) -> Iterator[Occurrence]:
        """What one statement does: whether surely, and before or after a commit of the same body."""
        target = draft.targets.get(at)
        certain = target is None or target.certain
        receiver = target.receiver if target else None
        for effect in (*draft.direct.get(at, ()), *self._raised(draft, at)):
            if effect.kind is not EffectKind.RAISE or self._escapes(draft, at, effect.target):
                yield Occurrence(effect, at, "", must, certain, before, after)
        for edge in draft.edges.get(at, ()):
            if not edge.now:
                continue
            callee = self._drafts[edge.function]
            for effect, below in self.summaries.get(edge.function, {}).items():
                if effect.kind is EffectKind.LOG:
                    continue  # a log line is the business of the function that writes it
                if effect.kind is EffectKind.RAISE and not self._escapes(draft, at, effect.target):
                    continue
                seen = effect_through(effect, edge.how, receiver, callee.owner)
                yield Occurrence(
                    effect if seen is effect else self._direct.intern(seen),
                    at,
                    edge.function,
                    must and below.must,
                    certain and below.certain,
                    before or below.precedes_commit,
                    after or below.follows_commit,
                    below.depth + 1,
                    effect if seen is not effect else None,
                )

    # --- exceptions ---------------------------------------------------------------------------------

    def _raised(self, draft: Draft, at: int) -> tuple[Effect, ...]:
        statement = draft.body.statements[at]
        if not isinstance(statement, Raise) or statement.value is None:
            return ()
        name = ""
        if isinstance(statement.value, Result):
            target = draft.targets.get(statement.value.call)
            call = draft.body.statements[statement.value.call]
            name = target.name if target else ""
            if not name and isinstance(call, Call) and isinstance(call.callee, Name):
                name = call.callee.path
        elif isinstance(statement.value, Name):
            name = statement.value.path
        if not name:
            return ()
        return (self._direct.intern(Effect(EffectKind.RAISE, self._exceptions.full(draft, name))),)

    def _escapes(self, draft: Draft, at: int, exception: str) -> bool:
        """Whether no handler around the statement catches the exception for good."""
        handlers = self._handlers.get(draft.name)
        if handlers is None:
            handlers = [
                (e.first, e.last, frozenset(e.caught))
                for e in draft.enclosures
                if e.kind is EnclosureKind.HANDLER
            ]
            self._handlers[draft.name] = handlers
        return not any(
            first <= at < last and self._exceptions.catches(caught, exception)
            for first, last, caught in handlers
        )


def keep(summary: Summary, found: Occurrence) -> None:
    """Add an occurrence, or join it with the one that is there: the shorter way stays the witness."""
    old = summary.get(found.effect)
    if old is None:
        summary[found.effect] = found
        return
    shorter = found if found.depth < old.depth else old
    summary[found.effect] = Occurrence(
        found.effect,
        shorter.statement,
        shorter.via,
        old.must or found.must,
        old.certain or found.certain,
        old.precedes_commit or found.precedes_commit,
        old.follows_commit and found.follows_commit,
        shorter.depth,
        shorter.below,
    )


def limited(summary: Summary) -> Summary:
    """The summary with at most `MOST_TARGETS` targets of each kind; the rest stand as one without name."""
    if len(summary) <= MOST_TARGETS:
        return summary
    counts: dict[EffectKind, int] = {}
    result: Summary = {}
    for effect, found in summary.items():
        counts[effect.kind] = counts.get(effect.kind, 0) + 1
        if counts[effect.kind] <= MOST_TARGETS:
            keep(result, found)
        elif effect.kind is not EffectKind.RAISE:
            # The witness of a joined effect could not be followed below, so it ends here.
            joined = Effect(effect.kind, "", effect.blocking, effect.repeatable)
            keep(result, Occurrence(joined, found.statement, "", False, found.certain, depth=found.depth))
    return result


def raising(body: Body) -> set[int]:
    return {index for index, statement in enumerate(body.statements) if isinstance(statement, Raise)}


def unconditional(body: Body) -> frozenset[int]:
    """The statements on every way through the body that returns normally."""
    passes: list[bool] = []
    for scope in body.scopes:
        passes.append(scope.kind in PASSES and (scope.parent < 0 or passes[scope.parent]))
    found = set()
    for index, statement in enumerate(body.statements):
        if passes[statement.scope]:
            found.add(index)
        elif isinstance(statement, Return | Leave):
            # After a way out that is taken sometimes, nothing is certain.  A conditional `raise`
            # does not return normally, so what follows it stays certain.
            break
    return frozenset(found)


def components(graph: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """The strongly connected components of a graph, callees first (Tarjan 1972, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for root in graph:
        if root in number:
            continue
        work = [(root, iter(graph[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, following = work[-1]
            for successor in following:
                if successor not in graph:
                    continue
                if successor not in number:
                    number[successor] = low[successor] = len(number)
                    stack.append(successor)
                    on_stack.add(successor)
                    work.append((successor, iter(graph[successor])))
                    break
                if successor in on_stack:
                    low[node] = min(low[node], number[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    component: list[str] = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                        on_stack.discard(component[-1])
                    yield component
