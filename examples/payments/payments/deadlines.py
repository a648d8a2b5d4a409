"""A connection that waits for the database only so long.

The server's own limits end a statement that it works on. They do not end a wait for an answer that
will never come: something in between may forget a connection and go on acknowledging what is sent,
and then neither TCP nor the server tells anyone.
"""

from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg.errors import OperationalError

# Longer than the server's statement_timeout, so that where the server can speak it speaks first.
ANSWER_WITHIN_S = 6.0

Result = TypeVar("Result")


class NoAnswer(OperationalError):
    """The database did not answer in time; whether it did what it was asked is not known."""


class ImpatientConnection(psycopg.Connection[Any]):
    """Each exchange (a statement, a fetch, a commit) has a deadline; who misses it is hung up on.

    The thread that waits is the one that gives up, so a deadline can never hit the next borrower.
    """

    def wait(
        self,
        gen: Generator[Any, Any, Result],
        interval: float = 0.1,
        timeout: float | None = None,
    ) -> Result:
        try:
            return super().wait(gen, interval, ANSWER_WITHIN_S if timeout is None else timeout)
        except OperationalError as error:
            # What the server says has a state; that it said nothing has none.
            if timeout is not None or error.sqlstate is not None or self.closed:
                raise
            # Half an exchange is left on it: it can be of no use to anyone.
            self.pgconn.finish()
            raise NoAnswer(f"the database gave no answer within {ANSWER_WITHIN_S:g} s") from error
