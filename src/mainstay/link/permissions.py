"""Permission classes: of a view, of a function, and the project's default for all."""

from collections.abc import Iterator

from mainstay.link.draft import Draft
from mainstay.link.lookup import Lookup, Placed, where
from mainstay.link.publications import IGNORED_ROLES, Publication
from mainstay.link.refusals import Refusals
from mainstay.link.words import sounds_authenticating, sounds_public
from mainstay.model.code import Call, Display, Literal, Operation, Result, Return, Value
from mainstay.model.location import Location
from mainstay.model.system import Guard

ATTRIBUTE = "permission_classes"
SETTINGS, DEFAULT = "REST_FRAMEWORK", "DEFAULT_PERMISSION_CLASSES"
FRAMEWORK = "rest_framework"
MARKERS = frozenset({ATTRIBUTE, "authentication_classes", "throttle_classes", "api_view", "renderer_classes"})


class Permissions:
    """Judges permission classes by what is known of them, what they do, and their name."""

    def __init__(self, lookup: Lookup, refusals: Refusals) -> None:
        self._lookup = lookup
        self._names = lookup.names
        self._calls = lookup.calls
        self._refusals = refusals
        self._defaults: list[Guard] | None = None

    def is_marker(self, name: str) -> bool:
        """Whether a decorator only hands over permission classes, which are judged themselves."""
        return name.rpartition(".")[2] in MARKERS

    def of_view(self, publication: Publication) -> Iterator[Guard]:
        """The permissions of a view class, or the default where it sets none."""
        view = publication.view
        if not self._is_framework(view):
            return
        own = self._of_action(publication) or self._set(view)
        if own is None:
            yield from self.defaults()
            return
        yield from self._judged(*own)

    def of_function(self, draft: Draft) -> Iterator[Guard]:
        """The permissions of a function made a view by `@api_view`."""
        home = draft.parent
        if home is None:
            return
        is_view = False
        for value in draft.body.decorators:
            call = home.body.statements[value.call] if isinstance(value, Result) else None
            name = self._lookup.identity(home, value)
            if name == f"{FRAMEWORK}.decorators.{ATTRIBUTE}" and isinstance(call, Call) and call.arguments:
                yield from self._judged(home, call.arguments[0])
                return
            is_view |= name == f"{FRAMEWORK}.decorators.api_view"
        if is_view:
            yield from self.defaults()

    def defaults(self) -> list[Guard]:
        """The permissions of every view that sets none, from the project's settings."""
        if self._defaults is None:
            self._defaults = []
            for dotted, (draft, value, _) in self._names.variables.items():
                if dotted.rpartition(".")[2] == SETTINGS and draft.file.role not in IGNORED_ROLES:
                    self._defaults += self._default_of(draft, value)
        return self._defaults

    def _default_of(self, draft: Draft, value: Value | None) -> list[Guard]:
        if not isinstance(value, Display) or value.kind != "dict":
            return []
        for key, item in zip(value.keys, value.items, strict=False):
            if isinstance(key, Literal) and key.value == DEFAULT:
                return [guard for guard in self._judged(draft, item) if guard.authenticates]
        return []

    def _is_framework(self, view: str) -> bool:
        return any(base.startswith(FRAMEWORK) for base in self._calls.classes.ancestry(view))

    def _of_action(self, publication: Publication) -> Placed | None:
        """`@action(permission_classes=[...])` replaces those of the view."""
        home = publication.handler.parent
        for value in publication.handler.body.decorators if home else ():
            call = home.body.statements[value.call] if home and isinstance(value, Result) else None
            given = call.keyword(ATTRIBUTE) if isinstance(call, Call) else None
            if given is not None and home is not None:
                return home, given
        return None

    def _set(self, view: str) -> Placed | None:
        for name in (view, *self._calls.classes.ancestry(view)):
            body = self._names.class_bodies.get(name)
            value = self._lookup.assigned(body).get(ATTRIBUTE) if body else None
            if body is not None and value is not None:
                return body, value
        return None

    def _judged(self, home: Draft, value: Value) -> Iterator[Guard]:
        items = [value] if isinstance(value, Literal) else None
        placed = [(home, each) for each in items] if items else list(self._lookup.items(home, value))
        if not placed and isinstance(value, Display):
            yield Guard(f"{ATTRIBUTE} = []", where(home), False, True, "set to none on purpose")
        elif not placed:
            yield Guard(ATTRIBUTE, where(home), True, False, "permissions are worked out at run time")
        for each in placed:
            yield from self._permission(*each)

    def _permission(self, home: Draft, value: Value) -> Iterator[Guard]:
        if isinstance(value, Operation):
            guards = [guard for each in value.operands for guard in self._permission(home, each)]
            if value.operator == "|":
                yield from (g for g in guards if g.public) if any(g.public for g in guards) else guards
            else:
                yield from guards
            return
        name = value.value if isinstance(value, Literal) else self._lookup.identity(home, value)
        if isinstance(name, str) and name:
            yield self._guard(self._names.canonical(name), home)

    def _guard(self, name: str, home: Draft) -> Guard:
        known = self._calls.knowledge.callable(name)
        if known is not None and (known.authenticates or known.public):
            return Guard(name, where(home), known.authenticates, known.public, "a known permission class")
        if name not in self._names.classes:
            public = sounds_public(name)
            return Guard(name, where(home), not public, public, "a permission class")
        file, fact = self._names.classes[name]
        place = Location(file.path, fact.line)
        for base in self._calls.classes.ancestry(name):
            inherited = self._calls.knowledge.callable(base)
            if inherited is not None and inherited.authenticates:
                return Guard(name, place, True, False, f"derives from {base}")
        return self._of_project(name, place)

    def _of_project(self, name: str, place: Location) -> Guard:
        methods = self._calls.classes.methods(name)
        method = methods.get("has_permission") or methods.get("has_object_permission")
        if method is not None and self._always(method):
            return Guard(name, place, False, True, "has_permission always returns True")
        asks = method is not None or sounds_authenticating(name)
        return Guard(name, place, asks, False, "a permission of the project" if asks else "")

    def _always(self, method: str) -> bool:
        returns = [s for s in self._names.functions[method].body.statements if isinstance(s, Return)]
        return bool(returns) and all(s.value == Literal(True) for s in returns)
