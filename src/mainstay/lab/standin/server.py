"""The process of a stand-in: HTTP on 127.0.0.1, its orders over a channel on standard input."""

import asyncio
import os
import signal
import socket
from collections import deque
from email.utils import formatdate
from http import HTTPStatus

from mainstay.lab.channel import Unpacker, pack
from mainstay.lab.standin.messages import (
    Behave,
    Done,
    Forget,
    Heard,
    News,
    Order,
    Play,
    Playing,
    Tell,
    Trouble,
)
from mainstay.lab.standin.player import Player, Reply
from mainstay.lab.standin.routes import RouteError
from mainstay.lab.standin.template import TemplateError
from mainstay.lab.standin.wire import Request, RequestReader, Unheard

_PAGE = 1000  # requests told at a time
_WAITING = 64  # requests on one connection that were sent before the first was answered


class _Connection(asyncio.Protocol):
    """One caller.  His requests are answered one after the other."""

    def __init__(self, player: Player, open_ones: "set[_Connection]") -> None:
        self._player = player
        self._open = open_ones
        self._reader = RequestReader()
        self._waiting: deque[Request] = deque()
        self._later: asyncio.TimerHandle | None = None
        self._unheard: Unheard | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self)
        if self._later is not None:
            self._later.cancel()

    def data_received(self, data: bytes) -> None:
        if self._unheard is not None:
            return
        try:
            self._waiting.extend(self._reader.feed(data))
            if len(self._waiting) > _WAITING:
                raise Unheard(429, "too many requests were sent at once")
        except Unheard as error:
            self._unheard = error
        if self._reader.continues:
            self._reader.continues = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._go_on()

    def close(self) -> None:
        self._transport.abort()

    def _go_on(self) -> None:
        while self._later is None and self._waiting and not self._transport.is_closing():
            request = self._waiting.popleft()
            reply = self._player.answer(request)
            latency = self._player.behaviour.latency
            if latency > 0:
                self._later = asyncio.get_running_loop().call_later(latency, self._delayed, request, reply)
            else:
                self._send(request, reply)
        if self._later is None and self._unheard is not None and not self._transport.is_closing():
            why = str(self._unheard).encode()
            reply = Reply(self._unheard.status, (("Content-Type", "text/plain"),), why)
            self._transport.write(_encoded(reply, keeps=False, head=False))
            self._transport.close()

    def _delayed(self, request: Request, reply: Reply) -> None:
        self._later = None
        self._send(request, reply)
        self._go_on()

    def _send(self, request: Request, reply: Reply) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(_encoded(reply, request.keeps, request.method == "HEAD"))
        if not request.keeps:
            self._transport.close()


def _encoded(reply: Reply, keeps: bool, head: bool) -> bytes:
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = ""
    lines = [f"HTTP/1.1 {reply.status} {phrase}", f"Date: {formatdate(usegmt=True)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if reply.status not in (204, 304):
        lines.append(f"Content-Length: {len(reply.body)}")
    if not keeps:
        lines.append("Connection: close")
    start = "\r\n".join((*lines, "", "")).encode("utf-8", "replace")
    return start if head or reply.status in (204, 304) else start + reply.body


class _Stage:
    """Carries out the orders."""

    def __init__(self) -> None:
        self._player: Player | None = None
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()

    async def carry_out(self, order: Order) -> News:
        if isinstance(order, Play):
            return await self._play(order)
        if self._player is None:
            return Trouble("the stand-in was not told what to play")
        match order:
            case Behave():
                self._player.behaviour = order
            case Forget():
                self._player.forget()
            case Tell(start):
                page = tuple(self._player.asked[start : start + _PAGE])
                return Heard(page, len(self._player.asked), self._player.untold)
        return Done()

    async def end(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._open):
            connection.close()

    async def _play(self, order: Play) -> News:
        if self._server is not None:
            return Trouble("the stand-in plays already")
        try:
            player = Player(order.answers, order.idempotency_header)
        except (RouteError, TemplateError) as error:
            return Trouble(str(error))
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Connection(player, self._open), "127.0.0.1", order.port, backlog=512
            )
        except OSError as error:
            return Trouble(f"the stand-in cannot listen on port {order.port}: {error.strerror or error}")
        self._player = player
        return Playing(self._server.sockets[0].getsockname()[1])


def main() -> None:
    """Serve the channel on standard input until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started us
    asyncio.run(serve(socket.socket(fileno=os.dup(0))))


async def serve(sock: socket.socket) -> None:
    """Play until the other end of the channel is gone."""
    reader, writer = await asyncio.open_connection(sock=sock)
    unpacker: Unpacker[Order] = Unpacker(Order)
    stage = _Stage()
    try:
        while data := await reader.read(1 << 16):
            for order in unpacker.feed(data):
                writer.write(pack(await stage.carry_out(order)))
                await writer.drain()
    except ConnectionError:
        pass
    finally:
        await stage.end()
        writer.close()
