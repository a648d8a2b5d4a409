"""The process that reads files: contents come in on standard input, facts go out on standard output.

It is written to die.  Before each file it asks the kernel for an alarm whose default is to kill,
so a file that takes too long ends this process even inside C code, and even when nobody is left
to watch; when the parent is gone, the next read or write ends it as well.

Each message, in either direction, is a length of four bytes and that many bytes.  The parent
sends a list of contents (msgpack); this side answers each with one message, `FACTS` or `FAILED`
and its bytes, and begins with an empty message that says it is ready.
"""

import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from importlib import import_module
from typing import BinaryIO

import msgspec

LENGTH = struct.Struct("<I")
FACTS = b"+"
FAILED = b"-"
MEMORY = 2 << 30  # bytes of address space: far more than any file needs

Reader = Callable[[bytes], object]


def serve(reader: str, seconds: float) -> None:
    """Read files with the function `reader` ("module:name") until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when it is over
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    _limit(resource.RLIMIT_CORE, 0)  # a crash leaves no file behind
    _limit(resource.RLIMIT_AS, MEMORY)
    module, _, name = reader.partition(":")
    read: Reader = getattr(import_module(module), name)
    with os.fdopen(os.dup(1), "wb", buffering=0) as out, open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)  # nothing a reader prints gets between the messages
        try:
            answer(sys.stdin.buffer, out, read, seconds)
        except BrokenPipeError:
            pass


def answer(requests: BinaryIO, out: BinaryIO, read: Reader, seconds: float) -> None:
    """Answer every request until there are no more."""
    encoder = msgspec.msgpack.Encoder()
    _send(out, b"")
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        for content in msgspec.msgpack.decode(requests.read(length), type=list[bytes]):
            signal.setitimer(signal.ITIMER_REAL, seconds)
            try:
                facts = FACTS + encoder.encode(read(content))
            except Exception as error:  # noqa: BLE001 - one file may not end the others
                facts = FAILED + type(error).__name__.encode()
            signal.setitimer(signal.ITIMER_REAL, 0)
            _send(out, facts)


def _send(out: BinaryIO, message: bytes) -> None:
    data = memoryview(LENGTH.pack(len(message)) + message)
    while data:
        data = data[out.write(data) :]


def _limit(what: int, most: int) -> None:
    """Lower a limit as far as the system lets us."""
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    try:
        resource.setrlimit(what, (most, hard))
    except (ValueError, OSError):
        pass
