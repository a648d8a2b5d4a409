"""The end of a log, fit to be shown."""

from pathlib import Path

from mainstay.lab.error import LabError
from mainstay.lab.last_lines import last_lines


def test_the_last_lines_without_blank_ones(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\n\ntwo\r\nthree\n\n")
    assert last_lines(log, 2) == ("two", "three")


def test_a_line_that_is_not_ended_yet_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo")
    assert last_lines(log) == ("one", "two")


def test_what_does_not_print_is_written_out(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes("\x1b[31mred\ta\u202eb \udc80".encode("utf-8", "surrogatepass") + b"\xff\n")
    assert last_lines(log) == ("\\x1b[31mred a\\u202eb \ufffd\ufffd\ufffd\ufffd",)


def test_long_lines_and_long_logs_are_cut(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("a" * 100_000 + "\n" + "b" * 1000 + "\n")
    assert last_lines(log) == ("b" * 400 + "…",)


def test_no_log_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "log") == ()


def test_an_error_ends_with_the_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo\n")
    shown = "it failed\nThe last lines of its log:\n  one\n  two"
    assert str(LabError("it failed", last_lines(log))) == shown
    assert str(LabError("it failed")) == "it failed"
