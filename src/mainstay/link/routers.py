"""Routers: how they are built, what they are mounted on, and the prefixes and dependencies that brings."""

from collections.abc import Iterator

from msgspec import Struct

from mainstay.link.draft import Draft
from mainstay.link.lookup import Lookup, Placed
from mainstay.link.names import join
from mainstay.link.values import given
from mainstay.model.code import Attribute, Call, Literal, Name, Operation, Result, Value
from mainstay.model.system import Role

PREFIXES = ("prefix", "url_prefix")
GUARDS = ("dependencies", "auth")  # keywords that hold dependencies, of constructors and of mounts
_DEEPEST = 8  # routers inside routers


class Mount(Struct, frozen=True, eq=False):
    """One router mounted on another by a call."""

    parent: str
    home: Draft
    call: int
    prefix: str


class Routers:
    """Knows every router of the project by the dotted name of its variable."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._names = lookup.names
        self._mounts: dict[str, Mount] = {}
        self._handed: dict[str, list[tuple[int, Mount]]] = {}  # function -> parameters that it mounts
        self._prefixes: dict[str, str] = {}
        for draft in self._names.functions.values():
            if draft.file.role is not Role.TEST:
                self._find_mounts(draft)
        if self._handed:
            self._hand_down()

    def prefix(self, router: str) -> str:
        """The path in front of everything published on a router, as far as it is written down."""
        found = self._prefixes.get(router)
        if found is None:
            found = ""
            for name in self.chain(router):
                mount = self._mounts.get(name)
                found = (mount.prefix if mount else "") + self._own_prefix(name) + found
            self._prefixes[router] = found
        return found

    def chain(self, router: str) -> Iterator[str]:
        """The router itself and those it is mounted on, innermost first."""
        seen: set[str] = set()
        while router and router not in seen and len(seen) < _DEEPEST:
            seen.add(router)
            yield router
            mount = self._mounts.get(router)
            router = mount.parent if mount else ""

    def built(self, router: str) -> tuple[Draft, int, Call] | None:
        """The call that built a router."""
        placed = self._lookup.value_of(router)
        return self._lookup.call_of(*placed) if placed else None

    def guards(self, router: str) -> Iterator[Placed]:
        """The dependencies that run before everything published on a router."""
        for name in self.chain(router):
            built = self.built(name)
            if built is not None:
                home, _, call = built
                yield from self._dependencies(home, call)
            mount = self._mounts.get(name)
            if mount is not None:
                call_of_mount = mount.home.body.statements[mount.call]
                assert isinstance(call_of_mount, Call)
                yield from self._dependencies(mount.home, call_of_mount)

    def _dependencies(self, home: Draft, call: Call) -> Iterator[Placed]:
        for keyword in GUARDS:
            value = call.keyword(keyword)
            items = list(self._lookup.items(home, value))
            yield from items
            if not items and value is not None and keyword == "auth":
                yield home, value

    def _own_prefix(self, router: str) -> str:
        built = self.built(router)
        return self._prefix_of(built[0], built[2]) if built else ""

    def _prefix_of(self, home: Draft, call: Call) -> str:
        """The prefix given to a router's constructor or to the call that mounts it."""
        values = (call.keyword(name) for name in PREFIXES)
        return next((self._lookup.text(home, value) for value in values if value is not None), "")

    # --- finding mounts -------------------------------------------------------------------------------

    def is_mount(self, draft: Draft, value: Value) -> bool:
        """Whether a handler value is a list of routes, put in by a call such as `include(...)`."""
        return self._included(draft, value) is not None

    def _included(self, draft: Draft, value: Value) -> Value | None:
        if not isinstance(value, Result):
            return (
                value if isinstance(value, Name) and value.path.endswith((".urls", "urlpatterns")) else None
            )
        call = draft.body.statements[value.call]
        library = self._lookup.knowledge_of(draft.targets.get(value.call))
        if not isinstance(call, Call) or library is None or library.mounts is None:
            return None
        return given(call, library.mounts)

    def _find_mounts(self, draft: Draft) -> None:
        for index, target, library in self._lookup.notable(draft):
            call = draft.body.statements[index]
            if not isinstance(call, Call):
                continue
            if library.route is not None and library.route.handler is not None:
                value = given(call, library.route.handler)
                child = self._included(draft, value) if value is not None else None
                if child is not None:
                    path = self._lookup.text(draft, given(call, library.route.path))
                    self._mount(draft, index, child, join(draft.name, "urlpatterns"), path)
            elif library.mounts is not None and target.receiver is not None:
                value = given(call, library.mounts)
                if value is not None:
                    self._mount(
                        draft, index, value, self._receiver(draft, call), self._prefix_of(draft, call)
                    )

    def _receiver(self, draft: Draft, call: Call) -> str:
        callee = call.callee
        if isinstance(callee, Name):
            return self._lookup.identity(draft, Name(callee.path.rpartition(".")[0]))
        return self._lookup.identity(draft, callee.base) if isinstance(callee, Attribute) else ""

    def _mount(self, draft: Draft, index: int, value: Value, parent: str, prefix: str) -> None:
        for home, each in self._lookup.each(draft, value):
            child = self._child(home, each)
            mount = Mount(parent, draft, index, _slashed(prefix))
            owner, _, last = child.rpartition(".")
            names = [p.name for p in draft.body.parameters]
            if owner == draft.name and last in names:
                self._handed.setdefault(draft.name, []).append((names.index(last), mount))
            elif child and child != parent:
                self._mounts.setdefault(child, mount)

    def _child(self, draft: Draft, value: Value) -> str:
        if isinstance(value, Literal) and isinstance(value.value, str):
            module = self._names.index.find(value.value, draft.file.path)
            return join(module, "urlpatterns") if module else ""
        for home, item in self._lookup.items(draft, value):
            if isinstance(item, Literal | Name):
                found = self._child(home, item)  # include((patterns, "name"))
                if found:
                    return found
        if isinstance(value, Name) and value.path.endswith(".urls"):
            value = Name(value.path.removesuffix(".urls"))
        found = self._lookup.identity(draft, value)
        return join(found, "urlpatterns") if found in self._names.files else found

    def _hand_down(self) -> None:
        """A helper that mounts the router it is given mounts what its callers give it."""
        for draft in self._names.functions.values():
            for index, target in draft.targets.items():
                for position, mount in self._handed.get(target.name, ()):
                    call = draft.body.statements[index]
                    callee = self._names.functions[target.name]
                    name = callee.body.parameters[position].name
                    value = call.argument(position, name) if isinstance(call, Call) else None
                    if value is not None:
                        self._mount(draft, index, value, mount.parent, mount.prefix)

    # --- injection ------------------------------------------------------------------------------------

    def injected(self, home: Draft, annotation: Value | None, default: Value | None) -> list[Placed]:
        """The `Depends(...)` values of a parameter: its default, or in its `Annotated` type."""
        values: list[Placed] = [(home, default)] if default is not None else []
        values += self._annotated(home, annotation)
        return [(draft, value) for draft, value in values if self._injects(draft, value)]

    def _annotated(self, home: Draft, annotation: Value | None, depth: int = 0) -> list[Placed]:
        if depth > 4 or annotation is None:
            return []
        if isinstance(annotation, Operation) and annotation.operator == "[]":
            base, key = annotation.operands[0], annotation.operands[-1]
            if isinstance(base, Name) and base.path.rpartition(".")[2] == "Annotated":
                return list(self._lookup.items(home, key))[1:]
            return []
        if isinstance(annotation, Operation):
            return [found for each in annotation.operands for found in self._annotated(home, each, depth + 1)]
        if isinstance(annotation, Name):
            placed = self._lookup.value_of(self._lookup.identity(home, annotation))
            return self._annotated(*placed, depth + 1) if placed else []
        return []

    def _injects(self, draft: Draft, value: Value) -> bool:
        target = draft.targets.get(value.call) if isinstance(value, Result) else None
        return bool(target and target.library and target.library.injects is not None)

    def provider(self, draft: Draft, value: Value) -> Placed | None:
        """What stands inside `Depends(...)`; the value itself when it is no such call."""
        target = draft.targets.get(value.call) if isinstance(value, Result) else None
        if target is None or target.library is None or target.library.injects is None:
            return draft, value
        assert isinstance(value, Result)
        call = draft.body.statements[value.call]
        inner = given(call, target.library.injects) if isinstance(call, Call) else None
        return (draft, inner) if inner is not None else None


def _slashed(prefix: str) -> str:
    """`api/` -> `/api`: one slash in front, none behind."""
    text = prefix.strip("/")
    return f"/{text}" if text else ""
