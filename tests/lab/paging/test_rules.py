"""Files with alert rules, right and wrong."""

from pathlib import Path

import pytest

from mainstay.lab.paging.rules import AlertError, parse_rules, read_rules

EXAMPLE = Path(__file__).with_name("payments_alerts.yml")


def test_the_rules_of_the_example_are_read_with_what_they_wait_for() -> None:
    rules = read_rules([EXAMPLE])
    assert [(rule.name, rule.wait, rule.severity) for rule in rules] == [
        ("PaymentsErrors", 300.0, "page"),
        ("PaymentsSlow", 600.0, "page"),
        ("ProcessorFailing", 300.0, "page"),
        ("OutboxBehind", 600.0, "page"),
        ("DeliveriesFailing", 900.0, "ticket"),
        ("WorkerFailing", 0.0, "page"),
    ]
    assert {rule.group for rule in rules} == {"payments"}
    assert all(rule.tree is not None and rule.alert for rule in rules)
    assert "alert: PaymentsSlow" in EXAMPLE.read_text().splitlines()[rules[1].line - 1]


KUBERNETES = """\
apiVersion: v1
kind: ConfigMap
data: {alerts: "groups"}
---
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
spec:
  groups:
    - name: web
      rules:
        - record: job:errors:rate5m
          expr: sum by (job) (rate(errors_total[5m]))
          labels: {team: web}
        - alert: Errors
          expr: job:errors:rate5m > 1
          for: 1h30m
          labels: &labels {severity: critical, team: "{{ $labels.team }}"}
          annotations:
            summary: "{{ $value | humanize }} errors on {{ $labels.job }}"
        - alert: More
          expr: job:errors:rate5m > 10
          labels: {<<: *labels, severity: page}
    - name: empty
      rules:
"""


def test_a_kubernetes_resource_is_read_beside_others_with_templates_as_they_are() -> None:
    record, errors, more = parse_rules(KUBERNETES, "rules.yaml")
    assert (record.name, record.alert, record.labels) == ("job:errors:rate5m", False, {"team": "web"})
    assert (errors.wait, errors.labels["team"]) == (5400.0, "{{ $labels.team }}")
    assert errors.annotations["summary"].startswith("{{ $value | humanize }}")
    assert more.labels == {"severity": "page", "team": "{{ $labels.team }}"}


def test_an_expression_beyond_us_is_kept_and_named() -> None:
    (rule,) = parse_rules("groups: [{rules: [{alert: A, expr: 'a @ 5 > 1'}]}]", "f")
    assert rule.tree is None
    assert rule.unsupported == "the modifier `@`"


def rule(**fields: str) -> str:
    lines = [f"      {key}: {value}" for key, value in fields.items()]
    return "groups:\n  - name: g\n    rules:\n    -\n" + "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("groups: [", "a.yml:1: not YAML"),
        ("a: 1\nb: [}\n", "a.yml:2: not YAML"),
        ("groups:\n  - name: {{ .Values.name }}\n", "a.yml:"),
        ("!!python/object/apply:os.system ['true']", "a.yml:1: a file of rules is not a mapping"),
        ("- a", "a.yml:1: a file of rules is not a mapping"),
        ("rules: []", "a.yml:1: no `groups`"),
        ("groups: 5", "a.yml:1: groups is not a list"),
        (rule(alert="A"), "a.yml:5: a rule without `expr`"),
        (rule(expr="a"), "a.yml:5: a rule has either `alert` or `record`"),
        (rule(alert="A", record="b", expr="a"), "a.yml:5: a rule has either"),
        (rule(alert="A", expr="a >"), "a.yml:6: the expression of A is not PromQL"),
        (rule(alert="A", expr="[a]"), "a.yml:6: expr is not a text"),
        (rule(alert="A", expr="a", **{"for": "5 minutes"}), "a.yml:7: '5 minutes' is not a duration"),
        (rule(alert="A", expr="a", labels="[x]"), "a.yml:7: labels is not a mapping"),
        ("a: \x00", "a.yml:1: not YAML"),
    ],
)
def test_what_prometheus_would_refuse_is_an_error_with_file_and_line(text: str, message: str) -> None:
    with pytest.raises(AlertError) as raised:
        parse_rules(text, "a.yml")
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(AlertError, match=r"none\.yml:1: cannot be read: No such file"):
        read_rules([tmp_path / "none.yml"])
    (tmp_path / "latin").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(AlertError, match="cannot be read"):
        read_rules([tmp_path / "latin"])


def test_a_file_that_names_itself_ends() -> None:
    with pytest.raises(AlertError):
        parse_rules("groups: &a [*a]", "a.yml")
    with pytest.raises(AlertError):
        parse_rules("&a {<<: *a, b: 1}", "a.yml")
    with pytest.raises(AlertError, match="contains itself"):
        parse_rules("&a {<<: {<<: *a}}", "a.yml")


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("90s", 90), ("1d12h", 129600), ("500ms", 0.5)])
def test_durations_are_those_of_prometheus(text: str, seconds: float) -> None:
    (one,) = parse_rules(rule(alert="A", expr="a", **{"for": text}), "a.yml")
    assert one.wait == seconds
