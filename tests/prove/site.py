"""A small project of its own on this machine, proved by the real command line; nothing of it may be left."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

SERVICES = Path(__file__).parent / "services"
SOURCE = Path(__file__).parents[2] / "src"
LONGEST_S = 120.0  # for one command on a busy machine
SOON_S = 20.0  # for what has been started to be gone

WEB = """
[prove.process.web]
command = "{{python}} {services}/{script} {{port}} {arguments}"
serves = true
ready = "/ready"
ready-within = "{within}"
"""
THINGS = """
[[prove.action]]
request = "POST /things"
body = {name = "{marker}"}
"""


def web(script: str, arguments: str = "", within: str = "30s") -> str:
    """One of the small services as the process that serves."""
    return WEB.format(services=SERVICES, script=script, arguments=arguments, within=within)


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it left."""

    status: int
    out: str
    said: str
    seconds: float
    left: tuple[str, ...]


class Site:
    """A folder with a project and one for temporary files; what runs for it is told by the latter."""

    def __init__(self, folder: Path, project: Path | None = None) -> None:
        self.folder = folder
        self.project = project or folder / "project"
        self.temporary = folder / "tmp"
        self.project.mkdir(exist_ok=True)
        self.temporary.mkdir()
        for each in (folder, self.temporary):
            each.chmod(0o755)  # a database does not run as root

    def write(self, text: str, files: Mapping[str, str] | None = None) -> None:
        """`mainstay.toml`, and other files."""
        (self.project / "mainstay.toml").write_text(text)
        for name, content in (files or {}).items():
            (self.project / name).write_text(content)

    def prove(self, *words: str, disk: str = "") -> Ended:
        """The command to its end; with `disk`, its temporary files lie on a disk of that size of its own."""
        began = time.monotonic()
        process = self.start(*words, disk=disk)
        try:
            out, said = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            for each in self.processes():
                each.kill()
            out, said = process.communicate()
            raise AssertionError(f"it did not end within {LONGEST_S:g} s: {out}{said}") from None
        return Ended(process.returncode, out, said, time.monotonic() - began, self.left())

    def start(self, *words: str, disk: str = "") -> "subprocess.Popen[str]":
        """The command, running, as the leader of a group of its own, as a shell starts it."""
        around = [sys.executable, str(SERVICES / "on_small_disk.py"), f"size={disk},mode=0755"]
        return subprocess.Popen(
            [*(around if disk else ()), sys.executable, "-m", "mainstay", "prove", *words, "."],
            cwd=self.project,
            env=os.environ | {"TMPDIR": str(self.temporary), "PYTHONPATH": str(SOURCE)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def processes(self) -> list[psutil.Process]:
        """What runs for this site, found by its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if any(str(self.temporary) in text for text in process.environ().values()):
                    found.append(process)
            except psutil.Error:
                continue  # it has just ended, or is not ours
        return found

    def ports(self) -> set[int]:
        """Where its processes listen."""
        ours = {process.pid for process in self.processes()}
        return {
            each.laddr[1]
            for each in psutil.net_connections("inet")
            if each.status == psutil.CONN_LISTEN and each.pid in ours and each.laddr
        }

    def left(self, within: float = 0.0) -> tuple[str, ...]:
        """The processes and files that are left, after `within` seconds at most."""
        ends = time.monotonic() + within
        while True:
            left = [f"process {p.pid}" for p in self.processes()] + [str(f) for f in self.temporary.iterdir()]
            if not left or time.monotonic() >= ends:
                return tuple(left)
            time.sleep(0.05)

    def clear(self) -> None:
        """After a test that failed."""
        for process in self.processes():
            process.send_signal(signal.SIGKILL)


@contextmanager
def site(project: Path | None = None) -> Iterator[Site]:
    """A new one, of that project or an empty one, and nothing of it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mainstay-test-", dir="/tmp"))  # open to all on the way there
    made = Site(folder, project)
    try:
        yield made
    finally:
        made.clear()
        shutil.rmtree(folder, ignore_errors=True)
