"""Would anyone have been paged?  Faults of some seconds, and alerts that look at minutes."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mainstay.lab.paging.exposition import Sample
from mainstay.lab.paging.pages import Page, Watch, watch
from mainstay.lab.paging.rules import Rule, parse_rules, read_rules
from mainstay.lab.paging.series import Recording
from mainstay.model.proof import Origin

EXAMPLE = Path(__file__).with_name("payments_alerts.yml")
WEB = (("instance", "web-1"), ("job", "web"))
TYPES = {"depth": "gauge", "last_success_timestamp_seconds": "gauge"}
BEGAN, ENDED, OVER = 1030.5, 1045.5, 1060.5  # a scrape each second from 1001 on

Shown = Callable[[int, int], Sequence[Sample] | None]  # seconds since the start, and in the fault


def sample(name: str, value: float, **labels: str) -> Sample:
    return Sample(name, tuple(sorted(labels.items())), value)


def record(shown: Shown) -> Recording:
    """What a target shows from 30 s before a fault of 15 s to 15 s after it; None: it does not answer."""
    recording = Recording()
    for second in range(1, 61):
        samples = shown(second, max(0, min(15, second - 30)) if second <= 45 else -15)
        at = 1000.0 + second
        if samples is None:
            recording.failed(at, WEB)
        else:
            recording.scraped(at, WEB, samples, TYPES)
    return recording


def alert(expression: str, wait: str = "0s", severity: str = "page", name: str = "A") -> tuple[Rule, ...]:
    labels = f"labels: {{severity: {severity}}}" if severity else ""
    return parse_rules(
        f"""
groups:
  - name: g
    rules:
      - alert: {name}
        expr: {expression!r}
        for: {wait}
        {labels}
""",
        "a.yml",
    )


def judged(expression: str, shown: Shown, wait: str = "0s", severity: str = "page") -> Watch:
    return watch(alert(expression, wait, severity), record(shown), BEGAN, ENDED, until=OVER)


def only(found: Watch) -> Page:
    (page,) = found.pages
    return page


def failing(second: int, fault: int) -> Sequence[Sample]:
    """10 requests a second; while the fault lasts, 4 of them fail."""
    failed = 4 * abs(fault)
    good = 10 * second - failed
    samples = [sample("requests_total", good, status="200")]
    return [*samples, sample("requests_total", failed, status="500")] if failed else samples


RATIO = 'sum(rate(requests_total{status=~"5.."}[5m])) / sum(rate(requests_total[5m])) > 0.3'


def test_a_fault_too_short_for_its_alert_would_have_paged_had_it_gone_on() -> None:
    page = only(judged(RATIO, failing, wait="5m"))
    assert (page.alert, page.severity, page.origin) == ("A", "page", Origin.DERIVED)
    # 40 % of the requests fail: above 30 % of five minutes after some 225 s, and then for 300 s more.
    assert 500 <= page.fires_after <= 560
    assert 'requests_total{status="500"} at 4.14/s (before: absent)' in page.sum
    assert "has to hold for 300 s" in page.sum
    assert page.urgent


def test_the_arithmetic_of_how_long_it_takes_is_that_of_the_window() -> None:
    # 4 in 10 fail from 0 s on, so after t s the share of the last 300 s is 0.4 t / 300 of those requests.
    def steady(second: int, fault: int) -> Sequence[Sample]:
        failed = 4 * abs(fault)
        return [
            sample("requests_total", 10 * second - failed, status="200"),
            sample("requests_total", failed, status="500"),
        ]

    page = only(judged(RATIO, steady))
    assert page.fires_after == pytest.approx(300 * 0.3 / 0.4, abs=16)


def test_what_fired_as_it_was_is_measured() -> None:
    def down(second: int, fault: int) -> Sequence[Sample] | None:
        return None if fault > 0 else [sample("a", 1)]

    found = judged("up == 0", down, wait="5s")
    measured, derived = found.pages
    assert (measured.origin, derived.origin) == (Origin.MEASURED, Origin.DERIVED)
    assert measured.fires_after == pytest.approx(6.0, abs=1.1)
    assert "fired" in measured.sum
    assert found.soonest is measured


def test_a_target_that_is_gone_stays_gone_and_its_series_with_it() -> None:
    def down(second: int, fault: int) -> Sequence[Sample] | None:
        return None if fault > 0 else [sample("requests_total", 10 * second)]

    page = only(judged("up == 0", down, wait="10m"))
    assert page.fires_after == pytest.approx(615)
    assert "up at 0 (before: 1)" in page.sum
    assert only(judged("absent(requests_total)", down, wait="10m")).fires_after == pytest.approx(615)
    # A rate of errors sees nothing at all when the process is gone.
    found = judged("sum(rate(requests_total[1m])) < 1", down, wait="2m")
    assert found.pages == ()
    assert "no number to compare with < 1" in found.silent[0].why


def test_an_alert_that_wants_longer_than_the_horizon_is_silent_and_says_so() -> None:
    found = judged(RATIO, failing, wait="1h")
    assert found.pages == ()
    assert "30 min are not enough for its 3600 s" in found.silent[0].why


def test_an_alert_whose_threshold_is_not_reached_says_what_it_comes_to() -> None:
    found = judged("sum(rate(requests_total{status='500'}[5m])) > 100", failing)
    assert found.silent[0].why == "it comes to 4.14 and asks for > 100, had the fault gone on for 30 min"


def test_a_counter_that_began_anew_in_a_restart_keeps_its_rate() -> None:
    def restarted(second: int, fault: int) -> Sequence[Sample]:
        return [sample("requests_total", 10 * second if second <= 35 else 10 * (second - 35))]

    assert judged("rate(requests_total[5m]) < 5", restarted).pages == ()
    assert judged("rate(requests_total[5m]) > 15", restarted).pages == ()


def test_a_gauge_keeps_its_level_and_one_that_grows_is_told_apart() -> None:
    def queue(second: int, fault: int) -> Sequence[Sample]:
        return [sample("depth", 5 + 7 * max(0, fault), queue="mail")]

    held = only(judged("max(depth) > 60", queue, wait="5m"))
    assert "gone on moving" not in held.sum
    grown = only(judged("max(depth) > 1000", queue, wait="10m"))
    assert grown.fires_after == pytest.approx(15 + (1000 - 110) / 7 + 600, abs=16)
    assert "depth at 110 and moving by 7/s, had it gone on moving like this" in grown.sum


def test_a_gauge_that_came_to_a_plateau_is_not_said_to_grow() -> None:
    def pool(second: int, fault: int) -> Sequence[Sample]:
        return [sample("depth", min(15, 5 * fault) if fault > 0 else 1)]

    found = judged("depth > 20", pool)
    assert found.pages == ()
    assert "it comes to 15 and asks for > 20" in found.silent[0].why


def test_the_age_of_a_success_grows_by_itself() -> None:
    def job(second: int, fault: int, moves: bool = False) -> Sequence[Sample]:
        success = 2e9 + (second if fault <= 0 or moves else 30)
        return [sample("last_success_timestamp_seconds", success)]

    recording = record(job)
    recording.unix = 2e9 - 1000
    old = alert("time() - last_success_timestamp_seconds > 600")
    page = only(watch(old, recording, BEGAN, ENDED, until=OVER))
    assert page.fires_after == pytest.approx(600, abs=16)
    recording = record(lambda second, fault: job(second, fault, moves=True))
    recording.unix = 2e9 - 1000
    assert watch(old, recording, BEGAN, ENDED, until=OVER).pages == ()


def test_an_alert_that_fires_without_the_fault_says_nothing_of_it() -> None:
    found = judged("rate(requests_total[5m]) > 1", failing)
    assert found.pages == ()
    assert [one.why for one in found.already] == ["it fires without the fault as well"]


def test_recorded_series_come_first_and_may_be_looked_back_on() -> None:
    rules = parse_rules(
        """
groups:
  - name: g
    rules:
      - record: share
        expr: sum(rate(requests_total{status="500"}[1m])) / sum(rate(requests_total[1m]))
      - record: share:mean
        expr: avg_over_time(share[5m])
      - record: unused
        expr: nothing / 0
      - alert: Share
        expr: share:mean > 0.3
""",
        "a.yml",
    )
    page = only(watch(rules, record(failing), BEGAN, ENDED, until=OVER))
    assert page.origin is Origin.DERIVED
    assert 15 <= page.fires_after <= 120
    assert "requests_total" in page.sum


def test_ranges_of_days_over_recorded_series_are_full_and_take_seconds() -> None:
    text = """
groups:
  - rules:
      - record: share:1h
        expr: sum(rate(requests_total{status="500"}[1h])) / sum(rate(requests_total[1h]))
      - record: share:3d
        expr: sum(rate(requests_total{status="500"}[3d])) / sum(rate(requests_total[3d]))
      - alert: Burn
        expr: share:1h > 14.4 * 0.001 and avg_over_time(share:1h[1h]) > 0.001
      - alert: SlowBurn
        expr: share:3d > 0.001
"""
    began = time.monotonic()
    found = watch(parse_rules(text, "a.yml"), record(failing), BEGAN, ENDED, until=OVER)
    assert time.monotonic() - began < 15
    after = {page.alert: page.fires_after for page in found.pages if page.origin is Origin.DERIVED}
    # 4 of 10 requests a second fail: 1.44 % of an hour's after some 130 s, 0.1 % of three days' after 650 s.
    assert after["Burn"] == pytest.approx(130, abs=60)
    assert after["SlowBurn"] == pytest.approx(650, abs=60)


def test_what_is_not_evaluated_is_silent_by_name_and_a_failing_evaluation_too() -> None:
    assert judged("a @ 5 > 1", failing).silent[0].why == "not evaluated: the modifier `@`"

    def twice(second: int, fault: int) -> Sequence[Sample]:
        return [sample("a", 1, x="1"), sample("a", 1, x="2"), sample("b", 1)]

    why = judged("a + on() b > 0", twice).silent[0].why
    assert why.startswith("Prometheus could not evaluate it: several series match one")


def test_severity_decides_whether_someone_is_told_at_once() -> None:
    assert not only(judged(RATIO, failing, severity="ticket")).urgent
    assert only(judged(RATIO, failing, severity="critical")).urgent
    assert only(judged(RATIO, failing, severity="")).urgent
    assert judged(RATIO, failing, severity="warning").soonest is None


def test_workers_that_each_show_their_own_counts_are_noticed() -> None:
    def workers(second: int, fault: int) -> Sequence[Sample]:
        return [sample("requests_total", second * (1 + second % 2))]

    (note,) = judged("rate(requests_total[5m]) > 1e9", workers).notes
    assert note.startswith("`requests_total`: the counts go back and forth")
    assert judged("rate(requests_total{status='200'}[5m]) > 1e9", failing).notes == ()


def test_without_scrapes_it_says_that_nothing_is_known() -> None:
    found = watch(alert(RATIO), Recording(), BEGAN, ENDED)
    assert found.pages == ()
    assert "nothing was scraped before or during the fault" in found.notes
    assert found.silent[0].why == "`requests_total` is on no target"
    short = watch(alert(RATIO), record(failing), 1001.5, ENDED)
    assert "fewer than two scrapes fell before the fault: what is normal is not known" in short.notes


def test_the_alerts_of_the_example_page_for_a_processor_that_is_down() -> None:
    def payments(second: int, fault: int) -> Sequence[Sample]:
        down = abs(fault)
        labels = {"method": "POST", "route": "/charges"}
        good, bad = 20 * second - 10 * down, 10 * down
        slow = [sample("payments_request_seconds_count", good, status="201", **labels)]
        slow += [
            sample("payments_request_seconds_bucket", good, status="201", le=bound, **labels)
            for bound in ("0.2", "2.0", "5.0", "+Inf")
        ]
        if bad:
            slow.append(sample("payments_request_seconds_count", bad, status="503", **labels))
            for bound, count in (("0.2", 0), ("2.0", 0), ("5.0", bad), ("+Inf", bad)):
                slow.append(
                    sample("payments_request_seconds_bucket", count, status="503", le=bound, **labels)
                )
            slow.append(sample("payments_processor_failures_total", bad, operation="charge"))
        gauges = [sample("payments_outbox_waiting", 0), sample("payments_outbox_failures_total", 0)]
        return [*slow, *gauges]

    rules = read_rules([EXAMPLE])
    found = watch(rules, record(payments), BEGAN, ENDED, until=OVER)
    assert [(page.alert, page.origin) for page in found.pages] == [
        ("PaymentsErrors", Origin.DERIVED),
        ("PaymentsSlow", Origin.DERIVED),
        ("ProcessorFailing", Origin.DERIVED),
    ]
    assert {one.alert for one in found.silent} == {"OutboxBehind", "DeliveriesFailing", "WorkerFailing"}
    assert found.soonest is not None
    assert 300 < found.soonest.fires_after < 400


def test_many_series_are_judged_in_seconds() -> None:
    def many(second: int, fault: int) -> Sequence[Sample]:
        return [
            sample("http_bucket", second * (1 + n % 7), route=f"/r{n // 10}", le=str(n % 10))
            for n in range(300)
        ]

    recording = record(many)
    rules = alert("histogram_quantile(0.9, sum by (le, route) (rate(http_bucket[5m]))) > 100")
    began = time.monotonic()
    watch(rules, recording, BEGAN, ENDED, until=OVER)
    assert time.monotonic() - began < 15
