"""A small disk that can be filled, for a database whose disk is full; nothing outside of the run sees it.

It lives in memory, in namespaces of its own, and ends with the process that keeps it.
"""

import re
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from mainstay.lab.channel import Channel, Closed
from mainstay.lab.disk_holder import Answer, Empty, Fill, Look, Refused, Request, Space
from mainstay.lab.lab import Lab, LabError
from mainstay.lab.own_program import own_program
from mainstay.lab.unprivileged import Account

_ANSWER_S = 30.0
_MEGABYTE = 1 << 20

_HOLDER = "mainstay.lab.disk_holder"


class Disk:
    """A disk of that size on `folder`, seen only by programs that `namespace.py` starts with `disk=PID`."""

    def __init__(self, lab: Lab, name: str, folder: Path, megabytes: int, owner: Account | None) -> None:
        """Mount it, empty and owned by `owner` (None: by us); raises LabError."""
        why = possible()
        if why:
            raise LabError(f"A full disk cannot be played here: {why}.")
        self.folder = folder
        self.size = megabytes * _MEGABYTE
        options = f"size={megabytes}m,mode=0700" + (f",uid={owner.user},gid={owner.group}" if owner else "")
        self._program = lab.start(name, own_program(_HOLDER, "hold", str(folder), options), channel=True)
        assert self._program.channel is not None  # it was asked for
        self._channel: Channel[Answer] = Channel(self._program.channel, Answer)
        self._expect(self._heard())

    @property
    def pid(self) -> int:
        """The process that keeps it."""
        return self._program.pid

    def fill(self, leave: int = 0) -> int:
        """Fill it until only `leave` bytes are free; the bytes that are.  Raises LabError."""
        return self._ask(Fill(leave))

    def empty(self) -> int:
        """Take away what `fill` put there; the bytes that are free.  Raises LabError."""
        return self._ask(Empty())

    def free(self) -> int:
        """The bytes that are free; raises LabError."""
        return self._ask(Look())

    def end(self) -> None:
        """Let go of it; it is gone as soon as no program uses it."""
        self._channel.close()
        self._program.end()

    def _ask(self, request: Request) -> int:
        with suppress(Closed):
            self._channel.send(request)
        return self._expect(self._heard())

    def _heard(self) -> Answer | None:
        with suppress(Closed):
            return self._channel.receive(_ANSWER_S)
        return None

    def _expect(self, answer: Answer | None) -> int:
        match answer:
            case Space(_, free):
                return free
            case Refused(why):
                raise LabError(f"The small disk cannot be used: {why}.")
        raise LabError("The process that keeps the small disk gives no answer.")


@cache
def possible() -> str:
    """Empty if a disk can be mounted here; otherwise why not."""
    if sys.platform != "linux":
        return "it takes the namespaces of Linux"
    command = own_program(_HOLDER, "mount_disk", "/", "size=1m")
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ANSWER_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it could not be tried ({error})"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        reason = re.sub(r"^\w+: (\[Errno \d+\] )?", "", last)
        return f"this machine does not let us mount one of our own ({reason})"
    return ""
