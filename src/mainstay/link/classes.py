"""Classes of the project: their bases, near and far, and their methods."""

from collections import deque
from collections.abc import Callable, Iterator

from mainstay.link.draft import Draft
from mainstay.link.names import Names, join
from mainstay.model.code import Define, Name, Operation, Result, Value

MOST_HEIRS = 3  # asked for what a mixin leaves to the class it is mixed into
MOST_ANCESTORS = 200  # nobody follows a deeper hierarchy


class Classes:
    """Ancestry and methods, worked out on demand and remembered."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._ancestry: dict[str, tuple[str, ...]] = {}
        self._heirs: dict[str, list[str]] = {}
        self._methods: dict[str, dict[str, str]] = {}
        self.bases: dict[str, tuple[str, ...]] = {}
        self.path: Callable[[Draft, str], object] = lambda draft, path: None  # what a path in a body is

    def ancestry(self, name: str) -> tuple[str, ...]:
        """All bases of a project class, nearest first, library bases and theirs included."""
        found = self._ancestry.get(name)
        if found is None:
            found = self._ancestry[name] = tuple(self._walk(name))
        return found

    def _walk(self, name: str) -> dict[str, None]:
        """Breadth first, so that nearer bases come first; a class that inherits from itself ends too."""
        seen: dict[str, None] = {}
        work = deque(self.direct_bases(name))
        while work and len(seen) < MOST_ANCESTORS:
            base = work.popleft()
            if base in seen:
                continue
            seen[base] = None
            work.extend(
                self.direct_bases(base) if base in self._names.classes else library_bases(self._names, base)
            )
        return seen

    def direct_bases(self, name: str) -> tuple[str, ...]:
        """The dotted names of the bases as written."""
        if name not in self.bases:
            draft = self._names.class_bodies[name].parent
            found = []
            for value in self._names.classes[name][1].bases:
                dotted = self._dotted(value, draft) if draft else None
                if dotted:
                    found.append(dotted)
            self.bases[name] = tuple(found)
        return self.bases[name]

    def _dotted(self, value: Value, draft: Draft) -> str | None:
        if isinstance(value, Operation) and value.operator == "[]":
            return self._dotted(value.operands[0], draft)
        if isinstance(value, Name):
            known = self.path(draft, value.path)  # `Base = declarative_base()` holds a library's class
            if isinstance(known, str):
                return known
            head, _, rest = value.path.partition(".")
            bound = self._names.lookup(draft, head)
            return self._names.canonical(join(bound, rest)) if bound else None
        if isinstance(value, Result):
            found = draft.results.get(value.call)
            return found if isinstance(found, str) else None
        return None

    def methods(self, name: str) -> dict[str, str]:
        """Method name -> function name, inherited ones included."""
        found = self._methods.get(name)
        if found is None:
            found = {}
            for ancestor in reversed(self.ancestry(name)):
                if ancestor in self._names.classes:
                    found.update(self.own_methods(ancestor))
            found.update(self.own_methods(name))
            self._methods[name] = found
        return found

    def heirs(self, name: str) -> tuple[str, ...]:
        """A few classes that derive from it: what a mixin is mixed into."""
        if not self._heirs:
            for each in self._names.classes:
                for base in self.ancestry(each):
                    if base in self._names.classes:
                        self._heirs.setdefault(base, []).append(each)
        return tuple(self._heirs.get(name, ())[:MOST_HEIRS])

    def own_methods(self, name: str) -> dict[str, str]:
        body = self._names.class_bodies[name]
        defined = {s.name for s in body.body.statements if isinstance(s, Define) and s.body >= 0}
        return {method: body.locals[method] for method in defined}

    def is_a(self, name: str, kind: str) -> bool:
        """Whether a class is, or derives from, `kind`."""
        return name == kind or (name in self._names.classes and kind in self.ancestry(name))


def library_bases(names: Names, base: str) -> Iterator[str]:
    """The known bases of a library's class, nearest first."""
    ancestry = iter(names.knowledge.ancestry(base))
    next(ancestry)
    yield from ancestry
