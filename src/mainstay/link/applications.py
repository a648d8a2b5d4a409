"""What holds for an application as a whole: middleware, hooks, and lists of what they leave open."""

import re
from collections.abc import Iterator
from functools import cached_property

from msgspec import Struct

from mainstay.link.draft import Draft
from mainstay.link.lookup import Lookup, at, where
from mainstay.link.publications import IGNORED_ROLES, Publication
from mainstay.link.refusals import UNKNOWN, Refusals, path_of
from mainstay.link.routers import Routers
from mainstay.link.routes import VERBS
from mainstay.link.words import snake, sounds_authenticating
from mainstay.model.code import (
    Assign,
    Attribute,
    Call,
    Display,
    Literal,
    Name,
    Operation,
    Result,
    ScopeKind,
    Value,
)
from mainstay.model.location import Location
from mainstay.model.system import Guard

HOOKS = ("before_request", "before_app_request", "middleware", "on_request")
ADDING = (*HOOKS, "add_middleware")
ENTRIES = ("dispatch", "__call__", "process_request", "process_view")  # of a middleware class
DJANGO = frozenset({"django", "djangorestframework", "django-ninja"})
WHEN_CONFIGURED = "when configured"
DEEPEST = 6  # lists put together from other lists

_OPEN = re.compile(
    r"(?:^|_)(?:public|unauth\w*|anonymous|no_?auth|no_?login|skip_(?:auth|login)|(?:auth|login|token)\w*_(?:exempt|excluded?|ignored?)"
    r"|(?:exempt|excluded?)\w*_(?:auth|login)\w*)(?:_|$)"
)
_OPEN_PLACES = re.compile(
    r"(?:^|_)(?:open|exempt(?:ed|ions?)?|allow_?list(?:ed)?|white_?list(?:ed)?|allow_?any)(?:_|$)"
)
_PLACES = re.compile(
    r"(?:^|_)(?:auth|login|paths?|ur[li]s?|routes?|endpoints?|views?|prefixes|operations?)(?:_|$)"
)
_OTHER_MATTERS = re.compile(
    r"(?:^|_)(?:csrf|cors|csp|rate|limit\w*|throttl\w*|log|logs|logging|trac\w+|metrics?|cach\w+|maintenance|tenants?"
    r"|audit\w*|ips?|hosts?|hostnames?|origins?|domains?|keys?|redirects?|terms|captcha|2fa|mfa|otp|totp|password"
    r"|imports?|modules?|files?|dirs?|buckets?)(?:_|$)"
)
_PARAMETER = re.compile(r"\{[^}]*\}|<[^>]*>|\((?:[^()]|\([^()]*\))*\)[?*+]?")


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
                self._judge(draft.name, router, where(draft), is_optional(home, value))

    def _of_calls(self, draft: Draft) -> None:
        """`app.add_middleware(Auth)`, `app.before_request(check)`, `app.middleware("http")(check)`."""
        for statement in draft.body.statements:
            if not isinstance(statement, Call) or not statement.arguments:
                continue
            callee = statement.callee
            if isinstance(callee, Result):
                inner = draft.body.statements[callee.call]
                callee = inner.callee if isinstance(inner, Call) else callee
            path = callee.path if isinstance(callee, Name | Attribute) else ""
            if not path.endswith(ADDING):
                continue
            before, _, last = path.rpartition(".")
            if before and (last in HOOKS or last == "add_middleware"):
                router = self._lookup.identity(draft, Name(before))
                self._of_call(draft, statement, statement.arguments[0], router)

    def _of_call(self, draft: Draft, call: Call, value: Value, router: str) -> None:
        name = self._lookup.identity(draft, value)
        configured = is_conditional(draft, call)
        if name in self._names.classes or name in self._names.functions:
            self._judge(name, router, at(draft, call), configured)
        elif name and sounds_authenticating(name):
            self._put(name, router, at(draft, call), "its name says so", configured)

    def _judge(self, name: str, router: str, place: Location, configured: bool) -> None:
        why = self._refuses(name)
        if why:
            self._put(name, router, place, why, configured)

    def _put(self, name: str, router: str, place: Location, why: str, configured: bool) -> None:
        why = f"{why}, {WHEN_CONFIGURED}" if configured else why
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


def is_conditional(draft: Draft, call: Call) -> bool:
    """Whether a call is made only in a branch: the application is built with or without it."""
    scope = call.scope
    while scope >= 0:
        found = draft.body.scopes[scope]
        if found.kind in (ScopeKind.IF, ScopeKind.ELSE, ScopeKind.CASE):
            return True
        scope = found.parent
    return False


def is_optional(home: Draft, value: Value) -> bool:
    """Whether a hook is hung up by a decorator in a branch."""
    call = home.body.statements[value.call] if isinstance(value, Result) else None
    return isinstance(call, Call) and is_conditional(home, call)


# --- lists of what is open to anyone ------------------------------------------------------------------


class Exempt(Struct, frozen=True):
    """One entry of such a list: a path, what it covers, and for which HTTP methods (none: all)."""

    path: tuple[str, ...]  # by segment, `{}` for a parameter
    below: bool  # everything under the path, too
    methods: frozenset[str]
    guard: Guard


class Exemptions:
    """Constants that list paths which need no principal, such as `PUBLIC_PATHS` or `LOGIN_EXEMPT_URLS`.

    What enforces them walks the routes or stands in front of all: it is not looked for.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._names = lookup.names
        self._entries: dict[str, list[Exempt]] = {}  # by the last segment of the path that is no parameter
        self._prefixes: list[Exempt] = []
        for dotted, (draft, value, _) in self._names.variables.items():
            if value is not None and names_open_paths(dotted) and draft.file.role not in IGNORED_ROLES:
                self._read(dotted, draft, value)

    def of(self, method: str, path: str) -> Iterator[Guard]:
        """The declaration that the operation is public, when a list holds it."""
        whole = segments(path)
        key = fixed(whole)
        if not key:
            return
        for entry in (*self._entries.get(key, ()), *self._prefixes):
            if (not entry.methods or method in entry.methods) and covers(entry, whole):
                yield entry.guard
                return

    def _read(self, dotted: str, draft: Draft, value: Value) -> None:
        name = dotted.rpartition(".")[2]
        place = Location(draft.file.path, _line_of(draft, name))
        guard = Guard(dotted, place, False, True, f"listed in {name}")
        for text, methods in self._paths(draft, value, frozenset(), 0):
            written, below = literal_part(text)
            path = segments(written)
            if fixed(path):
                below = below or "prefix" in name.lower() or name in self._starts
                entry = Exempt(path, below, methods, guard)
                if entry.below:
                    self._prefixes.append(entry)
                else:
                    self._entries.setdefault(fixed(path), []).append(entry)

    @cached_property
    def _starts(self) -> frozenset[str]:
        """The names of everything that the starts of texts are compared with, anywhere."""
        found = (compared_by_start(each) for each in self._names.functions.values())
        return frozenset[str]().union(*found)

    def _paths(
        self, draft: Draft, value: Value, methods: frozenset[str], depth: int
    ) -> Iterator[tuple[str, frozenset[str]]]:
        """Every path of a display, with the HTTP methods written beside it."""
        if depth > DEEPEST:
            return
        if isinstance(value, Literal):
            if isinstance(value.value, str) and is_path(value.value):
                yield value.value, methods
        elif isinstance(value, Display):
            beside = frozenset(verbs_in(draft, value)) if value.kind == "tuple" else frozenset()
            for key, item in zip(value.keys, value.items, strict=False):
                yield from self._paths(draft, key, frozenset(verbs_in(draft, item)), depth + 1)
            for item in value.items:
                yield from self._paths(draft, item, beside or methods, depth + 1)
        elif isinstance(value, Operation):
            for operand in value.operands:
                yield from self._paths(draft, operand, methods, depth + 1)
        elif isinstance(value, Result):
            call = draft.body.statements[value.call]
            for argument in call.arguments if isinstance(call, Call) else ():
                yield from self._paths(draft, argument, methods, depth + 1)
        elif isinstance(value, Name):
            placed = self._lookup.value_of(self._lookup.identity(draft, value))
            if placed is not None and placed[1] != value:
                yield from self._paths(*placed, methods, depth + 1)


def names_open_paths(dotted: str) -> bool:
    """Whether the name of a constant says that it lists what anyone may call."""
    word = snake(dotted)
    if _OTHER_MATTERS.search(word):
        return False
    return bool(_OPEN.search(word) or (_OPEN_PLACES.search(word) and _PLACES.search(word)))


def compared_by_start(draft: Draft) -> frozenset[str]:
    """The last names of what a body asks the starts of texts for, or walks through to ask it."""
    for statement in draft.body.statements:
        callee = statement.callee if isinstance(statement, Call) else None
        if isinstance(callee, Name | Attribute) and callee.path.endswith(("startswith", "match")):
            break
    else:
        return frozenset()
    calls = [each for each in draft.body.statements if isinstance(each, Call)]
    if not any(path_of(call.callee).endswith((".startswith", "re.match")) for call in calls):
        return frozenset()
    read = [value for scope in draft.body.scopes for value in scope.head]
    read += [value for call in calls for value in call.arguments]
    return frozenset(path_of(value).rpartition(".")[2] for value in read)


def verbs_in(draft: Draft, value: Value) -> Iterator[str]:
    """The HTTP methods among the items of a display, and of those inside it."""
    for item in value.items if isinstance(value, Display) else ():
        if isinstance(item, Literal) and isinstance(item.value, str) and item.value.upper() in VERBS:
            yield item.value.upper()
        elif isinstance(item, Display):
            yield from verbs_in(draft, item)


def is_path(text: str) -> bool:
    return ("/" in text or text.startswith("^")) and "://" not in text and " " not in text


def literal_part(text: str) -> tuple[str, bool]:
    """What a path or pattern begins with for certain, and whether anything may follow.

    A pattern is not run: it is someone else's, and may take for ever.
    """
    text = text.removeprefix("^").replace("\\/", "/").replace("\\.", ".").replace("\\-", "-")
    if re.search(r"[*+?\\|()\[]", text):
        before = re.split(r"[*+?\\|()\[.$]", text)[0]
        optional = text[len(before) :][:1] in ("?", "*") and not before.endswith("/")
        before = before[:-1] if optional else before
        ended = text.endswith("/?$") and text[:-3] == before
        return before if before.endswith("/") or ended else before.rpartition("/")[0], not ended
    return text.removesuffix("$"), False


def segments(path: str) -> tuple[str, ...]:
    """The parts of a path; parameters, however written, are alike."""
    plain = _PARAMETER.sub("{}", path.removeprefix("^").rstrip("$?"))
    return tuple(part if "{}" not in part else "{}" for part in plain.split("/") if part)


def fixed(path: tuple[str, ...]) -> str:
    """The last part that is no parameter; "" when there is none."""
    return next((part for part in reversed(path) if part != "{}"), "")


def covers(entry: Exempt, path: tuple[str, ...]) -> bool:
    """Whether a path is the entry's, or lies under it, whatever API prefix stands in front."""
    for start in range(len(path)):
        rest = path[start:]
        if rest == entry.path or (entry.below and rest[: len(entry.path)] == entry.path):
            return True
        if not re.fullmatch(r"\{\}|api|rest|v\d+(?:\.\d+)?", path[start]):
            return False
    return False


def _line_of(draft: Draft, name: str) -> int:
    for statement in draft.body.statements:
        if isinstance(statement, Assign) and Name(name) in statement.targets:
            return statement.line
    return 1
