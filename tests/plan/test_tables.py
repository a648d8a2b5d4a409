"""The tables that follow from a specification."""

from mainstay.model.specification import Specification
from mainstay.plan.tables import (
    Equal,
    Guard,
    Index,
    MovesTrigger,
    Retention,
    Schema,
    Table,
    TotalTrigger,
    schema,
    short,
    table_name,
)
from mainstay.sources.specification import read
from mainstay.starters import starter
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def spec(text: str, old: str = "", new: str = "") -> Specification:
    assert old in text
    return read(text.replace(old, new, 1) if old else text, "spec.yaml")


def table(plan: Schema, entity: str) -> Table:
    found = plan.table(entity)
    assert found is not None
    return found


def charges(old: str = "", new: str = "") -> Table:
    return table(schema(spec(PAYMENTS, old, new)), "Charge")


def bookings(old: str = "", new: str = "") -> Table:
    return table(schema(spec(BOOKINGS, old, new)), "Booking")


def types(of: Table) -> dict[str, str]:
    return {column.name: column.type for column in of.columns}


def test_a_table_has_the_plural_of_its_entity() -> None:
    names = [table_name(entity) for entity in ("Charge", "LedgerEntry", "Box", "Day", "HTTPCall", "Branch")]
    assert names == ["charges", "ledger_entries", "boxes", "days", "http_calls", "branches"]


def test_every_row_has_an_id_a_tenant_and_a_time() -> None:
    for each in schema(spec(BOOKINGS)).tables:
        assert types(each) | {"id": "uuid", "tenant_id": "uuid", "created_at": "timestamptz"} == types(each)
        assert each.primary_key == ("id",)


def test_only_rows_that_change_have_a_version() -> None:
    plan = schema(spec(PAYMENTS))
    assert [each.version for each in plan.tables] == ["version", ""]


def test_a_field_named_version_keeps_its_name() -> None:
    assert charges("order_id: text(64) unique", "version: text(64) unique").version == "row_version"


def test_money_is_minor_units_and_a_currency() -> None:
    assert types(charges())["amount_minor"] == "bigint"
    assert types(charges())["amount_currency"] == "char(3)"


def test_a_secret_is_bytes_and_has_no_check() -> None:
    column = charges().column("card_token")
    assert column is not None
    assert (column.type, column.secret) == ("bytea", True)
    guarded = charges("card_token: text(128) secret", "pin: integer secret > 0")
    assert [one.by for one in guarded.kept if one.rule == "pin > 0"] == ["service"]


def test_what_is_erased_one_day_can_be_absent_and_has_an_index_for_the_job() -> None:
    column = charges().column("payer_email")
    assert column is not None
    assert column.nullable
    kept = Retention("payer_email", ("payer_email",), 24 * 30 * 86_400, "charges_payer_email_retention")
    assert charges().retention == (kept,)
    assert any(one.name == kept.index and one.present == "payer_email" for one in charges().indexes)


def test_a_state_begins_where_no_move_leads() -> None:
    column = charges().column("status")
    assert column is not None
    assert column.default == "'pending'"


def test_a_state_with_several_beginnings_has_no_default() -> None:
    changed = charges("enum(pending,", "enum(draft, pending,")
    column = changed.column("status")
    assert column is not None
    assert column.default == ""
    moves = [one for one in changed.triggers if isinstance(one, MovesTrigger)]
    assert [one.starts for one in moves] == [("draft", "pending")]


def test_unique_means_among_the_rows_of_one_tenant() -> None:
    assert ("tenant_id", "order_id") in [one.columns for one in charges().uniques]


def test_unique_means_among_all_rows_where_all_are_seen_by_who_adds_them() -> None:
    rooms = table(schema(spec(BOOKINGS)), "Room")
    assert ("name",) in [one.columns for one in rooms.uniques]
    own = table(schema(spec(BOOKINGS, ", sees: all")), "Room")
    assert ("tenant_id", "name") in [one.columns for one in own.uniques]


def test_an_address_is_compared_without_capitals() -> None:
    unique = charges("payer_email: email personal keep 24mo", "payer_email: email unique").uniques
    assert [one.folded for one in unique if "payer_email" in one.columns] == [("payer_email",)]


def test_a_reference_holds_the_tenant_and_has_an_index() -> None:
    refunds = table(schema(spec(PAYMENTS)), "Refund")
    (key,) = refunds.foreign_keys
    assert (key.columns, key.table, key.target) == (
        ("tenant_id", "charge_id"),
        "charges",
        ("tenant_id", "id"),
    )
    assert [one.columns for one in refunds.indexes] == [("tenant_id", "charge_id")]
    assert ("tenant_id", "id") in [one.columns for one in charges().uniques]


def test_a_reference_needs_no_index_where_a_unique_one_begins_with_it() -> None:
    own = bookings(", sees: all")
    assert ("tenant_id", "room_id", "code") in [one.columns for one in own.uniques]
    assert own.indexes == ()


def test_a_list_has_an_index_that_ends_in_what_tells_rows_apart() -> None:
    wanted = Index(
        "charges_list_charges", ("tenant_id", "status", "created_at", "id"), "pages of `list_charges`"
    )
    assert wanted in charges().indexes


def test_a_list_of_all_rows_has_an_index_without_the_tenant() -> None:
    rooms = table(schema(spec(BOOKINGS)), "Room")
    assert [one.columns for one in rooms.indexes] == [("name", "created_at", "id")]


def test_a_total_names_the_row_to_lock_and_has_a_trigger_behind() -> None:
    refunds = table(schema(spec(PAYMENTS)), "Refund")
    rule = "sum(amount) by charge <= charge.amount"
    assert refunds.guarded == (Guard(rule, "charge_id", "charges", "refunds_charge_amount_total"),)
    (trigger,) = refunds.triggers
    assert isinstance(trigger, TotalTrigger)
    assert (trigger.summed, trigger.operator, trigger.limit) == ("amount_minor", "<=", "amount_minor")
    assert (trigger.currency, trigger.limit_currency) == ("amount_currency", "amount_currency")
    assert not trigger.late


def test_a_total_over_no_row_has_no_row_to_lock() -> None:
    plan = schema(spec(PAYMENTS, "    charge: Charge\n", "    charge: Charge\n    reason: text(20)\n"))
    assert table(plan, "Refund").guarded[0].table == "charges"
    counted = schema(
        spec(
            PAYMENTS.replace("charge: Charge\n", "charge: Charge\n    reason: text(20)\n"),
            "sum(amount) by charge <= charge.amount",
            "count by reason <= 5",
        )
    )
    (guard,) = table(counted, "Refund").guarded
    assert (guard.by, guard.table) == ("reason", "")
    assert ("tenant_id", "reason") in [one.columns for one in table(counted, "Refund").indexes]


def test_intervals_that_do_not_meet_are_an_exclusion_of_the_rows_that_count() -> None:
    (one,) = bookings().exclusions
    assert one.equal == (Equal("room_id", "uuid_range"),)
    assert (one.range_type, one.start, one.end) == ("tstzrange", "starts_at", "ends_at")
    assert (one.state, one.states) == ("status", ("held",))
    assert schema(spec(BOOKINGS)).ranges == (("uuid_range", "uuid"),)


def test_an_interval_takes_time_even_if_no_rule_says_so() -> None:
    without = bookings("      - starts_at < ends_at\n")
    assert "bookings_starts_at_ends_at_forward" in [one.name for one in without.checks]


def test_everything_that_the_specification_says_of_rows_is_kept_somewhere() -> None:
    for text in (PAYMENTS, BOOKINGS):
        found = spec(text)
        for entity in found.entities:
            kept = {one.rule for one in table(schema(found), entity.name).kept}
            assert {rule.text for rule in entity.rules} <= kept


def test_long_names_are_cut_and_stay_apart() -> None:
    first, second = short("a" * 80 + "b"), short("a" * 80 + "c")
    assert len(first) == len(second) == 63
    assert first != second


def test_other_rows_make_a_conflict_and_the_row_itself_a_mistake() -> None:
    said = {one.rule: one.status for one in bookings().kept}
    assert said == {
        "no overlap of starts_at to ends_at by room while held": 409,
        "starts_at < ends_at": 422,
        "unique room, code": 409,
        "held -> done, held -> gone": 409,
    }


def test_a_hashed_value_is_a_text_that_says_how_and_is_not_encrypted() -> None:
    table = schema(read(starter("authentication"), "a.yaml")).table("Account")
    assert table is not None
    password = table.column("password")
    assert password is not None
    assert (password.type, password.secret, password.hashed) == ("varchar(255)", False, True)
    assert password.note == "Hashed slowly by the service, with a salt; never logged nor shown."
