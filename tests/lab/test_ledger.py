"""Where writes live is learned from a sample, and counted there."""

from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import UUID

import psycopg
import pytest

from mainstay.evidence import ledger
from mainstay.lab.error import LabError
from mainstay.lab.lab import Lab
from mainstay.lab.ledger import Homes
from mainstay.lab.load.tokens import Tokens
from mainstay.lab.postgres import Postgres
from mainstay.model.ledger import Token
from mainstay.model.proof import LedgerTotals
from mainstay.model.record import Failure, Record
from mainstay.model.service import Action

Connection = psycopg.Connection[Any]

PREFIX = "r7x"
TOKENS = Tokens(PREFIX)

SCHEMA = """
    CREATE TABLE customers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL);
    CREATE TABLE orders (id uuid PRIMARY KEY, customer_id uuid NOT NULL, amount bigint NOT NULL);
    CREATE TABLE charges (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id uuid, state text);
    CREATE TABLE idempotency_keys (
        tenant int, key text, resource_id uuid, answer jsonb, PRIMARY KEY (tenant, key)
    );
    CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, about uuid, payload jsonb);
    CREATE TABLE audit_log (at timestamptz DEFAULT now(), line text);
    CREATE TABLE notes (order_id uuid, body text);
"""

ADD_CUSTOMER = Action("add_customer", "POST", "/customers", body={"name": "{marker}"})
RENAME = Action("rename", "PATCH", "/customers/{customer}", body={"name": "{marker}"})
ADD_ORDER = Action("add_order", "POST", "/orders", key_header="Idempotency-Key")
CHARGE = Action("charge", "POST", "/charges", takes=("order",))
PAY = Action("pay", "POST", "/orders/{order}/pay", takes=("order",))
NOTE = Action("note", "PUT", "/orders/{order}/note", body={"note": "{marker}"})


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Lab() as lab:
        postgres = Postgres(lab, "database")
        postgres.start()
        yield postgres
        postgres.end()


@pytest.fixture
def shop(server: Postgres) -> Iterator["Shop"]:
    with server.connect() as connection:
        connection.execute(SCHEMA)
        yield Shop(connection)
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


class Shop:
    """A service that keeps its promises unless told otherwise, and the records of its callers."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.records: list[Record] = []
        self.serial = count(1)

    def customer(self, *, times: int = 1, status: int = 201, stocking: bool = False) -> str:
        marker = TOKENS.marker(next(self.serial))
        made = ""
        for _ in range(times):
            made = self.one("INSERT INTO customers (name) VALUES (%s) RETURNING id", f"Ada {marker}")
            payload = f'{{"name": "{marker}", "again": "{marker}"}}'
            self.run("INSERT INTO outbox (about, payload) VALUES (%s, %s)", made, payload)
            self.run("INSERT INTO audit_log (line) VALUES (%s)", f"created {marker} for {made}")
        self.noted("add_customer", status, marker=marker, made=made, stocking=stocking)
        return made

    def order(self, *, status: int = 201, times: int = 1, store_key: bool = True, keep: bool = True) -> str:
        serial = next(self.serial)
        key, made = TOKENS.key(serial), str(UUID(int=serial * 7919))
        for extra in range(times if keep else 0):
            row = str(UUID(int=serial * 7919 + extra * 10**9))
            self.run("INSERT INTO orders VALUES (%s, gen_random_uuid(), 5)", row)
        if store_key:
            self.run("INSERT INTO idempotency_keys VALUES (1, %s, %s, NULL)", key, made)
        self.run("INSERT INTO outbox (about, payload) VALUES (%s, '{}')", made)
        self.noted("add_order", status, key=key, made=made)
        return made

    def charge(self, order: str, *, times: int = 1, status: int = 201) -> None:
        made = ""
        for _ in range(times):
            made = self.one("INSERT INTO charges (order_id, state) VALUES (%s, 'new') RETURNING id", order)
            self.run("INSERT INTO outbox (about, payload) VALUES (%s, '{}')", order)
        self.noted("charge", status, made=made, taken=(order,))

    def noted(
        self,
        action: str,
        status: int,
        *,
        marker: str = "",
        key: str = "",
        made: str = "",
        taken: tuple[str, ...] = (),
        stocking: bool = False,
    ) -> None:
        """A record, with the id only where an answer told it."""
        self.records.append(
            Record(
                action=action,
                due=0.0,
                sent=0.0,
                done=0.1,
                status=status,
                failure=Failure.NONE if status else Failure.TIMED_OUT,
                expected=200 <= status < 300,
                marker=marker,
                key=key,
                made=made if 200 <= status < 300 else "",
                taken=taken,
                writes=True,
                stocking=stocking,
            )
        )

    def run(self, statement: str, *values: object) -> None:
        self.connection.execute(statement.encode(), values)

    def one(self, statement: str, *values: object) -> str:
        row = self.connection.execute(statement.encode(), values).fetchone()
        assert row
        return str(row[0])

    def learn(self, *actions: Action) -> Homes:
        return Homes.learn(self.connection, self.records, PREFIX, actions)

    def judge(self, homes: Homes, since: int = 0) -> LedgerTotals:
        """The ledger of the records since the sample."""
        sample, later = self.records[:since], self.records[since:]
        found = homes.count(self.connection, later)
        return ledger.judge(later, found, known=ledger.tokens(sample))


def test_a_marker_is_looked_up_in_the_table_whose_key_was_answered_not_in_outbox_or_audit(shop: Shop) -> None:
    for _ in range(5):
        shop.customer()
    homes = shop.learn(ADD_CUSTOMER)
    assert homes.said == ("add_customer: looked up in customers.name by its marker",)


def test_what_is_lost_doubled_refused_yet_applied_and_unknown_is_counted(shop: Shop) -> None:
    for _ in range(5):
        shop.customer()
    homes = shop.learn(ADD_CUSTOMER)
    shop.customer()
    shop.customer(times=0)
    shop.customer(times=2)
    shop.customer(status=422)
    shop.customer(status=500)
    shop.customer(status=0)
    shop.customer(status=0, times=0)
    shop.run("INSERT INTO customers (name) VALUES (%s)", TOKENS.marker(99_999))
    totals = shop.judge(homes, since=5)
    assert totals.sent == 7
    assert (totals.acknowledged, totals.refused, totals.unknown) == (3, 2, 2)
    assert (totals.lost, totals.doubled, totals.phantom) == (1, 1, 1)
    assert (totals.refused_but_applied, totals.denied_but_applied, totals.unknown_and_applied) == (2, 1, 1)
    assert [entry.kind for entry in totals.entries] == ["lost", "doubled", "refused but applied", "phantom"]


def test_without_a_marker_ids_tell_and_the_table_of_keys_names_those_nobody_was_told(shop: Shop) -> None:
    for _ in range(5):
        shop.order()
    homes = shop.learn(ADD_ORDER)
    home = homes.by_action["add_order"]
    assert (home.token, home.where) == (Token.MADE, "orders.id")
    assert home.through
    assert home.through.key.where == "idempotency_keys.key"
    shop.order()
    shop.order(status=0)
    shop.order(keep=False)  # its key is stored, and it is not
    totals = shop.judge(homes, since=5)
    assert (totals.lost, totals.unknown_and_applied, totals.doubled, totals.phantom) == (1, 1, 0, 0)


def test_a_row_more_than_writes_is_a_phantom_and_after_repeats_a_double(shop: Shop) -> None:
    for _ in range(5):
        shop.order()
    homes = shop.learn(ADD_ORDER)
    shop.order(times=2)
    assert shop.judge(homes, since=5).phantom == 1
    shop.records[-1:] = [
        Record("add_order", 0, 0, 1, failure=Failure.CUT, key=shop.records[-1].key, writes=True),
        shop.records[-1],
    ]
    totals = shop.judge(homes, since=5)
    assert (totals.phantom, totals.doubled) == (0, 1)


def test_rows_beyond_those_answered_belong_to_writes_without_an_answer_first(shop: Shop) -> None:
    for _ in range(5):
        shop.order(store_key=False)
    homes = shop.learn(ADD_ORDER)
    assert homes.by_action["add_order"].through is None
    shop.order(store_key=False, status=0)
    shop.order(store_key=False, status=0, keep=False)
    totals = shop.judge(homes, since=5)
    assert (totals.unknown_and_applied, totals.phantom, totals.unchecked) == (1, 0, 0)


def test_what_a_write_used_up_tells_it_apart_when_some_was_left(shop: Shop) -> None:
    orders = [shop.order() for _ in range(6)]
    for order in orders[:4]:
        shop.charge(order)
    homes = shop.learn(ADD_ORDER, CHARGE)
    home = homes.by_action["charge"]
    assert (home.token, home.where) == (Token.TAKEN, "charges.order_id")
    sampled = len(shop.records)
    shop.charge(orders[4], times=2, status=0)
    shop.charge(orders[5], times=0)
    totals = shop.judge(homes, since=sampled)
    assert (totals.doubled, totals.lost, totals.unknown_and_applied) == (1, 1, 1)


def test_when_nothing_was_left_in_the_pool_the_rows_own_id_tells(shop: Shop) -> None:
    for order in [shop.order() for _ in range(4)]:
        shop.charge(order)
    home = shop.learn(ADD_ORDER, CHARGE).by_action["charge"]
    assert (home.token, home.where) == (Token.MADE, "charges.id")


def test_an_answer_that_names_a_row_that_was_there_before_is_no_proof(shop: Shop) -> None:
    for order in [shop.order() for _ in range(6)][:4]:
        shop.noted("pay", 200, made=order, taken=(order,))
    homes = shop.learn(ADD_ORDER, PAY)
    assert "pay" not in homes.by_action
    assert homes.homeless["pay"].startswith("no column holds each of its writes exactly once")
    totals = shop.judge(homes)
    assert totals.unchecked == 4


def test_a_text_that_can_be_written_over_is_not_looked_for(shop: Shop) -> None:
    first, *_ = [shop.customer() for _ in range(5)]
    marker = TOKENS.marker(next(shop.serial))
    added = TOKENS.marker(next(shop.serial))
    shop.run("UPDATE customers SET name = %s || ' ' || name WHERE id = %s", marker, first)
    shop.noted("rename", 200, marker=marker, made=first)
    order = shop.order()
    shop.run("INSERT INTO notes VALUES (%s, %s)", order, added)
    shop.noted("note", 204, marker=added)
    homes = shop.learn(ADD_CUSTOMER, RENAME, ADD_ORDER, NOTE)
    assert homes.by_action["add_customer"].token is Token.MADE
    assert set(homes.homeless) == {"rename", "note"}
    assert "change a row again" in homes.homeless["note"]


def test_a_projects_own_sql_says_where(shop: Shop) -> None:
    for order in [shop.order() for _ in range(3)]:
        marker = TOKENS.marker(next(shop.serial))
        shop.run("INSERT INTO notes VALUES (%s, %s)", order, f"note: {marker}")
        shop.noted("note", 204, marker=marker)
    stored = Action("note", "PUT", NOTE.path, stored="SELECT body FROM notes WHERE body LIKE 'note: %'")
    homes = shop.learn(stored)
    shop.run("INSERT INTO notes SELECT * FROM notes LIMIT 1")
    totals = shop.judge(homes)
    assert (totals.sent, totals.checked, totals.doubled, totals.lost) == (6, 6, 1, 0)


def test_a_projects_own_sql_that_fails_is_one_sentence(shop: Shop) -> None:
    shop.customer()
    wrong = Action("add_customer", "POST", "/customers", stored="SELECT nothing FROM nowhere")
    with pytest.raises(
        LabError, match=r'cannot be read from `stored` of add_customer: relation "nowhere" does'
    ):
        shop.learn(wrong)


def test_a_projects_own_sql_cannot_write(shop: Shop) -> None:
    shop.customer()
    wrong = Action("add_customer", "POST", "/customers", stored="DELETE FROM customers RETURNING name")
    with pytest.raises(LabError, match="read-only transaction"):
        shop.learn(wrong)
    assert shop.one("SELECT count(*) FROM customers") == "1"


def test_integers_that_other_tables_hold_too_are_told_apart_by_the_name(shop: Shop) -> None:
    shop.run("CREATE TABLE accounts (id int PRIMARY KEY)")
    shop.run("INSERT INTO accounts SELECT generate_series(1, 100)")
    orders = [shop.order() for _ in range(4)]
    for order in orders:
        shop.charge(order)
    assert shop.learn(CHARGE).by_action["charge"].where == "charges.id"


def test_a_table_that_has_not_grown_is_nobodys_home(shop: Shop) -> None:
    """Frameworks fill tables of permissions with the ids 1 to N before anyone calls."""
    shop.run("CREATE TABLE charge_permissions (id int PRIMARY KEY)")
    shop.run("INSERT INTO charge_permissions SELECT generate_series(1, 100)")
    shop.run("ALTER TABLE charges RENAME TO payments")
    for _ in range(3):
        made = shop.one("INSERT INTO payments (state) VALUES ('new') RETURNING id")
        shop.noted("charge", 201, made=made)
    blind = Homes.learn(shop.connection, shop.records, PREFIX, [CHARGE])
    assert blind.by_action["charge"].where == "charge_permissions.id"
    homes = Homes.learn(shop.connection, shop.records, PREFIX, [CHARGE], grown=["payments"])
    assert homes.by_action["charge"].where == "payments.id"


def test_partitions_are_searched_as_one_table(shop: Shop) -> None:
    shop.run("CREATE TABLE visits (id bigint, who text) PARTITION BY HASH (id)")
    for part in range(2):
        shop.run(
            f"CREATE TABLE visits_{part} PARTITION OF visits FOR VALUES WITH (MODULUS 2, REMAINDER {part})"
        )
    for number in range(8):
        marker = TOKENS.marker(next(shop.serial))
        shop.run("INSERT INTO visits VALUES (%s, %s)", number, marker)
        shop.noted("visit", 201, marker=marker)
    homes = shop.learn(Action("visit", "POST", "/visits"))
    assert homes.by_action["visit"].where == "visits.who"
    assert set(homes.count(shop.connection)["visit"].times.values()) == {1}


def test_a_table_that_is_locked_is_said_not_to_have_been_searched(shop: Shop, server: Postgres) -> None:
    shop.customer()
    with server.connect(autocommit=False) as other:
        other.execute("LOCK TABLE notes")
        homes = Homes.learn(shop.connection, shop.records, PREFIX, [ADD_CUSTOMER], seconds=2.0)
        other.rollback()
    assert homes.unsearched == ("public.notes",)
    assert homes.by_action["add_customer"].where == "customers.name"


def test_a_database_that_is_gone_is_one_sentence(shop: Shop, server: Postgres) -> None:
    shop.customer()
    homes = shop.learn(ADD_CUSTOMER)
    with server.connect() as gone:
        gone.close()
        with pytest.raises(LabError, match=r"The ledger cannot be read from customers.name: .*closed"):
            homes.count(gone, shop.records)
