"""The names that a service reads from its environment, and which of them it cannot do without."""

import re
from collections.abc import Iterator

from msgspec import Struct

from mainstay.initial.tree import Tree, module_name, values
from mainstay.model.code import (
    Assign,
    Attribute,
    Body,
    Call,
    Literal,
    Name,
    Operation,
    Result,
    Statement,
    Value,
)
from mainstay.model.flow import parts, text_of
from mainstay.model.location import Location
from mainstay.model.system import File, Function, ProjectClass, Role

_NAME = re.compile(r"[A-Z][A-Z0-9_]*[A-Z0-9]")
_READS = re.compile(r"(?:^|\.)(?:getenv|environb?\.(?:get|pop)|env\.get)$")
_ASKS = re.compile(
    r"(?:^|\.)(?:(?:env|ENV)(?:\.\w+)?|(?:_?(?:get|read|require|load)_env\w*|env_\w+|\w+_env))$"
)
_INSISTS = re.compile(
    r"(?:^|\.)(?:env|ENV)(?:\.\w+)?$|require|must|mandatory"
)  # they raise without a default
_CONFIG = re.compile(r"(?:^|_)config$")  # of the libraries below; elsewhere it is some other mapping
_CONFIG_LIBRARIES = frozenset({"decouple", "starlette.config", "prettyconf", "environs", "environ"})
_MAPPINGS = frozenset({"os.environ", "environ", "env", "ENV"})
_SETTINGS_MODULE = re.compile(r"(?:^|\.)settings(?:\.\w+)?$")
_SETTINGS_PACKAGES = frozenset({"settings", "config", "conf"})
_DEFAULTS = ("default", "fallback", "default_value")
SETTINGS = ("BaseSettings",)


class Setting(Struct, frozen=True):
    """A name that is read from the environment."""

    name: str
    location: Location
    required: bool = False
    default: object = None  # None: unknown or none
    idle: bool = False  # without it a part of the service is off: its default is None or empty
    type: str = ""  # "EmailStr", as its annotation ends
    field: str = ""  # of a settings class


def settings(tree: Tree) -> dict[str, Setting]:
    """Every name once; it is required when one place that reads it has no default."""
    found: dict[str, Setting] = {}
    for setting in _all(tree):
        known = found.get(setting.name)
        if known is None or (setting.required and not known.required):
            found[setting.name] = setting
    return found


def _all(tree: Tree) -> Iterator[Setting]:
    prefix = f"{tree.home}/" if tree.home else ""
    for found in tree.system.classes.values():
        is_settings = any(base.rpartition(".")[2] in SETTINGS for base in found.ancestry)
        ours = found.file.path.startswith(prefix) and found.file.role is Role.SOURCE
        if ours and is_settings and not _for_tests(found):
            yield from _of_class(tree, found)
    unused = _unused(tree)
    for file in tree.files():
        if module_name(tree, file) not in unused and _knows_environment(file):
            yield from _of_file(file)


def _of_file(file: File) -> Iterator[Setting]:
    decoupled = any(each.module in _CONFIG_LIBRARIES for each in file.module.imports)
    for body in file.module.bodies:
        for statement in body.statements:
            yield from _of_statement(statement, file.path, decoupled)
        for scope in body.scopes:
            for value in values(scope):
                yield from _of_subscript(value, Location(file.path, scope.line))


def _knows_environment(file: File) -> bool:
    """Whether `env` and `environ` may mean the process's own: those of a WSGI request are a requester's."""
    loaded = {(each.module, each.attribute) for each in file.module.imports}
    return any(
        module in ("os", *_CONFIG_LIBRARIES)
        or re.search(r"env|config|settings", f"{module}.{attribute}", re.IGNORECASE)
        for module, attribute in loaded
    )


def _unused(tree: Tree) -> frozenset[str]:
    """Settings modules beside the one that `manage.py` names, which that one does not import."""
    used = django_settings(tree)
    files = {module_name(tree, file): file for file in tree.files()}
    package = used if used in files and files[used].path.endswith("__init__.py") else used.rpartition(".")[0]
    if not package or package.rpartition(".")[2] not in _SETTINGS_PACKAGES:
        return frozenset()
    beside = {name for name in files if name.startswith(f"{package}.")}
    reached, waiting = {package}, [used]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for each in files[name].module.imports if name in files else ():
            last = each.module.rpartition(".")[2] or each.attribute
            waiting.extend(
                other for other in beside - reached if other.rpartition(".")[2] in (last, each.attribute)
            )
    return frozenset(beside - reached)


def django_settings(tree: Tree) -> str:
    """The settings module of a Django project: the one that is named, else the likeliest; "" without any."""
    if named := named_settings(tree):
        return named
    if not (tree.folder / "manage.py").is_file():
        return ""
    found = {module_name(tree, file) for file in tree.files() if file.module.bodies[0].statements}
    found = {name for name in found if _SETTINGS_MODULE.search(name)}
    rank = ("production", "prod", "settings", "base", "common", "local", "development", "dev")
    order = {name: at for at, name in enumerate(rank)}
    return min(found, key=lambda name: (order.get(name.rpartition(".")[2], len(rank)), name), default="")


def named_settings(tree: Tree) -> str:
    """The settings module that `manage.py` or `wsgi.py` names; "" when neither does."""
    prefix = f"{tree.home}/" if tree.home else ""
    for file in tree.system.files:
        starts = file.path.startswith(prefix) and file.path.rpartition("/")[2] in ("manage.py", "wsgi.py")
        for body in file.module.bodies if starts else ():
            for statement in body.statements:
                if isinstance(statement, Call) and text_of(statement.argument(0)) == "DJANGO_SETTINGS_MODULE":
                    return text_of(statement.argument(1)) or ""
    return ""


def _for_tests(found: ProjectClass) -> bool:
    return found.fact.name.startswith("Test") or found.fact.name.endswith("TestSettings")


# --- fields of a settings class ------------------------------------------------------------------


def _of_class(tree: Tree, found: ProjectClass) -> Iterator[Setting]:
    body = found.file.module.bodies[found.fact.body]
    prefix = _prefix(tree, found)
    for statement in body.statements:
        if not isinstance(statement, Assign) or statement.annotation is None or statement.operator:
            continue
        field = statement.targets[0]
        if not isinstance(field, Name) or field.path.startswith("_") or field.path == "model_config":
            continue
        if _ends(statement.annotation) == "ClassVar":
            continue
        required, default, alias = _default(body, statement.value)
        yield Setting(
            name=(alias or f"{prefix}{field.path}").upper(),
            location=Location(found.file.path, statement.line),
            required=required,
            default=_plain(default),
            idle=_is_idle(default),
            type=_ends(statement.annotation),
            field=field.path,
        )


def _default(body: Body, value: Value | None) -> tuple[bool, Value | None, str]:
    """Whether a field is required, its default, and the name that it is given besides."""
    if value is None:
        return True, None, ""
    if not isinstance(value, Result):
        return _is_ellipsis(value), value, ""
    call = body.statements[value.call]
    if not isinstance(call, Call) or not _path(call.callee).endswith("Field"):
        return False, value, ""
    alias = next(
        (text for key in ("validation_alias", "env", "alias") if (text := text_of(call.keyword(key)))), ""
    )
    given = call.argument(0, "default")
    if (made := call.keyword("default_factory")) is not None:
        return False, made, alias
    if given is None or _is_ellipsis(given):
        return True, None, alias
    return False, given, alias


def _plain(default: Value | None) -> object:
    return default.value if isinstance(default, Literal) else None


def _is_idle(default: Value | None) -> bool:
    return isinstance(default, Literal) and default.value in (None, "")


def _is_ellipsis(value: Value) -> bool:
    return isinstance(value, Name) and value.path in ("...", "Ellipsis")


def _prefix(tree: Tree, found: ProjectClass) -> str:
    """`env_prefix` of the class, or of the one it comes from."""
    for name in (found.name, *found.ancestry):
        known = tree.system.classes.get(name)
        if known is None:
            continue
        bodies = [known.file.module.bodies[known.fact.body]]
        inner = f"{known.fact.qualname}.Config"
        bodies += [
            known.file.module.bodies[each.body]
            for each in known.file.module.classes
            if each.qualname == inner
        ]
        for body in bodies:
            for statement in body.statements:
                if isinstance(statement, Call) and (text := text_of(statement.keyword("env_prefix"))):
                    return text
                if isinstance(statement, Assign) and Name("env_prefix") in statement.targets:
                    return text_of(statement.value) or ""
    return ""


def _ends(annotation: Value) -> str:
    """What an annotation is about: `SecretStr` of `SecretStr | None`."""
    for part in parts(annotation):
        if isinstance(part, Name | Attribute):
            last = part.path.rpartition(".")[2]
            if last not in ("Annotated", "Optional", "Union"):
                return last
    return ""


# --- reads in code -------------------------------------------------------------------------------


def _of_statement(statement: Statement, path: str, decoupled: bool) -> Iterator[Setting]:
    place = Location(path, statement.line)
    if isinstance(statement, Call):
        yield from _of_call(statement, place, decoupled)
    for value in values(statement):
        yield from _of_subscript(value, place)


def _of_call(call: Call, place: Location, decoupled: bool) -> Iterator[Setting]:
    callee = _path(call.callee)
    reads = _READS.search(callee)
    if callee.startswith(("request.", "self.request.")):
        return
    if not reads and not _ASKS.search(callee) and not (decoupled and _CONFIG.search(callee)):
        return
    name = text_of(call.argument(0, "name"))
    if name is None and callee.endswith(("env.db", "env.db_url")):
        name = "DATABASE_URL"
    if name is None or not _NAME.fullmatch(name):
        return
    default = next((d for key in _DEFAULTS if (d := call.keyword(key)) is not None), call.argument(1))
    insists = bool(_INSISTS.search(callee)) or (decoupled and bool(_CONFIG.search(callee)))
    required = insists and default is None
    idle = _is_idle(default) or (default is None and not required)
    yield Setting(name, place, required, _plain(default), idle)


def _of_subscript(value: Value, place: Location) -> Iterator[Setting]:
    """`os.environ["NAME"]`."""
    if isinstance(value, Operation) and value.operator == "[]" and len(value.operands) == 2:
        base, key = value.operands
        name = text_of(key)
        if (
            name
            and _NAME.fullmatch(name)
            and _path(base) in _MAPPINGS
            and not name.startswith(("HTTP_", "PATH_INFO"))
        ):
            yield Setting(name, place, required=True)


def _path(value: Value) -> str:
    return value.path if isinstance(value, Name | Attribute) else ""


def field_default(found: dict[str, Setting], path: str) -> str | None:
    """The default of the settings field that a dotted path ends with: `settings.api_prefix`."""
    last = path.rpartition(".")[2]
    for setting in found.values():
        if last in (setting.field, setting.name) and isinstance(setting.default, str):
            return setting.default
    return None


def functions_of(tree: Tree) -> Iterator[Function]:
    """The functions of the service that run in production."""
    prefix = f"{tree.home}/" if tree.home else ""
    return (each for each in tree.system.source_functions() if each.file.path.startswith(prefix))
