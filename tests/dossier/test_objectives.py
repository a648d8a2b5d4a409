"""Objectives and alerts as a person reads them."""

import pytest

from mainstay.dossier.objectives import PLACE, chapter
from mainstay.lab.paging.rules import parse_rules
from mainstay.model.dossier import Artefact, Chapter, Grid, Row, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def made(spec: str = PAYMENTS) -> Chapter:
    return chapter(read(spec, "spec.yaml"))


def grid(found: Chapter, title: str) -> Grid:
    (one,) = (part for part in found.parts if isinstance(part, Grid) and part.title.startswith(title))
    return one


def statements(found: Chapter) -> list[Statement]:
    return [item for part in found.parts if isinstance(part, Statements) for item in part.items]


def everything(found: Chapter) -> list[Row | Statement]:
    rows = [row for part in found.parts if isinstance(part, Grid) for row in part.rows]
    return [*rows, *statements(found)]


def test_it_stands_before_the_dashboards() -> None:
    assert (PLACE, made().name) == (60, "objectives")


def test_a_promise_is_told_with_its_budget_and_the_sum() -> None:
    available = grid(made(), "Objectives").rows[0]
    assert available.cells == ("`availability`", "99.9 % no 5xx", "all operations", "129,600", "43.2")
    assert available.origin is Origin.DERIVED
    assert available.sum == "0.1 % of 50/s × 2,592,000 s = 129,600; 0.1 % of 43,200 min = 43.2"


def test_a_rate_that_nobody_said_is_an_assumption() -> None:
    errors = grid(made(), "Objectives").rows[1]
    assert errors.cells[2] == "`charge`, `refund`"
    assert errors.origin is Origin.ASSUMED
    assert "36.67/s is their share of the load" in errors.sum


def test_how_fast_an_outage_is_told_is_a_sum() -> None:
    fastest = grid(made(), "How fast").rows[0]
    assert fastest.cells == ("in 2.1 days", "1h and 5m", "more than 1.44 %", "2.86 min", "at once")
    assert "1.44 % of 3,600 s + 120 s that it has to hold = 171.84 s" in fastest.sum


def test_an_alert_whose_threshold_we_took_says_so() -> None:
    origins = {(row.cells[0], row.cells[1]): row.origin for row in grid(made(), "The alerts").rows}
    assert origins["`PaymentsDiskFilling`", "Less than 10 % of a disk is left."] is Origin.ASSUMED
    assert origins["`PaymentsErrorBudgetBurn`", "No instance of payments answers."] is Origin.DERIVED


def test_only_metrics_that_this_service_has_are_listed() -> None:
    def listed(spec: str) -> set[str]:
        return {row.cells[0] for row in grid(made(spec), "What the alerts").rows}

    assert listed(PAYMENTS) - listed(BOOKINGS) == {
        "`guard_breaker_open`",
        "`guard_events_total`",
        "`need_calls_total`",
    }
    assert "`http_requests_total`" in listed(BOOKINGS)


@pytest.mark.parametrize("spec", [PAYMENTS, BOOKINGS])
def test_nothing_is_said_without_what_it_rests_on_and_nothing_is_measured(spec: str) -> None:
    for said in everything(made(spec)):
        assert said.sum, said
        assert said.origin is not Origin.MEASURED


def test_where_few_requests_come_one_failure_wakes_somebody_and_the_owner_is_asked() -> None:
    rare = BOOKINGS.replace("load: {expected: 20/s}", "load: {expected: 0.01/s}")
    asked = [said for said in statements(made(rare)) if said.origin is Origin.OPEN]
    # 1.44 % of 0.01/s x 3600 s = 0.5 requests
    assert "There are so few requests that 1 bad ones of `availability`" not in asked[0].said
    assert "1 bad one of `availability` wakes somebody" in asked[0].said
    assert "= 0.52" in asked[0].sum
    assert [said for said in statements(made()) if said.origin is Origin.OPEN] == []


def test_no_critical_operation_is_a_question_to_the_owner() -> None:
    asked = [
        said
        for said in statements(made(BOOKINGS.replace(", critical: true", "")))
        if said.origin is Origin.OPEN
    ]
    assert ["No operation is critical" in said.said for said in asked] == [True]


def test_a_promise_without_a_budget_is_a_question_to_the_owner() -> None:
    found = made(PAYMENTS.replace("availability: 99.9%", "availability: 100%"))
    (asked,) = (said for said in statements(found) if said.origin is Origin.OPEN)
    assert asked.said == "`availability` is promised for 100 % of requests."
    assert grid(found, "How fast").title.endswith("of errors")


def test_the_files_are_the_objectives_and_the_rules() -> None:
    files = [part for part in made().parts if isinstance(part, Artefact)]
    assert [(file.path, file.language) for file in files] == [("slo.yaml", "yaml"), ("alerts.yml", "yaml")]
    assert parse_rules(files[1].text, "alerts.yml")
