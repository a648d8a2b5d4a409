"""Reads the knowledge files and answers what a dotted name is and does.

Names of builtins are bare: "open", "ValueError".  Decoding TOML is slow, so the decoded files are
kept as msgpack in the user's cache folder under the hash of their content.
"""

import builtins
import hashlib
import os
import re
import stat
import sys
import tomllib
from collections.abc import Callable as Function
from collections.abc import Iterable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from mainstay import __version__
from mainstay.model.library import Callable, Library, Type

_FILE_LIMIT = 256 * 1024  # bytes of one file of an extra folder
_COUNT_LIMIT = 200  # files of an extra folder
_ALIAS_DEPTH = 8

Lookup = Function[[str], tuple[str, ...]]


class KnowledgeError(ValueError):
    """A knowledge file that cannot be used; the message names file, line and key."""


class Knowledge:
    """An index over libraries.  Every lookup is remembered, so asking twice costs one dict access."""

    def __init__(self, libraries: Iterable[Library]) -> None:
        """A later library overrides what an earlier one says of the same name."""
        self.libraries = tuple(libraries)
        self.hints: dict[str, tuple[str, ...]] = {}  # a name -> the types it may hold
        self._aliases: dict[str, str] = {}
        self._types: dict[str, Type] = {}
        self._callables: dict[str, Callable] = {}
        self._exceptions: dict[str, tuple[str, ...]] = {}
        self._modules: dict[str, Library] = {}
        for library in self.libraries:
            self._add(library)
        known = (self._aliases, self._types, self._callables, self._exceptions, self._modules)
        self._tops = {"builtins"} | {name.partition(".")[0] for names in known for name in names}
        self._canonical: dict[str, str] = {}
        self._found: dict[str, Callable | None] = {}
        self._ancestry: dict[str, tuple[str, ...]] = {}
        self._raised: dict[str, tuple[str, ...]] = {}
        self._owners: dict[str, Library | None] = {}

    def _add(self, library: Library) -> None:
        self._aliases.update(library.aliases)
        for name, held in library.hints.items():
            self.hints[name] = (*self.hints.get(name, ()), held)
        self._exceptions.update(library.exceptions)
        self._modules.update(dict.fromkeys(library.modules, library))
        self._types.update({entry.name: entry for entry in library.type})
        for entry in library.call:
            whole = entry
            if entry.blocking is None:
                whole = msgspec.structs.replace(entry, blocking=library.blocking and not entry.coroutine)
            self._callables.update(dict.fromkeys(entry.names, whole))

    def canonical(self, name: str) -> str:
        """The public name of the same thing: aliases resolved, the longest known prefix first."""
        found = self._canonical.get(name)
        if found is None:
            if name.partition(".")[0] not in self._tops:
                return name
            found = self._canonical[name] = self._resolve(name)
        return found

    def callable(self, name: str) -> Callable | None:
        """What is known of calling `name`: itself, inherited by its type, or by a `Type.*` entry."""
        if name in self._found:
            return self._found[name]
        if name.partition(".")[0] not in self._tops:
            return None
        found = self._found[name] = self._find(self.canonical(name))
        return found

    def type(self, name: str) -> Type | None:
        """What is known of a type."""
        return self._types.get(self.canonical(name))

    def ancestry(self, name: str) -> tuple[str, ...]:
        """The canonical names of a type and of all its known bases, nearest first."""
        found = self._ancestry.get(name)
        if found is None:
            found = self._ancestry[name] = (
                self.canonical(name),
                *_ancestors(self.canonical(name), self._type_bases),
            )
        return found

    def exception_bases(self, name: str) -> tuple[str, ...]:
        """All the bases of an exception, nearest first; empty when it is not known."""
        found = self._raised.get(name)
        if found is None:
            found = self._raised[name] = _ancestors(self.canonical(name), self._raised_bases)
        return found

    def is_library(self, name: str) -> Library | None:
        """The library that a module, or any name in it, belongs to: the longest known module decides."""
        if name not in self._owners:
            self._owners[name] = next(
                (self._modules[prefix] for prefix in _prefixes(name) if prefix in self._modules), None
            )
        return self._owners[name]

    def _resolve(self, name: str) -> str:
        for _ in range(_ALIAS_DEPTH):
            name = name.removeprefix("builtins.")
            prefix = next((p for p in _prefixes(name) if p in self._aliases), None)
            if prefix is None:
                break
            name = self._aliases[prefix] + name[len(prefix) :]
        return name

    def _find(self, name: str) -> Callable | None:
        found = self._callables.get(name)
        owner, _, member = name.rpartition(".")
        if found is not None or not owner:
            return found
        for ancestor in self.ancestry(owner):
            found = self._callables.get(f"{ancestor}.{member}")
            if found is not None:
                return found
        if member.startswith("_"):
            return None
        for prefix in _prefixes(owner):
            for ancestor in self.ancestry(prefix):
                found = self._callables.get(f"{ancestor}.*")
                if found is not None:
                    return found
        return None

    def _type_bases(self, name: str) -> tuple[str, ...]:
        known = self._types.get(name)
        return tuple(self.canonical(base) for base in known.bases) if known else ()

    def _raised_bases(self, name: str) -> tuple[str, ...]:
        if name in self._exceptions:
            return tuple(self.canonical(base) for base in self._exceptions[name])
        known = getattr(builtins, name, None)
        if isinstance(known, type) and issubclass(known, BaseException):
            return tuple(base.__name__ for base in known.__bases__ if base is not object)
        return ()


def load_knowledge(extra: Path | None = None, *, cached: bool = True) -> Knowledge:
    """The knowledge that comes with Mainstay, and a project's own from the folder `extra`.

    A file of `extra` adds to what is known or overrides it name by name; it is data and is never
    run.  Raises KnowledgeError.  Say `cached=False` where the cache folder is not to be trusted.
    """
    shipped = [(file.name, file.read_bytes()) for file in _shipped()]
    libraries = _from_cache(shipped) if cached else tuple(decode(*file) for file in shipped)
    if extra is not None:
        libraries = (*libraries, *(decode(where, content) for where, content in _extra_files(extra)))
    return Knowledge(libraries)


def _shipped() -> Iterator[Traversable]:
    folder = resources.files("mainstay.knowledge") / "libraries"
    yield from sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)


def _extra_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The regular TOML files of a folder that is not ours: no links, no devices, nothing large."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".toml"))
    except OSError as error:
        raise KnowledgeError(f"{folder}: cannot be read: {error.strerror}") from error
    if len(names) > _COUNT_LIMIT:
        raise KnowledgeError(f"{folder}: more than {_COUNT_LIMIT} knowledge files")
    for name in names:
        path = folder / name
        yield str(path), _read_regular(path)


def _read_regular(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise KnowledgeError(f"{path}: cannot be read: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise KnowledgeError(f"{path}: is no regular file")
        content = file.read(_FILE_LIMIT + 1)
    if len(content) > _FILE_LIMIT:
        raise KnowledgeError(f"{path}: larger than {_FILE_LIMIT // 1024} KiB")
    return content


# --- decoding ------------------------------------------------------------------------------------


def decode(where: str, content: bytes) -> Library:
    """One knowledge file.  Raises KnowledgeError."""
    try:
        text = content.decode()
        raw = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise KnowledgeError(f"{where}: is no TOML: {error}") from error
    try:
        return msgspec.convert(raw, Library)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        line, key = _place(text, path.rstrip("`"))
        raise KnowledgeError(f"{where}:{line}: {key or 'top level'}: {what}") from error


def _place(text: str, path: str) -> tuple[int, str]:
    """The line and the key that a msgspec path such as `.call[3].timeout.at` speaks of."""
    lines = text.splitlines()
    key = path.lstrip(".")
    start = 0
    header = re.match(r"(call|type)\[(\d+)\]", key)
    if header:
        table, count = f"[[{header[1]}]]", int(header[2])
        starts = [index for index, line in enumerate(lines) if line.strip() == table]
        start = starts[count] if count < len(starts) else 0
        field = key[header.end() :].lstrip(".")
    else:
        field = key
    name = re.match(r"\w+", field)
    if name:
        for index in range(start, len(lines)):
            if re.match(rf"\[?{name[0]}\b", lines[index].lstrip()):
                return index + 1, key
            if index > start and header and lines[index].startswith("[["):
                break
    return start + 1, key


# --- the cache -----------------------------------------------------------------------------------


def _from_cache(files: list[tuple[str, bytes]]) -> tuple[Library, ...]:
    digest = hashlib.sha256(
        f"{__version__} {[each.__struct_fields__ for each in (Library, Type, Callable)]}".encode()
    )
    for name, content in files:
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
    folder = _cache_folder()
    path = folder / f"knowledge-{digest.hexdigest()[:32]}.msgpack" if folder else None
    if path is not None:
        try:
            return msgspec.msgpack.decode(path.read_bytes(), type=tuple[Library, ...])
        except (OSError, msgspec.DecodeError):
            pass  # absent or damaged: read anew
    libraries = tuple(decode(name, content) for name, content in files)
    if path is not None:
        _store(path, msgspec.msgpack.encode(libraries))
    return libraries


def _cache_folder() -> Path | None:
    """Where facts are kept too; never a relative path, which could lie in a reviewed project."""
    named = os.environ.get("MAINSTAY_CACHE_DIR")
    if named:
        folder = Path(named)
    elif os.environ.get("XDG_CACHE_HOME", "").startswith("/"):
        folder = Path(os.environ["XDG_CACHE_HOME"], "mainstay")
    elif os.environ.get("HOME"):
        folder = Path(
            os.environ["HOME"], "Library/Caches" if sys.platform == "darwin" else ".cache", "mainstay"
        )
    else:
        return None
    return folder if folder.is_absolute() else None


def _store(path: Path, content: bytes) -> None:
    """Writes the cache as a whole or not at all; a cache that cannot be written is no fault."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.draft")
        draft.write_bytes(content)
        draft.replace(path)
        for old in path.parent.glob("knowledge-*.msgpack"):
            if old != path:
                old.unlink(missing_ok=True)
    except OSError:
        return


# --- names ---------------------------------------------------------------------------------------


def _prefixes(name: str) -> Iterator[str]:
    """The name and its dotted prefixes, longest first."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _ancestors(name: str, bases: Lookup) -> tuple[str, ...]:
    """All bases of bases, breadth first, each once, the name itself left out."""
    found: dict[str, None] = {}
    level = bases(name)
    while level:
        fresh = [base for base in dict.fromkeys(level) if base not in found and base != name]
        found.update(dict.fromkeys(fresh))
        level = tuple(base for each in fresh for base in bases(each))
    return tuple(found)
