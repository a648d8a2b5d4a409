"""Processes that read files, so that no file can hold up, crash or exhaust a review."""

import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from types import TracebackType

import msgspec
from msgspec import Struct

from mainstay.sources.worker import FACTS, LENGTH

BATCH = 256 * 1024  # bytes of source handed to a worker at a time
WAITING = 16 * BATCH  # bytes of source held before the caller has to wait

_START = (
    "import sys; sys.path[:] = sys.argv[3:]; "
    "from mainstay.sources.worker import serve; serve(sys.argv[1], float(sys.argv[2]))"
)


class ReaderUnavailable(Exception):
    """No worker could be started."""


class Task(Struct, frozen=True):
    """One content to read; `key` is the caller's own."""

    key: bytes
    content: bytes


class Answer(Struct, frozen=True):
    """What came of a task: encoded facts, or why there are none."""

    key: bytes
    facts: bytes = b""
    why: str = ""


class Workers:
    """Up to `most` processes that run `reader`, started as work comes in."""

    def __init__(self, reader: str, most: int, seconds: float) -> None:
        self._command = [sys.executable, "-I", "-c", _START, reader, str(seconds), *filter(None, sys.path)]
        self._most = max(1, most)
        self._seconds = seconds
        self._queue: deque[Task] = deque()
        self._waiting = 0
        self._alive: list[_Worker] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for worker in self._alive:
            worker.end()
        self._alive.clear()
        self._selector.close()

    def submit(self, task: Task) -> Iterator[Answer]:
        """Take a task in, and yield what has been answered meanwhile."""
        self._put(task)
        if self._waiting >= BATCH * (len(self._alive) + 1) and len(self._alive) < self._most:
            self._start()
        yield from self._hear(block=False)
        while self._waiting >= WAITING:
            yield from self._hear(block=True)

    def finish(self) -> Iterator[Answer]:
        """Yield the answers to everything that is left."""
        while self._queue or any(worker.batch for worker in self._alive):
            if not self._alive:
                self._start()
            yield from self._hear(block=True)

    def _put(self, task: Task) -> None:
        self._queue.append(task)
        self._waiting += len(task.content)

    def _start(self) -> None:
        try:
            worker = _Worker(self._command)
        except OSError as error:
            raise ReaderUnavailable(str(error)) from error
        self._alive.append(worker)
        self._selector.register(worker.output, selectors.EVENT_READ, worker)

    def _hear(self, *, block: bool) -> Iterator[Answer]:
        if not self._alive:
            return
        for ready, _ in self._selector.select(None if block else 0):
            worker: _Worker = ready.data
            if worker.receive():
                yield from worker.answers()
                if worker.idle:
                    self._hand_over(worker)
            else:
                yield from worker.answers()
                yield from self._bury(worker)

    def _hand_over(self, worker: "_Worker") -> None:
        """Give an idle worker its next batch; it reads all of it before it writes, so this cannot lock."""
        batch: list[Task] = []
        size = 0
        while self._queue and size < BATCH:
            task = self._queue.popleft()
            size += len(task.content)
            batch.append(task)
        self._waiting -= size
        if batch:
            worker.request(batch)

    def _bury(self, worker: "_Worker") -> Iterator[Answer]:
        """A worker died: the file it was reading is to blame, the others of its batch go elsewhere."""
        self._selector.unregister(worker.output)
        self._alive.remove(worker)
        status = worker.end()
        if not worker.started:
            raise ReaderUnavailable(f"the reader's process ended at once, with status {status}")
        if worker.batch:
            culprit = worker.batch.popleft()
            yield Answer(culprit.key, why=self._cause(status))
        for task in worker.batch:
            self._put(task)

    def _cause(self, status: int) -> str:
        if status == -signal.SIGALRM:
            return f"it took longer than {self._seconds:g} s to read"
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"status {status}"
        return f"it crashed the reader ({name})"


class _Worker:
    """One process, the batch it is at, and what it has said so far."""

    def __init__(self, command: list[str]) -> None:
        errors = None if os.environ.get("MAINSTAY_DEBUG") else subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input = self._process.stdin
        self.output = self._process.stdout
        self.batch: deque[Task] = deque()
        self.started = False
        self._heard = bytearray()

    @property
    def idle(self) -> bool:
        return self.started and not self.batch

    def request(self, batch: list[Task]) -> None:
        self.batch.extend(batch)
        message = msgspec.msgpack.encode([task.content for task in batch])
        data = memoryview(LENGTH.pack(len(message)) + message)
        try:
            while data:
                data = data[self._input.write(data) :]
        except BrokenPipeError:
            pass  # it died; its output ends, and that is where it is noticed

    def receive(self) -> bool:
        """Take in what it has written; False when it has ended."""
        data = os.read(self.output.fileno(), 1 << 20)
        self._heard += data
        return bool(data)

    def answers(self) -> Iterator[Answer]:
        """The complete messages so far."""
        start = 0
        while len(self._heard) >= start + LENGTH.size:
            (length,) = LENGTH.unpack_from(self._heard, start)
            end = start + LENGTH.size + length
            if len(self._heard) < end:
                break
            message = bytes(memoryview(self._heard)[start + LENGTH.size : end])
            start = end
            if not self.started:
                self.started = True
            else:
                yield _answer(self.batch.popleft(), message)
        del self._heard[:start]

    def end(self) -> int:
        """Make sure that it is gone, and say with which status."""
        self._input.close()
        self._process.kill()  # does nothing to one that has ended by itself
        self.output.close()
        return self._process.wait()


def _answer(task: Task, message: bytes) -> Answer:
    if message[:1] == FACTS:
        return Answer(task.key, facts=message[1:])
    return Answer(task.key, why=f"the reader failed on it ({message[1:].decode()})")
