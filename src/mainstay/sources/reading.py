"""Files in, facts out: from the cache where the content is known, else read in worker processes."""

import gc
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
from msgspec import Struct

from mainstay.model.code import Module, Suppression, Unread
from mainstay.model.location import Location
from mainstay.model.system import UNLINKED, Gap, Role
from mainstay.sources.cache import Cache, key_of
from mainstay.sources.discovery import Found
from mainstay.sources.python import READER_VERSION
from mainstay.sources.role import role_of
from mainstay.sources.workers import Answer, Task, Workers

READER = "mainstay.sources.python:read_python"
LARGEST = 4 * 1024 * 1024  # bytes; no one writes a larger file by hand
SECONDS = 10.0  # one file may take, by the clock

Progress = Callable[[int, int], None]


class SourceFile(Struct, frozen=True):
    """One file that was read."""

    path: str
    role: Role
    module: Module


class Reading(Struct, frozen=True):
    """What was read, in the order of the files asked for, and what was not, parts of files included."""

    files: tuple[SourceFile, ...]
    gaps: tuple[Gap, ...]


class Outline(Struct, frozen=True, array_like=True):
    """A `Module` whose code was left encoded."""

    bodies: msgspec.Raw
    classes: msgspec.Raw
    imports: msgspec.Raw
    suppressions: tuple[Suppression, ...]
    unread: tuple[Unread, ...]
    lines: int

    @property
    def module(self) -> Module:
        """The module without its code."""
        return Module((), (), (), self.suppressions, self.unread, self.lines)


class Unreadable(Exception):
    """The content of a file cannot be had; says why."""


def read_files(
    found: Sequence[Found],
    *,
    jobs: int,
    cache: Cache,
    progress: Progress | None = None,
    reader: str = READER,
    seconds: float = SECONDS,
) -> Reading:
    """Read `found` in up to `jobs` processes; `progress` is told how many of how many are done.

    One file may take `seconds`, then it becomes a gap; so does one that crashes its process.
    """
    run = _Run(found, cache, progress)
    with Workers(reader, jobs, seconds) as workers, collector_paused():
        for index, item in enumerate(found):
            task = run.open(index, item)
            if task is not None:
                for answer in workers.submit(task):
                    run.take(answer)
        for answer in workers.finish():
            run.take(answer)
    return run.result()


def default_jobs() -> int:
    """As many processes as this one may use processors, within reason."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, 8)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Facts hold no cycles, so looking for some while millions of them are built is time lost.

    What was built meanwhile is not looked at later either.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()


class _Run:
    """The state of one reading: which content each file has, and the facts of each content."""

    def __init__(self, found: Sequence[Found], cache: Cache, progress: Progress | None) -> None:
        self._found = found
        self._cache = cache
        self._progress = progress
        self._whole = msgspec.msgpack.Decoder(Module)
        self._outline = msgspec.msgpack.Decoder(Outline)
        self._roles: list[Role] = []
        self._keys: list[bytes] = []
        self._modules: dict[tuple[bytes, bool], Module] = {}  # content, whether only its outline
        self._why: dict[bytes, str] = {}
        self._asked: dict[bytes, int] = {}  # how many files wait for the same content
        self._done = 0

    def open(self, index: int, item: Found) -> Task | None:
        """Look a file up; a task comes back when its content has to be read."""
        try:
            content = content_of(item.real)
        except Unreadable as error:
            key = b"gap %d" % index
            self._note(Role.SOURCE, key)
            self._why[key] = str(error)
            self._advance()
            return None
        key = key_of(content, f"python {READER_VERSION}")
        role = role_of(item.path, content, item.beside)
        self._note(role, key)
        if key in self._asked:
            self._asked[key] += 1
            return None
        if not self._recall(key, role in UNLINKED):
            self._asked[key] = 1
            return Task(key, content)
        self._advance()
        return None

    def _recall(self, key: bytes, outline: bool) -> bool:
        """Take the facts from an earlier file of the same content, or from the cache."""
        if (key, outline) in self._modules:
            return True
        facts = self._cache.get(key)
        if facts is None:
            return False
        try:
            # Tests, migrations and scripts are not linked, so their bodies are not worth decoding.
            module = self._outline.decode(facts).module if outline else self._whole.decode(facts)
        except msgspec.DecodeError:
            return False
        self._modules[key, outline] = module
        return True

    def take(self, answer: Answer) -> None:
        """Accept what a worker made of a content."""
        if answer.why:
            self._why[answer.key] = answer.why
        else:
            module = self._whole.decode(answer.facts)
            self._modules[answer.key, False] = self._modules[answer.key, True] = module
            self._cache.keep(answer.key, answer.facts)
        self._advance(self._asked.pop(answer.key))

    def result(self) -> Reading:
        """Everything in the order of the files; equal contents share their facts."""
        files: list[SourceFile] = []
        gaps: list[Gap] = []
        for item, role, key in zip(self._found, self._roles, self._keys, strict=True):
            if key in self._why:
                gaps.append(Gap(Location(item.path, 1), self._why[key]))
            else:
                files.append(SourceFile(item.path, role, self._modules[key, role in UNLINKED]))
                gaps.extend(_unread(files[-1]))
        return Reading(tuple(files), tuple(gaps))

    def _note(self, role: Role, key: bytes) -> None:
        self._roles.append(role)
        self._keys.append(key)

    def _advance(self, files: int = 1) -> None:
        self._done += files
        if self._progress is not None:
            self._progress(self._done, len(self._found))


def _unread(file: SourceFile) -> Iterator[Gap]:
    for part in file.module.unread:
        yield Gap(Location(file.path, part.line, end_line=part.end_line), part.why)


def content_of(path: str) -> bytes:
    """The bytes of a regular file; raises Unreadable for anything else.

    Opened without waiting and looked at before it is read, so that a pipe or device put in the
    file's place after discovery cannot hold up the review.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, no path
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("it is no longer a file")
            if status.st_size > LARGEST:
                raise Unreadable(f"it is larger than {LARGEST >> 20} MiB")
            return file.read(LARGEST)
    except OSError as error:
        raise Unreadable(f"it could not be opened: {error.strerror or type(error).__name__}") from error
