"""One of the places a link's connections may go to."""

import asyncio
import socket
from typing import Any

EVERY = 0.25  # seconds between two looks at whether an upstream is ready
_PATIENCE = 1.0  # seconds one look may take
_FALL = 2  # looks in a row that failed, before it gets no more connections


class Upstream:
    """An address, whether it is well, and how many connections it took."""

    def __init__(self, host: str, port: int) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found.sort(key=lambda each: each[0] != socket.AF_INET)  # what we start ourselves is at 127.0.0.1
        self.family: int = found[0][0]
        self.address: Any = found[0][4]
        self.well = True
        self.dialled = 0

    def took(self) -> None:
        """It accepted a connection."""
        self.dialled += 1

    def refused(self) -> None:
        """It did not; until it is found ready again, others come first."""
        self.well = False

    async def reachable(self) -> bool:
        """Whether it accepts a connection now."""
        loop = asyncio.get_running_loop()
        try:
            with socket.socket(self.family, socket.SOCK_STREAM) as sock:
                sock.setblocking(False)
                await asyncio.wait_for(loop.sock_connect(sock, self.address), _PATIENCE)
        except OSError:  # a timeout is one as well
            return False
        return True

    async def watch(self, path: str) -> None:
        """Keep `well` as the answers to GET `path` have it, for ever."""
        failed = 0
        while True:
            ready = await self._ready(path)
            failed = 0 if ready else failed + 1
            if ready:
                self.well = True
            elif failed >= _FALL:
                self.well = False
            await asyncio.sleep(EVERY)

    async def _ready(self, path: str) -> bool:
        try:
            status = await asyncio.wait_for(self._status(path), _PATIENCE)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError):
            return False
        return 200 <= status < 300

    async def _status(self, path: str) -> int:
        host, port = self.address[:2]
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            return int((await reader.readuntil(b"\r\n")).split(b" ")[1])
        finally:
            writer.close()
