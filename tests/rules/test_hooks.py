"""enqueue-before-commit in code that runs whenever a row is saved: what shows that a transaction is open."""

import pytest

from mainstay.rules.integrity.enqueue_before_commit import EnqueueBeforeCommit
from tests.rules.conftest import Found

TASKS = """
from celery import shared_task

@shared_task
def index(pk): ...
"""
MODELS = """
from django.db import models
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from tasks import index

class Page(models.Model): ...

@receiver({signal}, sender=Page)
def changed(sender, instance, **kwargs):
    index.delay(instance.pk)
"""


def lines(found: Found, signal: str, **more: str) -> list[int]:
    """The lines of the receiver's file that the rule points at."""
    files = {"tasks.py": TASKS, "models.py": MODELS.format(signal=signal)}
    files |= {f"{name}.py": text for name, text in more.items()}
    return [f.location.line for f in found(EnqueueBeforeCommit, files) if f.location.path == "models.py"]


def test_a_deletion_is_always_a_transaction(found: Found) -> None:
    assert lines(found, "post_delete") == [11]


def test_a_row_that_nobody_saves_in_a_transaction_commits_by_itself(found: Found) -> None:
    assert lines(found, "post_save") == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("ATOMIC_REQUESTS = True\n", [11]),
        ('DATABASES = {"default": {"ENGINE": "x", "ATOMIC_REQUESTS": True}}\n', [11]),
        ('DATABASES = {"default": {"ENGINE": "x", "ATOMIC_REQUESTS": False}}\n', []),
        ("ATOMIC_REQUESTS = False\n", []),
    ],
)
def test_requests_that_are_transactions(found: Found, settings: str, expected: list[int]) -> None:
    assert lines(found, "post_save", settings=settings) == expected


def test_a_write_in_a_transaction_elsewhere(found: Found) -> None:
    text = """
from django.db import transaction
from models import Page

def bring(rows):
    with transaction.atomic():
        Page.objects.create(title="x")
"""
    assert lines(found, "post_save", imports=text) == [11]
