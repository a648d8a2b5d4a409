from pathlib import Path

import pytest

from mainstay.baseline import BaselineError, read_baseline, write_baseline
from mainstay.model.finding import Answers, Confidence, Finding, Severity
from mainstay.model.location import Location
from mainstay.model.review import Result, Standing


def result(fingerprint: str, path: str, standing: Standing = Standing.OPEN) -> Result:
    answers = Answers("", "", "", "", "")
    finding = Finding("r", 'say "x"', Location(path, 1), Severity.LOW, Confidence.LOW, answers, clears="")
    return Result(finding, fingerprint, standing)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(write_baseline([result("f1", "b.py"), result("f2", "a.py", Standing.BASELINED)]))
    assert read_baseline(file) == {"f1", "f2"}
    assert [line for line in file.read_text().splitlines() if "a.py" in line or "b.py" in line] == [
        '  {"fingerprint": "f2", "rule": "r", "path": "a.py", "message": "say \\"x\\""},',
        '  {"fingerprint": "f1", "rule": "r", "path": "b.py", "message": "say \\"x\\""}',
    ]


def test_what_is_suppressed_in_place_needs_no_baseline(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(write_baseline([result("f1", "b.py", Standing.SUPPRESSED)]))
    assert read_baseline(file) == frozenset()


@pytest.mark.parametrize("content", ["", "[]", '{"findings": 1}', '{"findings": [{}]}', "\0"])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "b.json").write_text(content)
    with pytest.raises(BaselineError, match=r"b\.json: this is no baseline of Mainstay"):
        read_baseline(tmp_path / "b.json")


def test_a_missing_baseline_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="cannot be read: it could not be opened: No such file"):
        read_baseline(tmp_path / "b.json")
