"""What guards every operation of an application at once: middleware and hooks before each request."""

from collections.abc import Iterator

from mainstay.link.draft import Draft
from mainstay.link.lookup import Lookup, at, where
from mainstay.link.publications import IGNORED_ROLES, Publication
from mainstay.link.refusals import UNKNOWN, Refusals, path_of
from mainstay.link.routers import Routers
from mainstay.link.words import sounds_authenticating
from mainstay.model.code import Assign, Call, Name, Result, Value
from mainstay.model.location import Location
from mainstay.model.system import Guard

HOOKS = ("before_request", "before_app_request", "middleware", "on_request")
ENTRIES = ("dispatch", "__call__", "process_request", "process_view")  # of a middleware class
DJANGO = frozenset({"django", "djangorestframework", "django-ninja"})


class Applications:
    """Finds middleware and hooks that turn unknown callers away."""

    def __init__(self, lookup: Lookup, routers: Routers, refusals: Refusals) -> None:
        self._lookup = lookup
        self._names = lookup.names
        self._routers = routers
        self._refusals = refusals
        self._by_router: dict[str, list[Guard]] = {}
        self._django: list[Guard] = []
        for draft in self._names.functions.values():
            if draft.file.role not in IGNORED_ROLES:
                self._of_hook(draft)
                self._of_calls(draft)
        self._of_settings()

    def guards(self, publication: Publication) -> Iterator[Guard]:
        """What runs before the operation because of the application it belongs to."""
        for router in self._routers.chain(publication.router):
            yield from self._by_router.get(router, ())
        if publication.operation.framework in DJANGO:
            yield from self._django
        else:
            yield from self._by_router.get("", ())

    def _of_hook(self, draft: Draft) -> None:
        """`@bp.before_request` and `@app.middleware("http")`."""
        home = draft.parent
        for value in draft.body.decorators if home is not None else ():
            assert home is not None
            callee = value
            if isinstance(value, Result):
                call = home.body.statements[value.call]
                callee = call.callee if isinstance(call, Call) else value
            before, _, last = path_of(callee).rpartition(".")
            if before and last in HOOKS:
                router = "" if last == "before_app_request" else self._lookup.identity(home, Name(before))
                self._judge(draft.name, router, where(draft))

    def _of_calls(self, draft: Draft) -> None:
        """`app.add_middleware(Auth)`, `app.before_request(check)`, `app.middleware("http")(check)`."""
        for statement in draft.body.statements:
            if not isinstance(statement, Call) or not statement.arguments:
                continue
            callee = statement.callee
            if isinstance(callee, Result):
                inner = draft.body.statements[callee.call]
                callee = inner.callee if isinstance(inner, Call) else callee
            before, _, last = path_of(callee).rpartition(".")
            if before and (last in HOOKS or last == "add_middleware"):
                router = self._lookup.identity(draft, Name(before))
                self._of_call(draft, statement, statement.arguments[0], router)

    def _of_call(self, draft: Draft, call: Call, value: Value, router: str) -> None:
        name = self._lookup.identity(draft, value)
        if name in self._names.classes or name in self._names.functions:
            self._judge(name, router, at(draft, call))
        elif name and sounds_authenticating(name):
            guard = Guard(name, at(draft, call), True, False, "its name says so")
            self._by_router.setdefault(router, []).append(guard)

    def _judge(self, name: str, router: str, place: Location) -> None:
        why = self._refuses(name)
        if why:
            self._by_router.setdefault(router, []).append(Guard(name, place, True, False, why))

    def _refuses(self, name: str) -> str:
        """Middleware of the project that answers 401, or 403 and is named for its check."""
        methods = self._lookup.calls.classes.methods(name) if name in self._names.classes else {}
        entries = [methods[name] for name in ENTRIES if name in methods]
        for function in entries or [name]:
            refusal = self._refusals.of(function)
            if refusal is not None and (refusal.code == UNKNOWN or sounds_authenticating(name)):
                return refusal.why
        return ""

    def _of_settings(self) -> None:
        """`MIDDLEWARE` of Django, put together in as many steps as the settings take."""
        seen: set[str] = set()
        for draft in self._names.functions.values():
            if draft.body.kind != "module" or draft.file.role in IGNORED_ROLES:
                continue
            for statement in draft.body.statements:
                if isinstance(statement, Assign) and any(_is_middleware(each) for each in statement.targets):
                    for text in self._lookup.strings(draft, statement.value):
                        if text not in seen:
                            seen.add(text)
                            self._of_setting(draft, text)

    def _of_setting(self, draft: Draft, text: str) -> None:
        name = self._names.canonical(self._in_project(text, draft))
        known = self._lookup.calls.knowledge.callable(name)
        if known is not None and known.authenticates:
            self._django.append(Guard(name, where(draft), True, False, "middleware for every view"))
        elif name in self._names.classes and sounds_authenticating(name) and "required" in name.lower():
            why = self._refuses(name) or "its name says so"
            self._django.append(Guard(name, where(draft), True, False, why))

    def _in_project(self, dotted: str, draft: Draft) -> str:
        module, _, last = dotted.rpartition(".")
        found = self._names.index.find(module, draft.file.path) if module else None
        return f"{found}.{last}" if found else dotted


def _is_middleware(target: Value) -> bool:
    return isinstance(target, Name) and "MIDDLEWARE" in target.path
