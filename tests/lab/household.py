"""A Mainstay with a lab full of programs of every kind, run as a process of its own so that it can be killed.

`python household.py TOKEN`: every process has TOKEN among its arguments.  It prints one line of JSON
(the folder, a port that is listened on, the pids of its keeper and its warden) and waits.
"""

import json
import os
import signal
import sys
import time

from mainstay.lab.lab import Lab, Program
from mainstay.lab.processes import descendants, table

_TREE = """
import os, sys, time
for _ in range(3):
    if os.fork() == 0:
        os.fork()
        break
print("ready", flush=True)
time.sleep(600)
"""

_DAEMON = """
import os, socket, sys
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
sock = socket.create_server(("127.0.0.1", int(sys.argv[2])))
os.set_inheritable(sock.fileno(), True)
print("ready", flush=True)
os.execve("/bin/sh", ["sh", "-c", "trap '' TERM HUP INT; while :; do sleep 1; done", sys.argv[1]], {})
"""


def populate(lab: Lab, token: str) -> int:
    """Start one of each kind; the answer is the port that the daemon listens on."""
    port = lab.port()
    sleep = [sys.executable, "-c", "print('ready', flush=True); import time; time.sleep(600)", token]
    programs = [
        lab.start("plain", sleep),
        lab.start("deaf", ["sh", "-c", "trap '' TERM HUP INT; echo ready; while :; do sleep 1; done", token]),
        lab.start("daemon", [sys.executable, "-c", _DAEMON, token, str(port)]),
        lab.start("tree", [sys.executable, "-c", _TREE, token]),
        lab.start("stopped", sleep),
        lab.start("listener", ["sh", "-c", "echo ready; cat", token], channel=True),
    ]
    if os.geteuid() == 0:
        theirs = lab.subfolder("theirs", user=65534)
        command = "touch file; mkdir -p shut/in; chmod 0 shut; echo ready; while :; do sleep 1; done"
        programs.append(lab.start("nobody", ["sh", "-c", command, token], user=65534, cwd=theirs))
    shut = lab.subfolder("shut")
    (shut / "file").touch()
    shut.chmod(0o500)
    for program in programs:
        _await_ready(program)
    programs[4].signal(signal.SIGSTOP)
    return port


def guardians(lab: Lab) -> tuple[int, int]:
    """The pids of its keeper and its warden: other tests may have left children of ours behind."""
    known, warden = table(), lab._guardian.pid
    keeper = next(one.pid for one in descendants(warden, known) if one.session == warden)
    return keeper, warden


def _await_ready(program: Program) -> None:
    ends = time.monotonic() + 20
    while "ready" not in program.tail():
        if time.monotonic() > ends:
            raise SystemExit(f"{program} was not ready: {program.tail()}")
        time.sleep(0.01)


def main() -> None:
    token = sys.argv[1]
    with Lab() as lab:
        port = populate(lab, token)
        keeper, warden = guardians(lab)
        told = {"folder": str(lab.folder), "port": port, "keeper": keeper, "warden": warden}
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()
        time.sleep(600)


if __name__ == "__main__":
    main()
