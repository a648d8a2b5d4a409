"""A Redis of the run's own: started, stopped, killed, paused."""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from mainstay.lab.lab import Lab, LabError, Program
from mainstay.lab.label import free_label
from mainstay.lab.unprivileged import open_to, unprivileged

HOST = "127.0.0.1"
READY_S = 60.0
STOP_S = 30.0
POLL_S = 0.01
_PATIENCE_S = 5.0
_PROGRAMS = ("redis-server", "valkey-server")

_VOLATILE = """
save ""
appendonly no
"""
_KEPT = """
save ""
appendonly yes
appendfsync everysec
"""


class Redis:
    """A server on 127.0.0.1, with a password.

    It keeps nothing on disk unless `kept` is true: a restart finds it empty, as a cache may be.  With
    `kept` it writes a log once a second, its own default: a kill of its processes loses nothing.  The
    constructor starts nothing; LabError says that there is none here.
    """

    def __init__(self, lab: Lab, name: str, *, kept: bool = False) -> None:
        self.name = name
        self.user = "default"
        self.password = secrets.token_urlsafe(24)  # nothing in it needs escaping in an URL
        self.start_seconds = 0.0  # the last start took
        self._program_path, version = _server()
        how = "kept on disk" if kept else "without persistence: a restart finds it empty"
        self.choice = f"{version} from {self._program_path}, {how}"
        self._lab = lab
        self._label = free_label(lab, f"redis-{name}")
        account = unprivileged()
        if account and not open_to(Path(self._program_path), account.user):
            account = None  # it does run as root
        self._user = account.user if account else None
        self._folder = lab.subfolder(self._label, self._user)
        self.port = lab.port()
        self._configuration = self._folder / "redis.conf"
        self._configure(_KEPT if kept else _VOLATILE)
        self._program: Program | None = None
        self._paused = False

    @property
    def running(self) -> bool:
        """Whether its process is alive; it may be paused."""
        return self._program is not None and self._program.status() is None

    @property
    def paused(self) -> bool:
        return self._paused

    def start(self) -> None:
        """Start it and wait until it answers; raises LabError with the log's last lines."""
        if self.running:
            return
        began = time.monotonic()
        command = [self._program_path, str(self._configuration)]
        environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        self._program = self._lab.start(
            self._label, command, environment=environment, cwd=self._folder, user=self._user
        )
        self.await_answer()
        self.start_seconds = time.monotonic() - began

    def ensure_running(self) -> None:
        """Resume or start it, whatever was done to it, and wait until it answers."""
        self.resume()
        self.start()
        self.await_answer()

    def await_answer(self, within: float = READY_S) -> float:
        """Wait until it answers and say how many seconds that took; raises LabError."""
        began = time.monotonic()
        while time.monotonic() - began < within:
            if not self.running:
                raise LabError(f"{self.name} (Redis) did not start.", self.log_tail())
            with suppress(OSError):
                if self.ask("PING") == "+PONG":
                    return time.monotonic() - began
            time.sleep(POLL_S)
        raise LabError(f"{self.name} (Redis) did not answer within {within:g} s.", self.log_tail())

    def stop(self) -> None:
        """Shut down in order; raises LabError when it is not down within half a minute."""
        if self._program is None or not self.running:
            return
        self.resume()
        self._program.signal(signal.SIGTERM)
        if self._program.wait(STOP_S) is None:
            raise LabError(f"{self.name} (Redis) did not stop within {STOP_S:g} s.", self.log_tail())

    def kill(self) -> None:
        """kill -9."""
        if self._program is None or not self.running:
            return
        self._paused = False
        self._program.signal(signal.SIGKILL)
        if self._program.wait(STOP_S) is None:
            raise LabError(f"{self.name} (Redis) is still there {STOP_S:g} s after it was killed.")

    def pause(self) -> None:
        """Stop it where it stands: connections stay open, and nothing answers."""
        if self._program is not None and self.running and not self._paused:
            self._program.pause()
            self._paused = True

    def resume(self) -> None:
        """Let it go on after a pause."""
        if self._program is not None and self._paused:
            self._program.resume()
        self._paused = False

    def end(self) -> None:
        """Stop it for good; what cannot be ended now ends with the run."""
        with suppress(LabError):
            self.stop()
        with suppress(LabError):
            if self._program is not None:
                self._program.end(grace=0)

    def clear(self) -> None:
        """Take away all that is in it; raises LabError."""
        try:
            answer = self.ask("FLUSHALL")
        except OSError as error:
            raise LabError(f"{self.name} (Redis) gives no answer: {error.strerror or error}.") from error
        if answer != "+OK":
            raise LabError(f"{self.name} (Redis) could not be cleared: {answer.lstrip('-')}.")

    def ask(self, *words: str) -> str:
        """The first line of the answer to a command, sent directly; raises OSError.

        The protocol is RESP: https://redis.io/docs/latest/develop/reference/protocol-spec/
        """
        with socket.create_connection((HOST, self.port), _PATIENCE_S) as connection:
            connection.sendall(_command("AUTH", self.password) + _command(*words))
            with connection.makefile("rb") as answers:
                granted = answers.readline()
                if not granted.startswith(b"+OK"):
                    raise ConnectionError(
                        granted.decode(errors="replace").strip() or "the connection was closed"
                    )
                return answers.readline().decode(errors="replace").rstrip("\r\n")

    def url(self, port: int, scheme: str = "redis", database: int = 0) -> str:
        """The address for the service; `port` is the proxy's."""
        return f"{scheme}://:{self.password}@{HOST}:{port}/{database}"

    def fields(self, port: int) -> dict[str, str]:
        """What placeholders can name; `port` is the proxy's."""
        return {
            "host": HOST,
            "port": str(port),
            "user": self.user,
            "password": self.password,
            "url": self.url(port),
        }

    @property
    def log(self) -> Path | None:
        """The log since the last start; None before the first."""
        return self._program.log if self._program else None

    def log_tail(self) -> tuple[str, ...]:
        """The last lines since the last start, made safe to show."""
        return self._program.tail() if self._program else ()

    def _configure(self, persistence: str) -> None:
        """In a file, for a command line can be read by everyone."""
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(
            f"bind {HOST}\nport {self.port}\nrequirepass {self.password}\ndaemonize no\n"
            f'dir "{self._folder}"\nlogfile ""\nset-proc-title no\n{persistence}'
        )
        if self._user is not None:
            os.chown(self._configuration, self._user, -1)


def _server() -> tuple[str, str]:
    """The path and the version of the server on PATH; raises LabError."""
    path = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if path is None:
        raise LabError("There is no redis-server on the PATH: install the package redis-server (or redis).")
    done = subprocess.run(
        [path, "--version"], check=False, capture_output=True, text=True, timeout=_PATIENCE_S
    )
    said = re.search(r"v=(\S+)", done.stdout)
    name = "Redis" if "redis" in Path(path).name else "Valkey"
    return path, f"{name} {said[1]}" if said else name


def _command(*words: str) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        content = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(content), content))
    return b"".join(parts)
