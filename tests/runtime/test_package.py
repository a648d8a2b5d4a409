"""The package loads nothing that is not asked for, and knows nothing of the tool that it comes with."""

import subprocess
import sys
from pathlib import Path

import mainstay_runtime

FOLDER = Path(mainstay_runtime.__file__).parent
GUARDS = ("around", "breaker", "budget", "bulkhead", "deadline", "events", "guard", "limiter", "refused")


def test_the_guards_need_python_alone() -> None:
    modules = ", ".join(f"mainstay_runtime.{name}" for name in GUARDS)
    code = (
        f"import sys; before = set(sys.modules); import {modules}; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(*sorted(new - sys.stdlib_module_names))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mainstay_runtime"]


def test_it_never_imports_the_tool() -> None:
    for file in FOLDER.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "import mainstay\n" not in text, file
        assert "from mainstay." not in text, file
        assert "from mainstay import" not in text, file


def test_every_module_has_its_page() -> None:
    pages = Path(__file__).parents[2] / "docs" / "runtime"
    names = {path.stem for path in FOLDER.iterdir() if path.suffix == ".py" or path.is_dir()}
    hidden = {"__init__", "__pycache__", "around", "events", "refused", "rate_postgres", "py"}
    assert names - hidden <= {page.stem for page in pages.glob("*.md")}
