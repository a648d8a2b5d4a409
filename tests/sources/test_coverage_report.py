"""What the tests reached, as coverage tools write it down."""

import json
from pathlib import Path

import pytest

from mainstay.model.project import FileCoverage
from mainstay.sources.coverage_report import CoverageUnreadable, read_coverage

XML = """<?xml version="1.0" ?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage version="7.6"><sources>{sources}</sources><packages><package name="shop"><classes>
<class name="api.py" filename="shop/api.py"><lines>
<line number="1" hits="1"/><line number="2" hits="0"/><line number="3" hits="4"/><line number="x" hits="1"/>
</lines></class>
<class name="Inner" filename="shop/api.py"><lines>
<line number="2" hits="7"/><line number="9" hits="0"/></lines></class>
</classes></package></packages></coverage>
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "coverage"
    file.write_text(text, encoding="utf-8")
    return file


def test_json_of_coverage_py_is_read(tmp_path: Path) -> None:
    report = {
        "meta": {"format": 3},
        "files": {
            "shop/pay.py": {
                "executed_lines": [1, 2],
                "missing_lines": [3],
                "excluded_lines": [],
                "summary": {},
            },
            "shop\\api.py": {"executed_lines": [1], "missing_lines": []},
            "shop/__init__.py": {"executed_lines": [], "missing_lines": []},
        },
        "totals": {},
    }
    assert read_coverage(written(tmp_path, json.dumps(report))).files == (
        FileCoverage("shop/api.py", frozenset({1}), frozenset()),
        FileCoverage("shop/pay.py", frozenset({1, 2}), frozenset({3})),
    )


def test_xml_is_read_and_the_parts_of_one_file_are_joined(tmp_path: Path) -> None:
    text = XML.format(sources="<source>/repo/src</source>")
    assert read_coverage(written(tmp_path, text)).files == (
        FileCoverage("/repo/src/shop/api.py", frozenset({1, 2, 3}), frozenset({9})),
    )


def test_of_several_sources_none_is_guessed(tmp_path: Path) -> None:
    text = XML.format(sources="<source>/a</source><source>/b</source>")
    assert read_coverage(written(tmp_path, text)).files[0].path == "shop/api.py"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "this is neither JSON nor XML"),
        ("{", "this is no report of coverage.py"),
        ('{"files": {"a.py": {"executed_lines": ["one"]}}}', "this is no report of coverage.py"),
        ('{"files": {}}', "no line of code is in it."),
        ("<coverage/>", "no line of code is in it."),
        ("<html></html>", "its root is `html`, not `coverage`."),
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]><coverage>&a;</coverage>', "it defines entities"),
    ],
)
def test_what_is_no_report_is_refused_with_a_sentence(tmp_path: Path, text: str, problem: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(CoverageUnreadable) as raised:
        read_coverage(file)
    assert str(raised.value).startswith(f"{file}: {problem}")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CoverageUnreadable, match="it could not be read: No such file or directory"):
        read_coverage(tmp_path / "none.xml")


def test_binary_data_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.xml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CoverageUnreadable, match="this is not UTF-8 text"):
        read_coverage(tmp_path / "c.xml")
