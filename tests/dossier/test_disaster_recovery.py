"""Backups and the way back in words, and the page for that night."""

from mainstay.dossier.disaster_recovery import chapter, page
from mainstay.model.dossier import Artefact, Grid, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def _page(text: str) -> str:
    return page(read(text, "spec.yaml"))


def _verdicts(text: str) -> tuple[Statement, ...]:
    parts = chapter(read(text, "spec.yaml")).parts
    found = [p for p in parts if isinstance(p, Statements) and p.title == "Whether the budgets hold"]
    return found[0].items


def test_each_plan_ends_with_its_sum() -> None:
    grids = [part for part in chapter(read(PAYMENTS, "spec.yaml")).parts if isinstance(part, Grid)]
    plan = next(grid for grid in grids if grid.title == "The database's machine is lost")
    assert plan.rows[-1].sum == "60 s + 60 s + 30 s + 15 s + 60 s = 225 s"
    assert {row.origin for row in plan.rows} == {Origin.ASSUMED}


def test_a_budget_that_does_not_hold_is_put_to_the_owner() -> None:
    first, second, *_ = _verdicts(PAYMENTS)
    assert first.origin is Origin.ASSUMED
    assert second.origin is Origin.OPEN
    assert second.said.endswith("Is that accepted?")
    assert second.sum.startswith("62 min against 5 min; 2 min against 0 s")


def test_the_page_is_an_artefact_and_has_every_plan() -> None:
    parts = chapter(read(PAYMENTS, "spec.yaml")).parts
    artefact = next(part for part in parts if isinstance(part, Artefact))
    assert (artefact.path, artefact.text) == ("DISASTER_RECOVERY.md", _page(PAYMENTS))
    for title in ("The database's machine is lost", "The whole place is lost", "Before the doors open"):
        assert f"## {title}" in artefact.text


def test_the_page_names_the_key_without_which_a_backup_is_unreadable() -> None:
    assert "the key of `Charge.card_token`" in _page(PAYMENTS)
    assert "the key of" not in _page(BOOKINGS)


def test_the_page_starts_as_many_replicas_as_the_load_needs_and_the_relay_where_there_is_one() -> None:
    assert "kubectl scale deployment/payments --replicas=5" in _page(PAYMENTS)
    assert "deployment/payments-relay" in _page(PAYMENTS)
    assert "relay" not in _page(BOOKINGS)


def test_a_moment_is_chosen_after_a_mistake_only() -> None:
    assert _page(PAYMENTS).count("recovery_target_time") == 1


def test_the_rules_are_checked_before_the_doors_open() -> None:
    assert "No `Refund` breaks `sum(amount) by charge <= charge.amount`." in _page(PAYMENTS)


def test_the_same_specification_gives_the_same_page() -> None:
    assert _page(PAYMENTS) == _page(PAYMENTS)
