"""Who is told when: the rules as Prometheus reads them, and outages as our own evaluator sees them."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest
import yaml
from prometheus_client import CollectorRegistry

from mainstay.lab.paging.alerting import Outcome, needed, record, run
from mainstay.lab.paging.expressions import Select, nodes, parse
from mainstay.lab.paging.promql import evaluate
from mainstay.lab.paging.rules import Rule, parse_rules
from mainstay.lab.paging.series import Store
from mainstay.model.specification import Specification
from mainstay.plan.alerts import (
    BAD,
    BURNS,
    SIGNALS,
    WINDOWS,
    Alert,
    Source,
    alerts,
    backup_every,
    backup_old,
    duration,
    pascal,
    rules,
    text,
    waiting,
)
from mainstay.plan.objectives import objectives, thresholds
from mainstay.sources.specification import read
from mainstay_runtime import events
from mainstay_runtime.objectives import Objectives
from tests.sources.specification.texts import BOOKINGS, PAYMENTS

HOUR = 3600
STEP = 30  # seconds between scrapes, and between evaluations


def payments(old: str = "", new: str = "") -> Specification:
    assert old in PAYMENTS
    return read(PAYMENTS.replace(old, new, 1) if old else PAYMENTS, "spec.yaml")


def parsed(specification: Specification) -> tuple[Rule, ...]:
    return parse_rules(text(rules(specification)), "alerts.yml")


def only(specification: Specification, name: str) -> list[Alert]:
    return [alert for alert in alerts(specification) if alert.name.endswith(name)]


# --- the file ----------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [PAYMENTS, BOOKINGS, BOOKINGS.replace("service: bookings", "service: a-b")])
def test_our_own_evaluator_reads_every_rule(spec: str) -> None:
    found = parsed(read(spec, "spec.yaml"))
    assert [rule.unsupported for rule in found if rule.tree is None] == []
    assert len([rule for rule in found if rule.alert]) == len(alerts(read(spec, "spec.yaml")))


@pytest.mark.parametrize("spec", [PAYMENTS, BOOKINGS])
def test_every_rule_uses_metrics_that_somebody_tells(spec: str) -> None:
    found = parsed(read(spec, "spec.yaml"))
    recorded = {rule.name for rule in found if not rule.alert}
    assert recorded == {f"{BAD}{window}" for window in (*WINDOWS, "30d")}
    known = recorded | {signal.name for signal in SIGNALS}
    for rule in found:
        assert rule.tree is not None
        assert {node.name for node in nodes(rule.tree) if isinstance(node, Select)} <= known


@pytest.mark.parametrize("spec", [PAYMENTS, BOOKINGS])
def test_every_alert_says_how_bad_what_how_long_and_where_to_read_on(spec: str) -> None:
    document = yaml.safe_load(text(rules(read(spec, "spec.yaml"))))
    found = [rule for group in document["groups"] for rule in group["rules"] if "alert" in rule]
    for alert in found:
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"]["summary"].endswith(".")
        assert alert["annotations"]["runbook_url"] == f"RUNBOOK.md#{alert['alert'].lower()}"
        assert alert["for"]
    told = [(rule["alert"], *sorted(rule["labels"].items()), rule["expr"]) for rule in found]
    assert len(told) == len(set(told))


def test_the_names_are_those_that_the_runbook_has_sections_for() -> None:
    assert list(dict.fromkeys(alert.name for alert in alerts(payments()))) == [
        "PaymentsErrorBudgetBurn",
        "PaymentsSlowRequests",
        "PaymentsNeedFailing",
        "PaymentsOutboxGrowing",
        "PaymentsDatabaseUnreachable",
        "PaymentsDiskFilling",
        "PaymentsBackupOld",
    ]
    assert pascal("user-auth") == "UserAuth"


def test_what_a_service_has_not_got_has_no_alert() -> None:
    names = {alert.name for alert in alerts(read(BOOKINGS, "spec.yaml"))}
    assert "BookingsNeedFailing" not in names
    assert "BookingsOutboxGrowing" not in names


# --- what wakes somebody -----------------------------------------------------------------------


def test_a_need_wakes_somebody_only_if_a_critical_operation_is_refused_without_it() -> None:
    later = [alert for alert in only(payments(), "NeedFailing") if ("need", "processor") in alert.labels]
    assert {alert.severity for alert in later} == {"ticket"}
    refusing = payments("when_down: accept and settle later ", "when_down: refuse ")
    refused = [alert for alert in only(refusing, "NeedFailing") if ("need", "processor") in alert.labels]
    assert {alert.severity for alert in refused} == {"page"}
    assert len(refused) == 2  # the open breaker, and the share of failures


def test_the_outbox_is_too_full_when_it_holds_what_comes_in_within_the_recovery_budget() -> None:
    # charge, 30/s: a message to `receipts` and one to `processor`, which is settled later; 300 s.
    assert waiting(payments()) == 30 * 2 * 300
    oldest, growing, dead, relay = only(payments(), "OutboxGrowing")
    assert "> 300" in oldest.expression
    assert "> 18000" in growing.expression
    assert [one.severity for one in (oldest, growing, dead, relay)] == ["page", "ticket", "ticket", "page"]


def test_backups_follow_from_what_may_be_lost() -> None:
    assert backup_every(payments()) == 86_400
    assert len(only(payments(), "BackupOld")) == 2  # nothing may be lost: the log is archived as well
    hourly = payments("data_loss: 0s", "data_loss: 1h")
    assert (backup_every(hourly), backup_old(hourly)) == (1800, 2700)
    (old,) = only(hourly, "BackupOld")
    assert old.severity == "page"


def test_a_budget_so_large_that_it_cannot_burn_so_fast_has_no_such_alert() -> None:
    lax = payments("availability: 99.9%, errors: 0.1%", "availability: 90%, errors: 0.1%")
    windows = [
        dict(alert.labels).get("window")
        for alert in only(lax, "ErrorBudgetBurn")
        if ("objective", "availability") in alert.labels
    ]
    assert windows == ["6h", "1d", "3d", None]  # 14.4 x 10 % is more than all requests


def test_a_promise_for_all_requests_has_no_budget_and_pages_at_the_first_bad_one() -> None:
    strict = payments("availability: 99.9%", "availability: 100%")
    first, *_ = only(strict, "ErrorBudgetBurn")
    assert first.expression == f'{BAD}5m{{service="payments",objective="availability"}} > 0'
    assert all("window" not in dict(one.labels) for one in alerts(strict) if "> 0" in one.expression)


# --- outages -----------------------------------------------------------------------------------

Served = Callable[[int], tuple[float, float]]  # in a second: requests answered well, and failed


def store(served: Served, seconds: int, route: str = "/v1/charges", method: str = "POST") -> Store:
    """What Prometheus has scraped of the counters and the histogram; failed requests are slow as well."""
    made = Store(0.0)
    labels = (("job", "payments"), ("method", method), ("route", route))
    good = made.series("http_requests_total", (*labels, ("status", "2xx")))
    failed = made.series("http_requests_total", (*labels, ("status", "5xx")))
    count = made.series("http_request_seconds_count", labels)
    quick = made.series("http_request_seconds_bucket", tuple(sorted((*labels, ("le", "0.2")))))
    up = made.series("up", (("instance", "1"), ("job", "payments")))
    well = bad = 0.0
    for second in range(0, seconds + 1, STEP):
        at = second * 1000
        for series, value in ((good, well), (count, well + bad), (quick, well), (up, 1.0)):
            series.add(at, value)
        if bad:  # a client shows a series from its first request on
            failed.add(at, bad)
        now = served(second)
        well, bad = well + now[0] * STEP, bad + now[1] * STEP
    return made


def fired(found: Store, names: Sequence[str], begins: int, ends: int) -> list[Outcome]:
    """The alerts of these names that fire in a stretch of time, in seconds."""
    known = [rule for rule in needed(parsed(payments())) if not rule.alert or rule.name in names]
    record(known, found, range((begins - HOUR) * 1000, ends * 1000 + 1, STEP * 1000))
    outcomes = run(known, found, begins * 1000, ends * 1000, STEP * 1000)
    return [outcome for outcome in outcomes if outcome.fires is not None]


BUDGETS = ("PaymentsErrorBudgetBurn", "PaymentsSlowRequests")
QUIET = 6 * HOUR


def first(outcomes: Sequence[Outcome], objective: str, window: str) -> float:
    """Seconds after the quiet that an alert fired."""
    (one,) = (
        outcome
        for outcome in outcomes
        if outcome.rule.labels.get("objective") == objective and outcome.rule.labels.get("window") == window
    )
    assert one.fires is not None
    return one.fires / 1000 - QUIET


def test_nobody_is_told_while_all_is_quiet() -> None:
    quiet = store(lambda second: (50.0, 0.01), QUIET + HOUR)  # 0.02 % fail: a fifth of the budget
    assert fired(quiet, BUDGETS, QUIET, QUIET + HOUR) == []


def test_a_service_without_any_request_tells_nobody() -> None:
    assert fired(store(lambda second: (0.0, 0.0), QUIET), BUDGETS, QUIET - HOUR, QUIET) == []


def test_a_full_outage_pages_when_the_burn_rate_says() -> None:
    out = store(lambda second: (50.0, 0.0) if second < QUIET else (0.0, 50.0), QUIET + HOUR)
    outcomes = fired(out, BUDGETS, QUIET, QUIET + HOUR // 2)
    # 14.4 x 0.1 % of an hour is 51.84 s of full outage; then it has to hold for 120 s.
    available, latency = objectives(payments())[0], objectives(payments())[2]
    assert BURNS[0].fires_after(available) == pytest.approx(171.84)
    assert first(outcomes, "availability", "1h") == pytest.approx(171.84, abs=2 * STEP)
    assert first(outcomes, "errors", "1h") == pytest.approx(171.84, abs=2 * STEP)
    # Six times: 0.6 % of what there is of six hours, 129.6 s; then 900 s.
    assert BURNS[1].fires_after(available) == pytest.approx(1029.6)
    assert first(outcomes, "availability", "6h") == pytest.approx(1029.6, abs=2 * STEP)
    # All are late as well: 72 % of an hour are 2,592 s.
    assert BURNS[0].fires_after(latency) == pytest.approx(2712)
    assert all(outcome.rule.name == "PaymentsErrorBudgetBurn" for outcome in outcomes)


def test_one_request_in_twenty_pages_after_twenty_times_as_long() -> None:
    part = store(lambda second: (50.0, 0.0) if second < QUIET else (47.5, 2.5), QUIET + HOUR)
    outcomes = fired(part, BUDGETS, QUIET, QUIET + HOUR)
    # 51.84 s / 5 % + 120 s
    assert first(outcomes, "availability", "1h") == pytest.approx(1156.8, abs=2 * STEP)


def test_a_short_outage_that_is_over_pages_nobody() -> None:
    served: Served = lambda second: (0.0, 50.0) if QUIET <= second < QUIET + 30 else (50.0, 0.0)  # noqa: E731
    found = fired(store(served, QUIET + HOUR), BUDGETS, QUIET, QUIET + HOUR)
    assert [outcome for outcome in found if outcome.rule.severity == "page"] == []  # 30 s < 51.84 s


def test_slow_answers_are_told_apart_from_failed_ones() -> None:
    slow = store(lambda second: (50.0, 0.0) if second < QUIET else (10.0, 40.0), QUIET + 2 * HOUR)
    for series in slow.named("http_requests_total"):
        series.labels = tuple((key, "2xx" if key == "status" else value) for key, value in series.labels)
    outcomes = fired(slow, BUDGETS, QUIET, QUIET + 2 * HOUR)
    assert {outcome.rule.name for outcome in outcomes} == {"PaymentsSlowRequests"}
    # 72 % of an hour's requests, of which 80 % are late: 3,240 s, and 120 s.
    assert first(outcomes, "latency", "1h") == pytest.approx(3360, abs=2 * STEP)


def test_no_instance_at_all_pages_although_nothing_is_counted() -> None:
    gone = store(lambda second: (50.0, 0.0), QUIET)
    for series in gone.all():
        series.end(QUIET * 1000 + 1)
    (outcome,) = fired(gone, BUDGETS, QUIET - HOUR, QUIET + HOUR)
    assert outcome.rule.expression == 'absent(up{job="payments"} == 1)'
    assert outcome.fires == (QUIET + STEP + 60) * 1000


def test_each_speed_spends_the_share_of_the_budget_that_the_workbook_names() -> None:
    assert [round(burn.spent, 6) for burn in BURNS] == [0.02, 0.05, 0.1, 0.1]
    assert all(duration(burn.short) * 12 == duration(burn.long) for burn in BURNS)


# --- causes ------------------------------------------------------------------------------------


def caused(name: str, series: dict[tuple[str, str], Callable[[int], float]], seconds: int) -> list[Outcome]:
    """What fires of one alert; series by metric and labels such as `job=payments need=processor`."""
    made = Store(0.0)
    for (metric, labels), value in series.items():
        pairs = tuple(sorted((key, text) for key, _, text in (one.partition("=") for one in labels.split())))
        one = made.series(metric, pairs)
        for second in range(0, seconds + 1, STEP):
            one.add(second * 1000, value(second))
    known = [rule for rule in parsed(payments()) if rule.name == f"Payments{name}"]
    return [one for one in run(known, made, 0, seconds * 1000, STEP * 1000) if one.fires is not None]


RELAY = {("up", "job=payments-relay"): lambda second: 1.0}


def test_an_open_breaker_and_failing_calls_tell_of_their_need() -> None:
    failing = {
        ("guard_breaker_open", "job=payments name=processor"): lambda second: (
            (1.0 if second % 60 else 0.5) if second >= 600 else 0.0
        ),
        ("need_calls_total", "job=payments need=processor outcome=ok"): lambda second: second * 8.0,
        ("need_calls_total", "job=payments need=processor outcome=failed"): lambda second: second * 2.0,
        ("need_calls_total", "job=payments-relay need=receipts outcome=ok"): lambda second: second * 1.0,
    }
    breaker, share = caused("NeedFailing", failing, 1200)
    assert breaker.fires == (600 + 120) * 1000
    assert share.rule.labels["need"] == "processor"
    assert share.value == pytest.approx(0.2)


def test_the_outbox_tells_of_old_messages_and_of_a_heap_that_grows() -> None:
    def age(second: int) -> float:
        return float(max(0, second - 600))

    growing = {("guard_level", "job=payments-relay kind=outbox name=main what=age"): age} | RELAY
    (old,) = caused("OutboxGrowing", growing, 1800)
    assert old.fires == (600 + 300 + STEP + 120) * 1000
    heap = {
        ("guard_level", "job=payments-relay kind=outbox name=main what=depth"): lambda second: second * 60.0
    } | RELAY
    (grown,) = caused("OutboxGrowing", heap, 3600)
    assert grown.fires == pytest.approx((300 + STEP + 600) * 1000)
    given_up = {
        ("guard_level", "job=payments-relay kind=outbox name=main what=dead"): lambda second: 1.0
    } | RELAY
    assert [one.rule.severity for one in caused("OutboxGrowing", given_up, 600)] == ["ticket"]
    (absent,) = caused("OutboxGrowing", {}, 600)
    assert "payments-relay" in absent.rule.expression


def test_the_database_is_unreachable_for_one_instance_or_for_all() -> None:
    one = {
        ("ready_check", "job=payments check=database instance=1"): lambda second: 1.0,
        ("ready_check", "job=payments check=database instance=2"): lambda second: 0.0,
    }
    assert [outcome.rule.severity for outcome in caused("DatabaseUnreachable", one, 600)] == ["ticket"]
    none = {("ready_check", "job=payments check=database instance=1"): lambda second: 0.0}
    assert caused("DatabaseUnreachable", none, 600)[0].fires == 60_000
    away = {("pg_up", "job=payments-database"): lambda second: 0.0}
    assert [outcome.rule.severity for outcome in caused("DatabaseUnreachable", away, 600)] == ["page"]


def test_a_disk_tells_before_it_is_full() -> None:
    claim = "persistentvolumeclaim=payments-database"
    filling = {
        ("kubelet_volume_stats_available_bytes", claim): lambda second: 5e10 - second * 1e6,
        ("kubelet_volume_stats_capacity_bytes", claim): lambda second: 1e11,
    }
    (soon,) = caused("DiskFilling", filling, 2 * HOUR)  # 50 GB at 1 MB/s last 14 h
    assert soon.rule.severity == "ticket"
    full = {
        ("kubelet_volume_stats_available_bytes", claim): lambda second: 5e9,
        ("kubelet_volume_stats_capacity_bytes", claim): lambda second: 1e11,
    }
    assert [one.rule.severity for one in caused("DiskFilling", full, 2 * HOUR)] == ["page"]


def test_a_backup_that_never_was_and_a_log_that_is_not_archived_are_told() -> None:
    assert [one.rule.severity for one in caused("BackupOld", {}, 600)] == ["ticket"]
    failing = {
        ("backup_last_success_timestamp_seconds", "service=payments"): lambda second: 0.0,
        ("pg_stat_archiver_failed_count", "job=payments-database"): lambda second: float(second // 60),
    }
    (archive,) = caused("BackupOld", failing, HOUR)
    assert archive.rule.severity == "page"


# --- the runtime -------------------------------------------------------------------------------


def test_the_runtime_tells_what_we_ask_of_it_by_these_names_and_labels() -> None:
    """A request, an open breaker and a full outbox as `mainstay_runtime.objectives` shows them."""
    registry = CollectorRegistry()
    told = Objectives(
        p95=0.2, errors=0.001, also=thresholds(payments()), registry=registry, clock=lambda: 0.0
    )
    route = SimpleNamespace(path="/v1/charges/{id}/refunds")
    scope = {"type": "http", "method": "POST", "path": "/v1/charges/7/refunds", "route": route}
    try:
        told.begun()
        told.ended(scope, 503, 0.3)
        events.tell("breaker", "processor", "opened")
        events.tell("limiter", "processor", "limit", 20)
        for what in ("depth", "age", "dead"):
            events.tell("outbox", "main", what, 7)
    finally:
        told.close()
    samples = [sample for family in registry.collect() for sample in family.samples]
    labels = {sample.name: set(sample.labels) for sample in samples}
    for signal in SIGNALS:
        if signal.source is Source.RUNTIME and signal.name != "guard_events_total":
            assert labels[signal.name] == set(signal.labels), signal.name
    events_total = next(signal for signal in SIGNALS if signal.name == "guard_events_total")
    assert labels[events_total.name] == set(events_total.labels)

    made = Store(0.0)
    for sample in samples:
        pairs = tuple(sorted({**sample.labels, "job": "payments"}.items()))
        made.series(sample.name, pairs).add(0, sample.value)
    _, errors, latency, _ = objectives(payments())
    for objective, bad in ((errors, 1.0), (latency, 0.0)):
        assert [value(query, made) for query in objective.counted()] == [[bad], [1.0]]
    breaker = next(one for one in only(payments(), "NeedFailing") if "breaker" in one.expression)
    assert value(breaker.expression, made) == [1.0]
    assert value(only(payments(), "OutboxGrowing")[2].expression, made) == [7.0]


def value(query: str, made: Store) -> list[float]:
    found = evaluate(parse(query), made, 0)
    assert isinstance(found, list)
    return [element.value for element in found]
