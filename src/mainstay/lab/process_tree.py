"""A process and all below it, stopped where they stand, at once, however many sessions they are.

A signal to a group does not do that for a PostgreSQL: each of its processes is a group of its own.
"""

import signal
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

FREEZE_S = 10.0  # one that waits for a disk stops only after it
_POLL_S = 0.001


class NotFrozen(Exception):
    """There is no such process, or it does not stop; what had stopped goes on."""


def below(pid: int) -> list[psutil.Process]:
    """All that descend from `pid`; none if it is gone."""
    with suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def freeze(pid: int, within: float = FREEZE_S) -> list[psutil.Process]:
    """Stop `pid`, which alone starts others, and then all those; it comes first.  Raises NotFrozen."""
    try:
        everyone = [psutil.Process(pid)]
    except psutil.Error as error:
        raise NotFrozen("it is not running") from error
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        send(everyone, signal.SIGSTOP)
        if all(map(_stands, everyone)):
            found = [everyone[0], *below(pid)]
            if set(found) == set(everyone):
                return everyone
            everyone = found  # one was being started when the first process stopped
        else:
            time.sleep(_POLL_S)
    thaw(everyone)
    raise NotFrozen(f"some of its processes do not stop within {within:g} s")


def thaw(processes: Sequence[psutil.Process]) -> None:
    """Let them go on, the first one last: it finds its children awake."""
    send(processes[::-1], signal.SIGCONT)


def send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to those that are there: a number that was given to another one meanwhile gets none."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def await_gone(processes: Sequence[psutil.Process], within: float) -> bool:
    """Whether all of them are gone within that many seconds."""
    ends = time.monotonic() + within
    while any(map(_lives, processes)):
        if time.monotonic() > ends:
            return False
        time.sleep(_POLL_S)
    return True


def _stands(process: psutil.Process) -> bool:
    """Whether it is stopped, or gone."""
    try:
        return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
