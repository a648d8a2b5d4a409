"""The dashboard: what is on it, and that Grafana and Prometheus can read it."""

import json
from itertools import combinations

import pytest

from mainstay.lab.paging.expressions import Select, nodes, parse
from mainstay.lab.paging.promql import evaluate, supported
from mainstay.lab.paging.series import Store
from mainstay.plan.alerts import BAD, SIGNALS, WINDOWS
from mainstay.plan.dashboard import Dashboard, Panel, dashboard, text
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def made(spec: str = PAYMENTS) -> Dashboard:
    return dashboard(read(spec, "spec.yaml"))


def panel(found: Dashboard, title: str) -> Panel:
    (one,) = (panel for panel in found.panels if panel.title == title)
    return one


def test_it_is_read_from_the_budgets_down_to_the_causes() -> None:
    assert [panel.title for panel in made().panels] == [
        "Budget left: availability",
        "Budget left: errors",
        "Budget left: latency",
        "Budget left: latency-get-charge",
        "Bad requests",
        "Requests by status",
        "p95 by operation",
        "p95: get_charge",
        "Needs: failures",
        "Needs: open breakers",
        "What guards did",
        "Connections in use",
        "Under way",
        "Outbox: messages",
        "Outbox: oldest",
        "Database",
        "Disk left",
        "Age of the backup",
    ]


def test_what_a_service_has_not_got_has_no_panel() -> None:
    titles = {panel.title for panel in made(BOOKINGS).panels}
    assert not any(title.startswith(("Needs", "Outbox")) for title in titles)


@pytest.mark.parametrize("spec", [PAYMENTS, BOOKINGS])
def test_every_expression_is_promql_over_metrics_that_alerts_or_the_runtime_know(spec: str) -> None:
    known = {signal.name for signal in SIGNALS} | {f"{BAD}{window}" for window in (*WINDOWS, "30d")}
    for one in made(spec).panels:
        for query in one.queries:
            tree = parse(query.expression)
            supported(tree)
            assert {node.name for node in nodes(tree) if isinstance(node, Select)} <= known, one.title


def test_the_budget_that_is_left_is_all_of_it_and_below_nothing_when_it_is_overspent() -> None:
    (query,) = panel(made(), "Budget left: availability").queries
    for bad, left in ((0.0, 1.0), (0.0005, 0.5), (0.002, -1.0)):
        store = Store(0.0)
        labels = (("objective", "availability"), ("service", "payments"))
        store.series(f"{BAD}30d", labels).add(0, bad)
        found = evaluate(parse(query.expression), store, 0)
        assert isinstance(found, list)
        assert [element.value for element in found] == [pytest.approx(left)]


def test_the_p95_is_shown_for_each_operation_beside_its_objective() -> None:
    store = Store(0.0)
    for method, slow in (("GET", 0.0), ("POST", 100.0)):
        labels = (("job", "payments"), ("method", method), ("route", "/v1/charges"))
        for le, share in (("0.2", 100.0 - slow), ("1.0", 100.0), ("+Inf", 100.0)):
            series = store.series("http_request_seconds_bucket", tuple(sorted((*labels, ("le", le)))))
            for minute in range(6):
                series.add(minute * 60_000, share * minute)
    one = panel(made(), "p95 by operation")
    found = evaluate(parse(one.queries[0].expression), store, 300_000)
    assert isinstance(found, list)
    told = {dict(element.labels)["method"]: element.value for element in found}
    assert told == {"GET": pytest.approx(0.19), "POST": pytest.approx(0.96)}
    assert (one.limit, panel(made(), "p95: get_charge").limit) == (0.2, 0.05)


@pytest.mark.parametrize("spec", [PAYMENTS, BOOKINGS])
def test_grafana_is_given_panels_that_do_not_overlap_and_have_ids_of_their_own(spec: str) -> None:
    document = json.loads(text(made(spec)))
    assert document["schemaVersion"] == 39
    assert len(document["uid"]) <= 40
    panels = document["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
    for shown in panels:
        assert shown["datasource"] == {"type": "prometheus", "uid": "${source}"}
        assert shown["targets"]
        assert shown["description"]
        refs = [target["refId"] for target in shown["targets"]]
        assert len(refs) == len(set(refs))
    (source,) = document["templating"]["list"]
    assert (source["type"], source["name"]) == ("datasource", "source")


def test_what_is_bad_below_its_line_is_red_below_it() -> None:
    document = json.loads(text(made()))
    shown = {one["title"]: one["fieldConfig"]["defaults"] for one in document["panels"]}
    red, green = shown["Disk left"]["thresholds"]["steps"]
    assert (red["color"], green["color"], green["value"]) == ("red", "green", 0.1)
    first, second = shown["p95 by operation"]["thresholds"]["steps"]
    assert (first["color"], second["color"], second["value"]) == ("green", "red", 0.2)
    assert "thresholds" not in shown["Under way"]


def test_the_text_is_always_the_same() -> None:
    assert text(made()) == text(made())
