"""The folder of a run: made, held by a lock, and removed, whatever is in it.

A folder belongs to a run for as long as its lock is held; the kernel lets go of a lock when its last
holder ends, so this cannot be mistaken, not even between containers that share a temporary folder.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from mainstay.lab.kernel import detach_mount

PREFIX = "mainstay-run-"
_LOCK = ".guardian"
_MOVED = ".removed-"
_YOUNG = 60.0  # seconds within which a folder without a lock may be one that is being made
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def name_folder(parent: Path) -> Path:
    """Where a new run's folder will be: whoever starts a guardian knows it, and can look for it."""
    return parent / f"{PREFIX}{secrets.token_hex(4)}"


def make_folder(folder: Path) -> int:
    """Make the folder of a new run; the answer is the descriptor that holds its lock.  Raises OSError.

    When we are root it can be passed through but not listed by others: what runs as another user
    reaches its own folder in it.
    """
    folder.mkdir(mode=0o700)
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.write(lock, f"{os.getpid()}\n".encode())
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return lock


def folders_of_runs(parent: Path) -> list[Path]:
    """What looks like the folder of a run, alive or not."""
    try:
        return sorted(parent.glob(f"{PREFIX}*"))
    except OSError:
        return []


@contextlib.contextmanager
def claimed(folder: Path, *, dead: bool = False) -> Iterator[bool]:
    """Whether it is a run's folder of ours that nobody holds; if so, we do meanwhile.

    One without a lock may be one that is being made, unless its guardian is known to be dead.
    """
    lock = -1
    try:
        if _ours(folder):
            lock = _lock_of(folder, dead=dead)
    except OSError:
        pass  # it has gone, or another one is at it
    try:
        yield lock >= 0
    finally:
        if lock >= 0:
            os.close(lock)


def _ours(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _lock_of(folder: Path, *, dead: bool) -> int:
    """The lock of an abandoned folder, taken; raises OSError if it is held or too young to tell."""
    old = dead or time.time() - folder.lstat().st_mtime > _YOUNG
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_CREAT if old else 0)
    lock = os.open(folder / _LOCK, flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def remove_folder(folder: Path) -> bool:
    """Remove a run's folder with all that is in it; whether it is gone.

    Links are removed, never followed; what is mounted inside is let go of, never emptied.  Folders
    that may not be written to are made writable first, and it does not matter how deep they are.
    """
    try:
        top = os.open(folder, _OPEN)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        _empty(top)
        with contextlib.suppress(OSError):
            os.unlink(_LOCK, dir_fd=top)  # last: until here it says whose the folder is
    finally:
        os.close(top)
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not folder.exists()


def _empty(top: int) -> None:
    """Each folder is moved to the top before it is emptied.

    So depth costs nothing, and what is mounted is never entered: it cannot be moved.
    """
    waiting: deque[str] = deque()
    _strip(top, top, waiting)
    while waiting:
        name = waiting.popleft()
        with contextlib.suppress(OSError):
            here = os.open(name, _OPEN, dir_fd=top)
            try:
                _strip(here, top, waiting)
            finally:
                os.close(here)
            os.rmdir(name, dir_fd=top)


def _strip(here: int, top: int, waiting: deque[str]) -> None:
    """Remove the files and empty folders of `here`, and move its other folders to the top."""
    for name in os.listdir(here):
        if here == top and name == _LOCK:
            continue
        with contextlib.suppress(OSError):
            if not stat.S_ISDIR(os.lstat(name, dir_fd=here).st_mode):
                os.unlink(name, dir_fd=here)
            elif not _removed(name, here):
                moved = f"{_MOVED}{time.monotonic_ns()}"
                os.rename(name, moved, src_dir_fd=here, dst_dir_fd=top)
                waiting.append(moved)


def _removed(name: str, here: int) -> bool:
    """Whether a folder could be removed as it is, after it was made writable and nothing is mounted on it."""
    if os.geteuid() != 0:
        os.chmod(name, 0o700, dir_fd=here)
    try:
        os.rmdir(name, dir_fd=here)
    except OSError as error:
        if error.errno != errno.EBUSY:
            return False
        detach_mount(f"/proc/self/fd/{here}/{name}")
        os.rmdir(name, dir_fd=here)
    return True
