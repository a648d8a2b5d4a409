"""Backups that follow from what may be lost, and the way back with its times."""

import pytest

from mainstay.experiments.catalogue import all_experiments
from mainstay.plan.alerts import backup_every
from mainstay.plan.recovery import Deed, Disaster, Method, Recovery, recovery
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def _recovery(loss: str = "0s", text: str = PAYMENTS) -> Recovery:
    return recovery(read(text.replace("data_loss: 0s", f"data_loss: {loss}"), "spec.yaml"))


@pytest.mark.parametrize(
    ("loss", "method"),
    [
        ("0s", Method.SYNCHRONOUS),
        ("30s", Method.STREAMED),
        ("5min", Method.ARCHIVED),
        ("24h", Method.ARCHIVED),
        ("72h", Method.DUMPED),
    ],
)
def test_what_may_be_lost_says_how_it_is_copied(loss: str, method: Method) -> None:
    assert _recovery(loss).backup.method is method


def test_only_a_synchronous_standby_loses_nothing() -> None:
    found = _recovery()
    assert found.plan(Disaster.PRIMARY).lost == 0
    assert Deed.PROMOTE in [step.deed for step in found.plan(Disaster.PRIMARY).steps]
    assert not found.plan(Disaster.PLACE).keeps


def test_a_segment_of_the_log_takes_half_of_what_may_be_lost() -> None:
    backup = _recovery("5min").backup
    assert (backup.segment, backup.lag) == (150, 300)
    assert all(plan.keeps for plan in _recovery("5min").plans)


def test_backups_come_as_often_as_their_alert_expects() -> None:
    for loss in ("0s", "72h"):
        text = PAYMENTS.replace("data_loss: 0s", f"data_loss: {loss}")
        assert _recovery(loss).backup.every == backup_every(read(text, "spec.yaml"))


def test_a_restore_takes_as_long_as_a_year_of_rows_is_large() -> None:
    found = _recovery()
    size = found.sizes[0]
    assert size.sum == "64 bytes + 148 of its fields = 212 bytes; 30 rows/s"
    restore = next(s for s in found.plan(Disaster.STORAGE).steps if s.deed is Deed.RESTORE)
    assert restore.sum == "219.9 GB after a year / 100 MB/s = 2,199 s"
    assert restore.seconds == pytest.approx(found.bytes_a_year / 100e6)


def test_a_recovery_of_minutes_holds_with_a_standby_and_not_with_a_backup() -> None:
    found = _recovery()
    assert found.plan(Disaster.PRIMARY).seconds == 225
    assert found.plan(Disaster.PRIMARY).fits
    assert not found.plan(Disaster.STORAGE).fits


def test_after_a_restore_those_are_asked_who_may_have_done_more_than_we_remember() -> None:
    steps = _recovery().plan(Disaster.STORAGE).steps
    assert [step.about for step in steps if step.deed is Deed.RECONCILE] == [("processor",)]
    bookings = _recovery(text=BOOKINGS).plan(Disaster.STORAGE).steps
    assert Deed.RECONCILE not in [step.deed for step in bookings]


def test_a_mistake_is_restored_and_never_promoted() -> None:
    steps = [step.deed for step in _recovery().plan(Disaster.MISTAKE).steps]
    assert Deed.REPLAY in steps
    assert Deed.PROMOTE not in steps


def test_a_dump_is_loaded_and_loses_what_came_after_it() -> None:
    found = _recovery("72h")
    steps = [step.deed for step in found.plan(Disaster.PRIMARY).steps]
    assert Deed.LOAD in steps
    assert Deed.REPLAY not in steps
    assert found.plan(Disaster.MISTAKE).lost == found.backup.every


def test_secret_and_personal_fields_are_told_for_the_sake_of_their_backups() -> None:
    backup = _recovery().backup
    assert (backup.secret, backup.personal) == (("Charge.card_token",), ("Charge.payer_email",))


def test_the_drill_is_an_experiment_that_there_is() -> None:
    assert _recovery().experiment in {experiment.name() for experiment in all_experiments()}
