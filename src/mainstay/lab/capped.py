"""What a program writes, taken from a pipe into a file that cannot fill the disk.

A pipe is what a service writes to in a container.  It is emptied every 20 ms at most, so that a
service that logs each request does not wake us up each time; a mebibyte fits in meanwhile.
"""

import fcntl
import os
import sys
from collections.abc import Sequence

MOST = 64 << 20  # bytes of a log
MOST_OUTPUT = 16 << 20  # bytes of an output that is wanted as text

_PIPE = 1 << 20
_CHUNK = 1 << 18
_REST = 0.02  # seconds
_SHORT_REST = 0.002  # seconds, where the pipe is a small one
_LAST = 4 << 20  # bytes that are taken at once from what will not end


class CappedFile:
    """A file that keeps the beginning and the end of what is written to it, and says how much it left out."""

    def __init__(self, path: bytes, most: int = MOST) -> None:
        """Makes the file; raises OSError."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._most = most
        self._size = 0
        self._notice = 0
        self.cut = 0

    def write(self, data: bytes) -> None:
        """Take `data` in; what the disk has no room for is left out."""
        if self._size + len(data) > self._most:
            self._cut_out()
        try:
            written = os.write(self._file, data)
        except OSError:
            written = 0
        self._size += written
        self.cut += len(data) - written

    def close(self) -> None:
        os.close(self._file)

    def _cut_out(self) -> None:
        """Keep the first half and the last eighth: each byte is copied once in a while, and rarely twice."""
        head = self._most // 2
        kept = os.pread(self._file, self._most // 8, max(head, self._size - self._most // 8))
        kept = kept[kept.find(b"\n") + 1 :]  # lines are cut between lines
        self.cut += self._size - head - len(kept) - self._notice
        os.ftruncate(self._file, head)
        self._size = head
        notice = f"\n[mainstay: {self.cut} bytes of this log were left out here]\n".encode()
        self._notice = len(notice)  # which is no loss when it is replaced
        self.write(notice)
        self.write(kept)


class Stream:
    """The reading end of a program's output, and the files that it goes to."""

    def __init__(self, files: Sequence[CappedFile]) -> None:
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._files = tuple(files)
        self.rest = _REST if _enlarged(self._reading) else _SHORT_REST
        self.ended = False

    def fileno(self) -> int:
        return self._reading

    def give(self, user: int | None) -> None:
        """Let that user open /dev/stdout anew, as some servers do."""
        if user is not None:
            try:
                os.fchown(self.writing, user, -1)
            except OSError:
                pass  # not everywhere does a pipe have an owner

    def hand_over(self) -> None:
        """The program has the writing end now, and no one else may."""
        os.close(self.writing)

    def drain(self, most: int = _LAST) -> None:
        """Take what is there; `ended` is set when nothing will come any more."""
        while most > 0 and not self.ended:
            try:
                data = os.read(self._reading, _CHUNK)
            except BlockingIOError:
                return
            self.ended = not data
            most -= len(data)
            for file in self._files:
                file.write(data)

    def close(self) -> None:
        os.close(self._reading)


def _enlarged(pipe: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        return fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE) >= _PIPE
    except OSError:
        return False  # this user has too many of them
