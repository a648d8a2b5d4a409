"""The two ends of a connection, played with raw sockets."""

import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

SOON = 10.0  # seconds: a limit for what is a matter of milliseconds on a quiet machine
BRIEFLY = 0.15  # seconds: long enough for what would happen at once


class Listener:
    """An upstream that accepts when it is told to."""

    def __init__(self, port: int = 0) -> None:
        self.sock = socket.create_server(("127.0.0.1", port), backlog=512)
        self.sock.settimeout(SOON)
        self.port: int = self.sock.getsockname()[1]

    def __enter__(self) -> "Listener":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()

    def accept(self) -> socket.socket:
        sock, _ = self.sock.accept()
        sock.settimeout(SOON)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def is_dialled(self, within: float = BRIEFLY) -> bool:
        return bool(select.select([self.sock], [], [], within)[0])


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=SOON)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


@contextmanager
def pair(port: int, listener: Listener) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Client and upstream of one connection through the proxy."""
    with connect(port) as client, listener.accept() as upstream:
        yield client, upstream


def read_to_end(sock: socket.socket) -> bytes:
    found = bytearray()
    while data := sock.recv(1 << 16):
        found += data
    return bytes(found)


def read(sock: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        data = sock.recv(size - len(found))
        if not data:
            raise EOFError(f"{len(found)} of {size} bytes")
        found += data
    return bytes(found)


def is_silent(sock: socket.socket, seconds: float = BRIEFLY) -> bool:
    """Neither bytes nor an end come."""
    return not select.select([sock], [], [], seconds)[0]


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@contextmanager
def meanwhile(action: Callable[[], object]) -> Iterator[None]:
    """`action` runs beside the block, and has succeeded at its end."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - the test's own thread fails for it
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(SOON * 2)
    assert not thread.is_alive()
    assert not errors, errors


def cut(sock: socket.socket) -> None:
    """Close with an RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def eventually(holds: Callable[[], bool]) -> bool:
    ends = time.monotonic() + SOON
    while time.monotonic() < ends:
        if holds():
            return True
        time.sleep(0.005)
    return holds()
