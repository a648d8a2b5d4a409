"""`mainstay ask`: what is printed can be saved, and what is not understood is said with status 2."""

from pathlib import Path

import pytest

from mainstay.asking.grammar import grammar, printed, stem
from mainstay.cli import run
from mainstay.sources.specification import read


def test_what_is_printed_is_a_specification(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "payments with Stripe at 20 rps"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("# Understood: new payments;")
    assert "# Assumed: `stripe` is the need `processor`." in told
    assert "# Assumed: the peak is 4 times the expected load: 80/s." in told
    found = read(told, "spec.yaml")
    assert (found.load.expected, found.load.peak) == (20.0, 80.0)


def test_it_can_be_designed_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "design bookings for rooms"]) == 0
    file = tmp_path / "spec.yaml"
    file.write_text(capsys.readouterr().out)
    assert run(["design", str(file)]) == 0


def test_verbs_for_what_is_there_name_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "break my service"]) == 0
    assert capsys.readouterr().out == "mainstay prove .\n"


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("a blockchain for cats", "`blockchain`, `cats`: nothing is known by that name"),
        ("payments and bookings", "that is 2 services (payments, bookings): ask for one at a time"),
        ("a payment API with a p95 of 10 rps", "10 rps is no p95: that is a time"),
        ("payments at 5 rps and 6 rps", "expected is said twice: 5 rps and 6 rps"),
        ("review my code at 5 rps", "amounts belong into the configuration"),
        ("a payment API with a hotel", "`hotel` is no part of payments"),
        ("", "it asks for nothing that is known"),
    ],
)
def test_what_is_not_understood_is_said(sentence: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", sentence]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert "mainstay ask --grammar lists every word" in told.err
    assert told.out == ""


def test_a_peak_below_the_starters_load_lowers_that_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "payments with a peak of 20/s"]) == 0
    found = read(capsys.readouterr().out, "spec.yaml")
    assert (found.load.expected, found.load.peak) == (5.0, 20.0)


def test_the_grammar_is_printed_from_the_words_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "--grammar"]) == 0
    told = capsys.readouterr().out
    assert told == printed()
    assert "starter bookings: booking, reservation" in told
    known = {word for phrase in grammar().phrases for word in phrase}
    assert {"payment", "lockout"} <= known


@pytest.mark.parametrize(
    ("word", "plain"), [("payments", "payment"), ("queries", "query"), ("access", "access")]
)
def test_endings_that_change_nothing_are_left_out(word: str, plain: str) -> None:
    assert stem(word) == plain
