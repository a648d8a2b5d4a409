"""A server for bench/driver.py: it answers 10 ms after a request was read, and says when it read and wrote.

The body is `{"id": "READ WROTE"}`, both on the monotonic clock that all processes of a machine share.
"""

import ctypes
import select
import socket
import sys
import time
from collections import deque

ANSWER_AFTER = 0.010  # seconds
_PR_SET_TIMERSLACK = 29


class Server:
    """One thread; all requests wait equally long, so the one that came first is answered first."""

    def __init__(self) -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listening.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self._listening, select.EPOLLIN)
        self._open: dict[int, socket.socket] = {}
        self._waiting: deque[tuple[float, int, socket.socket]] = deque()
        self.port = self._listening.getsockname()[1]

    def serve(self) -> None:
        while True:
            left = max(0.0, self._waiting[0][0] + ANSWER_AFTER - time.monotonic()) if self._waiting else None
            select.select([self._epoll.fileno()], (), (), left)
            for number, _ in self._epoll.poll(0):
                if number == self._listening.fileno():
                    self._accept()
                else:
                    self._read(number)
            self._answer()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open[connection.fileno()] = connection
            self._epoll.register(connection, select.EPOLLIN)

    def _read(self, number: int) -> None:
        connection = self._open[number]
        try:
            heard = connection.recv(65536)
        except OSError:
            heard = b""
        now = time.monotonic()
        if not heard:
            self._epoll.unregister(number)
            del self._open[number]
            connection.close()
            return
        for _ in range(heard.count(b"\r\n\r\n")):
            self._waiting.append((now, number, connection))

    def _answer(self) -> None:
        while self._waiting and self._waiting[0][0] + ANSWER_AFTER <= time.monotonic():
            read, number, connection = self._waiting.popleft()
            if self._open.get(number) is not connection:
                continue
            body = b'{"id":"%.7f %.7f"}' % (read, time.monotonic())
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(
                body
            )
            try:
                connection.send(head + body)
            except OSError:
                pass


if __name__ == "__main__":
    server = Server()
    print(server.port, flush=True)
    server.serve()
