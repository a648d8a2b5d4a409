"""Starts a program for the guardian: its user, its place, its priority, where its output goes."""

import errno
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Callable

from mainstay.lab.capped import MOST_OUTPUT, CappedFile, Stream
from mainstay.lab.kernel import die_with_parent
from mainstay.lab.orders import Start
from mainstay.lab.processes import MARK


class CannotStart(Exception):
    """Why a program was not started, as a sentence."""


class Launched:
    """A program that was started, and how it ended."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid = 0
        self.streams: tuple[Stream, ...] = ()
        self.unmet: tuple[str, ...] = ()
        self.status: int | None = None
        self.ended: float | None = None
        self._files: tuple[CappedFile, ...] = ()

    def open(self, order: Start) -> None:
        """Make the files and pipes for what it writes; raises OSError."""
        self._files = (CappedFile(order.log),)
        if order.output:
            self._files += (CappedFile(order.output, MOST_OUTPUT),)
            self.streams = (Stream(self._files),)
        self.streams += (Stream(self._files[:1]),)
        for stream in self.streams:
            stream.give(order.user)

    @property
    def cut(self) -> int:
        """Bytes that its log lacks."""
        return self._files[0].cut

    def end(self, status: int) -> None:
        """Note that it has ended."""
        self.status = status
        self.ended = time.monotonic()

    def close(self) -> None:
        """Let go of its files."""
        for stream in self.streams:
            stream.close()
        for file in self._files:
            file.close()
        self.streams = ()


def launch(order: Start, mark: str, stdin: int | None, mask: int) -> Launched:
    """Start what is ordered, in a session of its own; raises CannotStart."""
    launched = Launched(order.number)
    try:
        launched.open(order)
        launched.pid = _started(order, mark, stdin, mask, launched.streams)
    except OSError as error:
        launched.close()
        raise CannotStart(f"`{order.name}` cannot be started: {_cause(error)}") from error
    except CannotStart:
        launched.close()
        raise
    finally:
        for stream in launched.streams:
            stream.hand_over()
    launched.unmet = tuple(_unmet(order, launched.pid))
    return launched


def _started(order: Start, mark: str, stdin: int | None, mask: int, streams: tuple[Stream, ...]) -> int:
    environment = dict(order.environment) | {MARK.encode(): os.fsencode(mark)}
    user, group, groups = _identity(order.user)
    try:
        process = subprocess.Popen(
            order.command,
            env=environment,
            cwd=order.cwd,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=streams[0].writing,
            stderr=streams[-1].writing,
            start_new_session=True,
            umask=mask,
            user=user,
            group=group,
            extra_groups=groups,
            preexec_fn=_before(order, os.getpid()),  # noqa: PLW1509 (the guardian has one thread)
        )
    except (OSError, OverflowError, ValueError, subprocess.SubprocessError) as error:
        raise CannotStart(_sentence(order, error)) from error
    process.returncode = 0  # the guardian waits for all of its children itself
    return process.pid


def _before(order: Start, guardian: int) -> Callable[[], None]:
    """What the new process does before it becomes the program."""

    def prepare() -> None:
        die_with_parent()
        if os.getppid() != guardian:
            os._exit(1)
        try:
            if order.nice:
                os.nice(order.nice)
        except OSError:
            pass  # told by `unmet`
        try:
            if order.cores and sys.platform == "linux":
                os.sched_setaffinity(0, order.cores)
        except OSError:
            pass

    return prepare


def _unmet(order: Start, pid: int) -> list[str]:
    """What could not be given to a program that runs all the same."""
    unmet = []
    try:
        if (
            order.nice
            and os.getpriority(os.PRIO_PROCESS, pid) != os.getpriority(os.PRIO_PROCESS, 0) + order.nice
        ):
            unmet.append(f"a priority of {order.nice}")
        if order.cores and (sys.platform != "linux" or os.sched_getaffinity(pid) != set(order.cores)):
            unmet.append(f"cores {', '.join(map(str, order.cores))} alone")
    except OSError:
        pass  # it has ended already
    return unmet


def _identity(user: int | None) -> tuple[int | None, int | None, list[int] | None]:
    """Whom to run as: user, group and further groups; all None for the guardian's own."""
    if user is None or user == os.geteuid():
        return None, None, None
    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        return user, user, []
    return user, entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid)


def _sentence(order: Start, error: Exception) -> str:
    name = f"`{order.name}` cannot be started"
    program = os.fsdecode(order.command[0]) if order.command else ""
    cwd = os.fsdecode(order.cwd)
    if not isinstance(error, OSError):
        return f"{name}: {error}"
    if not os.path.isdir(cwd):  # noqa: PTH112 (bytes and text alike)
        return f"{name}: there is no folder {cwd}"
    if error.errno == errno.EPERM and order.user is not None:
        return f"{name}: only root can run it as user {order.user}"
    if error.filename == order.cwd or error.filename == cwd:
        return (
            f"{name}: user {order.user} may not enter {cwd}"
            if order.user
            else f"{name}: {cwd}: {_cause(error)}"
        )
    if error.errno == errno.ENOENT:
        where = "" if "/" in program else " on its PATH"
        return f"{name}: there is no program `{program}`{where}"
    if error.errno == errno.EACCES:
        return f"{name}: `{program}` may not be executed"
    if error.errno == errno.ENOEXEC:
        return f"{name}: `{program}` is no program (a script needs a first line such as `#!/bin/sh`)"
    return f"{name}: `{program}`: {_cause(error)}"


def _cause(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
