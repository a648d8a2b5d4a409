"""What a PostgreSQL wrote to its log: lines with their time and severity."""

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from msgspec import Struct

PREFIX = "%m [%p] %q%u@%d "
_LINE = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) UTC \[(?P<pid>\d+)\] (?:(?P<user>\S+)@\S+ )?"
    r"(?P<severity>[A-Z]+\d?): {1,2}(?P<text>.*)"
)
_WORSE = frozenset({"ERROR", "FATAL", "PANIC"})
_MOST = 4 << 20  # bytes read from the end of a log


class LogLine(Struct, frozen=True):
    """One message; what explains it (DETAIL, HINT, STATEMENT) is a message of its own."""

    at: float  # seconds of the machine's monotonic clock
    pid: int
    user: str  # "" for a process of the server itself
    severity: str  # "LOG", "ERROR", "FATAL", "PANIC"...
    text: str

    @property
    def is_error(self) -> bool:
        return self.severity in _WORSE


def lines(log: Path) -> Iterator[LogLine]:
    """The messages in the log, oldest first; of a very long one, those near its end."""
    behind = time.time() - time.monotonic()
    for match in map(_LINE.match, _text(log).splitlines()):
        if match:
            at = datetime.fromisoformat(match["at"] + "+00:00").timestamp() - behind
            yield LogLine(at, int(match["pid"]), match["user"] or "", match["severity"], match["text"])


def _text(log: Path) -> str:
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _MOST))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
