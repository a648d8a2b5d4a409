import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from mainstay.sources.workers import BATCH, Answer, ReaderUnavailable, Task, Workers

READER = """
import os, signal, sys, time

def read(content):
    print("readers may print")
    if content == b"hang": time.sleep(3600)
    if content == b"crash": os.kill(os.getpid(), signal.SIGSEGV)
    if content == b"leave": os._exit(7)
    if content == b"raise": raise ValueError("no")
    if content == b"pid": return [os.getpid()]
    return [len(content)]
"""


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "fake_reader.py").write_text(READER)
    monkeypatch.syspath_prepend(tmp_path)
    return "fake_reader:read"


def answers(workers: Workers, contents: list[bytes]) -> dict[bytes, Answer]:
    found: list[Answer] = []
    with workers:
        for content in contents:
            found.extend(workers.submit(Task(content[:10], content)))
        found.extend(workers.finish())
    assert len(found) == len({answer.key for answer in found})
    return {answer.key: answer for answer in found}


def test_every_content_is_answered(reader: str) -> None:
    contents = [b"%010d" % number * 5000 for number in range(100)]
    found = answers(Workers(reader, 3, 10), contents)
    assert {key: answer.facts for key, answer in found.items()} == {
        content[:10]: b"\x91\xcd\xc3\x50" for content in contents
    }


def test_a_content_larger_than_any_pipe_passes(reader: str) -> None:
    found = answers(Workers(reader, 2, 10), [b"x" * (3 * BATCH), b"yy"])
    assert found[b"yy"].facts == b"\x91\x02"
    assert found[b"x" * 10].why == ""


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"hang", "it took longer than 0.3 s to read"),
        (b"crash", "it crashed the reader (SIGSEGV)"),
        (b"leave", "it crashed the reader (status 7)"),
        (b"raise", "the reader failed on it (ValueError)"),
    ],
)
def test_one_content_does_not_hold_up_the_rest(reader: str, content: bytes, why: str) -> None:
    found = answers(Workers(reader, 1, 0.3), [b"a", b"bb", content, b"ccc"])
    assert {key: answer.why or answer.facts for key, answer in found.items()} == {
        b"a": b"\x91\x01",
        b"bb": b"\x91\x02",
        content: why,
        b"ccc": b"\x91\x03",
    }


def test_a_reader_that_cannot_start_is_an_error() -> None:
    with pytest.raises(ReaderUnavailable):
        answers(Workers("no_such_module:read", 2, 10), [b"a"])


def test_nothing_is_started_when_there_is_nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    assert answers(Workers("no_such_module:read", 2, 10), []) == {}


def test_the_current_folder_is_not_searched_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit('the reviewed tree was run')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    found = answers(Workers("mainstay.sources.python:read_python", 1, 10), [b"x = 1"])
    assert found[b"x = 1"].facts


def test_an_interruption_leaves_no_process(reader: str) -> None:
    pids: list[int] = []

    def interrupted() -> None:
        with Workers(reader, 1, 60) as workers:
            list(workers.submit(Task(b"pid", b"pid")))
            (answer,) = workers.finish()
            pids.extend(msgspec.msgpack.decode(answer.facts, type=list[int]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (pid,) = pids
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


ORPHAN = """
import msgspec
from mainstay.sources.workers import Task, Workers
with Workers("fake_reader:read", 1, 2) as workers:
    list(workers.submit(Task(b"pid", b"pid")))
    (answer,) = workers.finish()
    print(*msgspec.msgpack.decode(answer.facts), flush=True)
    list(workers.submit(Task(b"hang", b"hang")))
    list(workers.finish())
"""


def test_workers_do_not_outlive_a_killed_parent(reader: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, env=environment, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail("the worker is still there")
