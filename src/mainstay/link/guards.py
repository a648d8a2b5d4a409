"""Who stands before each operation: dependencies, decorators, permissions, middleware, first checks."""

import re
from collections.abc import Iterator, Sequence

from mainstay.link.applications import Applications, Exemptions
from mainstay.link.draft import Draft
from mainstay.link.lookup import Lookup, Placed, at, where
from mainstay.link.names import join
from mainstay.link.permissions import Permissions
from mainstay.link.publications import Publication
from mainstay.link.refusals import UNKNOWN, Refusals, callee_name, checks_caller
from mainstay.link.routers import Routers
from mainstay.link.routes import Routes
from mainstay.link.views import ENTRIES, Views
from mainstay.link.words import (
    conventional,
    snake,
    sounds_authenticating,
    sounds_checking,
    sounds_like_a_resource,
    sounds_optional,
    sounds_public,
)
from mainstay.model.code import Call, Literal, Operation, Result, Return, Use, Value
from mainstay.model.effect import OUTSIDE, WRITES, EffectKind
from mainstay.model.location import Location
from mainstay.model.system import Guard

HEAD_DEPTH = 2  # calls from a handler's body into which a check is followed
FARTHEST = 60  # functions read to be sure that a handler changes nothing
CHANGES = WRITES | OUTSIDE | {EffectKind.COMMIT}
QUIET = frozenset({"property", "staticmethod", "classmethod", "override", "wraps"})


class Guards:
    """Finds the guards of operations."""

    def __init__(self, lookup: Lookup, routers: Routers, published: Sequence[Publication]) -> None:
        self._lookup = lookup
        self._names = lookup.names
        self._calls = lookup.calls
        self._routers = routers
        self._refusals = Refusals(lookup, routers)
        self._applications = Applications(lookup, routers, self._refusals)
        self._exemptions = Exemptions(lookup)
        self._views = Views(lookup, Routes(lookup))
        self._handlers = {each.handler.name for each in published if not each.view}
        self._permissions = Permissions(lookup, self._refusals)
        self._judged: dict[tuple[str, int, str], Guard | None] = {}

    def of(self, publication: Publication) -> tuple[Guard, ...]:
        """Everything that runs before the operation, each once; a declaration of being public included."""
        found: dict[str, Guard] = {}
        for guard in self._all(publication):
            old = found.get(guard.name)
            if old is None or (guard.authenticates and not old.authenticates):
                found[guard.name] = guard
        guards = tuple(found.values())
        if not any(guard.authenticates or guard.public for guard in guards):
            return (*guards, *self._by_convention(publication))
        return guards

    def _all(self, publication: Publication) -> Iterator[Guard]:
        yield from self._of_parameters(publication.handler)
        yield from self._of_publishing(publication)
        for placed in self._routers.guards(publication.router):
            yield from self._judge(*placed)
        yield from self._of_decorators(publication.handler)
        for placed in publication.wrappers:
            yield from self._judge(*placed)
        if publication.view:
            yield from self._of_bases(publication.view, publication.handler)
            yield from self._permissions.of_view(publication)
            yield from self._of_hooks(publication.view)
        else:
            yield from self._permissions.of_function(publication.handler)
        yield from self._applications.guards(publication)
        yield from self._of_head(publication.handler)
        yield from self._of_target(publication.handler)
        yield from self._exemptions.of(publication.operation.method, publication.operation.path)

    def _of_parameters(self, draft: Draft) -> Iterator[Guard]:
        for parameter in draft.body.parameters:
            for placed in self._routers.injected(
                draft.parent or draft, parameter.annotation, parameter.default
            ):
                yield from self._judge(*placed)

    def _of_publishing(self, publication: Publication) -> Iterator[Guard]:
        home = publication.home
        call = home.body.statements[publication.call] if publication.call >= 0 else None
        if not isinstance(call, Call) or publication.route is None or not publication.route.guards:
            return
        value = call.keyword(publication.route.guards)
        items = list(self._lookup.items(home, value))
        for placed in items or ([(home, value)] if value is not None else []):
            yield from self._judge(*placed)

    def _of_decorators(self, draft: Draft) -> Iterator[Guard]:
        if draft.parent is None or draft.body.kind != "function":
            return
        for value in draft.body.decorators:
            yield from self._judge(draft.parent, value)

    # --- one guard ------------------------------------------------------------------------------------

    def _judge(self, home: Draft, value: Value) -> Iterator[Guard]:
        """What a dependency or decorator is: one guard, or none for a route or a plain helper."""
        provider = self._routers.provider(home, value)
        if provider is None:
            return
        name = _factory(provider) or self._lookup.identity(*provider)
        if not name:
            return
        key = (home.name, _line(home, value), name)
        if key not in self._judged:
            self._judged[key] = self._guard(name, home, value, provider)
        guard = self._judged[key]
        if guard is not None:
            yield guard

    def _guard(self, name: str, home: Draft, value: Value, provider: Placed) -> Guard | None:
        place = Location(home.file.path, _line(home, value))
        target = self._lookup.target_of(*provider)
        library = target.library if target else None
        if library is not None:
            if library.route is not None or library.job is not None:
                return None
            if library.authenticates or library.public:
                why = f"{target.name} is known to" if target else ""
                return Guard(name, place, library.authenticates, library.public, why)
        if name.rpartition(".")[2] in QUIET or self._permissions.is_marker(name):
            return None
        if sounds_public(name):
            reason = self._reason(provider)
            return Guard(name, place, False, reason is not None, reason or "")
        decorating = self._decorating(home, value)
        if decorating is not None:
            return decorating
        return self._by_doing(name, place)

    def _by_doing(self, name: str, place: Location) -> Guard:
        """Whether a thing of the project refuses unknown callers: by what it does, else by its name.

        One that does not ask everybody has a reason why it is a guard, and yet does not authenticate.
        """
        if sounds_like_a_resource(name):
            return Guard(name, place, False)
        refusal = self._refusals.of(name)
        if refusal is None:
            placed = self._lookup.value_of(name)
            made = self._lookup.identity(*placed) if placed else ""
            refusal = self._refusals.of(made) if made else None
        told = sounds_authenticating(name)
        if refusal is not None and refusal.code != UNKNOWN and not told:
            refusal = self._refusals.of(name, 1)  # a 403 for some other reason may lie far away
        optional = sounds_optional(name)
        if refusal is not None:
            lenient = optional or self._refusals.lets_missing_through(name)
            return Guard(name, place, not lenient, False, refusal.why)
        told_optional = optional and _CALLER.search(snake(name)) is not None
        return Guard(name, place, told, False, "its name says so" if told or told_optional else "")

    def _decorating(self, home: Draft, value: Value) -> Guard | None:
        """`@method_decorator(login_required)`: the guard is the argument."""
        call = home.body.statements[value.call] if isinstance(value, Result) else None
        if (
            not isinstance(call, Call)
            or self._lookup.identity(home, value).rpartition(".")[2] != "method_decorator"
        ):
            return None
        found: Guard | None = None
        for item in call.arguments[:1]:
            for placed in list(self._lookup.items(home, item)) or [(home, item)]:
                for guard in self._judge(*placed):
                    if found is None or guard.authenticates:
                        found = guard
        return found

    def _reason(self, provider: Placed) -> str | None:
        """The reason a marker of the project gives; None when the one asked for is empty."""
        home, value = provider
        call = home.body.statements[value.call] if isinstance(value, Result) else None
        if not isinstance(call, Call):
            return "declared public"
        texts = [v for v in (*call.arguments, *(k.value for k in call.keywords)) if isinstance(v, Literal)]
        texts = [v for v in texts if isinstance(v.value, str)]
        if texts and not any(str(v.value).strip() for v in texts):
            return None
        return next((str(v.value) for v in texts), "declared public")

    # --- view classes -----------------------------------------------------------------------------------

    def _of_bases(self, view: str, handler: Draft) -> Iterator[Guard]:
        lineage = (view, *self._calls.classes.ancestry(view))
        for name in lineage:
            if name in self._names.classes:
                yield from self._of_class(name)
            else:
                known = self._calls.knowledge.callable(name)
                if known is not None and (known.authenticates or known.public):
                    yield Guard(
                        name,
                        where(handler),
                        known.authenticates,
                        known.public,
                        "a base of the view",
                    )

    def _of_class(self, name: str) -> Iterator[Guard]:
        """Decorators of a class, and a base of the project that is named for its check."""
        file, fact = self._names.classes[name]
        body = self._names.class_bodies[name]
        for value in fact.decorators if body.parent else ():
            assert body.parent is not None
            yield from self._judge(body.parent, value)
        for attribute in ("decorators", "method_decorators"):  # flask
            for placed in self._lookup.items(body, self._lookup.assigned(body).get(attribute)):
                yield from self._judge(*placed)
        if sounds_authenticating(name) and not name.endswith(("LoginView", "LoginAPI")):
            yield Guard(name, Location(file.path, fact.line), True, False, "its name says so")
        if sounds_public(name):
            yield Guard(name, Location(file.path, fact.line), False, True, "its name says so")

    def _of_hooks(self, view: str) -> Iterator[Guard]:
        """Methods of the view that run before its handler and refuse."""
        for function in self._views.beside(view):
            refusal = self._refusals.of(function, 0)
            if refusal is not None and refusal.code == UNKNOWN:
                yield Guard(function, where(self._names.functions[function]), True, False, refusal.why)
        for method, function in self._calls.classes.methods(view).items():
            if method not in HOOKS and not sounds_checking(method):
                continue
            if self._emptied(view, method, function):
                why = f"does nothing where the {method} of a base refuses"
                yield Guard(function, where(self._names.functions[function]), False, True, why)
                continue
            refusal = self._refusals.of(function, HEAD_DEPTH + 1)
            if refusal is None and method in DECIDING:
                tested = checks_caller(self._names.functions[function])
                if tested:
                    yield Guard(
                        function, where(self._names.functions[function]), True, False, f"tests {tested}"
                    )
            elif refusal is not None:
                yield Guard(function, where(self._names.functions[function]), True, False, refusal.why)

    def _emptied(self, view: str, method: str, function: str) -> bool:
        """Whether the view took a check of its bases back by a method that does nothing."""
        if any(not isinstance(each, Use) for each in self._names.functions[function].body.statements):
            return False
        bases = [base for base in self._calls.classes.ancestry(view) if base in self._names.classes]
        above = (self._calls.classes.own_methods(base).get(method) for base in bases)
        return any(each and each != function and self._refusals.of(each, HEAD_DEPTH) for each in above)

    # --- the head of the body ---------------------------------------------------------------------------

    def _of_head(self, draft: Draft) -> Iterator[Guard]:
        """A check that the handler's own body makes."""
        if draft.body.kind != "function":
            return
        refusal = self._refusals.here(draft)
        tested = checks_caller(draft)
        if refusal is not None or tested:
            why = refusal.why if refusal else f"tests {tested}"
            yield Guard(join(draft.name, "<body>"), where(draft), True, False, why)
            return
        for call in draft.body.statements:
            if isinstance(call, Call) and _VERIFIES.fullmatch(callee_name(call.callee)):
                yield Guard(callee_name(call.callee), at(draft, call), True, False, "its name says so")
                return
        for index, target in draft.targets.items():
            call = draft.body.statements[index]
            if target.name not in self._names.functions or not isinstance(call, Call):
                continue
            callee = self._refusals.of(target.name, HEAD_DEPTH)
            if callee is not None and callee.code != UNKNOWN and not sounds_authenticating(target.name):
                callee = None  # a 403 for some other reason, far from the handler
            if callee is not None or sounds_checking(target.name):
                why = callee.why if callee else "its name says so"
                yield Guard(target.name, at(draft, call), True, False, why)
                return

    # --- handlers that hand on ----------------------------------------------------------------------------

    def _of_target(self, draft: Draft, depth: int = 0) -> Iterator[Guard]:
        """Of a handler that only redirects, or returns what other handlers answer: what guards those."""
        answers = [each for each in draft.body.statements if isinstance(each, Return)]
        if draft.body.kind != "function" or not answers:
            return
        redirects, guards = 0, list[Guard]()
        for answer in answers:
            if self._is_redirect(draft, answer.value):
                redirects += 1
                continue
            found = list(self._of_other(draft, answer.value, depth)) if depth < HEAD_DEPTH else []
            if not found:
                return
            guards += found
        if guards:
            yield from guards
        elif redirects and not self._changes(draft):
            why = "only redirects: what it redirects to has guards of its own"
            yield Guard(join(draft.name, "<redirect>"), where(draft), False, True, why)

    def _is_redirect(self, draft: Draft, value: Value | None, depth: int = 0) -> bool:
        if isinstance(value, Operation) and value.operator == "if":
            return all(self._is_redirect(draft, each, depth) for each in value.operands[1:])
        call = draft.body.statements[value.call] if isinstance(value, Result) else None
        if not isinstance(call, Call):
            return False
        if re.search(r"^redirect(?:_response|_to|_permanent)?$|_redirect$", snake(callee_name(call.callee))):
            return True
        target = draft.targets.get(value.call) if isinstance(value, Result) else None
        helper = self._names.functions.get(target.name) if target else None
        answers = [each for each in helper.body.statements if isinstance(each, Return)] if helper else []
        return (
            helper is not None
            and bool(answers)
            and depth < HEAD_DEPTH
            and all(self._is_redirect(helper, each.value, depth + 1) for each in answers)
        )

    def _of_other(self, draft: Draft, value: Value | None, depth: int) -> Iterator[Guard]:
        """The guards of the handler that a call goes to; dependencies are not run by such a call."""
        target = draft.targets.get(value.call) if isinstance(value, Result) else None
        if target is None:
            return
        view = target.receiver.name if target.receiver else ""
        guards: list[Guard] = []
        if view in self._names.classes and target.name.rpartition(".")[2] in ENTRIES:
            guards = [*self._of_bases(view, draft), *self._of_hooks(view)]
        elif target.name in self._handlers and target.name != draft.name:
            handler = self._names.functions[target.name]
            guards = [*self._of_decorators(handler), *self._of_head(handler)]
            guards += self._of_target(handler, depth + 1)
        yield from (guard for guard in guards if guard.authenticates or guard.public)

    def _changes(self, draft: Draft) -> bool:
        """Whether a function changes or sets off anything, itself or through calls; True when unsure."""
        seen, work = {draft.name}, [draft]
        while work:
            found = work.pop()
            if len(seen) > FARTHEST or any(e.kind in CHANGES for each in found.direct.values() for e in each):
                return True
            for edges in found.edges.values():
                for edge in edges:
                    if edge.function not in seen and edge.function in self._names.functions:
                        seen.add(edge.function)
                        work.append(self._names.functions[edge.function])
        return False

    def _by_convention(self, publication: Publication) -> Iterator[Guard]:
        operation = publication.operation
        word = conventional(operation.path, publication.view or operation.function)
        if word == "auth":
            word = signing_in(operation.path)
        if word:
            why = f"`{word}` needs no principal by convention"
            yield Guard("public by convention", operation.location, False, True, why)


HOOKS = frozenset(
    {
        "dispatch",
        "initial",
        "setup",
        "prepare",
        "test_func",
        "has_permission",
        "check_permissions",
        "check_access",
        "_check_access",
        "before_request",
        "authenticate",
        "authorize",
        "get_permissions",
        "get_queryset",
        "get_object",
        "process_request",
        "__call__",
        "get_current_user",
    }
)
DECIDING = frozenset(
    {"test_func", "has_permission", "dispatch", "get_permissions", "check_permissions", "check_access"}
)


_VERIFIES = re.compile(
    r"_?(?:check|verify|validate)_(?:access_?key|token|signature|secret|hmac|api_?key|credentials|permissions?)"
)
_CALLER = re.compile(r"user|caller|principal|token|auth|account|identity|member|credential|api_?key")
_SIGNING_IN = re.compile(
    r"verify\w*|request_\w+|exchange|type|config\w*|providers?|session|code|otp|signup|discover|re_?activate"
    r"|facebook|google|github|gitlab|apple|microsoft|linkedin"
)


def signing_in(path: str) -> str:
    """The part of a path under `auth` that signs in; `auth` itself when nothing follows."""
    parts = re.split(r"(?:^|[/^])auth(?=[/$]|$)", path.lower().replace("-", "_"), maxsplit=1)
    tail = parts[1] if len(parts) > 1 else ""
    last = [part for part in re.split(r"[^a-z0-9_.{}<>:]+", tail) if part and part[0] not in "{<"][-1:]
    if not last:
        return "auth"
    return conventional(tail, "") or (last[0] if _SIGNING_IN.fullmatch(last[0]) else "")


def _factory(provider: Placed) -> str:
    """The function or class that made what is injected: `public` for `Depends(public("..."))`."""
    home, value = provider
    made = home.targets.get(value.call) if isinstance(value, Result) else None
    return made.name if made else ""


def _line(home: Draft, value: Value) -> int:
    if isinstance(value, Result):
        return home.body.statements[value.call].line
    if isinstance(value, Operation):
        return max((_line(home, each) for each in value.operands), default=home.body.line)
    return home.body.line
