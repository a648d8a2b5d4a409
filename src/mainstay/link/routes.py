"""What a call of a route says: path, methods, and the router it publishes on."""

from mainstay.link.draft import Draft
from mainstay.link.lookup import Lookup
from mainstay.link.names import join
from mainstay.link.values import given
from mainstay.model.code import Attribute, Call, Literal, Name, Result, Value
from mainstay.model.code import Operation as Operator
from mainstay.model.flow import parts
from mainstay.model.library import Callable, Route

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SILENT = frozenset({"HEAD", "OPTIONS", "TRACE", "OPTION"})  # answered by frameworks, not by the project
LIMITS = {"require_GET": ("GET",), "require_safe": ("GET",), "require_POST": ("POST",)}


class Routes:
    """Reads the calls that knowledge files mark as routes."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._names = lookup.names

    def published(self, home: Draft, value: Value) -> tuple[int, Call, Callable] | None:
        """The call of a route that a decorator is, and what is known of it."""
        if not isinstance(value, Result):
            return None
        call = home.body.statements[value.call]
        library = self._lookup.knowledge_of(home.targets.get(value.call))
        if (
            not isinstance(call, Call)
            or library is None
            or library.route is None
            or library.route.handler is not None
        ):
            return None
        return value.call, call, library

    def has_path(self, call: Call, route: Route) -> bool:
        """`@api_view` and `@action` say nothing of the path: their function is published elsewhere."""
        return not isinstance(route.path, str) or given(call, route.path) is not None

    def methods(self, home: Draft, call: Call, route: Route, draft: Draft) -> tuple[str, ...]:
        """The HTTP methods that a route serves with that function."""
        listed = self._lookup.strings(home, call.keyword(route.methods_at)) if route.methods_at else []
        if (
            not listed
            and route.methods_at
            and isinstance(route.path, int)
            and len(call.arguments) > route.path + 1
        ):
            listed = self._lookup.strings(home, call.arguments[route.path + 1])
        listed = [m.upper() for m in listed if m.upper() in VERBS or m.upper() in SILENT]
        methods = tuple(m for m in dict.fromkeys(listed) if m not in SILENT) or route.methods
        return methods or self._limited(draft) or (("GET", "POST") if takes_post(draft) else ("GET",))

    def _limited(self, draft: Draft) -> tuple[str, ...]:
        """The methods that decorators such as `@api_view(["POST"])` or `@require_POST` leave."""
        for value in draft.body.decorators if draft.parent else ():
            home = draft.parent
            assert home is not None
            name = self._lookup.identity(home, value).rpartition(".")[2]
            if name in LIMITS:
                return LIMITS[name]
            call = home.body.statements[value.call] if isinstance(value, Result) else None
            if name in ("api_view", "require_http_methods") and isinstance(call, Call):
                listed = self._lookup.strings(home, call.argument(0, "http_method_names"))
                return tuple(m.upper() for m in listed if m.upper() in VERBS) or ("GET",)
        return ()

    def path(self, home: Draft, value: Value | None) -> str:
        """The path as written, with a slash in front."""
        text = self._lookup.text(home, value)
        return text if not text or text.startswith(("/", "^")) else f"/{text}"

    def router(self, home: Draft, call: Call) -> str:
        """The router, blueprint or application that the callee is a method of, or the list it stands in."""
        callee = call.callee
        if isinstance(callee, Name):
            before = callee.path.rpartition(".")[0]
            found = self._lookup.identity(home, Name(before)) if before else ""
            listed = home.body.kind == "module" and (not found or found not in self._names.variables)
            return join(home.name, "urlpatterns") if listed else found
        if isinstance(callee, Attribute):
            before = callee.path.rpartition(".")[0]
            base = self._lookup.identity(home, callee.base)
            return join(base, before) if before else base
        return ""


def takes_post(draft: Draft) -> bool:
    """Whether a function that is given every method looks for a POST."""
    if any(
        isinstance(part, Operator) and Literal("POST") in part.operands
        for scope in draft.body.scopes
        for test in scope.head
        for part in parts(test)
    ):
        return True
    names = (
        value.path
        for statement in draft.body.statements
        if isinstance(statement, Call)
        for value in (statement.callee, *statement.arguments)
        if isinstance(value, Name)
    )
    return any(name.startswith("request.POST") for name in names)
