"""`mainstay design`: from a specification to a dossier and its files."""

import json
from pathlib import Path

import pytest

from mainstay.cli import run
from tests.sources.specification.texts import PAYMENTS

BROKEN = PAYMENTS.replace("timeout: 2s", "timeout: 2").replace("text(64)", "text")
CONTRARY = PAYMENTS.replace("when_down: accept and settle later", "when_down: refuse")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "payments.yaml"
    file.write_text(PAYMENTS)
    return file


def test_a_specification_is_told_as_a_dossier(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["design", str(spec)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("# payments\n")
    assert "## How much of everything is needed" in told.out
    assert told.err == ""


def test_with_a_folder_everything_is_written(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = spec.parent / "deep" / "design"
    assert run(["design", str(spec), "--output", str(folder)]) == 0
    assert (folder / "DESIGN.md").read_text().startswith("# payments\n")
    assert (folder / "DESIGN.html").read_text().startswith("<!doctype html>")
    assert str(folder) in capsys.readouterr().out


def test_all_faults_are_told_at_once_with_their_places(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec.write_text(BROKEN)
    assert run(["design", str(spec)]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert f"{spec}:13:20: a text needs its greatest length; write `text(200)`." in first
    assert f"{spec}:28:14: `2` is no amount here" in second


def test_what_cannot_both_be_is_a_fault_too(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec.write_text(CONTRARY)
    assert run(["design", str(spec)]) == 2
    assert "may wait 2 s for `processor` = 2 s, and its budget is 200 ms" in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["design", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml: No such file or directory" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (spec.parent / "taken").write_text("")
    assert run(["design", str(spec), "--output", str(spec.parent / "taken" / "design")]) == 2
    assert "it cannot be made" in capsys.readouterr().err


def test_the_schema_for_editors_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["design", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "A service for Mainstay"


def test_without_a_specification_it_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["design"]) == 2
    assert "say which specification: mainstay design SPEC" in capsys.readouterr().err


def test_the_name_of_a_starter_does_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["design", "bookings"]) == 0
    assert capsys.readouterr().out.startswith("# bookings\n\nBook rooms, and no room twice.\n")
