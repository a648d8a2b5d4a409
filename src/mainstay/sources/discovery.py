"""Which files of a tree are read.

Nothing is run and nothing but folders and `pyvenv.cfg` is opened here, so a repository nobody
trusts cannot make a review do anything by how it is laid out or configured.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct

from mainstay.model.location import Location
from mainstay.model.system import Gap

NEVER = frozenset(
    {"__pycache__", "node_modules", "site-packages", "third_party", "_vendor", "bower_components"}
)
"""Folders that hold other people's code or none at all; folders that start with a dot join them."""

UNLESS_PACKAGE = frozenset({"build", "dist", "vendor", "venv", "env", "virtualenv"})
"""Left out as well where a project begins: deeper down, or with an `__init__.py`, they are its own."""

BEGINS = frozenset(
    {"pyproject.toml", "setup.py", "setup.cfg", "package.json", "manage.py", "requirements.txt"}
)
"""Files that show where a project begins, apart from the reviewed folder itself."""


class Found(Struct, frozen=True):
    """A Python file to read: its path below the root, fit to print, and where it really is."""

    path: str
    real: str
    beside: frozenset[str] = frozenset()  # names of the Python files in the same folder


class Discovery(Struct, frozen=True):
    """What there is to read, sorted by path, and what could not be looked at."""

    root: Path
    files: tuple[Found, ...]
    gaps: tuple[Gap, ...]


class Selection(Struct, frozen=True):
    """Which files a project leaves out or reads all the same, as patterns of paths below the root.

    `vendor` and `vendor/*` name a whole folder; `*` also matches `/`.
    """

    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()

    def leaves_out(self, path: str) -> bool:
        return _matches(path, self.exclude) and not self.takes_in(path)

    def takes_in(self, path: str) -> bool:
        return _matches(path, self.include)

    def may_hold_included(self, folder: str) -> bool:
        """Whether something below `folder` may be taken in although the folder is left out.

        A pattern that begins with `*` matches file names: it reopens no folder.
        """
        return self.takes_in(folder) or any(p.startswith(f"{folder}/") for p in self.include)


EVERYTHING = Selection()


def discover(paths: Iterable[Path], selection: Selection = EVERYTHING) -> Discovery:
    """The Python files at `paths`, which must exist.

    Names in the result are relative to the folder the paths have in common.  Links inside the
    tree are not followed: what they lead to is read at its own place.
    """
    resolved = sorted({path.resolve() for path in paths})
    root = common_folder(resolved)
    walk = _Walk(root, selection)
    for path in resolved:
        walk.start(path)
    files = sorted(walk.files.values(), key=lambda found: found.path)
    return Discovery(root, tuple(files), tuple(sorted(walk.gaps, key=lambda gap: gap.location)))


def common_folder(paths: Iterable[Path]) -> Path:
    """The deepest folder that holds all of `paths`; a folder holds itself, a file is in its folder."""
    folders = [str(path if path.is_dir() else path.parent) for path in paths]
    return Path(os.path.commonpath(folders))


def printable(path: str) -> str:
    """`path` as it may be shown anywhere: bytes that are not UTF-8 and control characters escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, p) or fnmatchcase(path, f"{p.rstrip('/')}/*") for p in patterns)


class _Folder(Struct, frozen=True):
    """A folder still to look into; of one that is left out only what is included counts."""

    path: str
    left_out: bool = False


class _Walk:
    """One walk over a tree."""

    def __init__(self, root: Path, selection: Selection) -> None:
        self.root = str(root)
        self.selection = selection
        self.files: dict[str, Found] = {}
        self.gaps: list[Gap] = []

    def start(self, path: Path) -> None:
        """Take a file as it was named, whatever it is called, and everything below a folder."""
        if not path.is_dir():
            self._take(str(path), lambda: path.stat().st_mode, frozenset({path.name}))
            return
        folders = [_Folder(str(path))]
        while folders:
            folders.extend(self._look_into(folders.pop()))

    def _look_into(self, folder: "_Folder") -> Iterator["_Folder"]:
        """Take the Python files of one folder and yield the folders to go on with."""
        try:
            with os.scandir(folder.path) as listing:
                entries = list(listing)
        except OSError as error:
            self._miss(folder.path, f"the folder could not be listed: {_reason(error)}")
            return
        names = frozenset(entry.name for entry in entries if entry.name.endswith(".py"))
        begins = folder.path == self.root or any(entry.name in BEGINS for entry in entries)
        for entry in entries:
            if entry.is_symlink():
                if not folder.left_out:
                    self._take_link(entry)
            elif entry.is_dir(follow_symlinks=False):
                yield from self._goes_into(entry, folder, begins)
            elif entry.name in names and (
                not folder.left_out or self.selection.takes_in(self._shown(entry.path))
            ):
                self._take(entry.path, _mode_of(entry), names)

    def _goes_into(self, entry: os.DirEntry[str], parent: "_Folder", begins: bool) -> Iterator["_Folder"]:
        shown = self._shown(entry.path)
        left_out = (
            parent.left_out
            or _is_not_the_projects(entry.path, entry.name, begins)
            or self.selection.leaves_out(shown)
        )
        if not left_out or self.selection.may_hold_included(shown):
            yield _Folder(entry.path, left_out)

    def _take_link(self, entry: os.DirEntry[str]) -> None:
        """A link is no file of its own; one that leads out of the tree is named, for it is not read."""
        if not entry.name.endswith(".py") or entry.name.startswith("."):
            return
        target = os.path.realpath(entry.path)
        if not os.path.lexists(target):
            self._miss(entry.path, "it is a link that leads nowhere")
        elif target != self.root and not target.startswith(self.root.rstrip("/") + "/"):
            self._miss(
                entry.path, "it is a link that leads out of the reviewed folder, so it was not followed"
            )

    def _take(self, real: str, mode: Callable[[], int], beside: frozenset[str]) -> None:
        shown = self._shown(real)
        if self.selection.leaves_out(shown):
            return
        try:
            kind = mode()
        except OSError as error:
            self._miss(real, f"it could not be looked at: {_reason(error)}")
            return
        if stat.S_ISREG(kind):
            self.files[real] = Found(shown, real, beside)
        else:
            self._miss(real, f"it is {_kind(kind)}, not a file")

    def _miss(self, real: str, why: str) -> None:
        shown = self._shown(real)
        if not self.selection.leaves_out(shown):
            self.gaps.append(Gap(Location(shown, 1), why))

    def _shown(self, real: str) -> str:
        return printable("." if real == self.root else real[len(self.root.rstrip("/")) + 1 :])


def _mode_of(entry: os.DirEntry[str]) -> Callable[[], int]:
    return lambda: entry.stat(follow_symlinks=False).st_mode


def _is_not_the_projects(folder: str, name: str, begins: bool) -> bool:
    if name.startswith(".") or name in NEVER or name.endswith(".egg-info"):
        return True
    if begins and name in UNLESS_PACKAGE and not os.path.lexists(f"{folder}/__init__.py"):
        return True
    return os.path.lexists(f"{folder}/pyvenv.cfg")


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a device"
