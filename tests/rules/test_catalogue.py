import subprocess
import sys

from mainstay.rules.base import Rule
from mainstay.rules.catalogue import all_rules


def test_rules_come_sorted_and_once() -> None:
    names = [rule.name() for rule in all_rules()]
    assert names == sorted(set(names))
    assert "file-not-read" in names
    assert Rule not in all_rules()


def test_looking_for_rules_loads_no_reader() -> None:
    code = (
        "import sys\nfrom mainstay.rules.catalogue import all_rules\nall_rules()\n"
        "print([m for m in sys.modules if m.startswith(('tree_sitter', 'mainstay.sources'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[]", done.stderr
