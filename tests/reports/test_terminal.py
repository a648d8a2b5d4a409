"""Wrapping and cutting, by columns and not by characters."""

from mainstay.reports.terminal import cells, cut, wrap


def test_wrap_fills_lines_and_indents() -> None:
    assert wrap("one two three four", 11, "> ", "  ") == ["> one two", "  three", "  four"]


def test_wrap_keeps_long_words_whole() -> None:
    assert wrap("see a/very/long/path.py:12 there", 12) == ["see", "a/very/long/path.py:12", "there"]


def test_wrap_of_nothing_is_no_line() -> None:
    assert wrap(" \n ", 80, "  ") == []


def test_wide_characters_fill_two_columns_and_combining_ones_none() -> None:
    assert cells("支払い") == 6
    assert cells("e\u0301") == 1
    assert wrap("支払い 支払い", 8) == ["支払い", "支払い"]


def test_cut_marks_the_cut_and_keeps_the_width() -> None:
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdef", 4) == "abc…"
    assert cut("支払い", 4) == "支…"
