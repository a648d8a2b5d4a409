"""What the standard library has no words for: prctl, and the System V segments of dead processes.

Each function says by its answer whether the thing is possible here; none of them raises.
"""

import ctypes
import signal
import sys
from collections.abc import Collection
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_IPC_RMID = 0
_MNT_DETACH = 2

_SEGMENTS = Path("/proc/sysvipc/shm")

_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> bool:
    """From now on, orphans below this process become its own children."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> bool:
    """From now on, SIGKILL for this process when its parent dies.  A change of user afterwards undoes it."""
    return _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def detach_mount(path: str) -> bool:
    """Unmount what is mounted at `path`, even while it is in use."""
    if sys.platform != "linux":
        return False
    return bool(_libc.umount2(path.encode("utf-8", "surrogateescape"), _MNT_DETACH) == 0)


def remove_segments(creators: Collection[int], since: float) -> int:
    """Remove the shared memory that these processes made after `since` (Unix time) and nobody uses.

    PostgreSQL holds such a segment for as long as it runs, and cannot give it back after SIGKILL.
    """
    removed = 0
    for line in _segments():
        fields = line.split()
        identifier, creator, attached, changed = (
            int(fields[1]),
            int(fields[4]),
            int(fields[6]),
            int(fields[13]),
        )
        if creator in creators and not attached and changed >= since - 1:
            removed += _libc.shmctl(identifier, _IPC_RMID, None) == 0
    return removed


def _segments() -> list[str]:
    try:
        return _SEGMENTS.read_text().splitlines()[1:]
    except OSError:
        return []


def _prctl(option: int, value: int) -> bool:
    if sys.platform != "linux":
        return False
    return bool(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) == 0)
