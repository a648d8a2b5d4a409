"""Mainstay's end of the channel to the guardian: one order, one answer."""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Sequence

from mainstay.lab.channel import Closed, Unpacker, pack
from mainstay.lab.deferred import Deferred
from mainstay.lab.orders import Answer, Order

_PATIENCE = 30.0  # seconds; the guardian answers within milliseconds unless the machine is overwhelmed


class Line:
    """Asks, from any thread.  Ctrl-C leaves it usable: what ends things has to ask, too."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._answers: Unpacker[Answer] = Unpacker(Answer)
        self._ready: list[Answer] = []
        self._number = 0
        self._lock = threading.Lock()

    def number(self) -> int:
        """A number for an order."""
        self._number += 1
        return self._number

    def ask(self, order: Order, passes: Sequence[int] = (), patience: float = _PATIENCE) -> Answer:
        """Send an order, with descriptors, and wait for its answer; raises Closed, TimeoutError."""
        with self._lock:
            with Deferred():
                self._send(pack(order), passes)
            return self._receive(order.number, patience)

    def greeting(self, patience: float = _PATIENCE) -> Answer:
        """What the guardian says by itself when it is there; raises Closed, TimeoutError."""
        return self._receive(0, patience)

    def hang_up(self) -> None:
        """Nothing more will be asked: the guardian ends everything, and then itself."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def await_end(self, within: float) -> bool:
        """Whether the other side has ended within so many seconds."""
        try:
            while True:
                self._receive(-1, within)
        except Closed:
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        self._socket.close()

    def _send(self, data: bytes, passes: Sequence[int]) -> None:
        try:
            if passes:
                data = data[socket.send_fds(self._socket, [data], list(passes)) :]
            self._socket.sendall(data)
        except OSError as error:
            raise Closed(str(error)) from error

    def _receive(self, number: int, patience: float) -> Answer:
        ends = time.monotonic() + patience
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while True:
            while self._ready:
                answer = self._ready.pop(0)
                if answer.number == number:
                    return answer
            left = ends - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise TimeoutError(f"the guardian has not answered within {patience:g} s")
            with Deferred():
                self._hear()

    def _hear(self) -> None:
        try:
            data = self._socket.recv(1 << 16)
        except OSError as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("the guardian has ended")
        self._ready += self._answers.feed(data)
