"""Ports of this machine that nobody uses, and who listens on which."""

import contextlib
import errno
import random
import socket
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from mainstay.lab.error import LabError

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10240
_HIGHEST = 65535
_ELSEWHERE = (49152, 65535)  # the ephemeral range of macOS, and the one of the standard (RFC 6335)


def ephemeral() -> tuple[int, int]:
    """The first and last port that the kernel gives to outgoing connections."""
    try:
        first, last = map(int, _RANGE.read_text().split())
    except (OSError, ValueError):
        return _ELSEWHERE
    return first, last


class Ports:
    """Hands out ports that were free and that the kernel gives to no one by itself; each once.

    On Linux a port stays reserved among the runs of this machine until `close`.
    """

    def __init__(self) -> None:
        first, last = ephemeral()
        self._left = [port for port in range(_LOWEST, _HIGHEST + 1) if not first <= port <= last]
        if not self._left:  # somebody has given the kernel all there are
            self._left = list(range(_LOWEST, _HIGHEST + 1))
        random.shuffle(self._left)
        self._reserved: list[socket.socket] = []

    def take(self) -> int:
        """A free port; raises LabError when there is none left."""
        while self._left:
            port = self._left.pop()
            if _free(port) and self._reserve(port):
                return port
        raise LabError("no port of this machine is free")

    def close(self) -> None:
        """Let other runs have them."""
        for reserved in self._reserved:
            reserved.close()
        self._reserved.clear()

    def _reserve(self, port: int) -> bool:
        """By an abstract socket, which is nobody's file and ends with us."""
        if sys.platform != "linux":
            return True
        reserved = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            reserved.bind(f"\0mainstay-port-{port}")
        except OSError:
            reserved.close()
            return False
        self._reserved.append(reserved)
        return True


def listening(pids: Iterable[int]) -> set[int]:
    """The TCP ports on which one of these processes listens; what may not be asked is left out."""
    ports: set[int] = set()
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            for connection in psutil.Process(pid).net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    ports.add(connection.laddr.port)
    return ports


def _free(port: int) -> bool:
    """Whether it can be bound at the loopback address, and by one that binds every address."""
    addresses: Sequence[tuple[socket.AddressFamily, str]] = (
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, ""),
        (socket.AF_INET6, "::"),
    )
    return all(_binds(family, address, port) for family, address in addresses)


def _binds(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return True  # a machine without IPv6
    with sock:
        try:
            sock.bind((address, port))
        except OSError as error:
            return family == socket.AF_INET6 and error.errno != errno.EADDRINUSE
    return True
