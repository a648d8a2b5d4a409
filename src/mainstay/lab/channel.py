"""Messages between Mainstay and the processes it starts for itself, over one end of a socket pair.

A message is a tagged msgspec struct as MessagePack, behind its length.  When one side ends, however it
ends, the other one's `receive` raises `Closed`: no process of ours outlives the one that asked for it.
"""

import select
import socket
import struct
import time
from typing import Any, Generic, TypeVar

import msgspec

M = TypeVar("M", bound=msgspec.Struct)

_LENGTH = struct.Struct("!I")
_CHUNK = 1 << 16


class Closed(Exception):
    """The other side of a channel is gone."""


def pack(message: msgspec.Struct) -> bytes:
    """The message as it goes over the wire."""
    content = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(content)) + content


class Unpacker(Generic[M]):
    """Turns what comes over the wire into messages again."""

    def __init__(self, receives: Any) -> None:
        self._decoder = msgspec.msgpack.Decoder(receives)
        self._heard = bytearray()

    def feed(self, data: bytes) -> list[M]:
        """The messages that are complete with `data`."""
        self._heard += data
        messages: list[M] = []
        start = 0
        while len(self._heard) >= start + _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._heard, start)
            end = start + _LENGTH.size + length
            if len(self._heard) < end:
                break
            messages.append(self._decoder.decode(bytes(self._heard[start + _LENGTH.size : end])))
            start = end
        del self._heard[:start]
        return messages


class Channel(Generic[M]):
    """One end of a socket pair; `receives` is the struct, or the union of structs, that comes in."""

    def __init__(self, sock: socket.socket, receives: Any) -> None:
        self._socket = sock
        self._socket.setblocking(True)
        self._unpacker: Unpacker[M] = Unpacker(receives)
        self._ready: list[M] = []

    @classmethod
    def on_stdin(cls, receives: Any) -> "Channel[M]":
        """The end that a process of ours was given as its standard input."""
        return cls(socket.socket(fileno=0), receives)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: msgspec.Struct) -> None:
        """Send a message whole; raises Closed."""
        try:
            self._socket.sendall(pack(message))
        except OSError as error:
            raise Closed(str(error)) from error

    def receive(self, timeout: float | None = None) -> M | None:
        """The next message; None when none came within `timeout` seconds; raises Closed."""
        ends = None if timeout is None else time.monotonic() + timeout
        while not self._ready:
            left = None if ends is None else max(0.0, ends - time.monotonic())
            poll = select.poll()  # unlike select, it knows no highest descriptor
            poll.register(self._socket, select.POLLIN)
            if not poll.poll(None if left is None else left * 1000):
                return None
            self._hear()
        return self._ready.pop(0)

    def ask(self, message: msgspec.Struct, timeout: float) -> M:
        """Send a message and wait for the next one that comes; raises Closed, TimeoutError."""
        self.send(message)
        answer = self.receive(timeout)
        if answer is None:
            raise TimeoutError(f"no answer to {type(message).__name__} within {timeout:g} s")
        return answer

    def close(self) -> None:
        self._socket.close()

    def _hear(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except OSError as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("the other side has ended")
        self._ready.extend(self._unpacker.feed(data))
