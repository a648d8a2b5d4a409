"""Finds the documents a service needs: the API specification, the runbooks, what to do after a disaster.

Files are opened and read, nothing is run, no address is looked up, and no link out of the tree is followed.
"""

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from mainstay.model.location import Location
from mainstay.model.project import AlertPage, Documents, RunbookLink
from mainstay.sources.discovery import NEVER

LARGEST = 2 * 1024 * 1024  # bytes; longer files are no documents that people read
MOST = 5_000  # files looked at
SHORTEST = 40  # words; what has fewer is a heading that waits for its text
PROSE = (".md", ".rst", ".adoc", ".txt")
DATA = (".json", ".yaml", ".yml")
RUNBOOK_NAMES = ("*runbook*", "*playbook*")
RECOVERY_NAMES = ("*disaster*", "*recovery*", "*restore*")
RECOVERY_TITLE = re.compile(
    r"(?im)^(?:#+|=+)\s+.*(?:disaster recovery|backups? and restore|restor\w+ (?:from )?(?:a |the )?backup)"
)
ANNOTATIONS = ("runbook_url", "runbook", "playbook", "runbook_uri")


def read_documents(root: Path, alerts: Sequence[str] = ()) -> Documents:
    """What there is below `root`; `alerts` names files with alert rules, none meaning those that hold some.

    Never raises for what it finds there; what cannot be read is told in `unread`.
    """
    return _Search(root.resolve(), alerts).documents()


class _Search:
    def __init__(self, root: Path, alerts: Sequence[str]) -> None:
        self._root = root
        self._alerts = tuple(alerts)
        self._unread: list[str] = []
        self._prose: dict[str, str] = {}
        self._data: dict[str, str] = {}

    def documents(self) -> Documents:
        for path in self._paths():
            text = self._text(path)
            if text is not None:
                (self._prose if path.lower().endswith(PROSE) else self._data)[path] = text
        return Documents(
            openapi=tuple(path for path, text in self._data.items() if _is_openapi(path, text)),
            runbooks=tuple(self._named(RUNBOOK_NAMES)),
            recovery=tuple(dict.fromkeys([*self._named(RECOVERY_NAMES), *self._titled()])),
            alerts=tuple(self._alert_pages()),
            unread=tuple(self._unread),
        )

    # --- files -------------------------------------------------------------------------------------

    def _paths(self) -> Iterator[str]:
        """The documents and data files below the root, sorted; links are not followed."""
        found = 0
        for folder, folders, names in os.walk(self._root):
            folders[:] = sorted(f for f in folders if f not in NEVER and not f.startswith("."))
            for name in sorted(names):
                if not name.lower().endswith(PROSE + DATA):
                    continue
                found += 1
                if found > MOST:
                    self._unread.append(f"Only the first {MOST:,} documents were looked at.")
                    return
                yield (Path(folder) / name).relative_to(self._root).as_posix()

    def _text(self, path: str) -> str | None:
        file = self._root / path
        try:
            if file.is_symlink() or not file.is_file():
                return None
            if file.stat().st_size > LARGEST:
                return None
            return file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            self._unread.append(f"{path}: it could not be read: {error.strerror}.")
            return None

    def _named(self, patterns: Sequence[str]) -> Iterator[str]:
        """Documents with such a name, or in a folder with one, that have something to say."""
        for path, text in self._prose.items():
            parts = PurePosixPath(path.lower()).parts
            if any(fnmatch(part, p) for part in parts for p in patterns) and len(text.split()) >= SHORTEST:
                yield path

    def _titled(self) -> Iterator[str]:
        """Documents with a part of their own on recovery, and enough text below its title."""
        for path, text in self._prose.items():
            title = RECOVERY_TITLE.search(text)
            if title and len(text[title.end() :].split()) >= SHORTEST:
                yield path

    # --- alerts ------------------------------------------------------------------------------------

    def _alert_pages(self) -> Iterator[AlertPage]:
        for path in self._alerts or [p for p, text in self._data.items() if re.search(r"\balert\b", text)]:
            text = self._data.get(path)
            if text is None:
                self._unread.append(f"{path}: there are no alert rules to read.")
                continue
            for name, annotations in self._rules(path, text):
                link, runbook = self._runbook(path, name, annotations)
                yield AlertPage(name, Location(path, _line_of(text, name)), link, runbook)

    def _rules(self, path: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and annotations of each alert; a file with none of them yields none."""
        try:
            from mainstay.sources.yaml_text import YamlError, parse
        except ImportError:
            self._unread.append(f"{path}: alert rules are read with PyYAML, which mainstay[prove] brings.")
            return
        try:
            documents = [parse(part) for part in re.split(r"(?m)^---(?:\s.*)?$", text)]
        except YamlError as error:
            if path in self._alerts or re.search(r"(?m)^\s*- alert:", text):
                self._unread.append(f"{path}: this is no valid YAML: {error}.")
            return
        for document in documents:
            for rule in _alert_rules(document):
                annotations = rule.get("annotations")
                yield rule["alert"], annotations if isinstance(annotations, dict) else {}

    def _runbook(self, path: str, name: str, annotations: dict[str, Any]) -> tuple[RunbookLink, str]:
        """The page that an alert leads to: named by the alert, or one that speaks of it."""
        named = next((n for key in ANNOTATIONS if isinstance(n := annotations.get(key), str) and n), "")
        if named:
            document = self._document_of(path, named)
            if document is not None:
                link = RunbookLink.FOUND if self._says(document, name, named) else RunbookLink.BROKEN
                return link, document if link is RunbookLink.FOUND else named
        for document in self._named(RUNBOOK_NAMES):
            if _mentions(self._prose[document], name):
                return RunbookLink.FOUND, document
        if not named:
            return RunbookLink.NONE, ""
        return (RunbookLink.NAMED if "://" in named else RunbookLink.BROKEN), named

    def _document_of(self, path: str, named: str) -> str | None:
        """The document of the project that `named` means, be it a path or an address of its host."""
        target = re.split(r"[#?,\s]", named.strip())[0]
        if "://" in target:
            target = target.partition("://")[2].partition("/")[2]
            ends = [d for d in self._prose if target.endswith(d) and "/" in d]
            return max(ends, key=len, default=None)
        beside = os.path.normpath(PurePosixPath(path).parent / target)
        return next((d for d in (os.path.normpath(target), beside) if d in self._prose), None)

    def _says(self, document: str, name: str, named: str) -> bool:
        """Whether the document speaks of the alert, or has the part that the alert names."""
        text = self._prose[document]
        part = re.search(r'#([\w-]+)|"([^"]+)"', named)
        if _mentions(text, name):
            return True
        if part is None:
            return False
        wanted = _slug(part[1] or part[2])
        return any(_slug(title) == wanted for title in re.findall(r"(?m)^(?:#+|=+)\s+(.+)$", text))


def _alert_rules(document: object) -> Iterator[dict[str, Any]]:
    """The alert rules of a Prometheus rule file or of a `PrometheusRule` of Kubernetes."""
    if not isinstance(document, dict):
        return
    spec = document.get("spec")
    groups = document.get("groups", spec.get("groups") if isinstance(spec, dict) else None)
    for group in groups if isinstance(groups, list) else ():
        rules = group.get("rules") if isinstance(group, dict) else None
        for rule in rules if isinstance(rules, list) else ():
            if isinstance(rule, dict) and isinstance(rule.get("alert"), str) and rule["alert"]:
                yield rule


def _is_openapi(path: str, text: str) -> bool:
    """Whether a data file is an OpenAPI document: it says so, and it names paths."""
    if path.endswith(".json"):
        return bool(re.search(r'"(?:openapi|swagger)"\s*:\s*"[23]\.', text) and '"paths"' in text)
    says = re.search(r"""(?m)^(?:openapi|swagger):\s*["']?[23]\.""", text)
    return bool(says and re.search(r"(?m)^paths:", text))


def _mentions(text: str, name: str) -> bool:
    return bool(re.search(rf"(?i)(?<!\w){re.escape(name)}(?!\w)", text))


def _slug(title: str) -> str:
    return re.sub(r"[^\w]+", "-", title.lower()).strip("-")


def _line_of(text: str, name: str) -> int:
    found = re.search(rf"alert:\s*[\"']?{re.escape(name)}\b", text)
    return text.count("\n", 0, found.start()) + 1 if found else 1
