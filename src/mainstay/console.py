"""What the command line shares with the machine it runs on: streams, files and the progress line."""

import errno
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, TextIO


def say(message: str) -> None:
    """One line on standard error, with the program's name."""
    text = f"mainstay: {message}\n"
    try:
        sys.stderr.write(text.encode("utf-8", "backslashreplace").decode())
        sys.stderr.flush()
    except OSError:
        pass  # nobody is listening


def show(text: str) -> None:
    """Print `text`.  A reader that has gone away, such as `head`, is no error."""
    try:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # never a mere TextIO here
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno != errno.EPIPE:
            raise


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all; a device or pipe is written to as it is."""
    data = text.encode("utf-8", "backslashreplace")
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(handle, _mode_for(target))
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def is_terminal(stream: TextIO) -> bool:
    """Whether a person may be looking at `stream`."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def look() -> dict[str, Any]:
    """How to print for whoever reads standard output: `width` and `colour`."""
    terminal = is_terminal(sys.stdout)
    width = shutil.get_terminal_size().columns if terminal else 80
    return {"width": width, "colour": terminal and not os.environ.get("NO_COLOR")}


class Progress:
    """A line on a terminal that says how far the reading is.  It draws from the caller's own thread."""

    PATIENCE = 0.5  # seconds before it shows at all
    PACE = 0.1  # seconds between two pictures

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next = time.monotonic() + self.PATIENCE
        self._drawn = False

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now < self._next:
            return
        if done < total or self._drawn:
            self._next = now + self.PACE
            self._draw(f"reading {done:,} of {total:,} files" if done < total else f"judging {total:,} files")

    def clear(self) -> None:
        """Leave the line as if nothing had been there."""
        if self._drawn:
            self._put("\r\x1b[K")

    def _draw(self, text: str) -> None:
        self._drawn = True
        self._put(f"\r\x1b[K{text}")

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            pass


def _mode_for(path: Path) -> int:
    """The permissions of the file that is replaced, or those a new file gets."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
