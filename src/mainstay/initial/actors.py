"""Who calls the service: an account that its settings name, one that registers itself, or a template."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from mainstay.initial.environment import Environment
from mainstay.initial.operations import Reachable
from mainstay.initial.section import Entry, Section, escaped
from mainstay.initial.settings import Setting, field_default
from mainstay.initial.tree import Tree
from mainstay.model.code import Assign, Call, Literal, Name, Parameter, Result, Value
from mainstay.model.flow import parts, text_of
from mainstay.model.system import Function, ProjectClass

_LOGIN = re.compile(
    r"(?:log[-_]?in|sign[-_]?in|/tokens?|/auth|/sessions?|access[-_]?token|jwt/create)/?[\w-]*/?$"
)
_NOT_LOGIN = re.compile(
    r"refresh|test-token|verify|revoke|reset|forgot|logout|oauth|callback|2fa|totp|otp|social|sso"
    r"|blacklist|recover"
)
_REGISTER = re.compile(r"(?:register|registration|sign[-_]?up|/users?|/accounts?)/?$")
_TOKENS = ("access_token", "token", "access", "auth_token", "jwt", "api_key", "key")
_ADMIN = re.compile(
    r"(?:^|_)(?:FIRST|INITIAL|DEFAULT|DJANGO)?_?(?:SUPERUSER|SUPER_USER|ADMIN)"
    r"(?:_(?:EMAIL|USERNAME|USER|LOGIN))?$"
)
_FIELDS = ("email", "username", "user_name", "login", "password", "name")
_DEEPEST = 3


class Callers(Struct, frozen=True):
    """The sections of the actors, and whether one of them has credentials."""

    sections: tuple[Section, ...]
    logged_in: bool = False
    look: tuple[str, ...] = ()


def callers(
    tree: Tree, operations: Sequence[Reachable], found: dict[str, Setting], environment: Environment
) -> Callers:
    """The actors that can be told from the code; a template where none can."""
    shapes = _Shapes(tree)
    posts = [each for each in operations if each.operation.method.upper() == "POST" and each.plain]
    login = _first(
        shapes, [each for each in posts if _LOGIN.search(each.path) and not _NOT_LOGIN.search(each.path)]
    )
    register = _first(shapes, [each for each in posts if _REGISTER.search(each.path)], open_to_all=True)
    scheme = _scheme(found)
    account = _account(environment)
    if login is not None and account is not None:
        return _by_account(login, account, scheme)
    if register is not None and register.token:
        return _by_registering(register, scheme)
    paths = [each.name for each in posts if _LOGIN.search(each.path) and not _NOT_LOGIN.search(each.path)]
    template = _template(login, min(paths, key=len, default="POST /login"), scheme)
    if not any(each.operation.authenticated for each in operations):
        return Callers((template,), look=())
    return Callers(
        (template,),
        look=("No account to call as was found: complete [prove.actor.one], with a seed that makes it.",),
    )


class _Login(Struct, frozen=True):
    """An operation that takes a name and a password, and how."""

    request: str
    place: str
    fields: Any  # what it takes, by field: "" for a text
    form: bool = False
    token: str = ""  # where its answer holds the token


def _first(shapes: "_Shapes", found: Sequence[Reachable], *, open_to_all: bool = False) -> _Login | None:
    for each in sorted(found, key=lambda each: (len(each.path), each.path)):
        login = shapes.login(each)
        if login is None or (open_to_all and each.operation.authenticated):
            continue
        if login.form or "password" in str(login.fields):
            return login
    return None


def _by_account(login: _Login, account: tuple[str, str, str], scheme: str) -> Callers:
    why, user, password = account
    filled = _filled(
        login.fields,
        {
            "email": user,
            "username": user,
            "user_name": user,
            "login": user,
            "password": password,
            "name": user,
        },
    )
    body = {"username": user, "password": password} if login.form else filled
    entries = [
        Entry("request", escaped(login.request), f"{login.place} logs in"),
        Entry("form" if login.form else "body", body, why),
        Entry(
            "token",
            escaped(login.token or "access_token"),
            "" if login.token else "where most answers hold it",
        ),
        Entry(
            "headers",
            {"Authorization": f"{scheme} {{output}}"},
            "as most services want it" if scheme == "Bearer" else "",
        ),
    ]
    look = (
        "One actor was found: whether tenants are kept apart is seen with a second one, [prove.actor.two].",
    )
    return Callers((Section(("prove", "actor", "one"), tuple(entries)),), True, look)


def _by_registering(register: _Login, scheme: str) -> Callers:
    sections = []
    for name in ("one", "two"):
        known = {
            "email": f"{name}@example.com",
            "password": f"Prove-{name}-4711",
            "username": f"prove-{name}",
            "name": f"Prove {name}",
        }
        body = _filled(register.fields, known)
        entries = (
            Entry("tenant", name, "each account is a tenant of its own"),
            Entry(
                "request",
                escaped(register.request),
                f"{register.place} registers, and its answer holds a token",
            ),
            Entry("form" if register.form else "body", body),
            Entry("token", escaped(register.token)),
            Entry("headers", {"Authorization": f"{scheme} {{output}}"}, "the scheme"),
        )
        sections.append(Section(("prove", "actor", name), entries))
    return Callers(tuple(sections), True)


def _template(login: _Login | None, otherwise: str, scheme: str) -> Section:
    request = escaped(login.request if login else otherwise)
    body = _filled(login.fields, {}) if login and login.fields else {"username": "one", "password": "one"}
    entries = (
        Entry("tenant", "one"),
        Entry("request", request, f"{login.place} logs in" if login else ""),
        Entry("form" if login and login.form else "body", body),
        Entry("token", escaped(login.token) if login and login.token else "access_token"),
        Entry("headers", {"Authorization": f"{scheme} {{output}}"}),
    )
    why = "complete it: who calls, and how he gets his credentials (a `command` that prints them does, too)"
    return Section(("prove", "actor", "one"), entries, why, left_out=True)


def _filled(fields: Any, known: dict[str, str]) -> Any:
    if isinstance(fields, dict):
        return {
            name: _filled(each, known) if isinstance(each, dict) else known.get(name, "prove-one")
            for name, each in fields.items()
        }
    return fields


def _account(environment: Environment) -> tuple[str, str, str] | None:
    """Why, the name and the password of an account that the service makes for itself."""
    for entry in environment.entries:
        if _ADMIN.search(entry.key):
            stem = re.sub(r"_(?:EMAIL|USERNAME|USER|LOGIN)$", "", entry.key)
            password = environment.text(f"{stem}_PASSWORD")
            if password:
                return f"{entry.key} and {stem}_PASSWORD above", str(entry.value), password
    return None


def _scheme(found: dict[str, Setting]) -> str:
    """The word before the token in the header."""
    for field in ("jwt_token_prefix", "token_prefix", "JWT_TOKEN_PREFIX", "auth_header_prefix"):
        if text := field_default(found, field):
            return escaped(text)
    return "Bearer"


class _Shapes:
    """What operations take and answer, by the classes of their annotations."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._by_last: dict[str, list[ProjectClass]] = {}
        for each in tree.system.classes.values():
            self._by_last.setdefault(each.fact.name, []).append(each)

    def login(self, each: Reachable) -> _Login | None:
        function = self._tree.system.functions.get(each.operation.function)
        if function is None:
            return None
        token = self._token(function)
        for parameter in function.body.parameters:
            if parameter.annotation is None:
                continue
            last = _class_name(parameter.annotation)
            if last == "OAuth2PasswordRequestForm" or last.endswith("PasswordRequestForm"):
                return _Login(
                    each.name,
                    str(function.location.path),
                    {"username": "", "password": ""},
                    True,
                    token or "access_token",
                )
            fields = self._fields(self._class(last, function), 0)
            if fields and "password" in str(fields):
                key = _embedded(function, parameter)
                return _Login(
                    each.name, str(function.location.path), {key: fields} if key else fields, False, token
                )
        return None

    def _class(self, last: str, near: Function) -> ProjectClass | None:
        """The class of that name; the one nearest to the function where there are several."""
        found = self._by_last.get(last, [])
        return max(found, key=lambda each: len(_common(each.name, near.name)), default=None)

    def _fields(self, found: ProjectClass | None, depth: int) -> dict[str, Any]:
        """The fields that have to be given, and those that a login has."""
        fields: dict[str, Any] = {}
        for base in (*reversed(found.ancestry), found.name) if found else ():
            each = self._tree.system.classes.get(base)
            body = each.file.module.bodies[each.fact.body] if each else None
            for statement in body.statements if body else ():
                if (
                    not isinstance(statement, Assign)
                    or statement.annotation is None
                    or not isinstance(statement.targets[0], Name)
                ):
                    continue
                name = statement.targets[0].path
                if name.startswith("_") or name == "model_config":
                    continue
                optional = statement.value is not None and not _is_required(each, statement.value)
                if optional and name not in ("password", "username", "email"):
                    continue
                inner = self._by_last.get(_class_name(statement.annotation), [])
                nested = self._fields(inner[0], depth + 1) if inner and depth < _DEEPEST else {}
                fields[name] = nested or ""
        return fields

    def _token(self, function: Function) -> str:
        """Where the answer holds a token: "user.token"."""
        names = [function.body.returns] if function.body.returns is not None else []
        parent = function.file.module.bodies[function.body.parent]
        for decorator in function.body.decorators:
            call = parent.statements[decorator.call] if isinstance(decorator, Result) else None
            if isinstance(call, Call) and (model := call.keyword("response_model")) is not None:
                names.insert(0, model)
        for value in names:
            found = self._class(_class_name(value), function)
            if found is not None and (path := self._token_in(found, 0)):
                return path
        return ""

    def _token_in(self, found: ProjectClass, depth: int) -> str:
        for base in (found.name, *found.ancestry):
            each = self._tree.system.classes.get(base)
            body = each.file.module.bodies[each.fact.body] if each else None
            fields = {
                statement.targets[0].path: statement.annotation
                for statement in (body.statements if body else ())
                if isinstance(statement, Assign)
                and statement.annotation is not None
                and isinstance(statement.targets[0], Name)
            }
            for token in _TOKENS:
                if token in fields and _class_name(fields[token]) in ("str", "SecretStr", ""):
                    return token
            if depth < _DEEPEST:
                for name, annotation in fields.items():
                    for inner in self._by_last.get(_class_name(annotation), ())[:1]:
                        if path := self._token_in(inner, depth + 1):
                            return f"{name}.{path}"
        return ""


def _embedded(function: Function, parameter: Parameter) -> str:
    """The name that a body lies under, when it is not the whole of it."""
    if not isinstance(parameter.default, Result):
        return ""
    call = function.file.module.bodies[function.body.parent].statements[parameter.default.call]
    if isinstance(call, Call) and call.keyword("embed") == Literal(True):
        return text_of(call.keyword("alias")) or parameter.name
    return ""


def _is_required(found: ProjectClass | None, value: Value) -> bool:
    if not isinstance(value, Result) or found is None:
        return False
    call = found.file.module.bodies[found.fact.body].statements[value.call]
    if not isinstance(call, Call):
        return False
    return call.argument(0, "default") is None and call.keyword("default_factory") is None


def _class_name(annotation: Value) -> str:
    """The class that an annotation is about: `Token` of `Annotated[Token, Depends()]`."""
    for part in _names(annotation):
        if part not in ("Annotated", "Optional", "Union", "list", "List"):
            return part
    return ""


def _names(annotation: Value) -> Iterator[str]:
    yield from (part.path.rpartition(".")[2] for part in parts(annotation) if isinstance(part, Name))


def _common(one: str, other: str) -> list[str]:
    return [a for a, b in zip(one.split("."), other.split("."), strict=False) if a == b]
