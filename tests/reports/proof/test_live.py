"""What is seen while the service is being broken."""

import io
import re

import msgspec
import pytest

from mainstay.reports.proof.live import Live
from tests.reports.proof import fake


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def screen(written: str) -> list[str]:
    """What a terminal shows in the end: text, line feeds, the cursor up, and clearing below it."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[A|\x1b\[J|\r|\n|[^\x1b\r\n]+", re.sub(r"\x1b\[[0-9;]*m", "", written)):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[A":
            row -= 1
        elif part == "\x1b[J":
            lines = [*lines[:row], ""]
        elif part != "\r":
            lines[row] += part
    return lines


def test_the_expected_duration_is_printed_first() -> None:
    for stream in (Terminal(), io.StringIO()):
        Live(stream, 80, False).plan(["steady", "database-paused"], 172.0)
        assert stream.getvalue() == "2 experiments, about 2 min 52 s in all\n"


def test_it_says_what_is_done_how_it_goes_and_how_long_still() -> None:
    stream, clock = Terminal(), Clock()
    live = Live(stream, 80, False, clock=clock)
    live.plan(["steady", "database-paused"], 120.0)
    live.begin("database-paused", 60.0)
    clock.now += 15
    live.doing("the database is paused", 1203, 3, 0.017)
    assert screen(stream.getvalue())[1:] == [
        "1 of 2  database-paused: the database is paused",
        "        1,203 sent  3 failed  p95 17 ms  45 s left, 105 s in all",
    ]


def test_before_the_first_experiment_it_says_what_is_being_made_ready() -> None:
    stream, clock = Terminal(), Clock()
    live = Live(stream, 80, False, clock=clock)
    live.doing("starting PostgreSQL", 0, 0, None)
    assert screen(stream.getvalue()) == ["starting PostgreSQL", ""]
    live.plan(["steady"], 30.0)
    clock.now += 1
    live.doing("starting the service", 0, 0, None)
    assert screen(stream.getvalue())[-2:] == ["starting the service", "29 s left"]


def test_it_draws_ten_times_a_second_at_most() -> None:
    stream, clock = Terminal(), Clock()
    live = Live(stream, 80, False, clock=clock)
    live.begin("steady", 10.0)
    clock.now += 0.2
    for sent in range(1, 51):
        live.doing("load", sent, 0, None)
        clock.now += 0.01
    assert stream.getvalue().count("sent") == 5


def test_a_finished_experiment_leaves_one_line() -> None:
    stream, clock = Terminal(), Clock()
    live = Live(stream, 80, False, clock=clock)
    live.begin("steady", 10.0)
    clock.now += 1
    live.doing("load", 10, 0, 0.01)
    live.done(fake.STEADY)
    live.done(fake.VOID)
    live.clear()
    assert screen(stream.getvalue()) == [
        "passed        steady  3,600 requests, none failed, 2 claims, 60 s",
        "void          two-versions  0 claims, 0 s",
        "",
    ]


def test_in_a_pipe_only_the_finished_ones_are_told() -> None:
    stream = io.StringIO()
    live = Live(stream, 80, False)
    live.begin("steady", 10.0)
    live.doing("load", 10, 0, 0.01)
    live.done(fake.STEADY)
    live.clear()
    assert stream.getvalue() == "passed        steady  3,600 requests, none failed, 2 claims, 60 s\n"


def test_a_dumb_terminal_is_treated_as_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    Live(stream, 80, False).begin("steady", 10.0)
    assert stream.getvalue() == ""


def test_what_takes_longer_than_planned_says_so() -> None:
    stream, clock = Terminal(), Clock()
    live = Live(stream, 80, False, clock=clock)
    live.begin("steady", 10.0)
    clock.now += 11
    live.doing("load", 10, 0, None)
    assert screen(stream.getvalue())[-1].endswith("longer than planned")


@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    stream, clock = Terminal(), Clock()
    live = Live(stream, width, True, clock=clock)
    live.plan(["x"], 5)
    live.begin(fake.BAD, 5000.0)
    clock.now += 1
    live.doing(fake.BAD * 3, 123_456_789, 123_456, 12.3)
    assert max(map(len, screen(stream.getvalue())[1:])) < width


def test_hostile_names_are_made_harmless() -> None:
    stream, clock = Terminal(), Clock()
    live = Live(stream, 500, False, clock=clock)
    live.begin(fake.BAD, 10.0)
    clock.now += 1
    live.doing(fake.BAD, 1, 0, None)
    live.done(msgspec.structs.replace(fake.VOID, experiment=fake.BAD))
    raw = set(re.sub(r"\r\x1b\[A\x1b\[J", "", stream.getvalue()))
    assert {c for c in raw if not c.isprintable()} == {"\n"}


def test_failed_requests_are_red_where_there_is_colour() -> None:
    stream, clock = Terminal(), Clock()
    live = Live(stream, 80, True, clock=clock)
    live.begin("steady", 10.0)
    clock.now += 1
    live.doing("load", 10, 2, None)
    assert "\x1b[1;31m2 failed\x1b[0m" in stream.getvalue()


def test_nobody_looking_is_no_error() -> None:
    live = Live(Gone(), 80, False)
    live.plan(["steady"], 1)
    live.done(fake.STEADY)
    live.clear()
