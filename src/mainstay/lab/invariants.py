"""What holds at any time, as the project declares it, asked of the database and of the service."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import psycopg

from mainstay.lab.error import LabError
from mainstay.lab.expression import Expression, ExpressionError, read_json
from mainstay.lab.ledger_search import read_own
from mainstay.model.proof import Claim, Subject, Verdict
from mainstay.model.service import Invariant

SECONDS = 10.0  # for one query
_SHOWN = 5  # rows

Ask = Callable[[str], str | bytes]  # "GET /totals" -> the body; may raise OSError


class InvariantError(LabError):
    """What is wrong with a declared invariant, in one sentence."""


def sound(invariants: Iterable[Invariant]) -> None:
    """Raise InvariantError for one that can never be checked; nothing is run."""
    for one in invariants:
        if bool(one.sql) == bool(one.request or one.holds):
            raise InvariantError(f"The invariant `{one.name}` needs either `sql`, or `request` and `holds`.")
        if one.sql:
            continue
        if not one.request or not one.holds:
            raise InvariantError(f"The invariant `{one.name}` needs both `request` and `holds`.")
        if one.request.split(" ")[0] != "GET" or not one.request.partition(" ")[2].startswith("/"):
            raise InvariantError(f"The invariant `{one.name}` asks by GET, as in `GET /totals`.")
        try:
            Expression(one.holds)
        except ExpressionError as error:
            raise InvariantError(f"The invariant `{one.name}` cannot be read: {error}.") from error


def check(
    connection: psycopg.Connection[Any] | None,
    invariants: Sequence[Invariant],
    ask: Ask | None = None,
    seconds: float = SECONDS,
) -> tuple[Claim, ...]:
    """One claim for each.  What cannot be asked is inconclusive, and the sentence says why.

    SQL runs in a transaction that can only read, for at most `seconds`; a row that it yields is a breach.
    """
    return tuple(_by_sql(connection, one, seconds) if one.sql else _by_answer(ask, one) for one in invariants)


def _by_sql(connection: psycopg.Connection[Any] | None, one: Invariant, seconds: float) -> Claim:
    if connection is None:
        return _untold(one, "there is no database to ask")
    try:
        rows, found = read_own(connection, one.sql, seconds, _SHOWN)
    except psycopg.errors.QueryCanceled:
        return _untold(one, f"its query took longer than {seconds:g} s")
    except psycopg.Error as error:
        return _untold(one, (str(error).strip().splitlines() or ["the query failed"])[0])
    if not found:
        return _claim(one, Verdict.PASSED, f"`{one.name}` holds: its query yields no row.")
    shown = tuple(", ".join(map(str, row))[:200] for row in rows)
    number = "1 row breaks" if found == 1 else f"{found:,} rows break"
    return _claim(one, Verdict.FAILED, f"`{one.name}` does not hold: {number} it.", shown)


def _by_answer(ask: Ask | None, one: Invariant) -> Claim:
    if ask is None:
        return _untold(one, "there is no service to ask")
    try:
        body = ask(one.request)
    except OSError as error:
        return _untold(one, f"{one.request} was not answered: {error}")
    try:
        holds = Expression(one.holds).holds(read_json(body))
    except ExpressionError as error:
        return _untold(one, str(error))
    if holds:
        return _claim(one, Verdict.PASSED, f"`{one.name}` holds: {one.holds}, over {one.request}.")
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    return _claim(
        one, Verdict.FAILED, f"`{one.name}` does not hold over {one.request}: {one.holds}.", (text[:300],)
    )


def _untold(one: Invariant, why: str) -> Claim:
    return _claim(one, Verdict.INCONCLUSIVE, f"Whether `{one.name}` holds is not known: {why}.")


def _claim(one: Invariant, verdict: Verdict, text: str, evidence: tuple[str, ...] = ()) -> Claim:
    return Claim(f"invariant: {one.name}", Subject.INTEGRITY, verdict, text, evidence=evidence)
