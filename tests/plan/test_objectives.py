"""What is promised, with the sums of the budgets, and the same as OpenSLO."""

import re

import pytest
import yaml
from prometheus_client import CollectorRegistry, Histogram

from mainstay.lab.paging.expressions import parse
from mainstay.lab.paging.promql import supported
from mainstay.model.specification import Specification
from mainstay.plan.api import openapi
from mainstay.plan.objectives import PREFIX, Objective, objectives, openslo, thresholds
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def payments(old: str = "", new: str = "") -> Specification:
    assert old in PAYMENTS
    return read(PAYMENTS.replace(old, new, 1) if old else PAYMENTS, "spec.yaml")


def named(specification: Specification) -> dict[str, Objective]:
    return {found.name: found for found in objectives(specification)}


def test_the_service_promises_availability_errors_and_latency_and_operations_what_they_say() -> None:
    found = named(payments())
    assert list(found) == ["availability", "errors", "latency", "latency-get-charge"]
    assert found["errors"].operations == ("charge", "refund")
    assert (found["latency"].target, found["latency"].within) == (0.95, 0.2)
    assert found["latency-get-charge"].within == 0.05


def test_a_budget_is_a_share_of_the_requests_of_thirty_days() -> None:
    available = named(payments())["availability"]
    assert available.budget == 0.001
    assert available.requests == 129_600  # 0.1 % of 50/s x 2,592,000 s
    assert available.minutes == 43.2  # 0.1 % of 43,200 min
    assert available.declared


def test_operations_have_their_share_of_the_load_as_far_as_they_do_not_say_their_own() -> None:
    errors = named(payments())["errors"]
    assert errors.rate == pytest.approx(50 * 120 / 200 + 50 * (80 / 3) / 200)  # charge says 120/s of 200/s
    assert not errors.declared
    said = payments("load: {peak: 120/s}", "load: {expected: 12/s, peak: 120/s}")
    assert named(said)["errors"].rate == pytest.approx(12 + 50 * (80 / 3) / 200)
    one = payments("moves: charge -> refunded, critical: true", "moves: charge -> refunded")
    assert named(one)["errors"].operations == ("charge",)
    assert named(one)["errors"].rate == pytest.approx(30)


def test_what_has_a_latency_of_its_own_is_not_counted_in_that_of_the_service() -> None:
    found = named(payments())
    assert found["latency"].operations == ("charge", "refund", "list_charges")
    only = read(
        PAYMENTS.replace("critical: true", "critical: true, budget: {p95: 1s}").replace(
            '"Charge by status, created_at"', '"Charge by status, created_at", budget: {p95: 2s}'
        ),
        "spec.yaml",
    )
    assert [name for name in named(only) if name.startswith("latency")] == [
        "latency-charge",
        "latency-refund",
        "latency-get-charge",
        "latency-list-charges",
    ]


def test_without_a_critical_operation_there_are_no_errors_to_count() -> None:
    bookings = read(BOOKINGS.replace(", critical: true", ""), "spec.yaml")
    assert list(named(bookings)) == ["availability", "latency"]


def test_a_selector_takes_the_requests_of_its_operations_and_of_no_others() -> None:
    found = named(payments())
    (every,) = found["availability"].selectors
    assert every == 'job="payments",route=~"/v1/charges|/v1/charges/[{]id[}]|/v1/charges/[{]id[}]/refunds"'
    (critical,) = found["errors"].selectors  # GET and POST share the path /charges
    assert critical == 'job="payments",method="POST",route=~"/v1/charges|/v1/charges/[{]id[}]/refunds"'
    pattern = re.search('route=~"(.*)"', critical)
    assert pattern is not None
    assert re.fullmatch(pattern[1], "/v1/charges/{id}/refunds")
    assert not re.fullmatch(pattern[1], "/v1/charges/{id}")


def test_operations_of_two_methods_that_share_paths_with_others_take_two_selectors() -> None:
    mixed = read(
        PAYMENTS.replace("reads: Charge, budget: {p95: 50ms}", "reads: Charge").replace(
            'lists: "Charge by status, created_at"',
            'lists: "Charge by status, created_at", budget: {p95: 1s}',
        ),
        "spec.yaml",
    )
    get, post = named(mixed)["latency"].selectors
    assert get == 'job="payments",method="GET",route="/v1/charges/{id}"'
    assert post == 'job="payments",method="POST",route=~"/v1/charges|/v1/charges/[{]id[}]/refunds"'
    assert " or rate(" in named(mixed)["latency"].total("5m")


@pytest.mark.parametrize("text", [PAYMENTS, BOOKINGS])
def test_every_expression_is_promql_that_we_evaluate_ourselves(text: str) -> None:
    for found in objectives(read(text, "spec.yaml")):
        for expression in (found.bad("5m"), found.total("3d"), *found.counted()):
            supported(parse(expression))


def test_the_histogram_has_a_bucket_that_ends_at_each_latency_and_is_named_alike() -> None:
    specification = payments()
    assert thresholds(specification) == (0.05, 0.2)
    registry = CollectorRegistry()
    buckets = (*thresholds(specification), 1.0)
    Histogram("t", "Seconds", registry=registry, buckets=buckets).observe(0.1)
    (family,) = registry.collect()
    told = {sample.labels["le"] for sample in family.samples if "le" in sample.labels}
    asked = {le for found in objectives(specification) for le in re.findall('le="([^"]*)"', found.bad("5m"))}
    assert asked == {"0.05", "0.2"}
    assert asked <= told
    whole = named(payments("budget: {p95: 50ms}", "budget: {p95: 1s}"))["latency-get-charge"]
    assert 'le="1.0"' in whole.bad("5m")
    assert "1.0" in told


@pytest.mark.parametrize("text", [PAYMENTS, BOOKINGS])
def test_routes_are_those_of_the_interface(text: str) -> None:
    specification = read(text, "spec.yaml")
    paths = openapi(specification)["paths"]
    assert {PREFIX + operation.path for operation in specification.operations} == set(paths)


def test_openslo_has_the_service_and_a_document_for_each_objective() -> None:
    service, *slos = yaml.safe_load_all(openslo(payments()))
    assert (service["kind"], service["metadata"]["name"]) == ("Service", "payments")
    assert [slo["metadata"]["name"] for slo in slos] == [
        "payments-availability",
        "payments-errors",
        "payments-latency",
        "payments-latency-get-charge",
    ]
    for slo in slos:
        assert (slo["apiVersion"], slo["kind"]) == ("openslo/v1", "SLO")
        spec = slo["spec"]
        assert spec["service"] == "payments"
        assert spec["timeWindow"] == [{"duration": "30d", "isRolling": True}]
        assert spec["budgetingMethod"] == "Occurrences"
        assert len(spec["description"]) <= 1050
        (objective,) = spec["objectives"]
        assert 0 <= objective["target"] < 1
        ratio = spec["indicator"]["spec"]["ratioMetric"]
        assert len({"good", "bad"} & ratio.keys()) == 1
        assert "total" in ratio


def test_what_is_promised_for_all_requests_is_no_objective_of_openslo() -> None:
    names = [
        document["metadata"]["name"]
        for document in yaml.safe_load_all(openslo(payments("errors: 0.1%", "errors: 0%")))
    ]
    assert names == ["payments", "payments-availability", "payments-latency", "payments-latency-get-charge"]


def test_the_text_is_always_the_same() -> None:
    assert openslo(payments()) == openslo(payments())
