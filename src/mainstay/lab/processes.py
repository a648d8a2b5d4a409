"""The processes of this machine: who descends from whom, and how to end all of them."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

MARK = (
    "MAINSTAY_RUN"  # in the environment of all that a lab starts: the run's folder and the program's number
)

_PROC = Path("/proc")
_PAUSE = 0.005  # seconds between two looks at what is left


class Process(Struct, frozen=True):
    """A process as the kernel lists it."""

    pid: int
    parent: int
    group: int
    session: int
    started: int = 0  # clock ticks since the machine's start; 0 where not told
    zombie: bool = False


def table() -> dict[int, Process]:
    """All processes of this machine, zombies included."""
    return {found.pid: found for found in (_by_proc() if (_PROC / "self/stat").exists() else _by_ps())}


def descendants(root: int, processes: dict[int, Process]) -> list[Process]:
    """All processes below `root`, parents before their children."""
    children: dict[int, list[Process]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    level = [root]
    while level:
        below = [child for pid in level for child in children.pop(pid, ())]
        found += below
        level = [child.pid for child in below]
    return found


def mark(pid: int) -> str:
    """What `MARK` was set to when the process started; empty if it cannot be told."""
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return ""
    prefix = f"{MARK}=".encode()
    for entry in environment.split(b"\0"):
        if entry.startswith(prefix):
            return os.fsdecode(entry.removeprefix(prefix))
    return ""


def marked(run: str) -> list[Process]:
    """The processes of a run, by their environment."""
    return [
        process
        for process in table().values()
        if not process.zombie and mark(process.pid).startswith(f"{run}:")
    ]


def send(pid: int, number: int) -> bool:
    """Signal a process; whether it was there and ours."""
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def kill_descendants(within: float) -> set[int]:
    """SIGKILL to all that descends from this process, until none is left or `within` seconds have passed.

    The groups get it too: a group is hit at once, while a process that forks and ends is gone
    before it is found.  Only in a process that holds its session alone.  The answer is who was seen.
    """
    ends = time.monotonic() + within
    own = os.getpgid(0)
    seen: set[int] = set()
    while True:
        below = descendants(os.getpid(), table())
        alive = [process for process in below if not process.zombie]
        seen.update(process.pid for process in below)
        for group in {process.group for process in alive} - {own, 0, 1}:
            _send_to_group(group)
        for process in alive:
            send(process.pid, signal.SIGKILL)
        if not reap() or time.monotonic() > ends:
            return seen
        time.sleep(_PAUSE)


def kill_all(processes: Iterable[Process]) -> None:
    """SIGKILL to each of them, and to what descends from them."""
    known = table()
    for process in processes:
        for one in (process, *descendants(process.pid, known)):
            current = known.get(one.pid)
            if current is not None and current.started == one.started:
                send(one.pid, signal.SIGKILL)


def reap() -> bool:
    """Bury the children that have ended; whether this process has any left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _send_to_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass  # it has ended, or is not ours


def _by_proc() -> Iterator[Process]:
    for name in os.listdir(_PROC):  # noqa: PTH208 (Path objects for all of /proc cost more than reading it)
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 (as above)
                    line = file.read()
            except OSError:
                continue  # ended meanwhile
            state, parent, group, session, *rest = line[line.rindex(b")") + 2 :].split()
            yield Process(
                int(name), int(parent), int(group), int(session), int(rest[15]), zombie=state in (b"Z", b"X")
            )


def _by_ps() -> Iterator[Process]:
    """Where there is no /proc; a session is not told there, so the group stands for it."""
    listed = subprocess.run(
        ["/bin/ps", "-axo", "pid=,ppid=,pgid=,state="], capture_output=True, text=True, check=False
    )
    for line in listed.stdout.splitlines():
        pid, parent, group, state = line.split()[:4]
        yield Process(int(pid), int(parent), int(group), int(group), zombie=state.startswith("Z"))
