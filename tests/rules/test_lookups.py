"""check-then-write: what a test says about the look-up ahead of it, and the models about a second row."""

from textwrap import dedent, indent

import pytest

from mainstay.model.finding import Confidence, Finding, Severity
from mainstay.rules.integrity.check_then_write import CheckThenWrite
from tests.rules.conftest import Found

DJANGO = """
from django.db import models

class Customer(models.Model):
    email = models.EmailField()
"""
SQLALCHEMY = """
from sqlalchemy.orm import DeclarativeBase, mapped_column

class Base(DeclarativeBase): ...

class Customer(Base):
    email = mapped_column()
"""


def races(found: Found, body: str, models: str = DJANGO, **more: str) -> list[Finding]:
    """What the rule finds in `register`, which has that body."""
    head = "from models import Customer\ndef register(email, force=False):\n"
    files = {"models.py": models, "app.py": head + indent(dedent(body).strip(), "    ") + "\n"}
    return found(CheckThenWrite, files | {f"{name}.py": text for name, text in more.items()})


def lines(found: Found, body: str) -> list[int]:
    """The lines of the body that the rule points at."""
    return [finding.location.line - 2 for finding in races(found, body)]


FILTERED = "rows = Customer.objects.filter(email=email)\n"


@pytest.mark.parametrize(
    "test",
    [
        "not rows.exists()",
        "not rows.exists() and not force",
        "not force and not rows.first()",
        "rows.count() == 0",
        "len(rows) < 1",
        "not any(rows)",
        "rows.first() is None",
        "(row := rows.first()) is None",
        "not (rows.first() or None)",
        "not list(rows)",
    ],
)
def test_a_test_that_finds_none(found: Found, test: str) -> None:
    text = f"{FILTERED}if {test}:\n    Customer.objects.create(email=email)"
    assert lines(found, text) == [3]


@pytest.mark.parametrize(
    "test",
    [
        "rows.exists()",
        "rows.count() > 5",
        "rows.first().active",
        "rows.first() == force",
        "email in BLOCKED",
        "force",
    ],
)
def test_a_test_that_finds_one_or_asks_for_something_else(found: Found, test: str) -> None:
    text = f"{FILTERED}if {test}:\n    Customer.objects.create(email=email)"
    assert lines(found, text) == []


def test_a_look_up_of_many_is_tested_with_in(found: Found) -> None:
    text = """
        known = list(Customer.objects.filter(email=email))
        if email not in known:
            Customer.objects.create(email=email)
    """
    assert lines(found, text) == [3]
    assert lines(found, text.replace("not in", "in")) == []


def test_what_stands_behind_or_in_the_other_branch(found: Found) -> None:
    left = f"{FILTERED}if rows.exists():\n    return None\nCustomer.objects.create(email=email)"
    assert lines(found, left) == [4]
    other = f"{FILTERED}if rows.exists():\n    print(1)\nelse:\n    Customer.objects.create(email=email)"
    assert lines(found, other) == [5]
    goes_on = f"{FILTERED}if rows.exists():\n    print(1)\nCustomer.objects.create(email=email)"
    assert lines(found, goes_on) == []


ONCE = f"{FILTERED}if not rows.exists():\n    Customer.objects.create(email=email)"


@pytest.mark.parametrize(
    "declared",
    [
        "email = models.EmailField(unique=True)",
        "class Meta:\n        unique_together = [('email',)]",
        "class Meta:\n        constraints = [models.UniqueConstraint(fields=['email'], name='one')]",
    ],
)
def test_a_unique_key_turns_the_second_row_into_an_error(found: Found, declared: str) -> None:
    (finding,) = races(found, ONCE, f"{DJANGO}    {declared}\n")
    assert finding.message.endswith("its unique key then fails as an error nobody handles")
    assert (finding.severity, finding.confidence) == (Severity.HIGH, Confidence.MEDIUM)


CONFLICT = """
from django.db import IntegrityError
from fastapi import FastAPI
api = FastAPI({given})

{decorator}
def {name}(request, error):
    if {test}:
        return 409
"""
HANDLED = [
    CONFLICT.format(
        given="", decorator="@api.exception_handler(IntegrityError)", name="conflict", test="error"
    ),
    CONFLICT.format(given="exception_handlers={IntegrityError: 1}", decorator="", name="other", test="error"),
    CONFLICT.format(
        given="", decorator="", name="custom_exception_handler", test="isinstance(error, IntegrityError)"
    ),
    CONFLICT.format(given="", decorator="", name="conflict", test="error")
    + "api.add_exception_handler(IntegrityError, conflict)\n",
]


@pytest.mark.parametrize("answered", HANDLED)
def test_an_application_that_answers_the_conflict_makes_it_milder(found: Found, answered: str) -> None:
    unique = DJANGO.replace("EmailField()", "EmailField(unique=True)")
    (finding,) = races(found, ONCE, unique, errors=answered)
    assert finding.message.endswith("its unique key then fails, answered as any other")
    assert finding.severity is Severity.MEDIUM
    (finding,) = races(found, ONCE, errors=answered)
    assert finding.severity is Severity.HIGH, "without a unique key there is no conflict to answer"


def test_arguments_of_the_table_that_are_computed_leave_it_open(found: Found) -> None:
    text = """
        from sqlalchemy import select
        from sqlalchemy.orm import Session
        from models import Customer

        def register(session: Session, email):
            if session.scalar(select(Customer).where(Customer.email == email)) is None:
                session.add(Customer(email=email))
    """
    for models, words in (
        (SQLALCHEMY, "declares no unique constraint"),
        (SQLALCHEMY + "    __table_args__ = arguments()\n", "if a unique key forbids"),
        (
            SQLALCHEMY + "    @declared_attr\n    def __table_args__(cls): ...\n",
            "if a unique key forbids",
        ),
        (SQLALCHEMY + "class Client(Customer): ...\n", "if a unique key forbids"),
    ):
        (finding,) = found(CheckThenWrite, {"models.py": models, "app.py": text})
        assert words in finding.message, models


def test_a_lazy_query_that_is_tested_is_a_look_up(found: Found) -> None:
    files = {
        "models.py": "from django.db import models\nclass Tag(models.Model): name = models.TextField()\n",
        "views.py": """
            from models import Tag
            def tag(name):
                rows = Tag.objects.filter(name=name)
                if not rows:
                    Tag.objects.create(name=name)
        """,
    }
    assert [str(finding.location) for finding in found(CheckThenWrite, files)] == ["views.py:6"]
