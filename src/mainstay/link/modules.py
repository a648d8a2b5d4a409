"""Which file an import means."""

import sys
from collections.abc import Iterable
from pathlib import PurePosixPath

STANDARD = frozenset(sys.stdlib_module_names)


class ModuleIndex:
    """The dotted names of the reviewed files, and the file that an absolute import means.

    A file's name starts at the topmost of its directories that is a package (has `__init__.py`);
    a file outside any package is named by its whole path.  Because a repository may hold several
    source roots, an import is looked up by every suffix of a path whose start could be a root.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = sorted(paths)
        self._packages = {str(PurePosixPath(p).parent) for p in self._paths if p.endswith("__init__.py")}
        self.names: dict[str, str] = {}  # path -> dotted name
        self.paths: dict[str, str] = {}  # dotted name -> path
        self._suffixes: dict[str, list[str]] = {}
        for path in self._paths:
            self._add(path)
        self._found: dict[tuple[str, str], str | None] = {}

    def _add(self, path: str) -> None:
        parts = module_parts(path)
        start = len(parts)
        folders = PurePosixPath(path).parent.parts
        top = len(folders)
        while top > 0 and "/".join(folders[:top]) in self._packages:
            top -= 1
        start = top if top < len(folders) else 0
        name = ".".join(parts[start:]) or ".".join(parts) or "__init__"
        if name in self.paths:
            name = ".".join(parts)
        self.names[path] = name
        self.paths[name] = path
        for first in range(len(parts)):
            root = "/".join(folders[:first])
            if root in self._packages and first != 0:
                continue  # an absolute import cannot begin inside a package
            self._suffixes.setdefault(".".join(parts[first:]), []).append(path)

    def find(self, dotted: str, importer: str) -> str | None:
        """The name of the project's module that `dotted` means in the file `importer`, or None."""
        folder = importer.rpartition("/")[0]
        key = (dotted, folder)
        if key not in self._found:
            self._found[key] = self._find(dotted, folder)
        return self._found[key]

    def _find(self, dotted: str, folder: str) -> str | None:
        candidates = self._suffixes.get(dotted)
        if not candidates:
            return None
        if dotted.partition(".")[0] in STANDARD and not self._is_own_package(dotted, candidates[0]):
            return None
        best = max(candidates, key=lambda path: (shared_parts(path, folder), -path.count("/")))
        return self.names[best]

    def _is_own_package(self, dotted: str, path: str) -> bool:
        """Whether a name that the standard library also has is a real package of the project."""
        return "." in dotted and str(PurePosixPath(path).parent) in self._packages

    def absolute(self, module: str, level: int, path: str) -> str:
        """The dotted name that `from <dots><module>` means in the file at `path`."""
        folders = path.split("/")[:-1]
        folders = folders[: len(folders) - (level - 1)] if level > 1 else folders
        place = "/".join([*folders, *module.split(".")] if module else folders)
        for candidate in (f"{place}.py", f"{place}/__init__.py"):
            if candidate in self.names:
                return self.names[candidate]
        return self._folder_name(place)

    def _folder_name(self, place: str) -> str:
        """The dotted name under which the files of a folder that is no package go."""
        if place in self._packages:
            return self.names[f"{place}/__init__.py"]
        above, _, last = place.rpartition("/")
        return (
            f"{self.names[f'{above}/__init__.py']}.{last}"
            if above in self._packages
            else place.replace("/", ".")
        )


def module_parts(path: str) -> list[str]:
    """`a/b/__init__.py` -> [a, b]; `a/b/c.py` -> [a, b, c]."""
    parts = path.removesuffix(".py").split("/")
    return parts[:-1] if parts[-1] == "__init__" else parts


def shared_parts(path: str, folder: str) -> int:
    """How many leading directories two places share."""
    count = 0
    for one, other in zip(path.split("/"), folder.split("/"), strict=False):
        if one != other:
            break
        count += 1
    return count
