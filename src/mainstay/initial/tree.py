"""What a first `[prove]` is guessed from: the system as `review` reads it, and its deployment."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct

from mainstay.initial.commands import Command, commands, shell_commands
from mainstay.model.code import Call, Scope, Statement, Value
from mainstay.model.flow import parts
from mainstay.model.system import UNLINKED, File, Function, Role, System
from mainstay.sources.compose import NAMES as COMPOSE_NAMES
from mainstay.sources.compose import Compose, ComposeError, read_compose
from mainstay.sources.discovery import printable
from mainstay.sources.dockerfile import Dockerfile, read_dockerfile
from mainstay.sources.env_file import NAMES as ENV_NAMES
from mainstay.sources.env_file import read_env_file
from mainstay.sources.requirements import required

SCRIPT_BYTES = 100_000  # longer ones are no start scripts
PROCFILE_BYTES = 100_000
_DEPTH = 3  # scripts that start scripts


class Started(Struct, frozen=True):
    """A command that a deployment runs, and where it says so."""

    command: Command
    name: str  # of the process or container
    said: str  # "Procfile", "compose.yml"
    once: bool = False  # it runs before the service does


class Tree(Struct, frozen=True):
    """What there is to guess from; `root` is the folder that the configuration is written to."""

    root: Path
    system: System
    home: str = ""  # the folder below the root from which the service's modules are imported
    packages: frozenset[str] = frozenset()
    compose: Compose | None = None
    dockerfile: Dockerfile | None = None
    started: tuple[Started, ...] = ()
    example: dict[str, str] = {}  # what an example of an environment file gives
    example_name: str = ""
    problems: tuple[str, ...] = ()  # what could not be read: one sentence each

    @property
    def folder(self) -> Path:
        return self.root / self.home

    def files(self) -> Iterator[File]:
        """The Python files of the service that run in production."""
        prefix = f"{self.home}/" if self.home else ""
        for file in self.system.files:
            if file.path.startswith(prefix) and file.role is Role.SOURCE:
                yield file

    def has(self, *packages: str) -> bool:
        """Whether one of the packages is asked for."""
        return not self.packages.isdisjoint(packages)


def look(root: Path, system: System) -> Tree:
    """What lies in `root` and, for what a deployment says, in its repository above."""
    folders = _folders(root)
    home = home_of(system)
    compose, problems = _compose([*folders, root / home])
    dockerfile = _dockerfile(root, home, compose)
    draft = Tree(
        root=root,
        system=system,
        home=home,
        packages=frozenset().union(*(required(each) for each in {root, root / home, *_between(root, home)})),
        compose=compose,
        dockerfile=dockerfile,
        problems=problems,
    )
    example = _example([root / home, *folders])
    return Tree(
        **{
            name: getattr(draft, name)
            for name in draft.__struct_fields__
            if name not in ("started", "example", "example_name")
        },
        started=tuple(_started(draft)),
        example=read_env_file(example) if example else {},
        example_name=example.name if example else "",
    )


def home_of(system: System) -> str:
    """The folder from which the modules with operations are imported: most of what they import is there."""
    known = {place for file in system.files for place in _places(file.path)}
    serving = {
        system.functions[each.function].file
        for each in system.operations
        if each.function in system.functions
    }
    counted: Counter[str] = Counter()
    for file in serving or system.files:
        if file.role in UNLINKED:
            continue
        tops = {each.module.partition(".")[0] for each in file.module.imports if not each.level}
        folders = ["", *(str(each) for each in PurePosixPath(file.path).parents if str(each) != ".")]
        counted.update(
            folder for folder in folders for top in tops if str(PurePosixPath(folder, top)) in known
        )
    return min(counted, key=lambda place: (-counted[place], len(place), place), default="")


def module_name(tree: Tree, file: File) -> str:
    """The dotted name under which the service imports a file of its folder."""
    path = file.path[len(tree.home) + 1 :] if tree.home else file.path
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _places(path: str) -> Iterator[str]:
    """What of a path can be imported: its folders, and itself without its ending."""
    yield path.removesuffix(".py")
    yield from (str(each) for each in PurePosixPath(path).parents)


def values(body_statement: Statement | Scope) -> Iterator[Value]:
    """Every value in a statement, and those inside it."""
    if isinstance(body_statement, Scope):
        found: tuple[Value | None, ...] = body_statement.head
    elif isinstance(body_statement, Call):
        found = (
            body_statement.callee,
            *body_statement.arguments,
            *(k.value for k in body_statement.keywords),
        )
    else:
        found = (getattr(body_statement, "value", None),)
    for each in found:
        if each is not None:
            yield from parts(each)


def module_bodies(tree: Tree) -> Iterator[Function]:
    """The linked module bodies of the service's files."""
    prefix = f"{tree.home}/" if tree.home else ""
    idle = (Role.TEST, Role.MIGRATION, Role.GENERATED)
    for function in tree.system.functions.values():
        ours = function.file.path.startswith(prefix) and function.file.role not in idle
        if ours and function.body.kind == "module":
            yield function


# --- where a deployment speaks -------------------------------------------------------------------


def _folders(root: Path) -> list[Path]:
    """The root, and the folders above it that belong to the same repository."""
    found = [root]
    for folder in (root, *root.parents):
        if folder not in found:
            found.append(folder)
        if (folder / ".git").exists():
            return found
    return [root]


def _between(root: Path, home: str) -> Iterator[Path]:
    """The folders between the root and the home of the service."""
    folder = root
    for part in PurePosixPath(home).parts:
        yield folder
        folder = folder / part


def _compose(folders: list[Path]) -> tuple[Compose | None, tuple[str, ...]]:
    problems: list[str] = []
    for folder in dict.fromkeys([*folders, *(folder / "docker" for folder in folders)]):
        for name in COMPOSE_NAMES:
            file = folder / name
            if file.is_symlink() or not file.is_file():
                continue
            try:
                return read_compose(file), tuple(problems)
            except ComposeError as error:
                problems.append(printable(str(error)))
    return None, tuple(problems)


def _dockerfile(root: Path, home: str, compose: Compose | None) -> Dockerfile | None:
    """The one that Compose builds from, else one that lies where they lie."""
    places: list[Path] = []
    if compose is not None:
        top = compose.file.parent
        for container in compose.own:
            if not container.once and _leads_to(top / (container.build or "."), root / home):
                folder = top / (container.build or ".")
                places.append(folder / (container.dockerfile or "Dockerfile"))
    for folder in (root / home, root, root / "docker"):
        places.append(folder / "Dockerfile")
        if folder.is_dir():
            places.extend(sorted(folder.glob("Dockerfile*"))[:10])
    top = root if compose is None else compose.file.parent
    for place in dict.fromkeys(places):
        if place.is_file() and _inside(place, top) and _leads_to(place.parent, root / home):
            found = read_dockerfile(place)
            if found is not None and found.command and _is_python(found):
                return found
    return None


def _leads_to(context: Path, home: Path) -> bool:
    """Whether a container is built from a folder that holds the service, or lies in it."""
    one, other = Path(os.path.realpath(context)), Path(os.path.realpath(home))
    return one.is_relative_to(other) or other.is_relative_to(one)


def _is_python(dockerfile: Dockerfile) -> bool:
    if re.search(r"\b(?:node|nginx|bun|caddy|golang|deno)\b", dockerfile.image):
        return False
    return not re.search(r"\b(?:nginx|node|npm|yarn|pnpm|bun|postgres|redis)\b", " ".join(dockerfile.command))


def _inside(place: Path, top: Path) -> bool:
    """Whether a path that a file of the tree names stays in the tree."""
    return Path(os.path.realpath(place)).is_relative_to(os.path.realpath(top))


def _example(folders: list[Path]) -> Path | None:
    places = (folder / name for folder in folders for name in ENV_NAMES)
    return next((place for place in places if place.is_file() and not place.is_symlink()), None)


def _started(tree: Tree) -> Iterator[Started]:
    """Every command of the deployment, from the plainest source to the least."""
    yield from _of_procfile(tree)
    if tree.compose is not None:
        for container in tree.compose.own:
            if not _leads_to(tree.compose.file.parent / (container.build or "."), tree.folder):
                continue
            for command in _expanded(tree, container.runs):
                yield Started(command, container.name, tree.compose.file.name, container.once)
    if tree.dockerfile is not None:
        for command in _expanded(tree, tree.dockerfile.command):
            yield Started(command, "web", tree.dockerfile.file.name)


def _of_procfile(tree: Tree) -> Iterator[Started]:
    for folder in dict.fromkeys((tree.folder, tree.root)):
        text = _text(folder / "Procfile", PROCFILE_BYTES)
        for line in (text or "").splitlines():
            name, colon, rest = line.partition(":")
            if colon and re.fullmatch(r"[A-Za-z0-9_-]+", name.strip()):
                for command in shell_commands(rest):
                    yield Started(command, name.strip(), "Procfile", name.strip() == "release")


def _expanded(tree: Tree, words: tuple[str, ...], depth: int = 0) -> Iterator[Command]:
    """The commands in a command line; those of a script of the tree in place of the script."""
    for command in commands(words):
        text = _script(tree, command) if depth < _DEPTH else None
        if text is None:
            yield command
            continue
        for each in shell_commands(text):
            yield from _expanded(tree, each.words, depth + 1)
        rest = [word for word in command.words[1:] if not word.endswith(".sh")]
        if '"$@"' in text and rest:
            yield from _expanded(tree, tuple(rest), depth + 1)


def _script(tree: Tree, command: Command) -> str | None:
    """The text of the shell script that a command runs, when it is one of the tree."""
    words = list(command.words)
    if command.program in ("sh", "bash", "dash", "ash"):
        words = [word for word in words[1:] if not word.startswith("-")]
    if not words or command.kind != "other":
        return None
    path = PurePosixPath(words[0])
    tails = [
        path.parts[index:] for index in range(len(path.parts)) if path.parts[index] not in ("/", ".", "..")
    ]
    tops = [tree.folder, tree.root]
    if tree.dockerfile is not None:
        tops.append(tree.dockerfile.file.parent)
    if tree.compose is not None:
        tops.append(tree.compose.file.parent)
    for top in dict.fromkeys(tops):
        for tail in tails:
            if _inside(top.joinpath(*tail), top):
                text = _text(top.joinpath(*tail), SCRIPT_BYTES)
                if (
                    text is not None
                    and (text.startswith("#!") or path.suffix == ".sh")
                    and "python" not in text[:40]
                ):
                    return text
    return None


def _text(file: Path, most: int) -> str | None:
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > most:
            return None
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return None
