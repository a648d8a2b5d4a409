"""Print the parts of the documents that are taken from the code, so that they cannot lie.

python scripts/print_docs.py            write them
python scripts/print_docs.py --picture  also take docs/review.png anew (needs Chromium)

`docs/knowledge.md` is printed whole.  In the pages of `PRINTED`, what stands between
`<!-- printed: NAME -->` and `<!-- end -->` is.  A test fails when the pages differ from what is printed here.
"""

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from types import ModuleType

from mainstay.asking.grammar import printed
from mainstay.experiments.base import Experiment
from mainstay.experiments.catalogue import all_experiments
from mainstay.model import effect, library
from mainstay.model.finding import Analysis
from mainstay.rules.catalogue import all_rules
from mainstay.starters import starter

ROOT = Path(__file__).resolve().parent.parent
FLAWED = "examples/payments_flawed"
PICTURE = "docs/review.png"
PRINTED = ("README.md", "docs/prove.md", "docs/specification.md")  # pages with parts that are printed
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Write every page anew, and say which changed."""
    for name, text in pages().items():
        page = ROOT / name
        changed = not page.exists() or page.read_text() != text
        page.write_text(text)
        print(f"{name}: {'printed anew' if changed else 'unchanged'}")
    if "--picture" in sys.argv[1:]:
        take_picture(ROOT / PICTURE)
        print(f"{PICTURE}: taken anew")


def pages() -> dict[str, str]:
    """Every page with printed parts, as it should be."""
    filled = {name: readme((ROOT / name).read_text()) for name in PRINTED}
    return {**filled, "docs/knowledge.md": knowledge_page()}


# --- pages with printed parts ---------------------------------------------------------------------


def readme(text: str) -> str:
    """The text with its printed parts replaced."""
    return re.sub(
        r"(<!-- printed: (.+?) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}\n{PARTS[match[2]]()}\n{match[3]}",
        text,
        flags=re.DOTALL,
    )


def rule_table() -> str:
    """Every rule that can fail a review; those in preview are left to `mainstay rules`."""
    rows = ["| Analysis | Rule | Severity | What it finds |", "|---|---|---|---|"]
    for analysis in Analysis:
        rules = [rule for rule in all_rules() if rule.analysis() is analysis and not rule.preview]
        rows.extend(
            f"| {analysis} | `{rule.name()}` | {rule.severity.word} | {rule.paragraphs()[0]} |"
            for rule in sorted(rules, key=lambda rule: (-rule.severity, rule.name()))
        )
    return "\n".join(rows) + "\n"


def a_starter(name: str) -> str:
    """A specification that comes with Mainstay."""
    return f"```yaml\n{starter(name)}```\n"


def words_of_ask() -> str:
    """Every word that `mainstay ask` knows."""
    return f"```console\n$ mainstay ask --grammar\n{printed()}```\n"


def first_finding() -> str:
    """What `mainstay review` prints of the flawed example, up to the end of the first finding."""
    command = [sys.executable, "-m", "mainstay", "review", FLAWED, "--no-cache"]
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("COLUMNS", "FORCE_COLOR", "MAINSTAY_DEBUG")
    }
    environment["PYTHONPATH"] = str(ROOT / "src")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 1:
        sys.exit(f"{' '.join(command)} ended with status {done.returncode}\n{done.stderr}")
    heading, first, _ = done.stdout.split("\n\n", 2)
    return f"```console\n$ mainstay review {FLAWED}\n{heading}\n\n{first}\n```\n"


def experiment_list() -> str:
    """Every experiment by its family: the hypothesis, what is done, and what to change when it fails."""
    families: dict[str, list[type[Experiment]]] = {}
    for experiment in all_experiments():
        families.setdefault(experiment.family(), []).append(experiment)
    lines = []
    for family, experiments in families.items():
        lines.append(f"### {family}\n")
        for experiment in experiments:
            hypothesis, *done, change = experiment.paragraphs()
            mark = " (quick)" if experiment.quick else ""
            lines.append(f"- **`{experiment.name()}`**{mark}. {hypothesis} {' '.join(done)}")
            lines.append(f"  *When it fails:* {change}")
        lines.append("")
    return "\n".join(lines)


PARTS: Mapping[str, Callable[[], str]] = {
    "the payments starter": lambda: a_starter("payments"),
    "the words of ask": words_of_ask,
    "the rules": rule_table,
    "the first finding": first_finding,
    "the experiments": experiment_list,
}


# --- docs/knowledge.md ---------------------------------------------------------------------------

HEAD = """\
# Knowledge: what libraries do

<!-- Printed by `make docs` from src/mainstay/model/library.py. Change it there. -->

What a library does is data, not code: one TOML file a library, in `src/mainstay/knowledge/libraries/`.
A project can add files of its own, or override what is known, name by name: `knowledge = "FOLDER"` in its
configuration names the folder. Nothing in a knowledge file is ever run. [CONTRIBUTING.md](../CONTRIBUTING.md)
shows a whole file and how to try it.
"""


def knowledge_page() -> str:
    """The format of a knowledge file: the docstrings and fields of `model/library.py`."""
    opening = inspect.cleandoc(library.__doc__ or "").replace(
        "`docs/knowledge.md` is printed from these docstrings.  ", ""
    )
    shapes = Shapes(library)
    sections = [HEAD, _prose(opening), *map(shapes.section, shapes.order)]
    for title, kinds in (("effects", "EffectKind"), ("enclosures", "EnclosureKind")):
        sections.append(_words(title, Shapes(effect).classes[kinds]))
    return "\n".join(sections)


class Field:
    """One key of a table: its type, its default and the comment beside it."""

    def __init__(self, node: ast.AnnAssign, comments: Mapping[int, str]) -> None:
        assert isinstance(node.target, ast.Name)
        self.key = node.target.id
        self.type = node.annotation
        self.default = None if node.value is None else ast.unparse(node.value)
        self.comment = comments.get(node.end_lineno or node.lineno, "")


class Shape:
    """One class of the model: a table of a knowledge file, or a set of words."""

    def __init__(self, node: ast.ClassDef, comments: Mapping[int, str]) -> None:
        self.name = node.name
        self.doc = ast.get_docstring(node) or ""
        self.fields = [Field(each, comments) for each in node.body if isinstance(each, ast.AnnAssign)]
        self.words = [
            (ast.literal_eval(each.value), comments.get(each.lineno, ""))
            for each in node.body
            if isinstance(each, ast.Assign)
        ]


class Shapes:
    """The classes of a module of the model, read from its source."""

    def __init__(self, module: ModuleType) -> None:
        source = inspect.getsource(module)
        comments = {
            token.start[0]: token.string.lstrip("# ")
            for token in tokenize.generate_tokens(StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
        nodes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
        self.classes = {node.name: Shape(node, comments) for node in nodes}

    @property
    def order(self) -> list[Shape]:
        """The file itself first, then every table after the one that speaks of it."""
        found: dict[str, Shape] = {}
        waiting = ["Library"]
        while waiting:
            shape = self.classes[waiting.pop(0)]
            found.setdefault(shape.name, shape)
            waiting.extend(name for name in self._mentioned(shape) if name not in found)
        return list(found.values())

    def _mentioned(self, shape: Shape) -> Iterator[str]:
        for field in shape.fields:
            names = (node.id for node in ast.walk(field.type) if isinstance(node, ast.Name))
            yield from (name for name in names if name in self.classes)

    def section(self, shape: Shape) -> str:
        """A table of a knowledge file: what it is for, and its keys."""
        rows = ["| Key | Value | If absent | Meaning |", "|---|---|---|---|"]
        for field in shape.fields:
            meaning = _plain(field.comment).replace("|", "\\|")
            rows.append(f"| `{field.key}` | {self._value(field.type)} | {_default(field)} | {meaning} |")
        return "\n".join([f"## {TITLES[shape.name]}\n", _prose(shape.doc), *rows, ""])

    def _value(self, node: ast.expr) -> str:
        """A type in the words of TOML."""
        match node:
            case ast.BinOp(left=left, right=ast.Constant(value=None)):
                return self._value(left)
            case ast.Name(id=name) if name in self.classes:
                return f"[table](#{_anchor(TITLES[name])})"
            case ast.Name(id=name):
                return NAMED[name]
            case ast.Subscript(value=ast.Name(id="Choice"), slice=choices):
                items = choices.elts if isinstance(choices, ast.Tuple) else [choices]
                return ", ".join(f"`{ast.literal_eval(item)}`" for item in items)
            case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[_, value])):
                return f"table of {self._value(value)}"
            case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[item, _])):
                return f"list of {self._value(item)}"
        raise ValueError(f"no words for the type {ast.unparse(node)}")


TITLES = {
    "Library": "The file",
    "Type": "[[type]]",
    "Callable": "[[call]]",
    "Timeout": "timeout",
    "VersionDefault": "versions",
    "Runs": "runs",
    "Retry": "retry",
    "Route": "route",
    "Job": "job",
}
NAMED = {
    "str": "text",
    "bool": "true or false",
    "float": "number",
    "Place": "place",
    "EffectKind": "[effect](#effects)",
    "EnclosureKind": "[enclosure](#enclosures)",
}
ABSENT = {
    None: "**required**",
    '""': "",
    "''": "",
    "()": "",
    "None": "",
    "field(default_factory=dict)": "",
    "True": "true",
    "False": "false",
}


def _default(field: Field) -> str:
    return ABSENT.get(field.default, f"`{field.default}`".replace("'", ""))


def _words(title: str, shape: Shape) -> str:
    lines = [f"- `{word}`{f': {comment}' if comment else ''}" for word, comment in shape.words]
    return "\n".join([f"## {title}\n", _prose(shape.doc), *lines, ""])


def _prose(text: str) -> str:
    """A docstring as Markdown."""
    return _plain(text.replace(".  ", ". ")) + "\n"


def _plain(text: str) -> str:
    """The words of a knowledge file instead of the model's."""
    for name, title in TITLES.items():
        text = text.replace(f"`{name}.", f"`{title.strip('[]')}.")
    return text.removeprefix("... ")


def _anchor(title: str) -> str:
    """The name by which a heading is linked to."""
    return re.sub(r"[^\w-]", "", title.lower().replace(" ", "-"))


# --- docs/review.png -----------------------------------------------------------------------------


def take_picture(file: Path) -> None:
    """The page of the flawed example, as a browser shows it."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"The picture needs one of {', '.join(BROWSERS)}.")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "review.html")
        review = [sys.executable, "-m", "mainstay", "review", FLAWED, "--quiet", "--output", str(page)]
        subprocess.run(review, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, check=False)
        subprocess.run(
            [
                browser,
                *"--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run".split(),
                *"--disable-quic --disable-sync --disable-component-update".split(),
                "--disable-background-networking",
                f"--user-data-dir={folder}/profile",
                "--window-size=1200,1500",
                f"--screenshot={file}",
                page.as_uri(),
            ],
            stderr=subprocess.DEVNULL,
            check=True,
        )


if __name__ == "__main__":
    main()
