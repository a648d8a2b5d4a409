"""What of the operations the configuration names: readiness, metrics, the document, public ones, the load."""

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from mainstay.configuration import Configuration
from mainstay.initial.section import Entry, Section, escaped
from mainstay.initial.settings import Setting, field_default
from mainstay.initial.tree import Tree
from mainstay.model.code import Call, Literal, Name, Text, Value
from mainstay.model.flow import text_of
from mainstay.model.system import UNLINKED, Operation

_READY = (
    r"/readyz$",
    r"/ready$",
    r"/readiness$",
    r"/(?:health|healthz|status)/ready$",
    r"/healthz$",
    r"/health$",
    r"/health[-_]?check/?$",
    r"/health/$",
    r"/_health/?$",
    r"/livez$",
    r"/live(?:ness)?$",
    r"/health/\w+$",
    r"/ping/?$",
    r"/heartbeat/?$",
    r"/status/?$",
    r"/up/?$",
)  # fmt: skip - the surest first
_METRICS = re.compile(r"/metrics/?$")
_PREFIX_FIELD = re.compile(
    r"(?i)^(?:api|url|route|base)?_?(?:v\d+)?_?(?:api|root)?_?(?:prefix|str|base|path)$|^api_v\d+(?:_str)?$"
)
ACTIONS, TEMPLATES = 8, 2  # more make a first file unreadable
_DOCUMENTS = {  # where a library shows what it makes of the operations
    "apiflask": "/openapi.json",
    "apifairy": "/apispec.json",
    "django-ninja": "/api/openapi.json",
    "litestar": "/schema/openapi.json",
    "spectree": "/apidoc/openapi.json",
    "connexion": "/openapi.json",
}  # fmt: skip - a table reads best in rows
_NO_READ = re.compile(
    r"log[-_]?out|log[-_]?in|sign[-_]?(?:in|up|out)|/admin|metrics|/docs|redoc|openapi|schema|callback"
    r"|export|download|exit|demo|delete|password|favicon|robots|manifest|/create|/new/?$|health|ready|live|ping|register|confirm|oauth"
    r"|oidc|^/tasks"
)
_NO_WRITE = re.compile(
    r"log[-_]?out|log[-_]?in|sign[-_]?|auth|token|password|admin|reset|verify|register|session|webhook|user"
)


class Interface(Struct, frozen=True):
    """The paths that the configuration names, each with the reason."""

    ready: Entry
    metrics: Entry | None = None
    openapi: Entry | None = None
    public: tuple[str, ...] = ()
    public_why: str = ""
    look: tuple[str, ...] = ()


class Reachable(Struct, frozen=True):
    """An operation of the service with its path spelled out."""

    operation: Operation
    path: str

    @property
    def name(self) -> str:
        return f"{self.operation.method.upper()} {self.path}"

    @property
    def plain(self) -> bool:
        """Whether its path holds no parameter."""
        return not re.search(r"[{<(*]", self.path)


def reachable(tree: Tree, found: dict[str, Setting]) -> tuple[Reachable, ...]:
    """The operations below the service's folder whose whole path is known."""
    prefix = _prefix(found)
    kept: dict[str, Reachable] = {}
    folder = f"{tree.home}/" if tree.home else ""
    for operation in tree.system.operations:
        function = tree.system.functions.get(operation.function)
        if not operation.location.path.startswith(folder) or (function and function.file.role in UNLINKED):
            continue
        path = operation.path
        if path.startswith("/{}/"):
            if prefix is None:
                continue
            path = f"{prefix.rstrip('/')}/{path[4:]}"
        if "{}" not in path and path.startswith("/"):
            each = Reachable(operation, _plain_path(path))
            kept.setdefault(each.name, each)
    return tuple(kept.values())


def interface(
    tree: Tree, operations: Sequence[Reachable], found: dict[str, Setting], configuration: Configuration
) -> Interface:
    """The paths of the service, by its deployment, its operations and what is written elsewhere."""
    openapi = _openapi(tree, found)
    ready = _ready(tree, operations, openapi)
    metrics = _metrics(tree, operations)
    named = [
        entry.pattern for entry in configuration.public if " " in entry.pattern and "*" not in entry.pattern
    ]
    by_review = [each.name for each in operations if each.operation.public and each.plain]
    kept = [
        f"GET {entry.value}"
        for entry in (ready, metrics)
        if entry is not None and _is_own(operations, str(entry.value))
    ]
    public = tuple(dict.fromkeys([*named, *kept, *by_review]))[:30]
    look = []
    if ready.why.startswith("nothing better"):
        look.append(
            f"No operation says whether the service is ready: `ready` is {ready.value}; it has to answer 2xx."
        )
    return Interface(
        ready,
        metrics,
        openapi,
        public,
        "review sees that anyone may call them" if public else "",
        tuple(look),
    )


def actions(operations: Sequence[Reachable], *, known: bool, logged_in: bool) -> Iterator[Section]:
    """GET operations as actions where no document describes them; what writes, as templates.

    `known`: a document describes the operations.  `logged_in`: there is an actor with credentials.
    """
    if known:
        return
    reads = [each for each in operations if each.operation.method.upper() == "GET" and each.plain]
    reads = [each for each in reads if not _NO_READ.search(each.path)]
    reads.sort(key=lambda each: each.operation.authenticated and not logged_in)
    templates = 0
    for each in reads[:ACTIONS]:
        closed = each.operation.authenticated and not logged_in
        templates += closed
        if templates > TEMPLATES:
            break
        why = (
            "guess: it needs credentials, and no actor has any yet"
            if closed
            else f"guess: {each.operation.location.path} serves it"
        )
        yield Section(
            ("prove", "action"),
            (Entry("name", each.name), Entry("request", escaped(each.name))),
            why,
            True,
            left_out=closed,
        )
    writes = [each for each in operations if each.operation.method.upper() == "POST" and each.plain]
    writes = [each for each in writes if not _NO_WRITE.search(each.path)]
    for each in writes[:TEMPLATES]:
        entries = (
            Entry("name", each.name),
            Entry("request", escaped(each.name)),
            Entry("body", {"name": "{marker}"}),
            Entry("gives", {"thing": "id"}),
            Entry("reads", f"{escaped(each.path.rstrip('/'))}/{{made}}"),
        )
        yield Section(
            ("prove", "action"),
            entries,
            "complete it: what it sends, and how it is read back",
            True,
            left_out=True,
        )


# --- parts ---------------------------------------------------------------------------------------


def _ready(tree: Tree, operations: Sequence[Reachable], openapi: Entry | None) -> Entry:
    asked = (
        next((each.health for each in tree.compose.own if each.health and not each.once), "")
        if tree.compose
        else ""
    )
    if asked and tree.compose is not None:
        return Entry("ready", escaped(asked), f"the health check of {tree.compose.file.name} asks it")
    if tree.dockerfile is not None and tree.dockerfile.health:
        return Entry(
            "ready",
            escaped(tree.dockerfile.health),
            f"the health check of {tree.dockerfile.file.name} asks it",
        )
    gets = [
        each for each in operations if each.operation.method.upper() in ("GET", "ANY", "*") and each.plain
    ]
    for pattern in _READY:
        for each in sorted(gets, key=lambda each: len(each.path)):
            if re.search(pattern, each.path) and not each.operation.authenticated:
                return Entry("ready", escaped(each.path), "its path says so")
    if openapi is not None and str(openapi.value).startswith("/"):
        return Entry(
            "ready", openapi.value, "nothing better was found, and this answers without the database"
        )
    for pattern in (r"(?:login|sign-?in)/?$", r"^/(?:api|v\d)/.*[a-z]/?$"):
        for each in gets:
            if (
                re.search(pattern, each.path)
                and not each.operation.authenticated
                and "logout" not in each.path
            ):
                return Entry("ready", escaped(each.path), "nothing better was found, and anyone may call it")
    if tree.has("django") and not any(each.path == "/" and not each.operation.authenticated for each in gets):
        return Entry("ready", "/admin/login/", "nothing better was found, and most Django projects have it")
    return Entry("ready", "/", "nothing better was found")


def _metrics(tree: Tree, operations: Sequence[Reachable]) -> Entry | None:
    for each in operations:
        if each.operation.method.upper() == "GET" and each.plain and _METRICS.search(each.path):
            return Entry("metrics", escaped(each.path), "its path says so")
    if tree.has("django-prometheus"):
        return Entry("metrics", "/metrics", "django-prometheus is asked for")
    if tree.has("prometheus-fastapi-instrumentator", "starlette-exporter", "prometheus-flask-exporter"):
        return Entry("metrics", "/metrics", "an exporter for Prometheus is asked for")
    return None


def _openapi(tree: Tree, found: dict[str, Setting]) -> Entry | None:
    for function in tree.system.source_functions():
        for _, call, target in function.calls():
            if target.name.rpartition(".")[2] == "FastAPI" and _below(function.file.path, tree.home):
                return _of_fastapi(call, found, f"{function.file.path}:{call.line}")
    if any(each.framework == "fastapi" for each in tree.system.operations):
        return Entry("openapi", "/openapi.json", "FastAPI shows it there")
    for name, path in _DOCUMENTS.items():
        if tree.has(name):
            return Entry("openapi", path, f"{name} shows it there")
    return None


def _of_fastapi(call: Call, found: dict[str, Setting], place: str) -> Entry | None:
    given = call.keyword("openapi_url")
    if given is None:
        if call.spreads and (text := field_default(found, "openapi_url")):
            return Entry(
                "openapi", escaped(text), f"the default of the setting; {place} builds the application"
            )
        return Entry("openapi", "/openapi.json", f"FastAPI shows it there; {place} builds the application")
    if given == Literal(None):
        return None
    path = _spelled(given, found)
    return Entry("openapi", escaped(path or "/openapi.json"), f"{place} says so") if path else None


def _spelled(value: Value, found: dict[str, Setting]) -> str:
    """A text put together from literals and defaults of settings; "" when a part is unknown."""
    if isinstance(value, Text):
        parts = [_spelled(part, found) for part in value.parts]
        return "".join(parts) if all(parts) else ""
    if isinstance(value, Name):
        return field_default(found, value.path) or ""
    return text_of(value) or ""


def _prefix(found: dict[str, Setting]) -> str | None:
    """What stands before the paths of all routes, when a setting decides it."""
    for setting in found.values():
        default = setting.default
        if (
            isinstance(default, str)
            and default.startswith("/")
            and _PREFIX_FIELD.search(setting.field or setting.name)
        ):
            return default
    return None


def _plain_path(path: str) -> str:
    """Without the signs of a pattern that mean nothing where no parameter is."""
    return re.sub(r"//+", "/", path.removesuffix("$").replace("/^", "/"))


def _is_own(operations: Sequence[Reachable], path: str) -> bool:
    return any(each.path == path and each.operation.method.upper() == "GET" for each in operations)


def _below(path: str, home: str) -> bool:
    return not home or path.startswith(f"{home}/")
