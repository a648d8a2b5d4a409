"""Which processes the service consists of: by its deployment where that says so, else by its code."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct

from mainstay.initial.commands import MODULES, Command, Kind, Server, server
from mainstay.initial.section import escaped
from mainstay.initial.tree import Started, Tree, module_bodies, module_name
from mainstay.model.code import Assign, Literal, Name, Operation, Result, ScopeKind
from mainstay.model.system import Function, Role

APPLICATIONS = frozenset(
    {"FastAPI", "Starlette", "Flask", "Quart", "Litestar", "Sanic", "APIFlask", "OpenAPI", "NinjaAPI"}
)
ASGI = frozenset({"FastAPI", "Starlette", "Quart", "Litestar"})
RESERVED = ("database", "cache")  # what dependencies are called: a placeholder names one thing
_FACTORY = re.compile(r"(?:create|make|build|get|init)_?(?:\w+_)?(?:app|application|api|server)$")
_WORKER_MODULE = re.compile(r"(?:^|[._])(?:worker|consumer|scheduler|daemon|poller|relay|dispatcher)s?$")


class Planned(Struct, frozen=True):
    """A process to be declared."""

    name: str
    command: str | tuple[str, ...]
    why: str
    serves: bool = False
    workers: int = 1
    stop_within: float = 0.0  # seconds; 0: nothing said


class Interpreter(Struct, frozen=True):
    """How commands are started: the interpreter, and the folder below the root where they run."""

    tree: Tree

    @property
    def python(self) -> str:
        """The virtual environment of the service, else the interpreter of Mainstay."""
        return self._environment() or "{python}"

    @property
    def why(self) -> str:
        found = self._environment()
        return f"{found} is there" if found else "the service is installed beside Mainstay"

    def command(self, words: tuple[str, ...], *, script: bool = False) -> str | tuple[str, ...]:
        """The words as the configuration holds them, in the service's folder.

        `{port}` and the like stay placeholders; other braces are escaped by whoever took them from the tree.
        """
        program = PurePosixPath(words[0]).name
        if program in MODULES:
            words = (self.python, "-m", program, *words[1:])
        elif program == "python" and (module := self._module(words[1])):
            words = (self.python, "-m", module, *words[2:])
        elif program == "python":
            words = (self.python, *words[1:])
        elif script or program.endswith(".py"):
            words = (self.python, *words)
        elif self._environment() and (self.tree.folder / self._beside(program)).exists():
            words = (self._beside(program), *words[1:])
        line = _joined(words)
        if not self.tree.home:
            return line
        return ("sh", "-c", f"cd {shlex.quote(escaped(self.tree.home))} && exec {line}")

    def _module(self, path: str) -> str:
        """A script in a package by its dotted name: it is imported from where the service is."""
        parts = PurePosixPath(path).with_suffix("").parts
        plain = path.endswith(".py") and all(map(str.isidentifier, parts))
        if (
            len(parts) < 2
            or not plain
            or not (self.tree.folder / Path(path).parent / "__init__.py").is_file()
        ):
            return ""
        return ".".join(parts)

    def _environment(self) -> str:
        """The interpreter of a virtual environment, as seen from the service's folder."""
        for folder in (self.tree.folder, self.tree.root):
            for name in (".venv", "venv"):
                if (folder / name / "bin" / "python").exists():
                    return os.path.relpath(folder / name / "bin" / "python", self.tree.folder)
        return ""

    def _beside(self, program: str) -> str:
        return str(Path(self._environment()).parent / program)


def processes(tree: Tree) -> tuple[tuple[Planned, ...], tuple[str, ...]]:
    """The processes, the one that serves first, and what a person has to see to."""
    how = Interpreter(tree)
    web = _web(tree, how)
    look = []
    if web is None:
        look.append("No web server was found: say in [prove.process.web] what starts it.")
        web = Planned(
            "web", "./start-the-service --port {port}", "nothing was found: say what starts it", True
        )
    names = {web.name, *RESERVED}
    workers: list[Planned] = []
    for planned in _workers(tree, how):
        if planned.command in [each.command for each in workers]:
            continue
        name, number = planned.name, 1
        while name in names:
            number += 1
            name = f"{planned.name}-{number}"
        names.add(name)
        workers.append(Planned(name, planned.command, planned.why))
    return (web, *workers), tuple(look)


# --- the web server ------------------------------------------------------------------------------


def _web(tree: Tree, how: Interpreter) -> Planned | None:
    for started in tree.started:
        found = server(started.command)
        if found is not None and not started.once and _is_there(tree, found):
            return _of_server(tree, found, how, f"{started.said} starts it so; {how.why}")
    return _of_code(tree, how)


def _of_server(tree: Tree, found: Server, how: Interpreter, why: str) -> Planned:
    words = tuple(word if word in ("{port}", "127.0.0.1:{port}") else escaped(word) for word in found.words())
    stop = 0.0
    for option, text in zip(found.options, found.options[1:], strict=False):
        if option in ("--timeout-graceful-shutdown", "--graceful-timeout") and re.fullmatch(r"\d+", text):
            stop = float(text) + 10  # what it does after the last request takes a while, too
    return Planned("web", how.command(words), why, True, found.workers, stop if stop > 30 else 0.0)


def _is_there(tree: Tree, found: Server) -> bool:
    """Whether what a server is told to serve is in the tree; a name that cannot be checked counts."""
    module = found.target.partition(":")[0]
    if found.program == "manage.py" or module.endswith(".py"):
        return (tree.folder / module).is_file()
    if not module:
        return found.program == "flask"
    path = module.replace(".", "/")
    tops = [tree.folder, tree.folder / "src"]
    tops += [
        tree.folder / text
        for option, text in zip(found.options, found.options[1:], strict=False)
        if option in ("--app-dir", "--chdir", "--pythonpath")
    ]  # fmt: skip - one condition
    return any((top / f"{path}.py").is_file() or (top / path / "__init__.py").is_file() for top in tops)


def _of_code(tree: Tree, how: Interpreter) -> Planned | None:
    for said, target, kind, factory in _applications(tree):
        if kind in ASGI:
            found = Server("uvicorn", target, ("--factory",) if factory else ())
        elif tree.has("gunicorn"):
            found = Server("gunicorn", f"{target}()" if factory else target)
        else:
            found = Server("flask", target)
        return _of_server(tree, found, how, f"{said}; {how.why}")
    return _django(tree, how)


def _applications(tree: Tree) -> Iterator[tuple[str, str, str, bool]]:
    """Where it is, the target, the class and whether it is a factory: objects before factories."""
    factories: dict[str, str] = {}
    for function in tree.system.source_functions():
        if function.body.kind == "function":
            for _, _, target in function.calls():
                if (last := target.name.rpartition(".")[2]) in APPLICATIONS:
                    factories[function.name] = last
    for _ in range(3):  # a factory may ask another one
        for function in tree.system.source_functions():
            if function.body.kind != "function" or not _FACTORY.search(function.body.name):
                continue
            for _, _, target in function.calls():
                if target.name in factories:
                    factories.setdefault(function.name, factories[target.name])
    yield from _objects(tree, factories)
    ours = {file.path for file in tree.files()}
    for name, kind in sorted(factories.items(), key=lambda item: not _FACTORY.search(item[0])):
        function = tree.system.functions[name]
        if "." in function.body.qualname or (function.callers and not _FACTORY.search(function.body.name)):
            continue
        if function.file.path in ours and _is_free(function):
            said = f"{function.location.path}:{function.location.line} builds a {kind} application"
            yield said, f"{module_name(tree, function.file)}:{function.body.name}", kind, True


def _is_free(function: Function) -> bool:
    """Whether it can be called without arguments."""
    return all(
        each.default is not None or each.kind in ("args", "kwargs") for each in function.body.parameters
    )


def _objects(tree: Tree, factories: dict[str, str]) -> Iterator[tuple[str, str, str, bool]]:
    found = []
    for module in module_bodies(tree):
        if module.file.role is not Role.SOURCE:
            continue
        for statement in module.body.statements:
            if not isinstance(statement, Assign) or not isinstance(statement.value, Result):
                continue
            target = module.targets.get(statement.value.call)
            name = statement.targets[0]
            if target is None or not isinstance(name, Name) or "." in name.path:
                continue
            last = target.name.rpartition(".")[2]
            kind = last if last in APPLICATIONS else factories.get(target.name, "")
            if kind:
                said = f"{module.file.path}:{statement.line} builds a {kind} application"
                rank = (
                    name.path not in ("app", "application"),
                    module.file.name.count("."),
                    module.file.name,
                )
                found.append((rank, (said, f"{module_name(tree, module.file)}:{name.path}", kind, False)))
    yield from (each for _, each in sorted(found))


def _django(tree: Tree, how: Interpreter) -> Planned | None:
    if not (tree.folder / "manage.py").is_file():
        return None
    if tree.has("gunicorn"):
        prefix = f"{tree.home}/" if tree.home else ""
        for file in tree.system.files:
            if file.path.startswith(prefix) and file.path.rpartition("/")[2] == "wsgi.py":
                return _of_server(
                    tree,
                    Server("gunicorn", module_name(tree, file)),
                    how,
                    f"{file.path} and gunicorn; {how.why}",
                )
    return _of_server(tree, Server("manage.py", "manage.py"), how, f"manage.py is there; {how.why}")


# --- workers -------------------------------------------------------------------------------------


def _workers(tree: Tree, how: Interpreter) -> Iterator[Planned]:
    seen = False
    for started in tree.started:
        if started.command.kind is Kind.WORKER and not started.once and _is_ours(tree, started):
            seen = True
            words = tuple(map(escaped, started.command.words))
            name = re.sub(r"[^a-z0-9_-]+", "-", started.name.lower()).strip("-") or "worker"
            yield Planned(
                "worker" if name == "web" else name, how.command(words), f"{started.said} starts it so"
            )
    if seen:
        return
    yield from _celery(tree, how)
    for file in tree.files():
        named = _WORKER_MODULE.search(file.name)
        if named and any(_asks_for_main(body) for body in _main(tree, file.path)):
            words = ("python", "-m", escaped(module_name(tree, file)))
            name = re.sub(r"[^a-z0-9_-]+", "-", file.name.rpartition(".")[2].lower()).strip("-")
            yield Planned(name or "worker", how.command(words), f"{file.path} is a program of its own")


def _is_ours(tree: Tree, started: Started) -> bool:
    words = started.command.words
    if words[0] != "python" or words[1:2] == ("-m",):
        return True
    return (tree.folder / words[1]).is_file()


def _celery(tree: Tree, how: Interpreter) -> Iterator[Planned]:
    for module in module_bodies(tree):
        if module.file.role is not Role.SOURCE:
            continue
        for statement in module.body.statements:
            if isinstance(statement, Assign) and isinstance(statement.value, Result):
                target = module.targets.get(statement.value.call)
                name = statement.targets[0]
                if (
                    target is not None
                    and target.name.rpartition(".")[2] == "Celery"
                    and isinstance(name, Name)
                ):
                    application = escaped(f"{module_name(tree, module.file)}:{name.path}")
                    words = (
                        "celery",
                        "-A",
                        application,
                        "worker",
                        "--loglevel",
                        "INFO",
                        "--concurrency",
                        "2",
                    )
                    said = f"{module.file.path}:{statement.line} builds a Celery application"
                    yield Planned("worker", how.command(words), said)
                    return


def _main(tree: Tree, path: str) -> Iterator[Function]:
    return (
        each
        for each in tree.system.functions.values()
        if each.body.kind == "module" and each.file.path == path
    )


def _asks_for_main(module: Function) -> bool:
    """`if __name__ == "__main__":`"""
    for scope in module.body.scopes:
        for test in scope.head if scope.kind is ScopeKind.IF else ():
            if (
                isinstance(test, Operation)
                and Name("__name__") in test.operands
                and Literal("__main__") in test.operands
            ):
                return True
    return False


def _joined(words: tuple[str, ...]) -> str:
    """For people and for `shlex.split`: quoted only where that is needed."""
    return " ".join(
        word if re.fullmatch(r"[\w@%+=:,./{}()-]+", word) and "(" not in word else shlex.quote(word)
        for word in words
    )


def planned_of(tree: Tree, command: Command) -> str | tuple[str, ...]:
    """Any other command of the deployment, as the configuration holds it."""
    return Interpreter(tree).command(tuple(map(escaped, command.words)))
