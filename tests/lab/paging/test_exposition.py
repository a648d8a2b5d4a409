"""What exporters write, and what Prometheus would refuse."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from mainstay.lab.paging.exposition import NotExposition, Reader, Sample, family


def _openmetrics(registry: CollectorRegistry) -> str:
    text: bytes = generate_openmetrics(registry)  # type: ignore[no-untyped-call]  # the client has no types here
    return text.decode()


NODE_EXPORTER = """\
# HELP node_cpu_seconds_total Seconds the CPUs spent in each mode.
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="0",mode="idle"} 1.12345e+06
node_cpu_seconds_total{cpu="0",mode="iowait",} 12.5 1700000000000

# TYPE node_filesystem_avail_bytes gauge
node_filesystem_avail_bytes{device="C:\\\\disk",mountpoint="/a \\"b\\"\\n{c}"} +Inf
# a comment of somebody
node_load1 NaN
"""

DJANGO = """\
# HELP django_http_responses_total_by_status_total Count of responses by status.
# TYPE django_http_responses_total_by_status_total counter
django_http_responses_total_by_status_total{status="200"} 3.0
"""


def read(text: str, *, openmetrics: bool = False) -> list[Sample]:
    return list(Reader().read(text, openmetrics=openmetrics).samples)


def test_labels_escapes_timestamps_and_special_numbers_are_read() -> None:
    idle, waiting, disk, load = read(NODE_EXPORTER)
    assert idle == Sample("node_cpu_seconds_total", (("cpu", "0"), ("mode", "idle")), 1123450.0)
    assert waiting == Sample("node_cpu_seconds_total", (("cpu", "0"), ("mode", "iowait")), 12.5)
    assert disk.labels == (("device", "C:\\disk"), ("mountpoint", '/a "b"\n{c}'))
    assert disk.value == float("inf")
    assert load.name == "node_load1"
    assert load.value != load.value


def test_the_types_of_families_are_known_and_a_declared_family_may_be_empty() -> None:
    shown = Reader().read(NODE_EXPORTER + "# TYPE later_total counter\n# HELP only_help Something.\n")
    assert shown.types["node_filesystem_avail_bytes"] == "gauge"
    assert shown.types["later_total"] == "counter"
    assert shown.types["only_help"] == ""


def test_samples_find_the_family_they_belong_to() -> None:
    types = {"latency_seconds": "histogram", "paid": "counter", "django_x_total": "counter"}
    assert family("latency_seconds_bucket", types) == "latency_seconds"
    assert family("paid_total", types) == "paid"
    assert family("django_x_total", types) == "django_x_total"
    assert family("unknown", types) is None


def test_both_formats_of_the_python_client_give_the_same_samples() -> None:
    registry = CollectorRegistry()
    Counter("paid_total", "Payments", ["how"], registry=registry).labels('by "card"').inc(
        3, {"trace_id": "a b c"}
    )
    Histogram("seconds", "Time", registry=registry, buckets=(0.1, 1)).observe(0.5, {"trace_id": "1"})
    plain = read(generate_latest(registry).decode())
    rich = read(_openmetrics(registry), openmetrics=True)

    def told(samples: list[Sample]) -> set[Sample]:
        return {sample for sample in samples if not sample.name.endswith("_created")}

    assert told(plain) == told(rich)
    assert Sample("paid_total", (("how", 'by "card"'),), 3.0) in plain
    assert Sample("seconds_bucket", (("le", "1.0"),), 1.0) in rich


def test_an_exemplar_is_read_over() -> None:
    line = 'a_bucket{le="1"} 4 1.5 # {trace_id="x y"} 0.67 1700.0\n# EOF\n'
    assert read(line, openmetrics=True) == [Sample("a_bucket", (("le", "1"),), 4.0)]


def test_a_quoted_name_may_hold_any_character() -> None:
    assert read('{"http.requests",code="200"} 1') == [Sample("http.requests", (("code", "200"),), 1.0)]


def test_an_empty_label_is_no_label() -> None:
    assert read('a{b="",c="1"} 1') == [Sample("a", (("c", "1"),), 1.0)]


def test_open_metrics_without_its_end_was_cut_off() -> None:
    with pytest.raises(NotExposition, match="cut off"):
        read("a 1\n", openmetrics=True)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("<html>", "no metric name"),
        ("a", "no value"),
        ('a{b="c} 1', "its value is not a number"),
        ("a{b=c} 1", "its labels cannot be read"),
        ("a one", "its value is not a number"),
        ("a 1_000", "its value is not a number"),
        ('{b="c"} 1', "no metric name"),
    ],
)
def test_one_wrong_line_spoils_the_scrape_and_is_named(line: str, why: str) -> None:
    with pytest.raises(NotExposition, match=f"line 2 is not a sample, {why}"):
        read(f"good 1\n{line}\n")


def test_a_long_wrong_line_is_cut_in_the_message() -> None:
    with pytest.raises(NotExposition) as raised:
        read("x " + "y" * 100_000)
    assert len(str(raised.value)) < 300


def test_the_same_series_are_read_again_with_new_values() -> None:
    reader = Reader()
    first = reader.read(DJANGO).samples[0]
    again = reader.read(DJANGO.replace("3.0", "4.0")).samples[0]
    assert (first.value, again.value) == (3.0, 4.0)
    assert first.labels == again.labels
