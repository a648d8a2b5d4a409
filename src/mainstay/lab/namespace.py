"""Namespaces of Linux: making them, and starting a program where another one is.

`python -I -S namespace.py PID [USER GROUP] -- PROGRAM ARGUMENT...` runs a program as that user, which sees
the file systems that process PID sees.  It needs only the standard library, so that it starts quickly.
"""

import ctypes
import os
import sys

NEW_MOUNTS = 0x00020000
NEW_USERS = 0x10000000
_SET_DEATH_SIGNAL = 1
_GET_DEATH_SIGNAL = 2

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(kinds: int) -> None:
    """Leave namespaces for new ones; as anyone but root, through a namespace of users; raises OSError."""
    user, group = os.getuid(), os.getgid()
    if user and not kinds & NEW_USERS:
        kinds |= NEW_USERS
    _check(_libc.unshare(kinds), "unshare")
    if kinds & NEW_USERS:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")  # the same number: the program is no root
        _write("/proc/self/gid_map", f"{group} {group} 1")


def mount(kind: str, at: str, options: str = "", flags: int = 0) -> None:
    """Mount a file system; raises OSError."""
    _check(_libc.mount(kind.encode(), at.encode(), kind.encode(), flags, options.encode()), "mount")


def enter(pid: int) -> None:
    """Go where `pid` is: its mounts, and its users if those are not ours; raises OSError."""
    names = ["mnt"] if _same(pid, "user") else ["user", "mnt"]
    opened = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY) for name in names]
    for descriptor in opened:
        _check(_libc.setns(descriptor, 0), "setns")
        os.close(descriptor)
    os.chdir("/")


def become(user: int, group: int) -> None:
    """Be that user, in no other group; what should end us when our parent ends still does."""
    signal = ctypes.c_int(0)
    _libc.prctl(_GET_DEATH_SIGNAL, ctypes.byref(signal), 0, 0, 0)
    parent = os.getppid()
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)  # which made the kernel forget the signal
    _libc.prctl(_SET_DEATH_SIGNAL, signal.value, 0, 0, 0)
    if signal.value and os.getppid() != parent:
        sys.exit(1)


def main(arguments: list[str]) -> None:
    split = arguments.index("--")
    pid, *account = map(int, arguments[:split])
    command = arguments[split + 1 :]
    enter(pid)
    if account:
        become(*account)
    os.execvp(command[0], command)  # noqa: S606 - that is what this program is for


def _same(pid: int, kind: str) -> bool:
    theirs, ours = (os.stat(f"/proc/{process}/ns/{kind}") for process in (pid, "self"))  # noqa: PTH116
    return theirs.st_ino == ours.st_ino


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib would double the time to start
        file.write(text)


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1:])
