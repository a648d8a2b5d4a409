"""The user that programs run as which refuse to run as root, or have no need to."""

import os
import pwd
from pathlib import Path

from msgspec import Struct

_NOBODY = 65534


class Account(Struct, frozen=True):
    """A user and its group, by number."""

    user: int
    group: int


def unprivileged() -> Account | None:
    """Nobody, if we are root; None otherwise: we may and must stay who we are."""
    if os.getuid():
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Account(_NOBODY, _NOBODY)
    return Account(entry.pw_uid, entry.pw_gid)


def open_to(path: Path, user: int) -> bool:
    """By the mode bits: whether `user`, in no group, gets to `path` and may read and enter or run it."""
    target = path.resolve()
    return all(_allows(folder, user, 0o1) for folder in target.parents) and _allows(target, user, 0o5)


def _allows(path: Path, user: int, bits: int) -> bool:
    facts = path.stat()
    granted = facts.st_mode >> 6 if facts.st_uid == user else facts.st_mode
    return granted & bits == bits
