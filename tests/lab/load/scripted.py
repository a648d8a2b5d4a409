"""A server of raw sockets for the tests: it answers as a test says and remembers."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from msgspec import Struct


class Heard(Struct, frozen=True):
    """A request as it came."""

    connection: int  # 1 for the first one
    nth: int  # of its connection, 1 for the first
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


class Cut(Struct, frozen=True):
    """Close the connection; `reset`: rudely.  `first` is written before that."""

    reset: bool = False
    first: bytes = b""


class Reply(Struct, frozen=True):
    """An answer, after `after` seconds; `close`: the connection ends with it, and says so if `told`."""

    status: int = 200
    body: bytes = b"{}"
    after: float = 0.0
    close: bool = False
    told: bool = True


Script = Callable[[Heard], Reply | Cut | None]  # None: never answer


class Scripted:
    """Serves on a free port of 127.0.0.1 while it is entered."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.heard: list[Heard] = []
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._ended = threading.Event()
        self._more = threading.Event()
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def wait_for_more(self) -> None:
        """Until a request has come since the last call, 10 s at most."""
        assert self._more.wait(10)
        self._more.clear()

    def __enter__(self) -> "Scripted":
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._lock:
            for sock in self._open:
                with suppress(OSError):  # the other side may be gone
                    sock.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock, self.connections))
            self._threads.append(thread)
            with self._lock:
                self._open.add(sock)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            with sock, sock.makefile("rb") as stream:
                nth = 1
                while (heard := _read(stream, number, nth)) is not None:
                    self.heard.append(heard)
                    self._more.set()
                    if not self._answer(sock, heard):
                        return
                    nth += 1
        except OSError:
            return
        finally:
            with self._lock:
                self._open.discard(sock)

    def _answer(self, sock: socket.socket, heard: Heard) -> bool:
        """Whether the connection goes on."""
        what = self._script(heard)
        if what is None:
            self._ended.wait()
            return False
        if isinstance(what, Cut):
            if what.first:
                sock.sendall(what.first)
            if what.reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if what.after:
            self._ended.wait(what.after)
        told = "Connection: close\r\n" if what.close and what.told else ""
        head = f"HTTP/1.1 {what.status} It is\r\nContent-Length: {len(what.body)}\r\n{told}\r\n"
        sock.sendall(head.encode() + (b"" if heard.method == "HEAD" else what.body))
        return not what.close


def _read(stream: object, connection: int, nth: int) -> Heard | None:
    readline, read = stream.readline, stream.read  # type: ignore[attr-defined]  # a file of bytes
    first = readline()
    if not first:
        return None
    method, path, _ = first.decode().split(" ")
    headers: dict[str, str] = {}
    while line := readline().strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = read(int(headers.get("content-length", 0)))
    return Heard(connection, nth, method, path, headers, body, time.monotonic())
