"""Who waits for a call: the nearest request or job, and which of a view's methods lead there."""

from collections.abc import Callable
from textwrap import dedent, indent

import pytest

from mainstay.model.system import System
from mainstay.rules.reach import Reach

Link = Callable[[dict[str, str]], System]

URLS = "from django.urls import path\nimport views\nurlpatterns = [path('orders/', views.orders)]\n"


def asked(link: Link, body: str) -> str:
    """The request behind the call of `work` in a view that every method reaches."""
    text = "def work(): ...\ndef orders(request):\n" + indent(dedent(body).strip(), "    ") + "\n"
    system = link({"urls.py": URLS, "views.py": text})
    return Reach(system).context(system.functions["views.work"], 0).request


POSTS = "\nrequest.POST.get('a')\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("work()" + POSTS, "GET and POST /orders/"),
        ("if request.method == 'POST':\n    work()", "POST /orders/"),
        ("if request.method != 'POST':\n    work()" + POSTS, "GET /orders/"),
        ("if request.method in ('POST', 'PUT'):\n    work()" + POSTS, "POST /orders/"),
        ("if request.method not in ('POST', 'PUT'):\n    work()" + POSTS, "GET /orders/"),
        ("if request.method == 'POST':\n    pass\nelse:\n    work()", "GET /orders/"),
        ("if request.method == 'POST':\n    return 1\nwork()", "GET /orders/"),
        ("if request.method == 'POST':\n    print()\nwork()", "GET and POST /orders/"),
        ("if request.method == 'POST' and request.user:\n    work()", "POST /orders/"),
        ("if request.method == 'POST' and request.user:\n    return 1\nwork()", "GET and POST /orders/"),
        ("if request.user:\n    work()" + POSTS, "GET and POST /orders/"),
        ("if request.user == 'POST':\n    work()" + POSTS, "GET and POST /orders/"),
    ],
)
def test_the_methods_that_lead_to_a_call(link: Link, body: str, expected: str) -> None:
    assert asked(link, body) == expected


def test_a_request_counts_more_than_a_job_and_a_transaction_is_told_first(link: Link) -> None:
    system = link(
        {
            "app.py": """
                from celery import shared_task
                from django.db import transaction
                from fastapi import Depends, FastAPI, HTTPException
                app = FastAPI()
                def work(): ...
                def held():
                    with transaction.atomic():
                        work()
                @shared_task
                def nightly():
                    held()
                @app.post("/run")
                def run():
                    held()
                def alone(): ...
                @shared_task
                def hourly():
                    alone()
                def caller(token: str = ""):
                    check(token)
                    if not token:
                        raise HTTPException(401)
                def check(token): ...
                @app.get("/a", dependencies=[Depends(caller)])
                def a(): ...
                @app.get("/b", dependencies=[Depends(caller)])
                def b(): ...
            """
        }
    )
    reach = Reach(system)
    found = reach.context(system.functions["app.work"], 0)
    assert found.request == "POST /run"
    assert found.words() == ", while a transaction is open (with atomic in held)"
    assert [hop.what for hop in found.path] == ["calls app.work"]
    alone = reach.context(system.functions["app.alone"], 0)
    assert (alone.request, alone.words()) == ("", f", reached from {alone.job}")
    assert alone.job.startswith("the task ")
    guard = reach.context(system.functions["app.check"], 0)
    assert guard.request == "GET /a and 1 more"
    assert reach.context(system.functions["app.a"], 0).words() == ", reached from GET /a"
