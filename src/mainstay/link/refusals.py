"""Whether a function of the project turns unknown callers away, and how that shows."""

import re
from collections.abc import Iterator

from msgspec import Struct

from mainstay.link.draft import Draft
from mainstay.link.lookup import Lookup
from mainstay.link.routers import Routers
from mainstay.link.words import snake
from mainstay.model.code import (
    Assign,
    Attribute,
    Call,
    Display,
    Fate,
    Literal,
    Name,
    Operation,
    Raise,
    Result,
    Return,
    ScopeKind,
    Value,
)
from mainstay.model.system import Target

DEEPEST = 4  # calls and wrappers looked into
UNKNOWN, FORBIDDEN = 401, 403

_CODES = {
    "UNAUTHORIZED": UNKNOWN,
    "HTTP_401_UNAUTHORIZED": UNKNOWN,
    "FORBIDDEN": FORBIDDEN,
    "HTTP_403_FORBIDDEN": FORBIDDEN,
}
_EXCEPTION = re.compile(
    r"unauthori[sz]ed|unauthenticated|not_authenticated|authentication_(?:failed|error|required)|auth_(?:error|failed|exception)"
    r"|login_required|not_logged_in|invalid_(?:token|credentials|signature|api_key|auth)|signature_verification"
)
_FORBIDS = re.compile(
    r"^(?:http_)?forbidden(?:_error|_exception)?$|permission_(?:denied|error)|not_authori[sz]ed|access_(?:denied|error)|insufficient_|not_permitted"
)
_CARRIES = re.compile(
    r"exception|error|abort|response|problem|fail|reject|deny|refuse|render|redirect|json|result|detail|handle"
)
_TELLS = re.compile(
    r"is_authenticated$|is_active$|is_staff$|is_superuser$|is_admin$|has_perms?$|has_permission$|is_anonymous$"
)

_MAY = re.compile(r"(?:^|\.)(?:user_)?can_\w+$|(?:^|\.)(?:is|has)_(?:allowed|access|owner|member)\w*$")
_CALLER = re.compile(
    r"(?:^|\.)(?:(?:session|g|request|state)\.user|current_user|request_user)$"
)  # who is asking, as the frameworks hold it
_SECRET = re.compile(r"(?i)(?:^|[._])(?:\w*_)?(?:secret|signature|api_?key|auth_?key|token|hmac|digest)$")


class Refusal(Struct, frozen=True):
    """How a function refuses: the status it answers with, and that in words."""

    code: int
    why: str


class Refusals:
    """Looks into functions, remembering the answers."""

    def __init__(self, lookup: Lookup, routers: Routers) -> None:
        self._lookup = lookup
        self._routers = routers
        self._names = lookup.names
        self._found: dict[tuple[str, int], Refusal | None] = {}
        self._nested: dict[str, list[Draft]] = {}
        for draft in self._names.functions.values():
            if draft.parent is not None and draft.parent.body.kind == "function":
                self._nested.setdefault(draft.parent.name, []).append(draft)

    def of(self, function: str, depth: int = DEEPEST) -> Refusal | None:
        """How the function, what it calls or the wrapper it returns refuses; None when nothing shows it."""
        key = (function, depth)
        if key not in self._found:
            self._found[key] = None  # functions that call each other end here
            draft = self._draft(function)
            self._found[key] = self._look(draft, depth) if draft else None
        return self._found[key]

    def lets_missing_through(self, function: str) -> bool:
        """Whether it returns at once when the credential it takes as a parameter is missing."""
        draft = self._draft(function)
        names = {p.name for p in draft.body.parameters} if draft and draft.body.kind == "function" else set()
        for scope in draft.body.scopes if draft else ():
            if scope.kind is ScopeKind.IF and scope.head and scope.first < scope.last and draft:
                first = draft.body.statements[scope.first]
                empty = isinstance(first, Return) and first.value in (None, Literal(None))
                if empty and names & _missing(scope.head[0]):
                    return True
        return False

    def _draft(self, function: str) -> Draft | None:
        if function in self._names.classes:
            methods = self._lookup.calls.classes.methods(function)
            function = methods.get("__call__") or methods.get("__init__") or function
        return self._names.functions.get(function)

    def _look(self, draft: Draft, depth: int) -> Refusal | None:
        own = self.here(draft)
        if own is not None or depth <= 0:
            return own
        for name in self._below(draft):
            found = self.of(name, depth - 1)
            if found is not None:
                return Refusal(found.code, found.why if " in " in found.why else f"{found.why} in {name}")
        return None

    def _below(self, draft: Draft) -> Iterator[str]:
        """What runs because the function runs: its injected dependencies, wrappers and callees."""
        for nested in self._nested.get(draft.name, ()):
            yield nested.name
        for parameter in draft.body.parameters:
            for home, value in self._routers.injected(
                draft.parent or draft, parameter.annotation, parameter.default
            ):
                provider = self._routers.provider(home, value)
                if provider is not None:
                    yield self._lookup.identity(*provider)
        for target in draft.targets.values():
            if target.library is None and target.name in self._names.functions and target.name != draft.name:
                yield target.name

    # --- one body -------------------------------------------------------------------------------------

    def here(self, draft: Draft) -> Refusal | None:
        """How this body alone refuses."""
        best: Refusal | None = None
        for index, statement in enumerate(draft.body.statements):
            found: Refusal | None = None
            if isinstance(statement, Raise):
                found = self._raised(draft, statement.value)
            elif isinstance(statement, Return):
                found = _returned(statement.value)
            elif isinstance(statement, Call):
                found = self._called(draft, index, statement)
            if found is not None and (best is None or found.code == UNKNOWN):
                best = found
                if best.code == UNKNOWN:
                    return best
        return best or self._scheme(draft)

    def _raised(self, draft: Draft, value: Value | None) -> Refusal | None:
        if isinstance(value, Name):
            return _by_exception(value.path)
        if not isinstance(value, Result):
            return None
        call = draft.body.statements[value.call]
        if not isinstance(call, Call):
            return None
        name = callee_name(call.callee)
        code = code_of(call)
        if code:
            return Refusal(code, f"raises {name}({code})")
        return None if _has_other_code(call) else _by_exception(name)

    def _called(self, draft: Draft, index: int, call: Call) -> Refusal | None:
        name = callee_name(call.callee)
        word = snake(name)
        target = draft.targets.get(index)
        if target and target.library and target.library.authenticates:
            return Refusal(UNKNOWN, f"calls {target.name}")
        if word in ("compare_digest", "constant_time_compare", "construct_event", "verify_signature"):
            return Refusal(UNKNOWN, f"verifies with {name}()")
        if word in ("loads", "unsign", "unsign_object") and _reads_signed(call, target):
            return Refusal(UNKNOWN, f"verifies with {name}()")
        if word in ("redirect_to_login", "handle_no_permission") or path_of(call.callee).endswith(
            ("login_manager.unauthorized", "jwt.decode")
        ):
            return Refusal(UNKNOWN, f"calls {name}()")
        if word == "http_response_forbidden":
            return Refusal(FORBIDDEN, f"returns {name}")
        if _CARRIES.search(word) and call.fate not in (Fate.TESTED, Fate.RAISED):
            code = code_of(call)
            if code:
                return Refusal(code, f"{name}({code})")
        if "redirect" in word and _mentions_login(draft, call):
            return Refusal(UNKNOWN, "redirects to the login page")
        return None

    def _scheme(self, draft: Draft) -> Refusal | None:
        """An injected security scheme refuses by itself."""
        for parameter in draft.body.parameters:
            for home, value in self._routers.injected(
                draft.parent or draft, parameter.annotation, parameter.default
            ):
                provider = self._routers.provider(home, value)
                target = self._lookup.target_of(*provider) if provider else None
                if target and target.library and target.library.authenticates:
                    return None if self._is_lenient(provider) else Refusal(UNKNOWN, f"needs {target.name}")
        return None

    def _is_lenient(self, provider: tuple[Draft, Value] | None) -> bool:
        """`HTTPBearer(auto_error=False)` lets everyone pass."""
        made = self._lookup.call_of(*provider) if provider else None
        return bool(made and made[2].keyword("auto_error") == Literal(False))


def _missing(test: Value) -> frozenset[str]:
    """The names that a test finds empty: `not key`, `key is None`."""
    if not isinstance(test, Operation):
        return frozenset()
    if test.operator == "or":
        return frozenset[str]().union(*(_missing(each) for each in test.operands))
    left = test.operands[0]
    absent = test.operator == "not" or (test.operator in ("is", "==") and test.operands[-1] == Literal(None))
    return frozenset({left.path}) if absent and isinstance(left, Name) else frozenset()


def callee_name(callee: Value) -> str:
    """The last part of what is called."""
    return path_of(callee).rpartition(".")[2]


def path_of(callee: Value) -> str:
    return callee.path if isinstance(callee, Name | Attribute) else ""


def code_of(call: Call) -> int:
    """The status 401 or 403 among the arguments of a call, or 0."""
    for value in (*call.arguments[:3], *(k.value for k in call.keywords)):
        code = _code(value)
        if code:
            return code
    return 0


def _code(value: Value) -> int:
    if isinstance(value, Literal):
        if value.value in (UNKNOWN, FORBIDDEN) and not isinstance(value.value, bool):
            return int(value.value)
        return 0
    if isinstance(value, Name | Attribute):
        last = value.path.removesuffix(".value").rpartition(".")[2]
        return _CODES.get(last.upper()) or _code_of_name(last)
    if isinstance(value, Operation) and value.operator == "if":
        return max(_code(each) for each in value.operands)
    return 0


def _code_of_name(name: str) -> int:
    """`ErrorCode.INSUFFICIENT_PERMISSIONS`: a constant that is named for the refusal."""
    refusal = _by_exception(name) if name.isupper() else None
    return refusal.code if refusal else 0


def _has_other_code(call: Call) -> bool:
    """Whether some other status is given, so that the exception's name does not decide."""
    for value in (
        *call.arguments[:1],
        *(k.value for k in call.keywords if "status" in k.name or k.name == "code"),
    ):
        if isinstance(value, Literal) and isinstance(value.value, int) and 400 <= value.value < 600:
            return True
    return False


def _by_exception(path: str) -> Refusal | None:
    name = path.rpartition(".")[2]
    word = snake(name)
    if _EXCEPTION.search(word):
        return Refusal(UNKNOWN, f"raises {name}")
    if _FORBIDS.search(word):
        return Refusal(FORBIDDEN, f"raises {name}")
    return None


def _returned(value: Value | None) -> Refusal | None:
    """`return "...", 401`."""
    if isinstance(value, Display) and value.kind == "tuple":
        for item in value.items[1:]:
            code = _code(item)
            if code:
                return Refusal(code, f"returns {code}")
    return None


def _mentions_login(draft: Draft, call: Call, depth: int = 0) -> bool:
    for value in (*call.arguments, *(k.value for k in call.keywords)):
        if (
            isinstance(value, Literal)
            and isinstance(value.value, str)
            and re.search(r"log_?in|sign_?in", value.value)
        ):
            return True
        if isinstance(value, Name) and re.search(r"log_?in_url|login", value.path.lower()):
            return True
        inner = draft.body.statements[value.call] if isinstance(value, Result) else None
        if isinstance(inner, Call) and depth < 2 and _mentions_login(draft, inner, depth + 1):
            return True
    return False


def checks_caller(draft: Draft) -> str:
    """The test of who is calling that the body makes: `request.user.is_authenticated`; "" when none."""
    for scope in draft.body.scopes:
        for value in scope.head:
            found = _test_in(value)
            if found:
                return found
    for statement in draft.body.statements:
        if isinstance(statement, Call) and (_TELLS.search(path_of(statement.callee)) or _decides(statement)):
            return path_of(statement.callee)
    return _turned_away(draft)


def _decides(call: Call) -> bool:
    """`if not event.can_access(session.user)`: what the caller may do is asked."""
    return (
        call.fate in (Fate.TESTED, Fate.COMBINED)
        and _MAY.search(path_of(call.callee)) is not None
        and any(_CALLER.search(path_of(each)) for each in call.arguments)
    )


def _turned_away(draft: Draft) -> str:
    """The caller whose absence ends the body at once: `if not session.user: return`."""
    held = {
        target.path: statement.value
        for statement in draft.body.statements
        if isinstance(statement, Assign) and isinstance(statement.value, Name)
        for target in statement.targets
        if isinstance(target, Name)
    }
    for scope in draft.body.scopes:
        if scope.kind is not ScopeKind.IF or not scope.head or scope.first >= scope.last:
            continue
        if isinstance(draft.body.statements[scope.last - 1], Return | Raise):
            for name in _missing(scope.head[0]):
                path = path_of(held.get(name, Name(name)))
                if _CALLER.search(path):
                    return path
    return ""


def _reads_signed(call: Call, target: Target | None) -> bool:
    """Whether a text is read that only this service can have signed: `signing.loads(token)`."""
    held = target.receiver.name if target and target.receiver else target.name if target else ""
    path = f"{held} {path_of(call.callee).rpartition('.')[0]}".lower()
    return re.search(r"itsdangerous|sign(?:er|ing|ed)|secure_\w*serializer|jws|jwt", path) is not None


def _test_in(value: Value, depth: int = 0) -> str:
    if isinstance(value, Name | Attribute) and _TELLS.search(value.path):
        return value.path
    if isinstance(value, Operation) and value.operator in ("==", "!="):
        return next(
            (v.path for v in value.operands if isinstance(v, Name | Attribute) and _SECRET.search(v.path)), ""
        )
    if isinstance(value, Operation) and depth < 4:
        return next((found for each in value.operands if (found := _test_in(each, depth + 1))), "")
    return ""
