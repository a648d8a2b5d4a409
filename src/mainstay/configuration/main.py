"""What a project asks for: `mainstay.toml`, or `[tool.mainstay]` in `pyproject.toml`.

Configuration is data of the reviewed project, which nobody has to trust: it can name files below
its own folder and nothing else, and nothing in it is ever run.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from mainstay.budgets import STANDARD, Budgets
from mainstay.configuration.declaration import declaration
from mainstay.configuration.source import SHARES, TIMES, ConfigurationError, Source
from mainstay.model.finding import Confidence, Severity
from mainstay.model.service import Declaration
from mainstay.sources.discovery import Selection
from mainstay.sources.reading import Unreadable, content_of
from mainstay.suppressions import suggestion

OWN_FILE = "mainstay.toml"
SHARED_FILE = "pyproject.toml"

Level = TypeVar("Level", Severity, Confidence)


class Public(Struct, frozen=True):
    """Operations that anyone may call, on purpose: `GET /health`, or a path for every method."""

    pattern: str
    reason: str
    line: int = 1

    def covers(self, method: str, path: str) -> bool:
        """Whether the operation is meant; `*` in the pattern matches anything."""
        wanted, _, where = self.pattern.rpartition(" ")
        return fnmatchcase(path, where) and wanted.strip().upper() in ("", "*", method.upper())


class Configuration(Struct, frozen=True):
    """How to review; the defaults hold where a project says nothing."""

    file: Path | None = None
    selection: Selection = Selection()
    rules: tuple[str, ...] = ()  # none: all of them
    ignore: tuple[str, ...] = ()
    fail_at: Severity = Severity.LOW
    show: Confidence = Confidence.MEDIUM
    budgets: Budgets = STANDARD
    knowledge: Path | None = None
    public: tuple[Public, ...] = ()
    baseline: Path | None = None
    declaration: Declaration | None = None  # `[prove]`


def configuration_for(root: Path, known_rules: Iterable[str]) -> Configuration:
    """The configuration of the nearest folder, from `root` upwards, that has one.

    The search ends where a repository does.
    """
    for folder in (root, *root.parents):
        for name in (OWN_FILE, SHARED_FILE):
            file = folder / name
            if file.exists() and (found := _read(file, known_rules)) is not None:
                return found
        if (folder / ".git").exists():
            break
    return Configuration()


def read_configuration(file: Path, known_rules: Iterable[str]) -> Configuration:
    """The configuration in `file`; raises ConfigurationError when there is none in it."""
    found = _read(file, known_rules)
    if found is None:
        raise ConfigurationError(f"{file}: there is no [tool.mainstay] in it")
    return found


def rule_named(name: str, known: Iterable[str]) -> str:
    """`name`, if there is such a rule; raises LookupError with a suggestion."""
    names = set(known)
    if name not in names:
        raise LookupError(f"there is no rule {name!r}.{suggestion(name, names)}")
    return name


# --- reading -------------------------------------------------------------------------------------


class _Public(Struct, frozen=True):
    operation: str = ""
    path: str = ""
    reason: str = ""


class _Budgets(Struct, frozen=True):
    availability: str | None = None
    errors: str | None = None
    p95: str | None = None
    recovery: str | None = None


class _Table(Struct, frozen=True, rename="kebab"):
    """The table as it is written."""

    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_at: str | None = None
    show: str | None = None
    budgets: _Budgets = _Budgets()
    knowledge: str | None = None
    public: tuple[_Public, ...] = ()
    baseline: str | None = None
    prove: dict[str, Any] | None = None


def _read(file: Path, known_rules: Iterable[str]) -> Configuration | None:
    try:
        text = content_of(str(file)).decode()
    except Unreadable as error:
        raise ConfigurationError(f"{file}: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: this is not UTF-8 text") from error
    shared = file.name == SHARED_FILE
    if shared and "mainstay" not in text:
        return None
    source = Source(file, text, "tool.mainstay" if shared else "")
    raw = source.table()
    return None if raw is None else _Reader(source, raw, set(known_rules)).configuration()


class _Reader:
    """Turns the raw table into a Configuration, or says what is wrong with it and where."""

    def __init__(self, source: Source, raw: dict[str, Any], known_rules: set[str]) -> None:
        self._source = source
        self._known_rules = known_rules
        source.refuse_unknown(raw, "", _Table)
        source.refuse_unknown(raw.get("budgets"), "budgets.", _Budgets)
        for index, entry in enumerate(raw["public"] if isinstance(raw.get("public"), list) else ()):
            source.refuse_unknown(entry, "public.", _Public, index)
        self._table = source.convert(raw, _Table)

    def configuration(self) -> Configuration:
        table = self._table
        return Configuration(
            file=self._source.file,
            selection=Selection(table.exclude, table.include),
            rules=self._rules("rules", table.rules),
            ignore=self._rules("ignore", table.ignore),
            fail_at=self._word("fail-at", table.fail_at, Severity, Severity.LOW),
            show=self._word("show", table.show, Confidence, Confidence.MEDIUM),
            budgets=self._budgets(table.budgets),
            knowledge=self._inside("knowledge", table.knowledge),
            public=tuple(self._public(index, entry) for index, entry in enumerate(table.public)),
            baseline=self._inside("baseline", table.baseline),
            declaration=None if table.prove is None else declaration(self._source, table.prove),
        )

    def _rules(self, key: str, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                rule_named(name, self._known_rules)
            except LookupError as error:
                raise self._source.at(key, str(error)) from None
        return names

    def _word(self, key: str, word: str | None, levels: type[Level], default: Level) -> Level:
        words = {level.word: level for level in levels}
        if word is None:
            return default
        if word not in words:
            raise self._source.at(key, f"{word!r} is none of {', '.join(words)}.{suggestion(word, words)}")
        return words[word]

    def _budgets(self, given: _Budgets) -> Budgets:
        def amount(name: str, text: str | None, units: Mapping[str, Decimal], default: float) -> float:
            return self._source.amount(f"budgets.{name}", text, units, default)

        return Budgets(
            availability=amount("availability", given.availability, SHARES, STANDARD.availability),
            errors=amount("errors", given.errors, SHARES, STANDARD.errors),
            p95=amount("p95", given.p95, TIMES, STANDARD.p95),
            recovery=amount("recovery", given.recovery, TIMES, STANDARD.recovery),
        )

    def _inside(self, key: str, name: str | None) -> Path | None:
        """A path of the configuration's own folder: not of the rest of the machine."""
        if name is None:
            return None
        folder = self._source.file.parent.resolve()
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            raise self._source.at(key, f"{name!r} is outside the folder of this file")
        return path

    def _public(self, index: int, entry: _Public) -> Public:
        if bool(entry.operation) == bool(entry.path):
            raise self._source.at("public", "give either `operation` or `path`", index)
        if not entry.reason.strip():
            raise self._source.at("public", "give the `reason` why anyone may call it", index)
        return Public(entry.operation or entry.path, entry.reason, self._source.line("public", index))
