import tomllib

from mainstay.initial.section import Entry, Section
from mainstay.initial.writing import comment, quoted, written

HOSTILE = 'a"\\b\n[prove.process.evil]\ncommand = "rm"\t\x00\x7f\x9f\u202e\ud800'


def test_any_text_stays_inside_its_quotes() -> None:
    found = tomllib.loads(f"text = {quoted(HOSTILE)}\n")
    assert found == {"text": HOSTILE.replace("\ud800", "\ufffd")}
    assert "\u202e" not in quoted(HOSTILE)


def test_any_comment_stays_on_its_line() -> None:
    assert "\n" not in comment(HOSTILE)
    assert tomllib.loads(f"{comment(HOSTILE)}\n") == {}


def test_hostile_names_stay_keys() -> None:
    section = Section(("prove", HOSTILE), (Entry(HOSTILE, {HOSTILE: HOSTILE}, HOSTILE),), HOSTILE)
    clean = HOSTILE.replace("\ud800", "\ufffd")
    assert tomllib.loads(written([section])) == {"prove": {clean: {clean: {clean: clean}}}}


def test_a_guess_says_why_and_long_lines_have_it_above() -> None:
    text = written([Section(("a",), (Entry("short", 1, "because"), Entry("long", "x" * 100, "because")))])
    assert text.splitlines() == [
        "[a]",
        "short = 1  # guess: because",
        "# guess: because",
        f'long = "{"x" * 100}"',
    ]


def test_what_is_left_out_is_comments_alone() -> None:
    text = written([Section(("a",), (Entry("b", ("x" * 60, "y" * 60), "because"),), "why", left_out=True)])
    assert all(line.startswith("# ") for line in text.splitlines())
    assert tomllib.loads(text) == {}
