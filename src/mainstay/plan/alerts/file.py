"""The rule file, as Prometheus reads it."""

from typing import Any

import yaml

from mainstay.plan.alerts.rule import Alert, Group, Recording


def text(groups: tuple[Group, ...]) -> str:
    """The rule file, as Prometheus reads it."""
    document = {"groups": [_group(group) for group in groups]}
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def _group(group: Group) -> dict[str, Any]:
    return {"name": group.name, "interval": group.every, "rules": [_rule(rule) for rule in group.rules]}


def _rule(rule: Recording | Alert) -> dict[str, Any]:
    if isinstance(rule, Recording):
        return {"record": rule.name, "expr": rule.expression, "labels": dict(rule.labels)}
    return {
        "alert": rule.name,
        "expr": rule.expression,
        "for": _written(rule.wait),
        "labels": {"severity": rule.severity, **dict(rule.labels)},
        "annotations": {"summary": rule.summary, "runbook_url": rule.runbook},
    }


def _written(seconds: float) -> str:
    """A duration as Prometheus reads it."""
    for unit, letter in ((3600, "h"), (60, "m")):
        if seconds % unit == 0:
            return f"{seconds / unit:.0f}{letter}"
    return f"{seconds:.0f}s"


class _Dumper(yaml.SafeDumper):
    """Expressions of several lines stay several lines."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _string)
