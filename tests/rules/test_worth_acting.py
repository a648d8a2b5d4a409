"""What is not worth acting on is told quietly: low confidence, or a lower severity."""

from textwrap import dedent

import pytest

from mainstay.model.finding import Confidence, Finding, Severity
from mainstay.rules.failure.call_without_deadline import CallWithoutDeadline
from mainstay.rules.performance.blocking_call_in_async import BlockingCallInAsync
from mainstay.rules.performance.query_per_row import QueryPerRow
from tests.rules.conftest import Found

MODELS = """
from django.db import models

class Customer(models.Model): ...
class Order(models.Model): ...
"""
VIEWS = """
from django.urls import path
from models import Customer, Order

"""


def per_row(found: Found, view: str) -> Finding:
    text = f"{VIEWS}{dedent(view)}\nurlpatterns = [path('orders/', orders)]\n"
    (finding,) = found(QueryPerRow, {"models.py": MODELS, "views.py": text})
    return finding


def view(rows: str, *body: str) -> str:
    inner = "".join(f"        {line}\n" for line in body)
    return f"def orders(request):\n    for row in {rows}:\n{inner}"


ASKS = "print(Order.objects.filter(customer=row).count())"


@pytest.mark.parametrize(
    "text",
    [
        view("Customer.objects.filter(pk__in=request.POST.getlist('ids'))", ASKS),
        view("Customer.objects.filter(user=request.user)", ASKS),
        view("set(each.zone for each in Customer.objects.all())", ASKS),
        view("Customer.objects.all()", "if request.user.is_staff:", f"    {ASKS}"),
        view("Customer.objects.all()", f"row.number = {ASKS[6:-1]}", "row.save()"),
    ],
    ids=["picked", "one user's", "distinct values", "a test of no row", "saved each"],
)
def test_few_rows_or_little_to_win(found: Found, text: str) -> None:
    assert per_row(found, text).confidence is Confidence.LOW


@pytest.mark.parametrize(
    "text",
    [
        view("Customer.objects.all()", ASKS),
        view("Customer.objects.all()", "if row.active:", f"    {ASKS}"),
        view("Customer.objects.all()", "if row.active:", f"    {ASKS}", "else:", "    row.delete()"),
        view("set(each.id for each in Customer.objects.all())", ASKS),
    ],
    ids=["all", "a test of the row", "a write on another branch", "keys"],
)
def test_a_table_walked_while_somebody_waits(found: Found, text: str) -> None:
    finding = per_row(found, text)
    assert (finding.severity, finding.confidence) == (Severity.HIGH, Confidence.HIGH)


def test_the_test_is_told(found: Found) -> None:
    text = view("Customer.objects.all()", "if request.user.is_staff:", f"    {ASKS}")
    assert per_row(found, text).message.endswith(", only when request.user.is_staff")


@pytest.mark.parametrize(
    ("around", "asked"),
    [
        ('if request.method == "POST":', "POST /orders/"),
        ('if request.method in ("GET", "HEAD"):', "GET /orders/"),
        ('if request.POST.get("all"):', "GET and POST /orders/"),
    ],
)
def test_the_methods_that_lead_there(found: Found, around: str, asked: str) -> None:
    text = f"""
def orders(request):
    form = request.POST
    {around}
        for row in Customer.objects.all():
            {ASKS}
"""
    assert f"for {asked}" in per_row(found, text).message


def test_what_came_before_has_left(found: Found) -> None:
    text = f"""
def orders(request):
    if request.method != "POST":
        return None
    for row in Customer.objects.all():
        {ASKS}
"""
    assert "for POST /orders/" in per_row(found, text).message


def test_the_way_a_failure_takes(found: Found) -> None:
    text = """
def orders(request):
    for row in Customer.objects.all():
        print(number(row))

def number(row):
    try:
        return row.number
    except AttributeError:
        return Order.objects.filter(customer=row).count()
"""
    finding = per_row(found, text)
    assert finding.confidence is Confidence.LOW
    assert finding.message.endswith(", only when something fails in number")


TASK = """
import requests
from celery import shared_task

{decorator}
def notify(url):
    requests.post(url)
"""


@pytest.mark.parametrize(
    ("decorator", "settings", "words"),
    [
        ("@shared_task(time_limit=600)", "", "until the task's limit of 600 s ends it"),
        ("@shared_task", "CELERY_TASK_TIME_LIMIT = 5 * 60", "until the task's limit of 300 s ends it"),
        ("@shared_task", "app.conf.update(task_time_limit=limit())", "until the task's time limit ends it"),
    ],
)
def test_a_task_with_a_limit(found: Found, decorator: str, settings: str, words: str) -> None:
    files = {"tasks.py": TASK.format(decorator=decorator), "settings.py": f"{settings}\n"}
    (finding,) = found(CallWithoutDeadline, files)
    assert words in finding.message
    assert finding.severity is Severity.MEDIUM


@pytest.mark.parametrize(
    ("decorator", "settings"),
    [("@shared_task", ""), ("@shared_task(time_limit=600)", 'worker_pool = "threads"')],
)
def test_a_task_that_nothing_ends(found: Found, decorator: str, settings: str) -> None:
    files = {"tasks.py": TASK.format(decorator=decorator), "settings.py": f"{settings}\n"}
    (finding,) = found(CallWithoutDeadline, files)
    assert "until" not in finding.message
    assert finding.severity is Severity.HIGH


MEMO = """
import requests
from fastapi import FastAPI

app = FastAPI()
KEYS = {{}}

@app.get("/keys")
async def keys(name: str):
    return await key(name)

async def key(name):
    {test}
    KEYS[name] = requests.get(f"https://keys/{{name}}", timeout=5).text
    return KEYS[name]
"""


@pytest.mark.parametrize(
    ("test", "confidence"),
    [
        ("if name in KEYS: return KEYS[name]", Confidence.LOW),
        ("if name in KEYS and name: return KEYS[name]", Confidence.LOW),
        ("if not name: return None", Confidence.HIGH),
    ],
)
def test_on_first_use(found: Found, test: str, confidence: Confidence) -> None:
    (finding,) = found(BlockingCallInAsync, {"app.py": MEMO.format(test=test)})
    assert finding.confidence is confidence
    assert ("on first use" in finding.message) is (confidence is Confidence.LOW)


def test_a_coroutine_that_nobody_runs(found: Found) -> None:
    text = "import requests\n\nasync def ask():\n    return requests.get('https://a.test', timeout=5)\n"
    (finding,) = found(BlockingCallInAsync, {"clients.py": text})
    assert finding.confidence is Confidence.LOW
