"""What fails, what callers get then, who notices, and how it ends."""

from mainstay.experiments.catalogue import all_experiments
from mainstay.model.specification import Specification
from mainstay.plan.alerts import SIGNALS, alerts
from mainstay.plan.failures import failure_modes
from mainstay.plan.failures.guards import need_guard, relay_policy, service_guard
from mainstay.plan.failures.mode import Doubt, FailureMode, Healer, Mode, Part, Result
from mainstay.sources.specification import read
from mainstay_runtime.breaker import Breaker
from mainstay_runtime.outbox.policy import Policy
from tests.sources.specification.texts import BOOKINGS, PAYMENTS

REFUSING = PAYMENTS.replace("accept and settle later", "refuse").replace("timeout: 2s", "timeout: 100ms")


def _read(text: str) -> Specification:
    return read(text, "spec.yaml")


def _mode(text: str, name: str, mode: Mode) -> FailureMode:
    return next(m for m in failure_modes(_read(text)) if (m.name, m.mode) == (name, mode))


def _results(mode: FailureMode) -> dict[str, tuple[Result, int]]:
    return {effect.operation: (effect.result, effect.status) for effect in mode.effects}


def test_each_need_and_the_database_fail_in_four_ways_and_the_service_in_four_of_its_own() -> None:
    found = [(mode.name, mode.mode) for mode in failure_modes(_read(PAYMENTS))]
    four = [Mode.DOWN, Mode.SLOW, Mode.WRONG, Mode.HALF_OPEN]
    assert found[:12] == [(name, mode) for name in ("processor", "receipts", "database") for mode in four]
    assert [mode for name, mode in found[12:] if name == "payments"] == [
        Mode.KILLED,
        Mode.TWO_VERSIONS,
        Mode.DISK_FULL,
        Mode.OVERLOAD,
    ]


def test_every_row_says_what_each_operation_does_and_who_notices() -> None:
    for text in (PAYMENTS, BOOKINGS, REFUSING):
        specification = _read(text)
        names = [operation.name for operation in specification.operations]
        for mode in failure_modes(specification):
            assert [effect.operation for effect in mode.effects] == names
            assert mode.signals


def test_rows_name_experiments_alerts_and_metrics_that_there_are() -> None:
    known = {experiment.name() for experiment in all_experiments()}
    metrics = {signal.name.removesuffix("_bucket") for signal in SIGNALS}
    for text in (PAYMENTS, BOOKINGS):
        specification = _read(text)
        fired = {alert.name for alert in alerts(specification)}
        for mode in failure_modes(specification):
            assert set(mode.experiments) <= known
            assert {signal.alert for signal in mode.signals} <= fired
            assert {signal.metric.partition("{")[0] for signal in mode.signals} <= metrics


def test_what_is_settled_later_is_accepted_and_what_does_not_need_it_goes_on() -> None:
    assert _results(_mode(PAYMENTS, "processor", Mode.DOWN)) == {
        "charge": (Result.ACCEPTED, 202),
        "refund": (Result.AS_EVER, 201),
        "get_charge": (Result.AS_EVER, 200),
        "list_charges": (Result.AS_EVER, 200),
    }


def test_a_need_that_must_be_there_means_503_after_no_more_than_its_timeout() -> None:
    mode = _mode(REFUSING, "processor", Mode.HALF_OPEN)
    assert _results(mode)["charge"] == (Result.REFUSED, 503)
    assert mode.effects[0].wait == 0.1
    assert _mode(REFUSING, "processor", Mode.DOWN).effects[0].wait == 0
    assert mode.backlog is None


def test_what_degrades_says_what_is_left() -> None:
    text = PAYMENTS.replace("accept and settle later", "degrade to a charge without a receipt number")
    effect = _mode(text, "processor", Mode.WRONG).effects[0]
    assert (effect.result, effect.degraded) == (Result.DEGRADED, "a charge without a receipt number")


def test_a_message_waits_in_the_outbox_and_its_operation_answers_as_ever() -> None:
    mode = _mode(PAYMENTS, "receipts", Mode.DOWN)
    assert _results(mode)["charge"] == (Result.LATER, 202)
    assert mode.backlog is not None
    assert mode.backlog.sum == "30/s × 300 s = 9,000"


def test_the_time_until_a_breaker_opens_has_its_sum() -> None:
    assert _mode(REFUSING, "processor", Mode.DOWN).noticed.sum == (
        "30/s / 5 replicas = 6/s; 20 calls / 6/s = 3.3 s"
    )
    slow = REFUSING.replace("timeout: 100ms", "timeout: 2s")
    assert _mode(slow, "processor", Mode.HALF_OPEN).noticed.sum == (
        "30/s / 5 replicas = 6/s, of which 6 / 2 s = 3/s end; 20 calls / 3/s + 2 s = 8.7 s"
    )


def test_with_too_few_calls_the_breaker_stays_closed_and_that_is_said() -> None:
    quiet = REFUSING.replace("load: {expected: 50/s, peak: 200/s}", "load: {expected: 0.5/s, peak: 1/s}")
    mode = _mode(quiet.replace("load: {peak: 120/s}", "load: {peak: 0.5/s}"), "processor", Mode.DOWN)
    assert mode.noticed.seconds is None
    assert "the breaker stays closed" in mode.noticed.sum
    assert mode.recovers.seconds == 0.05


def test_an_operation_that_is_left_no_load_has_a_plan_all_the_same() -> None:
    text = REFUSING.replace("load: {peak: 120/s}", "load: {peak: 200/s}").replace(
        "reads: Charge,", "reads: Charge, calls: processor,"
    )
    assert _mode(text, "processor", Mode.SLOW).recovers.seconds


def test_what_waits_is_settled_within_the_recovery_budget_once_the_need_is_back() -> None:
    specification = _read(PAYMENTS)
    recovers = _mode(PAYMENTS, "processor", Mode.DOWN).recovers
    assert recovers.seconds is not None
    assert recovers.seconds < specification.budgets.recovery
    assert "60 s until the relay's next attempt" in recovers.sum


def test_a_need_that_cannot_be_asked_again_leaves_an_open_question_where_it_may_have_acted() -> None:
    text = REFUSING.replace("    idempotent: header Idempotency-Key", "    idempotent: no")
    assert Doubt.OUTCOME in _mode(text, "processor", Mode.HALF_OPEN).doubts
    assert Doubt.OUTCOME not in _mode(text, "processor", Mode.DOWN).doubts
    assert Doubt.OUTCOME not in _mode(REFUSING, "processor", Mode.HALF_OPEN).doubts


def test_a_read_cannot_be_settled_later() -> None:
    text = PAYMENTS.replace("reads: Charge,", "reads: Charge, calls: processor,")
    mode = _mode(text, "processor", Mode.DOWN)
    assert _results(mode)["get_charge"] == (Result.REFUSED, 503)
    assert Doubt.READ_LATER in mode.doubts


def test_what_no_experiment_breaks_is_an_open_question() -> None:
    assert Doubt.NO_EXPERIMENT in _mode(PAYMENTS, "receipts", Mode.DOWN).doubts
    assert _mode(PAYMENTS, "processor", Mode.DOWN).doubts == ()


def test_without_the_database_nothing_is_served_and_without_its_disk_reads_are() -> None:
    assert {result for result, _ in _results(_mode(PAYMENTS, "database", Mode.DOWN)).values()} == {
        Result.REFUSED
    }
    full = _results(_mode(PAYMENTS, "payments", Mode.DISK_FULL))
    assert (full["charge"][0], full["get_charge"][0]) == (Result.REFUSED, Result.AS_EVER)
    assert _mode(PAYMENTS, "payments", Mode.DISK_FULL).healer is Healer.PERSON


def test_who_was_cut_off_knows_what_to_do_unless_the_write_has_no_key() -> None:
    killed = _results(_mode(BOOKINGS, "bookings", Mode.KILLED))
    assert {name: result for name, (result, _) in killed.items()} == {
        "add_room": Result.UNKNOWN,
        "list_rooms": Result.ASK_AGAIN,
        "book": Result.REPLAYED,
        "cancel": Result.UNKNOWN,
    }
    assert Doubt.UNKEYED in _mode(BOOKINGS, "bookings", Mode.KILLED).doubts
    assert _mode(PAYMENTS, "payments", Mode.KILLED).doubts == ()


def test_a_need_takes_no_thread_that_other_operations_need() -> None:
    specification = _read(REFUSING)
    guard = need_guard(specification, specification.needs[0])
    assert (guard.at_once, guard.sum) == (6, "9 threads - ceil(12 of other operations / 4 replicas) = 6")
    assert guard.attempts == 3


def test_only_what_a_header_makes_safe_is_tried_again() -> None:
    specification = _read(PAYMENTS.replace("    idempotent: header Idempotency-Key", "    idempotent: no"))
    assert need_guard(specification, specification.needs[0]).attempts == 1


def test_a_replica_takes_twice_as_many_requests_as_it_has_threads() -> None:
    assert service_guard(_read(PAYMENTS)).sum == "2 × 9 threads = 18"


def test_a_message_is_kept_for_a_day_whatever_the_budget() -> None:
    for budget in ("recovery: 5min", "recovery: 2s", "recovery: 3h"):
        policy = relay_policy(_read(PAYMENTS.replace("recovery: 5min", budget)))
        assert 1 <= policy.longest <= Policy().longest
        assert policy.attempts * policy.longest / 2 >= 86_400


def test_the_settings_are_those_of_the_runtime() -> None:
    specification = _read(PAYMENTS)
    guard = need_guard(specification, specification.needs[0])
    assert Breaker.__init__.__kwdefaults__ is not None
    defaults = Breaker.__init__.__kwdefaults__
    for name in ("failure_rate", "slow_rate", "window", "open_for", "probes"):
        assert getattr(guard, name) == defaults[name], name
    assert guard.minimum <= defaults["minimum"]
    assert relay_policy(specification).backoff == Policy().backoff


def test_titles_are_sentences_and_their_addresses_are_distinct() -> None:
    found = failure_modes(_read(PAYMENTS))
    assert found[3].title == "processor is half-open"
    assert found[3].anchor == "processor-is-half-open"
    assert len({mode.anchor for mode in found}) == len(found)
    assert {mode.part for mode in found} == set(Part)
