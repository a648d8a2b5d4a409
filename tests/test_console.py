import io
import os
import stat
from pathlib import Path

import pytest

from mainstay.console import Progress, look, say, show, write


def test_a_file_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "page.html", "new é")
    assert (tmp_path / "page.html").read_bytes() == b"new \xc3\xa9"
    assert os.listdir(tmp_path) == ["page.html"]  # noqa: PTH208 - hidden files count


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.html").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "page.html", "new")
    assert (tmp_path / "page.html").read_text() == "old"
    assert os.listdir(tmp_path) == ["page.html"]  # noqa: PTH208 - hidden files count


def test_permissions_are_the_usual_ones_or_those_of_before(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write(tmp_path / "new", "")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o604)
    write(tmp_path / "new", "again")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o604


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_device_is_written_to_as_it_is() -> None:
    write(Path(os.devnull), "new")
    assert not Path(os.devnull).is_file()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_shows_only_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    stream = Terminal()
    progress = Progress(stream)
    progress(1, 2_000)
    assert stream.getvalue() == ""
    now += 0.6
    progress(900, 2_000)
    progress(901, 2_000)
    now += 0.2
    progress(1_200, 2_000)
    progress(2_000, 2_000)
    progress.clear()
    assert stream.getvalue().split("\r\x1b[K") == [
        "",
        "reading 900 of 2,000 files",
        "reading 1,200 of 2,000 files",
        "judging 2,000 files",
        "",
    ]


def test_progress_of_short_work_leaves_no_trace() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress(2, 2)
    progress.clear()
    assert stream.getvalue() == ""


def test_colour_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert look() == {"width": 80, "colour": False}
    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "132")
    assert look() == {"width": 132, "colour": True}
    monkeypatch.setenv("NO_COLOR", "1")
    assert look()["colour"] is False
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert look()["colour"] is False


def test_messages_are_one_line_with_the_programs_name(capsys: pytest.CaptureFixture[str]) -> None:
    say("there is no caf\udce9.py")
    assert capsys.readouterr().err == "mainstay: there is no caf\\udce9.py\n"


def test_a_reader_that_has_gone_away_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream:  # noqa: PTH123 - a descriptor, no path
        monkeypatch.setattr("sys.stdout", stream)
        show("x" * 100_000)
        show("and more")
