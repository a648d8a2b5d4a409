"""Alerts that cannot fire, and those that may yet."""

import pytest

from mainstay.lab.paging.dead import dead, unseen_values
from mainstay.lab.paging.exposition import Sample
from mainstay.lab.paging.rules import Rule, parse_rules
from mainstay.lab.paging.series import Recording

WEB = (("instance", "web-1"), ("job", "web"))


def shown() -> Recording:
    recording = Recording()
    samples = (
        Sample("requests_total", (("status", "200"),), 5.0),
        Sample("depth", (), 1.0),
        Sample("seconds_bucket", (("le", "1.0"),), 1.0),
    )
    types = {
        "requests_total": "counter",
        "failures_total": "counter",
        "seconds": "histogram",
        "late": "counter",
    }
    recording.scraped(1.0, WEB, samples, types)
    return recording


def rules(expression: str) -> tuple[Rule, ...]:
    return parse_rules(f"groups: [{{rules: [{{alert: A, expr: {expression!r}}}]}}]", "a.yml")


@pytest.mark.parametrize(
    ("expression", "missing"),
    [
        ("rate(request_total[5m]) > 1", ("request_total",)),
        ('rate(requests_total{code="500"}[5m]) > 1', ("requests_total{code}",)),
        ("sum(a) / sum(b) > 1", ("a", "b")),
        ("depth > 5 and nothing == 1", ("nothing",)),
        ("nothing > 5 or nowhere > 5", ("nothing", "nowhere")),
        ("nothing unless depth", ("nothing",)),
        ("histogram_quantile(0.9, rate(second_bucket[5m])) > 1", ("second_bucket",)),
        ('{__name__=~"queue_.*"} > 1', ('{__name__=~"queue_.*"}',)),
    ],
)
def test_an_alert_over_what_nobody_shows_cannot_fire(expression: str, missing: tuple[str, ...]) -> None:
    (found,) = dead(rules(expression), shown())
    assert found.missing == missing
    assert found.reason.endswith("is on no target")
    assert not found.elsewhere


@pytest.mark.parametrize(
    "expression",
    [
        "rate(requests_total[5m]) > 1",
        'rate(requests_total{status=~"5.."}[5m]) > 1',  # a value that may come
        'requests_total{code!="500"} > 1',  # true of a series without the label
        "rate(failures_total[5m]) > 1",  # declared, and no series before the first failure
        "rate(late_total[5m]) > 1",  # declared in OpenMetrics without its ending
        "rate(seconds_count[5m]) > 1",
        "absent(nothing)",
        "depth > 5 or nothing > 5",
        "depth unless nothing",
        "up == 0 and scrape_duration_seconds > 1",
        "vector(1)",
        "a @ 5",
    ],
)
def test_an_alert_that_may_fire_is_not_called_dead(expression: str) -> None:
    assert dead(rules(expression), shown()) == ()


def test_metrics_of_an_exporter_beside_the_service_are_not_judged_here() -> None:
    (found,) = dead(rules("kube_pod_container_status_restarts_total > 1"), shown())
    assert found.elsewhere
    assert "an exporter that is not part of this run" in found.reason


def test_recorded_series_are_followed_to_what_they_are_made_of() -> None:
    text = """
groups:
  - rules:
      - {record: good, expr: "rate(requests_total[5m])"}
      - {record: bad, expr: "rate(request_total[5m])"}
      - {record: loop, expr: "loop + 1"}
      - {alert: Good, expr: "good > 1"}
      - {alert: Bad, expr: "bad > 1"}
      - {alert: Loop, expr: "loop > 1"}
"""
    assert [(one.alert, one.missing) for one in dead(parse_rules(text, "a.yml"), shown())] == [
        ("Bad", ("request_total",))
    ]


def test_a_label_value_that_was_not_seen_yet_is_only_a_note() -> None:
    (note,) = unseen_values(rules('rate(requests_total{status="500"}[5m]) > 1'), shown())
    assert note == 'A: no series matches requests_total{status="500"} so far'
    assert unseen_values(rules('requests_total{status="200"} > 1'), shown()) == ()
