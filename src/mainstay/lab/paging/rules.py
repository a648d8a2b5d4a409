"""Reads alert rules: Prometheus' rule files, and the PrometheusRule resources of Kubernetes.

Templates in labels and annotations are left as they are.  Text that is not YAML, not of the form of a rule or
not PromQL is an AlertError with file and line: Prometheus would refuse the whole file.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from msgspec import Struct

from mainstay.lab.error import LabError
from mainstay.lab.paging.expressions import Node, NotExpression, Unsupported, parse
from mainstay.lab.paging.promql import supported

_BIGGEST = 5 << 20  # bytes
_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_UNITS = (365 * 86400.0, 7 * 86400.0, 86400.0, 3600.0, 60.0, 1.0, 0.001)
_MERGE = "tag:yaml.org,2002:merge"


class AlertError(LabError):
    """A file of alert rules that cannot be used; the message begins with file and line."""


class Rule(Struct, frozen=True):
    """An alert, or a series that is recorded for alerts to use."""

    name: str
    expression: str
    tree: Node | None  # None: see `unsupported`
    alert: bool
    wait: float = 0.0  # seconds that the expression has to hold: `for`
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    group: str = ""
    file: str = ""
    line: int = 0
    unsupported: str = ""  # what in the expression we do not evaluate

    @property
    def severity(self) -> str:
        """The label that decides who is told; empty where there is none."""
        return self.labels.get("severity", "")


def read_rules(paths: Sequence[Path]) -> tuple[Rule, ...]:
    """The rules of all files in their order; raises AlertError."""
    return tuple(rule for path in paths for rule in _file(path))


def parse_rules(text: str, file: str) -> tuple[Rule, ...]:
    """The rules in the text of one file; raises AlertError."""
    try:
        documents = list(yaml.compose_all(text, yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise AlertError(f"{file}:{line}: not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise AlertError(f"{file}:1: not YAML: {' '.join(str(error).split())}") from error
    try:
        return tuple(
            rule for document in documents if not _empty(document) for rule in _document(document, file)
        )
    except RecursionError as error:
        raise AlertError(f"{file}:1: a part of it contains itself") from error


def _file(path: Path) -> tuple[Rule, ...]:
    try:
        if path.stat().st_size > _BIGGEST:
            raise AlertError(f"{path}:1: larger than {_BIGGEST >> 20} MB")
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AlertError(f"{path}:1: cannot be read: {reason}") from error
    return parse_rules(text, str(path))


def _document(node: yaml.Node, file: str) -> Iterator[Rule]:
    top = _mapping(node, file, "a file of rules")
    kind = top.get("kind")
    if kind is not None:
        if _text(kind, file, "kind") != "PrometheusRule":
            return  # another resource in the same file
        top = _mapping(top.get("spec", node), file, "spec")
    if "groups" not in top:
        raise _wrong(node, file, "no `groups`")
    for group in _list(top["groups"], file, "groups"):
        fields = _mapping(group, file, "a group")
        name = _text(fields["name"], file, "name") if "name" in fields else ""
        for rule in _list(fields["rules"], file, "rules") if "rules" in fields else []:
            yield _rule(rule, name, file)


def _rule(node: yaml.Node, group: str, file: str) -> Rule:
    fields = _mapping(node, file, "a rule")
    alert = "alert" in fields
    if alert == ("record" in fields):
        raise _wrong(node, file, "a rule has either `alert` or `record`")
    if "expr" not in fields:
        raise _wrong(node, file, "a rule without `expr`")
    name = _text(fields["alert" if alert else "record"], file, "its name")
    expression = _text(fields["expr"], file, "expr").strip()
    tree, unsupported = _tree(expression, fields["expr"], name, file)
    return Rule(
        name,
        expression,
        tree,
        alert,
        _duration(fields["for"], file) if "for" in fields else 0.0,
        _texts(fields.get("labels"), file, "labels"),
        _texts(fields.get("annotations"), file, "annotations"),
        group,
        file,
        node.start_mark.line + 1,
        unsupported,
    )


def _tree(expression: str, node: yaml.Node, name: str, file: str) -> tuple[Node | None, str]:
    try:
        tree = parse(expression)
        supported(tree)
    except Unsupported as error:
        return None, str(error)
    except NotExpression as error:
        raise _wrong(node, file, f"the expression of {name} is not PromQL: {error}") from error
    return tree, ""


def _duration(node: yaml.Node, file: str) -> float:
    text = _text(node, file, "for")
    match = _DURATION.fullmatch(text)
    if text == "0":
        return 0.0
    if match is None or not text:
        raise _wrong(node, file, f"{text!r} is not a duration")
    return sum(int(count) * unit for count, unit in zip(match.groups(), _UNITS, strict=True) if count)


def _mapping(node: yaml.Node, file: str, what: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(node, file, f"{what} is not a mapping")
    merged: dict[str, yaml.Node] = {}
    own: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.tag == _MERGE and value is not node:
            merged |= _mapping(value, file, "what `<<` names")
        elif isinstance(key, yaml.ScalarNode):
            own[key.value] = value
    return merged | own


def _list(node: yaml.Node, file: str, what: str) -> list[yaml.Node]:
    if _empty(node):
        return []
    if not isinstance(node, yaml.SequenceNode):
        raise _wrong(node, file, f"{what} is not a list")
    return list(node.value)


def _empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _text(node: yaml.Node, file: str, what: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _wrong(node, file, f"{what} is not a text")
    return str(node.value)


def _texts(node: yaml.Node | None, file: str, what: str) -> dict[str, str]:
    if node is None or _empty(node):
        return {}
    return {key: _text(value, file, key) for key, value in _mapping(node, file, what).items()}


def _wrong(node: yaml.Node, file: str, why: str) -> AlertError:
    return AlertError(f"{file}:{node.start_mark.line + 1}: {why}")
