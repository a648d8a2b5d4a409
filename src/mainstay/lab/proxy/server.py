"""The proxy's process: takes orders from its channel, and ends with it."""

import asyncio
import gc
import os
import resource
import signal
import socket
import sys
import time
from asyncio import AbstractEventLoop
from typing import Any

from mainstay.lab.channel import Unpacker, pack
from mainstay.lab.proxy.lateness import Lateness
from mainstay.lab.proxy.link import Link
from mainstay.lab.proxy.messages import Aim, Answer, Ask, Command, Done, Impossible, Open, Set, Shut

_FILES = 1 << 16  # open files wanted: two for a connection
_OWN_FAULT = 70  # exit status: the proxy itself failed, and what was measured through it is worth nothing


def main() -> None:
    """Serve the channel on standard input until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever holds the channel decides when it is over
    _want_files()
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(_fail)
    channel = socket.socket(fileno=os.dup(0))
    server = Server(loop, channel)
    loop.add_reader(channel, server.hear)
    gc.freeze()
    loop.run_forever()
    os._exit(0)  # the kernel closes what is open; nothing here is worth the wait


class Server:
    """The links by name, and what is asked of them."""

    def __init__(self, loop: AbstractEventLoop, channel: socket.socket) -> None:
        self._loop = loop
        self._channel = channel
        self._unpacker: Unpacker[Command] = Unpacker(Command)
        self._links: dict[str, Link] = {}
        self._lateness = Lateness(loop)

    def hear(self) -> None:
        """Answer what has come; stop the loop when the other side is gone."""
        try:
            data = self._channel.recv(1 << 16)
            for command in self._unpacker.feed(data):
                self._channel.sendall(pack(self.answer(command)))
        except OSError:
            data = b""
        if not data:
            self._loop.stop()

    def answer(self, command: Command) -> Answer:
        """Do as told."""
        if isinstance(command, Open):
            return self._open(command)
        link = self._links.get(command.name)
        if link is None:
            return Impossible(command.number, f"the fault proxy has no link named {command.name!r}")
        match command:
            case Ask():
                return link.stats(command.number, self._lateness.take())
            case Set(faults=faults):
                link.set(faults)
            case Aim(upstreams=upstreams):
                return self._aim(command.number, link, upstreams)
            case Shut(name=name):
                self._links.pop(name).close()
        return Done(command.number, time.monotonic())

    def _open(self, command: Open) -> Answer:
        if command.name in self._links:
            return Impossible(command.number, f"the fault proxy has a link named {command.name!r} already")
        try:
            self._links[command.name] = Link(self._loop, command)
        except OSError as error:
            return Impossible(command.number, f"the fault proxy cannot play {command.name!r}: {error}")
        return Done(command.number, time.monotonic())

    def _aim(self, number: int, link: Link, upstreams: tuple[tuple[str, int], ...]) -> Answer:
        try:
            link.aim(upstreams)
        except OSError as error:
            return Impossible(number, f"the fault proxy cannot pass connections on: {error}")
        return Done(number, time.monotonic())


def _fail(loop: AbstractEventLoop, context: dict[str, Any]) -> None:
    """An error of our own in the middle of someone's bytes: end, rather than falsify what is measured."""
    loop.default_exception_handler(context)
    sys.stderr.flush()
    os._exit(_OWN_FAULT)


def _want_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        pass
