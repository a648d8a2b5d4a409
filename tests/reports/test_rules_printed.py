"""A rule's page at the terminal, and the list of all."""

from mainstay.reports import explain, rule_list
from mainstay.reports.explain import ExampleLine, lines_of
from tests.reports import fake

PAGE = """\
request-data-in-sql
Request data becomes part of an SQL statement.

A requester can end the statement and begin one of their own: every row that the
service may read or write is theirs.

Pass the value as a bound parameter; choose names of columns from a fixed set.

notices     Nobody, until the data turns up elsewhere.
recovers    It does not: what was read cannot be taken back, what was written
            needs a backup.
costs       A bound parameter costs nothing; a fixed set of columns, a few
            lines.
severity    critical
analysis    security
family      untrusted-input
references  CWE-89, OWASP A03:2021
since       0.1

Bad
  shop/search.py
  > db.execute(f"select * from goods order by {order}")

Good
  shop/search.py
    db.execute(goods.select().order_by(COLUMNS[order]))

Where it is meant to be so, say why on the line itself or the one above:
    # mainstay: ignore[request-data-in-sql] the reason
"""

LIST = """\
failure (1)
  call-without-deadline  high
      A call out of the process has no deadline.

integrity (1)
  external-call-in-transaction  high
      A call to another service is made inside an open transaction.

security (1)
  request-data-in-sql  critical
      Request data becomes part of an SQL statement.

performance (1)
  query-per-row  low  preview
      A query runs for each row of another.

monitoring (1)
  exception-swallowed  medium
      A handler catches everything and says nothing.

5 rules; mainstay explain RULE prints one whole.
"""


def test_explain_prints_the_rule_itself() -> None:
    assert explain.render(fake.RequestDataInSql) == PAGE


def test_explain_says_preview_and_the_reason_of_an_example() -> None:
    assert "since       0.1, in preview: it cannot fail a review yet\n" in explain.render(fake.QueryPerRow)
    assert "Bad: requests waits for ever unless told otherwise\n" in explain.render(fake.CallWithoutDeadline)


def test_the_list_of_rules() -> None:
    assert rule_list.render(fake.RULES) == LIST


def test_marks_are_read_in_every_language_and_not_printed() -> None:
    text = """
        a: 1  # <-
        select 1;  -- <-
        f(x) // <-
        y <- z
    """
    assert lines_of(text)[:4] == (
        ExampleLine("a: 1", True),
        ExampleLine("select 1;", True),
        ExampleLine("f(x)", True),
        ExampleLine("y <- z", False),
    )
