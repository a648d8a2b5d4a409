"""Logs as services write them: what went wrong and whether they say why."""

import json
from pathlib import Path

import pytest

from mainstay.lab.logs import (
    LogEvent,
    Place,
    around,
    events,
    harmless,
    mark,
    mentioned,
    naming,
)


def written(folder: Path, text: str | bytes, name: str = "web.log") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def told(folder: Path, text: str | bytes) -> list[tuple[str, str]]:
    """Level and text of each event in a log."""
    return [(event.level, event.text) for event in events([Place("web", written(folder, text))])]


TRACE_LINE = "Traceback (most recent call last):"
TRACEBACK = """\
Traceback (most recent call last):
  File "/app/pool.py", line 3, in connect
    return database.connect()
           ^^^^^^^^^^^^^^^^^^
psycopg.OperationalError: connection to server at "127.0.0.1", port 5432 failed: Connection refused
\tIs the server running on that host and accepting TCP/IP connections?

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/orders.py", line 9, in create
    raise Unavailable("no orders now") from error
shop.errors.Unavailable: no orders now
"""

SQLALCHEMY = """\
Traceback (most recent call last):
  File "/app/orders.py", line 9, in create
sqlalchemy.exc.OperationalError: (psycopg.OperationalError) server closed the connection
[SQL: SELECT 1]
(Background on this error at: https://sqlalche.me/e/20/e3q8)
"""


@pytest.mark.parametrize(
    ("line", "level", "text"),
    [
        ("ERROR:    Exception in ASGI application", "error", "ERROR:    Exception in ASGI application"),
        ("ERROR:root:no orders", "error", "ERROR:root:no orders"),
        (
            "[2026-11-23 10:00:00 +0000] [7] [ERROR] Error handling request /",
            "error",
            "[2026-11-23 10:00:00 +0000] [7] [ERROR] Error handling request /",
        ),
        (
            "[2026-11-23 10:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)",
            "critical",
            "[2026-11-23 10:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)",
        ),
        (
            "2026-11-23 10:00:00,123 - shop.orders - ERROR - no orders",
            "error",
            "2026-11-23 10:00:00,123 - shop.orders - ERROR - no orders",
        ),
        (
            "2026-11-23 10:00:00 \x1b[31m[\x1b[1merror    \x1b[0m] \x1b[1mno orders\x1b[0m path=/",
            "error",
            "2026-11-23 10:00:00 [error    ] no orders path=/",
        ),
        (
            "2026-11-23 10:00:00.1 | ERROR    | shop:create:9 - no orders",
            "error",
            "2026-11-23 10:00:00.1 | ERROR    | shop:create:9 - no orders",
        ),
        (
            'time=2026-11-23T10:00:00Z level=error msg="no orders"',
            "error",
            'time=2026-11-23T10:00:00Z level=error msg="no orders"',
        ),
        ("Internal Server Error: /orders", "error", "Internal Server Error: /orders"),
        ('{"level": "ERROR", "message": "no orders"}', "error", "no orders"),
        ('{"event": "no orders", "log_level": "critical"}', "critical", "no orders"),
        ('{"severity": "ERROR", "msg": "no", "error": {"type": "E", "message": "x"}}', "error", "no: E: x"),
        ('{"level": 50, "msg": "no orders", "pid": 1, "hostname": "h"}', "error", "no orders"),
        ('{"log": {"level": "error"}, "message": "no orders"}', "error", "no orders"),
        (json.dumps({"level": "ERROR", "message": "failed", "error": TRACEBACK}), "error",
         "failed: shop.errors.Unavailable: no orders now"),
        (json.dumps({"message": "failed", "exception": SQLALCHEMY}), "error",
         "failed: sqlalchemy.exc.OperationalError: (psycopg.OperationalError) server closed the connection"),
    ],
)  # fmt: skip
def test_the_shapes_of_an_error_line(tmp_path: Path, line: str, level: str, text: str) -> None:
    assert told(tmp_path, f"{line}\n") == [(level, text)]


@pytest.mark.parametrize(
    "line",
    [
        'INFO:     127.0.0.1:50000 - "GET /ERROR HTTP/1.1" 500 Internal Server Error',
        '127.0.0.1 - - [23/Nov/2026:10:00:00 +0000] "GET /error HTTP/1.1" 500 0',
        "2026-11-23 10:00:00,1 WARNING [shop] ERROR budget is nearly used",
        '{"level": "info", "message": "error", "error": "", "errors": 0}',
        '{"level": 40, "msg": "slow", "pid": 1, "hostname": "h"}',
        "level=info msg=error",
        "the error is human",
        "  ERROR indented",
        '{"level": "error"',
        "",
    ],
)
def test_what_is_no_error(tmp_path: Path, line: str) -> None:
    assert told(tmp_path, f"{line}\n") == []


def test_a_traceback_is_one_event_with_the_line_above_it_and_its_last_line(tmp_path: Path) -> None:
    log = f"INFO: up\nERROR:    Exception in ASGI application\n{TRACEBACK}INFO: next\nERROR: other\n"
    first, second = events([Place("web", written(tmp_path, log))])
    assert first.text == "ERROR:    Exception in ASGI application: shop.errors.Unavailable: no orders now"
    assert first.line_offset == len("INFO: up\n")
    assert first.lines[0] == "ERROR:    Exception in ASGI application"
    assert first.lines[-1] == "shop.errors.Unavailable: no orders now"
    assert (second.text, second.lines) == ("ERROR: other", ("ERROR: other",))


def test_a_bare_traceback_is_an_error_and_the_rest_of_its_message_belongs_to_it(tmp_path: Path) -> None:
    (event,) = events([Place("worker", written(tmp_path, SQLALCHEMY + "started\n"))])
    assert (event.process, event.level) == ("worker", "error")
    assert event.text.startswith("sqlalchemy.exc.OperationalError: (psycopg.OperationalError)")
    assert "[SQL: SELECT 1]" in event.lines


def test_two_tracebacks_in_a_row_are_two_events_when_each_has_its_line(tmp_path: Path) -> None:
    block = f"2026-11-23 10:00:00 ERROR failed\n{SQLALCHEMY}"
    assert len(told(tmp_path, block + block)) == 2


def test_an_exception_group_is_one_event(tmp_path: Path) -> None:
    log = """\
ERROR: in a group
  + Exception Group Traceback (most recent call last):
  |   File "/app/a.py", line 1, in f
  | ExceptionGroup: several (1 sub-exception)
  +-+---------------- 1 ----------------
    | ValueError: bad
    +------------------------------------
INFO: next
"""
    (event,) = events([Place("web", written(tmp_path, log))])
    assert "    | ValueError: bad" in event.lines


def test_only_the_stretch_between_two_marks_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "ERROR: before\n")
    logs = {"web": path, "late": tmp_path / "late.log"}
    start = mark(logs)
    with path.open("a") as file:
        file.write("ERROR: during\n")
    written(tmp_path, "ERROR: of a process that started late\n", "late.log")
    end = mark(logs)
    with path.open("a") as file:
        file.write("ERROR: after\n")
    assert [event.text for event in events(start, end)] == [
        "ERROR: during",
        "ERROR: of a process that started late",
    ]
    assert [event.text for event in events(start[:1])] == ["ERROR: during", "ERROR: after"]


def test_a_log_from_which_bytes_were_cut_is_read_on_behind_them(tmp_path: Path) -> None:
    path = written(tmp_path, "ERROR: old\n" * 100)
    (place,) = mark({"web": path})
    written(tmp_path, "ERROR: old\n\n[mainstay: 900 bytes of this log were left out here]\nERROR: new\n")
    assert [event.text for event in events([place])] == ["ERROR: new"]


def test_a_line_without_end_and_an_endless_traceback_are_bounded(tmp_path: Path) -> None:
    log = "ERROR: " + "x" * 1_000_000 + "\n" + "Traceback (most recent call last):\n" + "  at\n" * 10_000
    first, *_, last = events([Place("web", written(tmp_path, log))])
    assert len(first.text) < 5000
    assert len(last.lines) <= 60


def test_the_share_of_errors_that_name_the_cause(tmp_path: Path) -> None:
    log = "ERROR: DatabaseError\nERROR: no luck\nERROR: POSTGRES at 127.0.0.1:5433\nERROR: abcdb\n"
    found = events([Place("web", written(tmp_path, log))])
    named = naming(found, ["database", "postgres", "127.0.0.1:5433", "db"])
    assert (named.named, named.total, named.share) == (2, 4, 0.5)
    assert named.words == {"database": 1, "postgres": 1, "127.0.0.1:5433": 1}
    assert [event.text for event in named.examples] == ["ERROR: no luck", "ERROR: abcdb"]
    assert naming((), ["db"]).share is None


def test_the_code_of_a_traceback_does_not_name_the_cause(tmp_path: Path) -> None:
    log = f'{TRACE_LINE}\n  File "/psycopg/connection.py", line 1\n    connect()\nOSError: 5\n'
    assert naming(events([Place("web", written(tmp_path, log))]), ["psycopg", "connection"]).named == 0
    log = json.dumps({"level": "error", "message": "failed", "exception": log}) + "\n"
    assert naming(events([Place("web", written(tmp_path, log))]), ["psycopg", "connection"]).named == 0


def test_request_ids_are_found_anywhere_in_the_stretch(tmp_path: Path) -> None:
    path = written(tmp_path, "id=req-0\nINFO id=req-1\nERROR\n" + "x" * 5_000_000 + '{"id": "req-2"}')
    assert mentioned([Place("web", path, len("id=req-0\n"))], ["req-0", "req-1", "req-2", ""]) == {
        "req-1",
        "req-2",
    }


def test_the_lines_around_a_place_are_safe_to_print(tmp_path: Path) -> None:
    lines = ["one", "two", "\x1b[2Jthree\x07", "four\u202e", "five"]
    path = written(tmp_path, "\n".join(lines) + "\n")
    assert around(path, 8, lines=1) == ("two", "three\\x07", "four\\u202e")
    assert around(path, 10, lines=0) == ("three\\x07",)
    assert around(path, 10**9) == ()
    assert around(tmp_path / "none", 0) == ()


def test_hostile_text_is_made_harmless() -> None:
    assert harmless("\x1b]0;title\x07\x1b[31mred\x1b[0m\tx\r\n") == "\\x1b]0;title\\x07red    x"
    assert harmless("a\u2028b\ud800").isprintable()


def test_events_of_a_log_that_is_not_text_are_safe(tmp_path: Path) -> None:
    log = b"ERROR: \xff\x00\x1b[2J\x9b31m" + bytes(range(256)) + b"\n"
    found = events([Place("web", written(tmp_path, log))])
    assert found
    assert all(line.isprintable() for event in found for line in (event.text, *event.lines))
    assert isinstance(found[0], LogEvent)
