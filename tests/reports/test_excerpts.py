"""Quoting source from a tree nobody trusts."""

import os
from pathlib import Path

import pytest

from mainstay.model.location import Location
from mainstay.reports import excerpts
from mainstay.reports.excerpts import Excerpts, Line


def quote(root: Path, path: str, line: int = 1, around: int = 0) -> str:
    place = Location(path, line)
    return Excerpts(str(root), [place], around).line(place)


def test_a_block_loses_its_margin_and_its_empty_ends(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n\n    if x:\n\t\treturn 1\n\n\n", encoding="utf-8")
    place = Location("a.py", 3)
    assert Excerpts(str(tmp_path), [place], 1).block(place) == (
        Line(3, "if x:", True),
        Line(4, "    return 1"),
    )


def test_all_lines_of_a_short_place_are_marked_and_the_first_of_a_long_one(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("\n".join(f"line{n}" for n in range(1, 30)), encoding="utf-8")
    short, long = Location("a.py", 5, 1, 6, 3), Location("a.py", 5, 1, 25, 3)
    held = Excerpts(str(tmp_path), [short, long], 2)
    assert [line.number for line in held.block(short) if line.marked] == [5, 6]
    assert [line.number for line in held.block(long) if line.marked] == [5]


def test_a_root_that_is_a_file_quotes_that_file(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n", encoding="utf-8")
    assert quote(file, "a.py") == "x = 1"


def test_lines_are_counted_as_the_reader_counts_them(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\xef\xbb\xbfone\r\ntwo\x0cstill two\nthree \xff\n")
    assert quote(tmp_path, "a.py", 1) == "one"
    assert quote(tmp_path, "a.py", 2) == "two\x0cstill two"
    assert quote(tmp_path, "a.py", 3) == "three \ufffd"


def test_endless_lines_are_cut(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x" * 10_000, encoding="utf-8")
    assert quote(tmp_path, "a.py") == "x" * excerpts.LONGEST + "…"


def test_nothing_outside_of_the_root_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n", encoding="utf-8")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.py").symlink_to(tmp_path / "secret")
    for path in ("../secret", str(tmp_path / "secret"), "link.py"):
        assert quote(root, path) == ""


def test_what_is_no_readable_file_is_not_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.py")  # opening it would wait for ever
    (tmp_path / "loop.py").symlink_to("loop.py")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "large.py").write_text("x = 1\n", encoding="utf-8")
    monkeypatch.setattr(excerpts, "LARGEST", 3)
    for path in ("pipe.py", "loop.py", "folder.py", "large.py", "gone.py", "nul\0.py", "long" * 100):
        assert quote(tmp_path, path) == ""


def test_a_line_that_is_not_there_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    place = Location("a.py", 7)
    assert Excerpts(str(tmp_path), [place], 3).block(place) == ()
