import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from mainstay import cli
from mainstay.cli import CONFIDENCES, SEVERITIES, run
from mainstay.model.finding import Confidence, Finding, Severity
from mainstay.model.system import System
from mainstay.reports import formats
from mainstay.rules.monitoring.file_not_read import FileNotRead

Tree = Callable[[Mapping[str, str | bytes]], Path]

ENDINGS = [form.ENDING for form in formats().values()]
CLEAN = {"app.py": "def pay(order):\n    return order.total\n"}
BROKEN = {"app.py": "def pay(order):\n    return order.total\n\ndef bad(:\n"}


def mainstay(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """The program as people start it, in a process of its own."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from mainstay.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)  # type: ignore[call-overload,no-any-return]


def test_what_the_help_lists_is_what_there_is() -> None:
    assert [Severity[word.upper()].word for word in SEVERITIES] == [level.word for level in Severity]
    assert [Confidence[word.upper()].word for word in CONFIDENCES] == [level.word for level in Confidence]


@pytest.mark.parametrize("shown", formats())
@pytest.mark.parametrize(("files", "status"), [(CLEAN, 0), (BROKEN, 1), ({}, 3)])
def test_the_status_is_the_same_in_every_format(
    tree: Tree, shown: str, files: dict[str, str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["review", str(tree(files)), "--format", shown]) == status
    out, err = capsys.readouterr()
    assert out
    assert err == ""


def test_findings_below_the_threshold_are_shown_and_fail_nothing(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(tree(BROKEN))
    assert run(["review", root, "--fail-at", "medium"]) == 1
    assert run(["review", root, "--fail-at", "high"]) == 0
    assert "file-not-read" in capsys.readouterr().out


def test_exit_zero_is_for_findings_only(tree: Tree) -> None:
    assert run(["review", str(tree(BROKEN)), "--exit-zero", "--quiet"]) == 0
    assert run(["review", "no/such/path", "--exit-zero"]) == 2


@pytest.mark.usefixtures("capsys")
def test_rules_can_be_chosen_and_ignored(tree: Tree) -> None:
    root = str(tree(BROKEN))
    assert run(["review", root, "--ignore", "file-not-read"]) == 0
    assert run(["review", root, "--rule", "file-not-read"]) == 1
    assert run(["review", root, "--rule", "file-not-read", "--ignore", "file-not-read"]) == 0


def test_the_configuration_of_the_project_counts_and_options_win(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree({**BROKEN, "mainstay.toml": "fail-at = 'high'"})
    assert run(["review", str(root), "--quiet"]) == 0
    assert run(["review", str(root), "--quiet", "--fail-at", "low"]) == 1
    tree({"other.toml": "ignore = ['file-not-read']"})
    assert run(["review", str(root), "--config", str(root / "other.toml")]) == 0
    assert "file-not-read" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["review", "no/such/path"], "no/such/path: there is no such file or folder"),
        (["map", "no/such/path"], "no/such/path: there is no such file or folder"),
        (
            ["review", ".", "--rule", "file-not-red"],
            "there is no rule 'file-not-red'. Did you mean file-not-read?",
        ),
        (["explain", "nonsense"], "there is no rule 'nonsense'."),
        (["review", ".", "--format", "xml"], "Invalid value for '--format': 'xml' is not one of"),
        (["review", ".", "--fail-at", "bad"], "Invalid value for '--fail-at': 'bad' is not one of"),
        (
            ["review", ".", "--output", "report.pdf"],
            "report.pdf: its ending has to be one of .html, .json, .sarif, .txt",
        ),
        (["review", ".", "--output", "no/r.html"], "no/r.html: there is no folder no"),
        (["review", ".", "--output", "folder.html"], "folder.html: this is a folder"),
        (["review", ".", "--jobs", "0"], "Invalid value for '--jobs': 0 is not in the range"),
        (["review", ".", "--baseline", "none.json"], "none.json: the baseline cannot be read"),
        (
            ["review", ".", "--config", "none.toml"],
            "none.toml: it could not be opened: No such file or directory",
        ),
        (["review", ".", "--config", "bad.toml"], "bad.toml:2: `exlude`: there is no such key. Did you mean"),
        (["reveiw", "."], "No such command 'reveiw'."),
    ],
)
def test_misuse_is_one_clear_line(
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tree({**CLEAN, "bad.toml": "\nexlude = []\n", "folder.html/x": ""}))
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"mainstay: {message}")
    assert err.count("\n") == 1


def test_files_are_written_beside_what_is_printed(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = [tmp_path / f"report{ending}" for ending in ENDINGS]
    options = [word for path in outputs for word in ("--output", str(path))]
    assert run(["review", str(tree(BROKEN)), *options]) == 1
    assert "file-not-read" in capsys.readouterr().out
    assert json.loads((tmp_path / "report.sarif").read_text())["version"] == "2.1.0"
    assert json.loads((tmp_path / "report.json").read_text())["outcome"] == "failed"
    assert (tmp_path / "report.html").read_text().lower().startswith("<!doctype html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "project",
        "report.html",
        "report.json",
        "report.sarif",
        "report.txt",
    ]


def test_a_baseline_silences_what_was_there(tree: Tree, tmp_path: Path) -> None:
    root, file = str(tree(BROKEN)), str(tmp_path / "baseline.json")
    assert run(["review", root, "--quiet", "--write-baseline", file]) == 1
    assert run(["review", root, "--quiet", "--baseline", file]) == 0


def test_a_rule_that_fails_is_an_error_and_the_rest_is_still_shown(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check = FileNotRead.check

    def failing(self: FileNotRead, system: System) -> Iterator[Finding]:
        yield from check(self, system)
        raise KeyError("orders")

    monkeypatch.setattr(FileNotRead, "check", failing)
    monkeypatch.delenv("MAINSTAY_DEBUG", raising=False)
    assert run(["review", str(tree(BROKEN)), "--exit-zero"]) == 2
    out, err = capsys.readouterr()
    assert "file-not-read" in out
    assert err == (
        "mainstay: the rule file-not-read failed with KeyError: 'orders'. "
        "This is a fault of Mainstay; MAINSTAY_DEBUG=1 shows where.\n"
    )
    monkeypatch.setenv("MAINSTAY_DEBUG", "1")
    run(["review", str(tree(BROKEN))])
    assert "Traceback" in capsys.readouterr().err


def test_any_other_fault_is_one_line_too(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mainstay.review.link_system", lambda *_: 1 / 0)
    assert run(["review", str(tree(CLEAN))]) == 2
    assert capsys.readouterr().err == (
        "mainstay: it failed with ZeroDivisionError: division by zero. "
        "This is a fault of Mainstay; MAINSTAY_DEBUG=1 shows where.\n"
    )


def test_an_interruption_is_one_line(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mainstay.review.link_system", interrupted)
    assert run(["review", str(tree(CLEAN)), "--output", str(tree({}) / "r.html")]) == 130
    assert capsys.readouterr().err == "mainstay: stopped\n"
    assert not (tree({}) / "r.html").exists()


def test_map_shows_what_was_read(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["map", str(tree(CLEAN))]) == 0
    assert capsys.readouterr().out
    assert run(["map", str(tree(CLEAN)), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["operations"] == []


def test_map_of_nothing(tmp_path: Path) -> None:
    assert run(["map", str(tmp_path)]) == 3


def test_rules_and_their_pages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules"]) == 0
    assert "file-not-read" in capsys.readouterr().out
    assert run(["explain", "file-not-read"]) == 0
    assert "A file, or a part of one, could not be read." in capsys.readouterr().out


def test_the_reviewed_tree_is_left_as_it_was(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({**BROKEN, "lib/__init__.py": ""})
    monkeypatch.setenv("MAINSTAY_CACHE_DIR", str(root / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    monkeypatch.setenv("HOME", str(root))
    monkeypatch.chdir(root)
    before = sorted(root.rglob("*"))
    assert run(["review", ".", "--quiet"]) == 1
    assert sorted(root.rglob("*")) == before


GIT_SETTINGS = """
[core]
    fsmonitor = {command}
    hooksPath = hooks
[filter "x"]
    clean = {command}
    process = {command}
[diff "x"]
    textconv = {command}
"""


def test_a_hostile_repository_runs_nothing(tree: Tree, tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    root = tree(
        {
            **CLEAN,
            ".git/config": GIT_SETTINGS.format(command=f"touch {mark}"),
            ".gitattributes": "* filter=x diff=x\n",
            "conftest.py": f"open({str(mark)!r}, 'w')\n",
            "sitecustomize.py": f"open({str(mark)!r}, 'w')\n",
            "msgspec.py": f"open({str(mark)!r}, 'w')\n",
            "mainstay/__init__.py": f"open({str(mark)!r}, 'w')\n",
        }
    )
    assert mainstay("review", ".", cwd=root).returncode == 0
    assert not mark.exists()


def test_what_is_piped_has_no_colour_and_no_progress(tree: Tree) -> None:
    done = mainstay("review", tree(BROKEN))
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_the_version() -> None:
    assert mainstay("--version").stdout == "mainstay 0.1.0\n"


def test_without_arguments_the_help_is_shown() -> None:
    done = mainstay()
    assert done.returncode == 2
    assert "Usage: mainstay" in done.stderr
    assert mainstay("--help").returncode == 0


def test_a_reader_that_leaves_early_changes_no_status(tree: Tree) -> None:
    code = f"import sys; sys.path[:] = {sys.path!r}; from mainstay.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "explain", "file-not-read"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait() == 0
        assert process.stderr.read() == b""


def test_help_loads_nothing_it_does_not_need() -> None:
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\nfrom mainstay.cli import run\nrun(['--help'])\n"
        "print([m for m in ('msgspec', 'tree_sitter', 'jinja2', 'sqlite3', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_ctrl_c_ends_everything(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text("import time\ndef read(content): time.sleep(3600)\n")
    code = (
        f"import sys; sys.path[:] = [{str(tmp_path)!r}, *{sys.path!r}]\n"
        "from mainstay.sources import reading, workers\n"
        "reading.read_files.__kwdefaults__['reader'] = 'hanging:read'\n"
        "request = workers._Worker.request\n"
        "def told(self, batch):\n"
        "    request(self, batch); print(self._process.pid, flush=True)\n"
        "workers._Worker.request = told\n"
        "from mainstay.cli import main\nmain()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "review", str(tree(CLEAN)), "--no-cache"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        worker = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == cli.STOPPED
        assert process.stderr.read() == "mainstay: stopped\n"
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_the_order_of_hashes_and_the_number_of_readers_change_no_byte() -> None:
    flawed = Path(__file__).parent.parent / "examples" / "payments_flawed"
    pages = {
        mainstay(
            "review",
            flawed,
            "--no-cache",
            "--format",
            "html",
            "--jobs",
            jobs,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed, jobs in (("0", "1"), ("1", "2"), ("7", "3"))
    }
    assert len(pages) == 1
