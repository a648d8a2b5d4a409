"""The process that keeps a small disk: while it lives, so does the disk, and nobody else sees it mounted."""

import errno
import os
import sys
from pathlib import Path

from msgspec import Struct

from mainstay.lab.channel import Channel, Closed
from mainstay.lab.namespace import NEW_MOUNTS, mount, unshare

FILLER = "filler"
_NOSUID_NODEV = 6
_SLAVE_AND_BELOW = 0x80000 | 0x4000  # what is mounted here is not seen there; what ends there ends here
_ATTEMPTS = 50  # others write at the same time


class Fill(Struct, frozen=True, tag=True):
    """Leave this many bytes free."""

    leave: int


class Empty(Struct, frozen=True, tag=True):
    """Take away what filled it."""


class Look(Struct, frozen=True, tag=True):
    """Say how full it is."""


class Space(Struct, frozen=True, tag=True):
    """How large the disk is and what is left of it, in bytes."""

    size: int
    free: int


class Refused(Struct, frozen=True, tag=True):
    """It was not possible."""

    why: str


Request = Fill | Empty | Look
Answer = Space | Refused


def hold(folder: str, options: str) -> None:
    """Mount a disk on `folder` for ourselves, say so, and serve until the one who asked for it is gone."""
    channel: Channel[Request] = Channel.on_stdin(Request)
    try:
        mount_disk(folder, options)
    except OSError as error:
        channel.send(Refused(error.strerror or str(error)))
        sys.exit(1)
    channel.send(_space(folder))
    try:
        while (request := channel.receive()) is not None:
            channel.send(_answer(folder, request))
    except Closed:
        sys.exit(0)


def mount_disk(folder: str, options: str) -> None:
    """Mount a disk in memory on `folder`, seen by this process and those that join it; raises OSError."""
    unshare(NEW_MOUNTS)
    mount("none", "/", flags=_SLAVE_AND_BELOW)
    mount("tmpfs", folder, options, _NOSUID_NODEV)


def _answer(folder: str, request: Request) -> Answer:
    filler = Path(folder) / FILLER
    try:
        match request:
            case Fill(leave):
                _fill(filler, leave)
            case Empty():
                filler.unlink(missing_ok=True)
            case Look():
                pass
    except OSError as error:
        return Refused(error.strerror or str(error))
    return _space(folder)


def _fill(filler: Path, leave: int) -> None:
    """Make the filler as large as it has to be: larger or smaller than it was."""
    filler.touch()
    with filler.open("r+b") as file:
        for _ in range(_ATTEMPTS):
            size = file.seek(0, os.SEEK_END)
            facts = os.fstatvfs(file.fileno())
            pages = (facts.f_bfree * facts.f_frsize - leave) // facts.f_frsize
            wanted = size + pages * facts.f_frsize
            if pages < 0:
                file.truncate(max(0, wanted))
            if pages <= 0:
                return
            try:
                os.posix_fallocate(file.fileno(), size, wanted - size)
            except OSError as error:
                if error.errno != errno.ENOSPC:  # someone was faster: look again
                    raise


def _space(folder: str) -> Space:
    facts = os.statvfs(folder)
    return Space(facts.f_blocks * facts.f_frsize, facts.f_bfree * facts.f_frsize)
