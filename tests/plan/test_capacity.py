"""What is under way is rate times time; what carries it follows."""

from mainstay.model.specification import Specification
from mainstay.plan.capacity import capacity, waits
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def payments(old: str = "", new: str = "") -> Specification:
    assert old in PAYMENTS
    return read(PAYMENTS.replace(old, new, 1) if old else PAYMENTS, "spec.yaml")


def test_each_operation_has_its_own_peak_or_an_even_share_of_the_rest() -> None:
    shares = {share.operation: share for share in capacity(payments()).shares}
    assert (shares["charge"].peak, shares["charge"].declared) == (120.0, True)
    assert [shares[name].peak for name in ("refund", "get_charge", "list_charges")] == [80 / 3] * 3
    assert shares["charge"].under_way == 120 * 0.2
    assert shares["get_charge"].under_way == 80 / 3 * 0.05


def test_the_sums_of_the_payment_service() -> None:
    found = capacity(payments())
    assert round(found.peak, 6) == 200.0
    assert found.processes == 4  # 200/s x 10 ms / 0.6 = 3.3
    assert found.replicas == 5
    assert round(found.under_way, 1) == 36.0  # 24 + 2 x 5.33 + 1.33
    assert found.threads == found.pool == 9  # 36 / 4
    assert found.connections == 6 * 11 + 4 + 10
    assert found.fits


def test_a_small_service_has_two_replicas_all_the_same() -> None:
    found = capacity(read(BOOKINGS.replace("expected: 20/s", "expected: 1/s"), "spec.yaml"))
    assert (found.processes, found.replicas, found.threads) == (1, 2, 8)


def test_a_large_one_needs_a_configured_database() -> None:
    found = capacity(payments("peak: 200/s}", "peak: 2000/s}"))
    assert found.processes == 34  # 2,000/s x 10 ms / 0.6 = 33.3
    assert not found.fits


def test_operations_that_say_more_than_the_service_leave_nothing_to_the_others() -> None:
    found = capacity(payments("peak: 120/s", "peak: 300/s"))
    assert found.shares[0].peak == 300.0
    assert found.shares[1].peak == 0.0


def test_what_is_settled_later_is_not_waited_for() -> None:
    charge = payments().operations[0]
    assert waits(payments(), charge) == 0.0
    refusing = payments("when_down: accept and settle later", "when_down: refuse")
    assert waits(refusing, refusing.operations[0]) == 2.0
