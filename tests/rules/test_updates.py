"""lost-update: what is computed from the old value, and what keeps two from doing it at once."""

from textwrap import dedent

import pytest

from mainstay.rules.integrity.lost_update import LostUpdate
from tests.rules.conftest import Found

MODELS = """
from django.db import models

class Stock(models.Model):
    left = models.IntegerField()
    tags = models.JSONField()
"""


def lines(found: Found, text: str, models: str = MODELS) -> list[int]:
    files = {"models.py": models, "app.py": "from models import Stock\n" + dedent(text).lstrip()}
    return [finding.location.line for finding in found(LostUpdate, files)]


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ("stock.left -= count", True),
        ("stock.left = stock.left - count", True),
        ("stock.left = max(0, stock.left - count)", True),
        ("stock.tags = [*stock.tags, count]", True),
        ("stock.left = count", False),
        ("stock.left = F('left') - count", False),
    ],
)
def test_arithmetic_on_the_old_value(found: Found, change: str, lost: bool) -> None:
    text = f"""
        from django.db.models import F
        def sell(pk, count):
            stock = Stock.objects.get(pk=pk)
            {change}
            stock.save()
    """
    assert lines(found, text) == ([5] if lost else [])


def test_through_a_variable(found: Found) -> None:
    text = """
        def sell(pk, count):
            stock = Stock.objects.get(pk=pk)
            left = stock.left - count
            stock.left = left
            stock.save()
    """
    assert lines(found, text) == [5]


def test_what_is_never_saved_is_not_lost(found: Found) -> None:
    text = """
        def show(pk, count):
            stock = Stock.objects.get(pk=pk)
            stock.left -= count
            other = Stock.objects.create(left=1)
            return stock, other
    """
    assert lines(found, text) == []


def test_a_row_that_every_caller_has_locked(found: Found) -> None:
    text = """
        from django.db import transaction

        def sell(stock: Stock, count):
            stock.left -= count
            stock.save()

        @transaction.atomic
        def order(pk):
            sell(Stock.objects.select_for_update().get(pk=pk), 1)
    """
    assert lines(found, text) == []
    assert lines(
        found, text + "\n        def hurry(pk):\n            sell(Stock.objects.get(pk=pk), 1)\n"
    ) == [5]


def test_a_lock_held_around_it(found: Found) -> None:
    text = """
        import threading
        guard = threading.Lock()

        def sell(pk, count):
            stock = Stock.objects.get(pk=pk)
            with guard:
                stock.left -= count
                stock.save()
    """
    assert lines(found, text) == []


def test_a_model_that_checks_its_version(found: Found) -> None:
    models = """
        from sqlalchemy.orm import DeclarativeBase, mapped_column

        class Base(DeclarativeBase): ...
        class Stock(Base):
            left = mapped_column()
            version = mapped_column()
    """
    text = """
        from sqlalchemy.orm import Session
        def sell(session: Session, pk, count):
            stock = session.get(Stock, pk)
            stock.left -= count
            session.commit()
    """
    assert lines(found, text, dedent(models)) == [5]
    versioned = dedent(models) + '    __mapper_args__ = {"version_id_col": version}\n'
    assert lines(found, text, versioned) == []
