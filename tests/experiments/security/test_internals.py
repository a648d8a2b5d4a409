"""What an error answer tells of how a service is built."""

import pytest

from mainstay.experiments.security.internals import internals


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('Traceback (most recent call last):\n  File "/srv/app.py", line 3, in pay', "a stack trace"),
        ("Error: x\n    at Shop.pay (/srv/shop.js:12:7)", "a stack trace"),
        ("java.lang.IllegalStateException: x\n\tat com.shop.Pay.run(Pay.java:12)", "a stack trace"),
        ("goroutine 12 [running]:", "a stack trace"),
        ("cannot open /srv/app/shop/models.py", "a path of the source"),
        ("bad query: SELECT id, name FROM users WHERE id = $1", "SQL"),
        ('duplicate key value violates unique constraint "users_email_key"', "an error of the database"),
        ('invalid input syntax for type uuid: "abc"', "an error of the database"),
        ("sqlalchemy.exc.IntegrityError: oops", "the class of an exception"),
        ("KeyError: 'amount'", "the class of an exception"),
        ("running PostgreSQL 16.2 on x86_64", "the version of a server or driver"),
    ],
)
def test_internals_are_told_by_kind(text: str, kind: str) -> None:
    assert kind in [one.kind for one in internals(text)]


@pytest.mark.parametrize(
    "text",
    [
        '{"detail": "there is no such order"}',
        '{"detail": [{"loc": ["body", "amount"], "msg": "Input should be more", "type": "greater_than"}]}',
        '{"type": "https://example.test/errors/out-of-stock", "title": "Out of stock", "status": 409}',
        "Select a date from the list, then update the order.",
        '{"input": "../../etc/passwd", "path": "/orders/17"}',
        "<html><h1>404 Not Found</h1><hr>nginx</html>",
    ],
)
def test_a_plain_refusal_holds_none(text: str) -> None:
    assert internals(text) == ()


def test_an_excerpt_is_short_and_on_one_line() -> None:
    (found,) = (one for one in internals("x\n" * 500 + "[SQL: SELECT 1]" + "\ny" * 500) if one.kind == "SQL")
    assert "[SQL: " in found.excerpt
    assert len(found.excerpt) <= 200
    assert "\n" not in found.excerpt
