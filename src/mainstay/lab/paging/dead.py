"""Alerts that cannot fire, because nobody shows the metrics they are made of."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from mainstay.lab.paging.expressions import (
    Aggregate,
    Binary,
    Call,
    Matcher,
    Negative,
    Node,
    Number,
    Select,
    Subquery,
    Text,
    nodes,
)
from mainstay.lab.paging.promql import selected
from mainstay.lab.paging.rules import Rule
from mainstay.lab.paging.series import Recording, Series

# Metrics of programs that stand beside a service and are not started to prove it.
_EXPORTERS = (
    "alertmanager_ apiserver_ aws_ blackbox_ cadvisor_ cert_ certmanager_ container_ coredns_ elasticsearch_"
    " envoy_ etcd_ haproxy_ istio_ kafka_ kube_ kubelet_ machine_ memcached_ mongodb_ mysql_ nginx_ node_ pg_"
    " pgbouncer_ postgres_ probe_ prometheus_ rabbitmq_ redis_ traefik_ velero_ windows_"
).split()


class DeadAlert(Struct, frozen=True):
    """An alert that can never fire on what the targets show, or one that cannot be judged here."""

    alert: str
    severity: str
    reason: str
    missing: tuple[str, ...]  # the metrics, or `metric{label}`
    elsewhere: bool  # all that is missing belongs to an exporter beside the service: not judged here
    file: str
    line: int


def dead(rules: Sequence[Rule], recording: Recording) -> tuple[DeadAlert, ...]:
    """The alerts that cannot fire: no target had their metric, or no series of it the label they ask for.

    A metric that a target declares without any series yet counts as seen, and so does one whose series
    have other values of a label: both may come.  Call it when the service has had some load.
    """
    with recording.lock:
        look = _Look(recording, rules)
        return tuple(found for rule in rules if rule.alert for found in look.judged(rule))


def unseen_values(rules: Sequence[Rule], recording: Recording) -> tuple[str, ...]:
    """Notes on alerts that ask for a label value that no series had so far: it may come, or be a slip."""
    notes = []
    with recording.lock:
        for rule in rules:
            for select in _selects(rule):
                series = [] if select.name is None else recording.named(select.name)
                if series and not selected(select, recording):
                    notes.append(f"{rule.name}: no series matches {select} so far")
    return tuple(dict.fromkeys(notes))


class _Look:
    def __init__(self, recording: Recording, rules: Sequence[Rule]) -> None:
        self._recording = recording
        self._recorded = {rule.name: rule for rule in rules if not rule.alert}
        self._following: set[str] = set()  # recorded series that are being followed: they may name each other

    def judged(self, rule: Rule) -> Iterator[DeadAlert]:
        if rule.tree is None:
            return
        missing = tuple(dict.fromkeys(self._missing(rule.tree)))
        if not missing:
            return
        elsewhere = all(name.startswith(tuple(_EXPORTERS)) for name in missing)
        named = " and ".join(f"`{name}`" for name in missing)
        where = "belongs to an exporter that is not part of this run" if elsewhere else "is on no target"
        yield DeadAlert(
            rule.name, rule.severity, f"{named} {where}", missing, elsewhere, rule.file, rule.line
        )

    def _missing(self, node: Node) -> list[str]:
        """What a tree lacks to ever yield anything; nothing when it can."""
        match node:
            case Number() | Text():
                return []
            case Select():
                return self._lacking(node)
            case Aggregate() | Subquery() | Negative():
                return self._missing(node.inner)
            case Call():
                if node.function in ("absent", "absent_over_time", "vector", "scalar"):
                    return []  # they yield something where nothing is
                return [name for argument in node.arguments for name in self._missing(argument)]
            case Binary():
                left, right = self._missing(node.left), self._missing(node.right)
                if node.operator == "unless":
                    return left
                if node.operator == "or":
                    return [*left, *right] if left and right else []
                return [*left, *right]

    def _lacking(self, select: Select) -> list[str]:
        if select.name is None:
            return [] if selected(select, self._recording) else [str(select)]
        series = self._recording.named(select.name)
        if series:
            return [f"{select.name}{{{label}}}" for label in _labels_never_seen(select.matchers, series)]
        if self._recording.declared(select.name):
            return []
        rule = self._recorded.get(select.name)
        if rule is None or rule.tree is None or select.name in self._following:
            return [select.name] if rule is None else []
        self._following.add(select.name)
        try:
            return self._missing(rule.tree)
        finally:
            self._following.discard(select.name)


def _labels_never_seen(matchers: Sequence[Matcher], series: Sequence[Series]) -> list[str]:
    asked = [matcher.label for matcher in matchers if not matcher.matches("")]
    had = {name for one in series for name, _ in one.labels}
    return [label for label in dict.fromkeys(asked) if label not in had]


def _selects(rule: Rule) -> Iterator[Select]:
    if rule.tree is not None:
        yield from (node for node in nodes(rule.tree) if isinstance(node, Select))
