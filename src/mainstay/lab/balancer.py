"""A load balancer in front of several instances of the service, as there is one wherever restarts roll.

HAProxy where it is installed, since that is what many run; otherwise a balancer of our own that knows
nothing of HTTP: it passes each connection on to the next instance that is ready.
"""

import csv
import re
import resource
import shutil
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from mainstay.lab.error import LabError
from mainstay.lab.lab import Lab
from mainstay.lab.program import Program
from mainstay.lab.proxy.control import FaultProxy

_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/opt/homebrew/bin")  # not on every PATH
_STARTS_WITHIN = 10.0  # seconds
_MOST = 4000  # connections
_SPARE_FILES = 200
_SOCKET = "control"

_CONFIGURATION = """\
global
    log stdout format raw local0 info
    nbthread 1
    maxconn {most}
    stats socket {control} mode 600 level user

defaults
    mode http
    log global
    option httplog
    option dontlog-normal
    option http-keep-alive
    balance leastconn
    # another instance is tried only where none has seen the request: what may have been done is not repeated
    retries 3
    retry-on conn-failure
    option redispatch 1
    timeout connect 2s
    # a check may take longer than the pause between two: on a busy machine every instance would be "down"
    timeout check 2s
    # longer than any caller waits, so that no timeout here is taken for one of the service
    timeout client 300s
    timeout server 300s
    timeout queue 300s

frontend service
    bind 127.0.0.1:{port}
    default_backend instances

backend instances
{check}    default-server check inter 250ms fall 2 rise 1
{servers}
"""

_CHECK = """\
    option httpchk
    http-check send meth GET uri {path} ver HTTP/1.1 hdr Host localhost hdr Connection close
    http-check expect status 200-299
"""


class Balancer:
    """One port in front of several instances; `ready_path` is what an instance is asked every 250 ms.

    Without a path an instance is ready while it takes connections.  With `own`, HAProxy is left aside.
    Raises LabError.
    """

    def __init__(self, lab: Lab, proxy: FaultProxy, ready_path: str, *, own: bool = False) -> None:
        self._lab = lab
        self._proxy = proxy
        self._path = _as_path(ready_path)
        self._haproxy = None if own else find_haproxy()
        self._version = _version(lab, self._haproxy) if self._haproxy else ""
        self._programs: dict[int, Program] = {}
        self._links: dict[int, str] = {}
        self._count = 0

    @property
    def kind(self) -> str:
        """What balances, in words for a report."""
        if self._haproxy:
            return f"HAProxy {self._version}".rstrip()
        return "Mainstay's own TCP balancer, which leaves keep-alive connections where they are"

    def open(self, upstreams: Sequence[int]) -> int:
        """Balance between the instances at these ports of 127.0.0.1; the port that callers use."""
        if not upstreams:
            raise LabError("a balancer needs at least one instance")
        self._count += 1
        name = f"balancer-{self._count}"
        if self._haproxy:
            return self._start(name, self._haproxy, upstreams)
        port = self._proxy.open(name, *(("127.0.0.1", each) for each in upstreams), ready_path=self._path)
        self._links[port] = name
        return port

    def well(self, port: int) -> tuple[bool, ...]:
        """Which instances behind the port get requests now, in the order they were given."""
        if port in self._links:
            return self._proxy.stats(self._links[port]).well
        return _servers_up(self._folder(port) / _SOCKET)

    def end(self) -> None:
        """End it, with every connection that is left; a second time does nothing."""
        while self._programs:
            self._programs.popitem()[1].end()
        while self._links:
            self._proxy.shut(self._links.popitem()[1])

    def _start(self, name: str, haproxy: Path, upstreams: Sequence[int]) -> int:
        port = self._lab.port()
        folder = self._folder(port)
        configuration = folder / "haproxy.cfg"
        configuration.write_text(_configuration(port, self._path, upstreams, folder / _SOCKET))
        program = self._lab.start(name, [str(haproxy), "-db", "-f", str(configuration)])
        self._programs[port] = program
        _await(port, folder / _SOCKET, program)
        return port

    def _folder(self, port: int) -> Path:
        return self._lab.subfolder(f"balancer-{port}")


def find_haproxy() -> Path | None:
    """The program, from PATH or from where system programs are."""
    found = shutil.which("haproxy")
    if found:
        return Path(found)
    return next((path for place in _PLACES if (path := Path(place, "haproxy")).is_file()), None)


def _version(lab: Lab, haproxy: Path) -> str:
    said = lab.run("haproxy-version", [str(haproxy), "-v"], timeout=_STARTS_WITHIN).output
    found = re.search(r"version (\d+(?:\.\d+)*)", said)
    return found[1] if found else ""


def _as_path(path: str) -> str:
    """The path with everything escaped that would end it, in a request or in a configuration."""
    return quote(path if path.startswith("/") or not path else f"/{path}", safe="/?&=%:@,;+~!*()")


def _configuration(port: int, path: str, upstreams: Sequence[int], control: Path) -> str:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST if hard == resource.RLIM_INFINITY else min(_MOST, max(1, (hard - _SPARE_FILES) // 2))
    return _CONFIGURATION.format(
        most=most,
        control=control,
        port=port,
        check=_CHECK.format(path=path) if path else "",
        servers="\n".join(f"    server at-{each} 127.0.0.1:{each}" for each in upstreams),
    )


def _await(port: int, control: Path, program: Program) -> None:
    """Wait until the port takes connections, and the control socket questions."""
    ends = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < ends:
        status = program.status()
        if status is not None:
            raise LabError(f"HAProxy ended with status {status} as soon as it was started", program.tail())
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            if control.exists():  # it gets its name a little later
                return
        except OSError:
            pass
        time.sleep(0.01)
    raise LabError(f"HAProxy does not listen {_STARTS_WITHIN:g} s after its start", program.tail())


def _servers_up(control: Path) -> tuple[bool, ...]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_STARTS_WITHIN)
        try:
            sock.connect(str(control))
            sock.sendall(b"show stat\n")
            with sock.makefile("r", encoding="utf-8") as answer:
                rows = list(csv.DictReader(line for line in answer if line.strip()))
        except OSError as error:
            raise LabError(f"HAProxy does not say which instances are up: {error}") from error
    return tuple(row["status"].startswith("UP") for row in rows if row["svname"].startswith("at-"))
