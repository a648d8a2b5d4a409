"""Where HTTP operations are published: by a decorator, by a call that names the handler, by a class."""

import re
from collections.abc import Iterator

from msgspec import Struct

from mainstay.link.draft import Draft
from mainstay.link.lookup import Lookup, where
from mainstay.link.routers import Routers
from mainstay.link.routes import VERBS, Routes
from mainstay.link.values import given
from mainstay.link.views import Views
from mainstay.model.code import Call, Display, Literal, Name, Result, Value
from mainstay.model.library import Route
from mainstay.model.location import Basis
from mainstay.model.system import Operation, Role

IGNORED_ROLES = frozenset({Role.TEST, Role.GENERATED, Role.MIGRATION, Role.SCRIPT})


class Publication(Struct, frozen=True, eq=False):
    """One operation before its guards are known, and everything that may hold some of them."""

    operation: Operation
    handler: Draft  # the function, or the class where the library serves for it
    home: Draft  # the body in which it is published
    call: int  # the publishing call there, -1 for a class that no URL names
    route: Route | None
    router: str  # dotted name of the variable that it was published on, "" when there is none
    view: str = ""  # the class that serves it
    wrappers: tuple[tuple[Draft, Value], ...] = ()  # put around the handler where it is published


class Handler(Struct, frozen=True, eq=False):
    """What a handler value stands for, once what is wrapped around it is peeled off."""

    function: str = ""
    view: str = ""
    verbs: tuple[tuple[str, str], ...] = ()  # `as_view({"get": "list"})`: HTTP method -> method name
    wrappers: tuple[tuple[Draft, Value], ...] = ()


class Publications:
    """Finds every operation of the project."""

    def __init__(self, lookup: Lookup, routers: Routers) -> None:
        self._lookup = lookup
        self._calls = lookup.calls
        self._names = lookup.names
        self._routers = routers
        self._routes = Routes(lookup)
        self._views = Views(lookup, self._routes)
        self._extended = {
            base for name in self._names.classes for base in self._calls.classes.direct_bases(name)
        }

    def find(self) -> list[Publication]:
        """All operations, those of tests and scripts left out, in the order of files and lines."""
        found: list[Publication] = []
        for draft in self._names.functions.values():
            if draft.file.role in IGNORED_ROLES:
                continue
            if draft.body.kind == "function":
                found += self._of_decorators(draft)
            elif draft.body.kind == "class":
                found += self._of_class_decorators(draft)
            found += self._of_calls(draft)
        seen = {each.view for each in found if each.view}
        for name in self._names.classes:
            if name not in seen and name not in self._extended:
                found += self._unrouted(name)
        unique = {(p.operation.method, p.operation.path, p.operation.function): p for p in reversed(found)}
        return sorted(
            unique.values(),
            key=lambda p: (p.operation.location, p.operation.path, _rank(p.operation.method)),
        )

    # --- decorators -----------------------------------------------------------------------------------

    def _of_decorators(self, draft: Draft) -> Iterator[Publication]:
        home = draft.parent
        if home is None or (draft.owner and home.body.kind == "class" and self._views.is_view(draft.owner)):
            return
        for value in draft.body.decorators:
            published = self._routes.published(home, value)
            if published is None:
                continue
            index, call, library = published
            if library.route is None or not self._routes.has_path(call, library.route):
                continue
            yield from self._publish(draft, home, index, call, library.route, Handler(draft.name))

    def _of_class_decorators(self, draft: Draft) -> Iterator[Publication]:
        home = draft.parent
        for value in self._names.classes[draft.name][1].decorators if home else ():
            assert home is not None
            published = self._routes.published(home, value)
            if published is not None:
                index, call, library = published
                assert library.route is not None
                yield from self._publish_view(draft.name, home, index, call, library.route)

    def _publish(
        self, draft: Draft, home: Draft, index: int, call: Call, route: Route, handler: Handler
    ) -> Iterator[Publication]:
        router = self._routes.router(home, call)
        path = self._routers.prefix(router) + self._routes.path(home, given(call, route.path))
        for method in self._routes.methods(home, call, route, draft):
            yield self._one(draft, method, path, router, home, index, route, handler)

    def _one(
        self,
        draft: Draft,
        method: str,
        path: str,
        router: str,
        home: Draft,
        index: int,
        route: Route | None,
        handler: Handler,
    ) -> Publication:
        group = router or handler.view or home.name
        operation = Operation(
            method=method,
            path=re.sub(r"//+", "/", path),
            function=draft.name,
            location=where(draft),
            router=group,
            framework=self._framework(home, index, handler.view),
            guards=(),
            inputs=self._inputs(draft),
            basis=Basis.READ if index >= 0 else Basis.DERIVED,
        )
        return Publication(operation, draft, home, index, route, router, handler.view, handler.wrappers)

    def _framework(self, home: Draft, index: int, view: str) -> str:
        target = home.targets.get(index)
        names = [target.name] if target else []
        if target and target.receiver:
            names += [target.receiver.name, *self._ancestry(target.receiver.name)]
        names += self._ancestry(view)
        for name in names:
            library = self._calls.knowledge.is_library(name)
            if library is not None:
                return library.library
        return ""

    def _ancestry(self, name: str) -> tuple[str, ...]:
        return self._calls.classes.ancestry(name) if name in self._names.classes else ()

    # --- calls that name the handler ------------------------------------------------------------------

    def _of_calls(self, draft: Draft) -> Iterator[Publication]:
        for index, _, library in self._lookup.notable(draft):
            call = draft.body.statements[index]
            if library.route is None or library.route.handler is None:
                continue
            if isinstance(call, Call):
                yield from self._of_call(draft, index, call, library.route)

    def _of_call(self, draft: Draft, index: int, call: Call, route: Route) -> Iterator[Publication]:
        assert route.handler is not None
        value = given(call, route.handler)
        if value is None or self._routers.is_mount(draft, value):
            return
        handler = self._handler(draft, value)
        if handler.view:
            yield from self._publish_view(handler.view, draft, index, call, route, handler)
        elif handler.function:
            function = self._names.functions[handler.function]
            yield from self._publish(function, draft, index, call, route, handler)

    def _handler(self, draft: Draft, value: Value, depth: int = 0) -> Handler:
        """The function or class a handler value stands for: through `as_view()` and wrapping decorators."""
        name = self._lookup.identity(draft, value)
        if not isinstance(value, Result):
            if name in self._names.classes:
                return Handler(view=name)
            if name in self._names.functions:
                return Handler(function=name)
            placed = self._lookup.value_of(name) if name else None
            return self._handler(*placed, depth + 1) if placed and depth < 4 else Handler()
        call = draft.body.statements[value.call]
        if not isinstance(call, Call):
            return Handler()
        if isinstance(call.callee, Name) and call.callee.path.endswith(".as_view"):
            view = self._lookup.identity(draft, Name(call.callee.path.removesuffix(".as_view")))
            return Handler(view=view, verbs=verbs_of(call)) if view in self._names.classes else Handler()
        if call.arguments and depth < 4:
            inner = self._handler(draft, call.arguments[0], depth + 1)
            if inner.function or inner.view:
                return Handler(inner.function, inner.view, inner.verbs, (*inner.wrappers, (draft, value)))
        return Handler()

    # --- classes --------------------------------------------------------------------------------------

    def _publish_view(
        self,
        name: str,
        home: Draft,
        index: int,
        call: Call,
        route: Route,
        handler: Handler | None = None,
    ) -> Iterator[Publication]:
        router = self._routes.router(home, call)
        path = self._routers.prefix(router) + self._routes.path(home, given(call, route.path))
        handler = handler or Handler(view=name)
        for verb, serving, extra in self._views.served(name, handler.verbs):
            below = f"{path.rstrip('/')}/{extra}" if extra else path
            for method in self._verbs(verb, name, home, call, route, serving):
                yield self._one(serving, method, below, router, home, index, route, handler)

    def _verbs(
        self, verb: str, name: str, home: Draft, call: Call, route: Route, serving: Draft
    ) -> tuple[str, ...]:
        """The HTTP methods of one that serves; a class of the project answers those it is published with."""
        if verb and (self._views.is_view(name) or not route.methods_at):
            return (verb,)
        published = self._routes.methods(home, call, route, serving)
        return published if not verb else (verb,) if verb in published else ()

    def _unrouted(self, name: str) -> Iterator[Publication]:
        """A view class that no URL we read names: its path is unknown."""
        draft = self._names.class_bodies[name]
        if draft.file.role in IGNORED_ROLES or not self._views.is_view(name):
            return
        for method, serving, _ in self._views.served(name, ()):
            yield self._one(serving, method, "", "", draft.parent or draft, -1, None, Handler(view=name))

    # --- inputs ---------------------------------------------------------------------------------------

    def _inputs(self, draft: Draft) -> tuple[str, ...]:
        """The parameters that the requester fills: not `self`, not injected, not the framework's own."""
        if draft.body.kind != "function":
            return ()
        home = draft.parent or draft
        found = []
        for position, parameter in enumerate(draft.body.parameters):
            is_self = position == 0 and parameter.name in ("self", "cls")
            if is_self or parameter.kind in ("args", "kwargs") or parameter.name == "request":
                continue
            if self._routers.injected(home, parameter.annotation, parameter.default):
                continue
            held = draft.env.get(parameter.name)
            name = held.name if not isinstance(held, str) and held is not None else held or ""
            if name and name not in self._names.classes and self._is_framework(name):
                continue
            found.append(parameter.name)
        return tuple(found)

    def _is_framework(self, name: str) -> bool:
        known = self._calls.knowledge.type(name)
        if known is not None and known.untrusted_attributes and name.rpartition(".")[2] == "UploadFile":
            return False
        return name.partition(".")[0] in (
            "fastapi",
            "starlette",
            "django",
            "rest_framework",
            "flask",
            "aiohttp",
            "sqlalchemy",
        )


def verbs_of(call: Call) -> tuple[tuple[str, str], ...]:
    """`as_view({"get": "list"})` as pairs."""
    actions = call.argument(0, "actions")
    if not isinstance(actions, Display) or actions.kind != "dict":
        return ()
    pairs = zip(actions.keys, actions.items, strict=False)
    return tuple(
        (str(key.value).upper(), str(item.value))
        for key, item in pairs
        if isinstance(key, Literal) and isinstance(item, Literal)
    )


def _rank(method: str) -> int:
    return VERBS.index(method) if method in VERBS else len(VERBS)
