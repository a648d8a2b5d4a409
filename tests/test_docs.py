"""The documents cannot lie: their commands and examples run, and what they point to is there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from click.testing import CliRunner

from mainstay import reports
from mainstay.cli import cli, run
from mainstay.configuration import Configuration, read_configuration
from mainstay.knowledge import load_knowledge
from mainstay.reports import formats
from mainstay.rules.catalogue import all_rules
from mainstay.starters import starter
from scripts import print_docs
from tests.reports import fake

Tree = Callable[[Mapping[str, str | bytes]], Path]

ROOT = Path(__file__).resolve().parent.parent
ASIDE = {"node_modules", "build", "dist", "__pycache__"}
STARTING = ("prove", "ready")  # what they do is tried elsewhere: here, that there are such options
FOR_PEOPLE = (  # commands that no test can try
    "git clone",
    "pip install .",
    "pip install '.[prove]'",
    "python3 -m venv /tmp/bench-venv",
)

RULE = "src/mainstay/rules/performance/program_started_in_request.py"
LIBRARY = "src/mainstay/knowledge/libraries/pymemcache.toml"
FORMAT = "src/mainstay/reports/lines.py"
# Files that a reader has or gets, and this repository has not.
READERS_OWN = {"mainstay.toml", "orders.py", "prices.py", "mainstay-baseline.json", "build/demo/"}


class Block(NamedTuple):
    """A fenced block of a document; `file` is the name above it, if it is a file."""

    file: str
    language: str
    text: str


@cache
def documents() -> tuple[Path, ...]:
    return tuple(sorted(path for path in repository() if path.suffix == ".md"))


@cache
def repository() -> tuple[Path, ...]:
    """Every file, without what tools leave behind."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in ASIDE]
        found += [Path(folder, name) for name in files]
    return tuple(found)


def blocks(document: str) -> list[Block]:
    text = (ROOT / document).read_text()
    fenced = re.finditer(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(match[1] or "", match[2], match[3]) for match in fenced]


def example(document: str, file: str) -> str:
    """The one block of a document that is the file of that name."""
    (found,) = (block.text for block in blocks(document) if block.file == file)
    return found


def commands() -> Iterator[tuple[str, str]]:
    for document in documents():
        name = str(document.relative_to(ROOT))
        for block in blocks(name):
            if block.language == "console":
                lines = (line for line in block.text.splitlines() if line.startswith("$ "))
                yield from ((name, line.removeprefix("$ ")) for line in lines)


# --- what is printed from the code ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["README.md", "docs/knowledge.md", "docs/specification.md"])
def test_what_is_printed_from_the_code_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text() == print_docs.pages()[name], "`make docs` prints it anew"


def test_a_rule_in_preview_asks_for_no_change_of_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    before, rule = print_docs.rule_table(), all_rules()[0]
    monkeypatch.setattr(rule, "preview", True)
    assert rule.name() in before
    assert rule.name() not in print_docs.rule_table()


# --- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("document", "command"), sorted(set(commands())))
def test_commands_can_be_typed_as_they_stand(
    document: str, command: str, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, *arguments = shlex.split(command)
    if program == "mainstay" and arguments[0] in STARTING:
        shown = CliRunner().invoke(cli, [arguments[0], "--help"]).output
        assert all(word in shown for word in arguments if word.startswith("--"))
    elif program == "mainstay":
        folder = tree({"path/to/backend/app.py": "x = 1\n", "spec.yaml": starter("payments")})
        (folder / "examples").symlink_to(ROOT / "examples")
        if "--baseline" in arguments:
            (folder / "mainstay-baseline.json").write_text('{"findings": []}')
        monkeypatch.chdir(folder)
        assert run(arguments[: arguments.index(">")] if ">" in arguments else arguments) in (0, 1)
    elif program == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif Path(program).name in ("python", "pytest"):
        assert (ROOT / arguments[0]).exists()
    else:
        assert command.startswith(FOR_PEOPLE), f"{document}: no test knows `{command}`"


@pytest.mark.parametrize("command", ["review", "prove", "ready", "design", "ask", "map", "explain", "rules"])
def test_the_readme_names_every_command(command: str) -> None:
    assert f"mainstay {command}" in (ROOT / "README.md").read_text()


# --- examples of README.md -----------------------------------------------------------------------


def test_the_configuration_is_read_and_shows_every_key(tree: Tree) -> None:
    file = tree({"mainstay.toml": example("README.md", "mainstay.toml")}) / "mainstay.toml"
    found = read_configuration(file, [rule.name() for rule in all_rules()])
    ours, default = msgspec.structs.asdict(found), msgspec.structs.asdict(Configuration())
    assert [key for key in ours if ours[key] == default[key]] == []
    assert [key for key in found.selection.__struct_fields__ if not getattr(found.selection, key)] == []
    budgets = found.budgets.__struct_fields__
    assert [key for key in budgets if getattr(found.budgets, key) == getattr(default["budgets"], key)] == []


def test_the_suppression_suppresses(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    text = example("README.md", "orders.py")
    assert run(["review", str(tree({"orders.py": text})), "--format", "sarif"]) == 0
    assert "the sidecar ends every call after 2 s" in capsys.readouterr().out
    without = "".join(line for line in text.splitlines(keepends=True) if "mainstay:" not in line)
    assert run(["review", str(tree({"orders.py": without}))]) == 1
    assert "call-without-deadline" in capsys.readouterr().out


# --- examples of CONTRIBUTING.md -----------------------------------------------------------------


@pytest.fixture
def working_copy(tmp_path: Path) -> Path:
    """What a contributor has, as far as rules and their tests go."""
    copy = tmp_path / "copy"
    for folder in ("src", "tests/rules"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def test_the_rule_passes_its_tests_as_it_stands(working_copy: Path) -> None:
    (working_copy / RULE).write_text(example("CONTRIBUTING.md", RULE))
    (command,) = {line for name, line in commands() if name == "CONTRIBUTING.md" and "-k program" in line}
    program, *arguments = shlex.split(command)
    assert Path(program).name == "pytest"
    done = started(working_copy, "pytest", *arguments, "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert {"test_bad", "test_good", "test_page", "test_findings_are_whole"} <= passed(done.stdout)


def test_the_rule_is_registered_by_being_there(working_copy: Path) -> None:
    (working_copy / RULE).write_text(example("CONTRIBUTING.md", RULE))
    name = Path(RULE).stem.replace("_", "-")
    assert name in started(working_copy, "mainstay", "rules").stdout
    assert "waits for it" in started(working_copy, "mainstay", "explain", name).stdout


@pytest.mark.parametrize("file", [RULE, FORMAT])
def test_the_code_is_as_clean_as_ours(working_copy: Path, file: str) -> None:
    (working_copy / file).write_text(example("CONTRIBUTING.md", file))
    for check in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = started(working_copy, "ruff", *check, file)
        assert done.returncode == 0, done.stdout


def test_the_code_is_as_strictly_typed_as_ours(tmp_path: Path) -> None:
    files = [tmp_path / Path(file).name for file in (RULE, FORMAT)]
    for file, name in zip(files, (RULE, FORMAT), strict=True):
        file.write_text(example("CONTRIBUTING.md", name))
    done = started(ROOT, "mypy", *map(str, files))  # finds what `make test` has checked in its cache
    assert done.returncode == 0, done.stdout


def test_the_library_makes_a_rule_see_it(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    library = example("CONTRIBUTING.md", LIBRARY)
    root = tree(
        {
            "prices.py": example("CONTRIBUTING.md", "prices.py"),
            "mainstay.toml": "knowledge = 'knowledge'",
            "knowledge/pymemcache.toml": library,
        }
    )
    known = load_knowledge(extra=root / "knowledge", cached=False)
    assert known.callable("pymemcache.client.base.Client.get") is not None
    assert run(["review", str(root)]) == 1
    out = capsys.readouterr().out
    assert "prices.py:7" in out
    assert "call-without-deadline" in out


def test_without_the_library_it_is_passed_over(tree: Tree) -> None:
    assert run(["review", str(tree({"prices.py": example("CONTRIBUTING.md", "prices.py")})), "--quiet"]) == 0


def test_the_format_is_found_and_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lines.py").write_text(example("CONTRIBUTING.md", FORMAT))
    monkeypatch.setattr(reports, "__path__", [*reports.__path__, str(tmp_path)])
    try:
        lines = formats()["lines"].render(fake.review(tmp_path), fake.RULES).splitlines()
    finally:
        sys.modules.pop("mainstay.reports.lines", None)
        vars(reports).pop("lines", None)
    found = [result.finding for result in fake.review(tmp_path).open]
    assert [line.partition(": ")[0] for line in lines] == [
        f"{finding.location}:{finding.location.column}" for finding in found
    ]
    assert all(line.endswith(f"[{f.rule}]") for line, f in zip(lines, found, strict=True))


def started(folder: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A module of Python run in a working copy, with nothing of this test run around it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    environment |= {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["MAINSTAY_CACHE_DIR"] = str(folder / "cache")
    command = [sys.executable, "-m", module, *arguments]
    if module == "pytest":
        command.append("-v")
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def passed(output: str) -> set[str]:
    """The tests that passed, without their parameters."""
    return set(re.findall(r"::(\w+)\[.*?\] PASSED", output))


# --- what is pointed to --------------------------------------------------------------------------


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = without_blocks(document.read_text())
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    relative = [link for link in links if not re.match(r"https?:|mailto:", link)]
    assert [link for link in relative if not is_there(document, link)] == []


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(document: Path) -> None:
    name = str(document.relative_to(ROOT))
    own = READERS_OWN | {block.file for block in blocks(name)}
    named = re.findall(r"`([\w./-]+)`", without_blocks(document.read_text()))
    looks_like_a_file = re.compile(r"[\w./-]+\.(py|toml|md|txt|png|yml|yaml|jinja|css|json)|[\w./-]+/")
    files = {word for word in named if looks_like_a_file.fullmatch(word)} - own
    assert sorted(file for file in files if not exists(file)) == []


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def is_there(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    if not target.exists():
        return False
    headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE) if anchor else []
    return not anchor or anchor in {
        re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings
    }


def exists(file: str) -> bool:
    """Whether some file or folder of the repository has a path that ends so."""
    tail = "/" + file.rstrip("/")
    paths = {f"/{path.relative_to(ROOT)}" for path in repository()}
    paths |= {str(parent) for path in paths for parent in Path(path).parents}
    return any(path.endswith(tail) for path in paths)
