"""What holds at any time, asked of a real database and of answers."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from mainstay.lab.invariants import InvariantError, check, sound
from mainstay.lab.lab import Lab
from mainstay.lab.postgres import Postgres
from mainstay.model.proof import Claim, Subject, Verdict
from mainstay.model.service import Invariant

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def books() -> Iterator[Connection]:
    with Lab() as lab:
        postgres = Postgres(lab, "database")
        postgres.start()
        with postgres.connect() as connection:
            connection.execute("CREATE TABLE entries (id int, debit int, credit int, note text)")
            connection.execute("INSERT INTO entries SELECT n, n, n, 'a%b' FROM generate_series(1, 12) n")
            yield connection
        postgres.end()


def _sql(connection: Connection | None, sql: str, seconds: float = 10.0) -> Claim:
    (claim,) = check(connection, [Invariant("books balance", sql=sql)], seconds=seconds)
    return claim


def _over(body: str, holds: str) -> Claim:
    (claim,) = check(None, [Invariant("totals agree", request="GET /totals", holds=holds)], lambda _: body)
    return claim


def test_sql_that_yields_no_row_holds(books: Connection) -> None:
    claim = _sql(books, "SELECT id FROM entries WHERE debit <> credit OR note LIKE 'c%'")
    assert (claim.name, claim.subject) == ("invariant: books balance", Subject.INTEGRITY)
    assert (claim.verdict, claim.said) == (Verdict.PASSED, "`books balance` holds: its query yields no row.")


def test_rows_are_breaches_and_the_first_are_shown(books: Connection) -> None:
    claim = _sql(books, "SELECT id, note FROM entries ORDER BY id;")
    assert claim.verdict is Verdict.FAILED
    assert claim.said == "`books balance` does not hold: 12 rows break it."
    assert claim.evidence == ("1, a%b", "2, a%b", "3, a%b", "4, a%b", "5, a%b")


def test_an_invariant_cannot_write(books: Connection) -> None:
    claim = _sql(books, "DELETE FROM entries RETURNING id")
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert "cannot execute DELETE in a read-only transaction" in claim.said
    row = books.execute("SELECT count(*) FROM entries").fetchone()
    assert row == (12,)


def test_a_query_that_takes_too_long_is_ended_and_the_connection_lives_on(books: Connection) -> None:
    claim = _sql(books, "SELECT pg_sleep(30)", seconds=0.2)
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.said == "Whether `books balance` holds is not known: its query took longer than 0.2 s."
    assert _sql(books, "SELECT 1 WHERE false").verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT nothing FROM entries", 'column "nothing" does not exist'),
        ("SELEC", "syntax error"),
        ("COMMIT", "result"),
        ("SET TRANSACTION READ WRITE; DELETE FROM entries", "multiple commands"),
        ("COMMIT; DELETE FROM entries", "multiple commands"),
    ],
)
def test_sql_that_cannot_be_asked_settles_nothing(books: Connection, sql: str, why: str) -> None:
    claim = _sql(books, sql)
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.said.startswith("Whether `books balance` holds is not known: ")
    assert why in claim.said
    assert books.execute("SELECT count(*) FROM entries").fetchone() == (12,)


def test_a_statement_that_yields_nothing_at_all_settles_nothing(books: Connection) -> None:
    assert _sql(books, "SET work_mem = '4MB'").verdict is Verdict.INCONCLUSIVE


def test_without_a_database_or_a_service_nothing_is_known() -> None:
    assert "there is no database to ask" in _sql(None, "SELECT 1").said
    (claim,) = check(None, [Invariant("totals", request="GET /totals", holds="a == b")])
    assert (claim.verdict, "no service to ask" in claim.said) == (Verdict.INCONCLUSIVE, True)


def test_an_expression_over_an_answer_holds_or_not() -> None:
    assert _over('{"debit": 0.3, "credit": 0.3}', "debit == credit").verdict is Verdict.PASSED
    claim = _over('{"debit": 1, "credit": 2}', "debit == credit")
    assert claim.verdict is Verdict.FAILED
    assert claim.said == "`totals agree` does not hold over GET /totals: debit == credit."
    assert claim.evidence == ('{"debit": 1, "credit": 2}',)


@pytest.mark.parametrize("body", ["<html>", "{}", '{"debit": "x", "credit": null}'])
def test_an_answer_of_another_shape_settles_nothing(body: str) -> None:
    assert _over(body, "debit < credit").verdict is Verdict.INCONCLUSIVE


def test_a_service_that_does_not_answer_settles_nothing() -> None:
    def gone(_: str) -> bytes:
        raise ConnectionRefusedError("connection refused")

    (claim,) = check(None, [Invariant("totals", request="GET /totals", holds="a == b")], gone)
    assert (
        claim.said == "Whether `totals` holds is not known: GET /totals was not answered: connection refused."
    )


@pytest.mark.parametrize(
    ("invariant", "said"),
    [
        (Invariant("x"), "needs either `sql`, or `request` and `holds`"),
        (Invariant("x", sql="SELECT 1", holds="a == b"), "needs either `sql`, or `request` and `holds`"),
        (Invariant("x", request="GET /a"), "needs both `request` and `holds`"),
        (Invariant("x", request="POST /a", holds="a == b"), "asks by GET"),
        (Invariant("x", request="GET /a", holds="a = b"), "`a = b`, column 3: this cannot be read"),
    ],
)
def test_an_invariant_that_can_never_be_checked_is_refused_beforehand(
    invariant: Invariant, said: str
) -> None:
    with pytest.raises(InvariantError) as caught:
        sound([invariant])
    assert said in str(caught.value)


def test_sound_ones_are_not_refused() -> None:
    sound([Invariant("a", sql="SELECT 1"), Invariant("b", request="GET /a", holds="a == b")])
