"""A place on this machine where a service can be run and broken, of which nothing is left."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from msgspec import Struct

from mainstay.lab.channel import Closed
from mainstay.lab.error import LabError
from mainstay.lab.folder import name_folder
from mainstay.lab.leftovers import clear, end_sessions
from mainstay.lab.line import Line
from mainstay.lab.orders import Answer, Order, Refused, Start, Started
from mainstay.lab.own_program import own_program
from mainstay.lab.ports import Ports
from mainstay.lab.program import Program

__all__ = ["Finished", "Lab", "LabError", "Program"]

_GUARDIAN_GONE = (
    "the guardian of this run has ended, by a kill or a fault, and all that it had started with it"
)
_ENDING = 30.0  # seconds; it takes two at most, unless the machine is overwhelmed or the folder huge


class Finished(Struct, frozen=True):
    """A program that has run to its end."""

    status: int  # negative for a signal
    output: str  # what it wrote to its standard output; the middle is left out when it is over 16 MiB
    log: Path  # that and its standard error
    seconds: float


class Lab:
    """Starts the guardian, and through it everything else; when it is left, nothing of that remains.

    What is started ends, and the folder goes, even if this process is killed.  Raises LabError.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self.folder = name_folder((parent or Path(tempfile.gettempdir())).resolve())
        self._ports = Ports()
        self._logs: set[str] = set()
        self._sessions: set[int] = set()  # each program leads one
        self._channels: list[socket.socket] = []

    def __enter__(self) -> "Lab":
        ours, theirs = socket.socketpair()
        self._line = Line(ours)
        with theirs:
            self._guardian = _started_guardian(self.folder, theirs)
        try:
            self._greet()
            (self.folder / "logs").mkdir(mode=0o700)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._leave()

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: int | None = None,
        channel: bool = False,
        nice: int = 0,
        cores: Sequence[int] = (),
    ) -> Program:
        """Start a program in a session of its own; raises LabError if that cannot be.

        `environment` is all that it gets, ours if it is None; `cwd` is our own folder if it is None.  With
        `channel` its standard input is one end of a socket pair, otherwise it is empty.  `nice` is added to
        our priority and `cores` are those it may run on; whether it got them is in `unmet`.
        """
        return self._start(name, command, environment, cwd, user, channel, nice, cores)

    def run(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float,
        user: int | None = None,
    ) -> Finished:
        """Run a program to its end, whatever its status; what it leaves running is ended.

        Raises LabError if it cannot be started, or has not ended after `timeout` seconds.
        """
        began = time.monotonic()
        log = self._log(name)
        output = log.with_suffix(".out")
        program = self._start(name, command, environment, cwd, user, False, 0, (), log, output)
        try:
            status = program.wait(timeout)
            seconds = time.monotonic() - began
            if status is None:
                raise LabError(f"`{name}` has not ended within {timeout:g} s", program.tail())
        finally:
            program.end(grace=0.0)
        text = output.read_bytes().decode("utf-8", "replace")
        output.unlink()
        return Finished(status, text, log, seconds)

    def port(self) -> int:
        """A free port of ours, outside the ephemeral range, never handed out twice."""
        return self._ports.take()

    def subfolder(self, name: str, user: int | None = None) -> Path:
        """A folder of the run, made if need be, and open to nobody but `user` (ourselves if None)."""
        folder = self.folder / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user is not None and user != os.geteuid():
            self._check_reachable(user)
            try:
                os.chown(folder, user, -1)
            except PermissionError as error:
                raise LabError(f"only root can give a folder to user {user}") from error
        return folder

    # --- its life ----------------------------------------------------------------------------

    def _greet(self) -> None:
        try:
            greeting = self._line.greeting()
        except (Closed, TimeoutError) as error:
            raise LabError(f"the guardian of the run did not start: {error}") from error
        if isinstance(greeting, Refused):
            raise LabError(f"the run has no place to be: {greeting.why}")

    def _leave(self) -> None:
        """Hang up and see the guardian out.  It does the work, and goes on if we are interrupted here."""
        self._line.hang_up()
        self._ports.close()
        for channel in self._channels:
            channel.close()
        try:
            self._line.await_end(_ENDING)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guardian.wait(_ENDING)
        finally:
            self._line.close()
            self._guardian.returncode = self._guardian.returncode or 0  # interrupted: it ends by itself
        if self._guardian.poll() is not None and self.folder.exists():
            clear(self.folder, self._sessions, dead=True)  # it was killed, keeper and warden
        if sys.platform != "linux":
            end_sessions(self._sessions)  # a guardian that was killed could not hand over its orphans

    # --- starting ----------------------------------------------------------------------------

    def _start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None,
        cwd: Path | None,
        user: int | None,
        channel: bool,
        nice: int,
        cores: Sequence[int],
        log: Path | None = None,
        output: Path | None = None,
    ) -> Program:
        if not command:
            raise LabError(f"`{name}` cannot be started: there is no command")
        ours, theirs = socket.socketpair() if channel else (None, None)
        log = log or self._log(name)
        order = Start(
            self._line.number(),
            name,
            tuple(os.fsencode(word) for word in command),
            _encoded(os.environ if environment is None else environment),
            os.fsencode(cwd or _here()),
            os.fsencode(log),
            os.fsencode(output) if output else b"",
            user,
            nice,
            tuple(cores),
            channel,
        )
        try:
            answer = self._ask(order, () if theirs is None else (theirs.fileno(),))
            if isinstance(answer, Refused):
                raise LabError(answer.why)
        except BaseException:
            if ours is not None:
                ours.close()
            raise
        finally:
            if theirs is not None:
                theirs.close()
        assert isinstance(answer, Started)
        self._sessions.add(answer.pid)
        if ours is not None:
            self._channels.append(ours)
        return Program(name, answer.pid, log, ours, order.number, self._ask, self._line.number, answer.unmet)

    def _ask(self, order: Order, passes: Sequence[int] = ()) -> Answer:
        try:
            return self._line.ask(order, passes)
        except Closed as error:
            raise LabError(_GUARDIAN_GONE) from error
        except TimeoutError as error:
            raise LabError(str(error)) from error

    def _log(self, name: str) -> Path:
        """A file for a log, named for the program."""
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:80].strip(".") or "program"
        unique, count = stem, 1
        while unique in self._logs:
            count += 1
            unique = f"{stem}.{count}"
        self._logs.add(unique)
        return self.folder / "logs" / f"{unique}.log"

    def _check_reachable(self, user: int) -> None:
        for folder in (self.folder, *self.folder.parents):
            found = folder.stat()
            if not found.st_mode & 0o001 and found.st_uid != user:
                raise LabError(
                    f"user {user} may not pass through {folder}: set TMPDIR to a folder open to all"
                )


def _started_guardian(folder: Path, channel: socket.socket) -> "subprocess.Popen[bytes]":
    errors = None if os.environ.get("MAINSTAY_DEBUG") else subprocess.DEVNULL
    try:
        return subprocess.Popen(
            own_program("mainstay.lab.guardian", "main", str(folder), str(os.getpid())),
            stdin=channel.fileno(),
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    except OSError as error:
        raise LabError(f"the guardian of the run cannot be started: {error.strerror}") from error


def _encoded(environment: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((os.fsencode(name), os.fsencode(text)) for name, text in environment.items())


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise LabError("the folder that Mainstay was started in is gone") from error
