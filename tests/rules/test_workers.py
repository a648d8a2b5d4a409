"""bad-item-ends-loop: which loops must go on, and what ends them."""

from textwrap import dedent

import pytest

from mainstay.rules.failure.bad_item_ends_loop import BadItemEndsLoop
from tests.rules.conftest import Found

WORKER = """
import json, threading, time
import requests

class Stopped(Exception): ...

class Worker(threading.Thread):
    stop = threading.Event()
    running = True

    def run(self):
        {loop}
            {start}
            item = requests.get("https://queue.test", timeout=3)
            requests.post("https://other.test", json=json.loads(item.text), timeout=3).raise_for_status()
            time.sleep(1)

def main():
    worker = Worker()
    threading.Thread(target=worker.run).start()
"""


def ends(found: Found, text: str) -> list[int]:
    return [f.location.line for f in found(BadItemEndsLoop, {"app.py": text})]


@pytest.mark.parametrize(
    "loop",
    [
        "while True:",
        "while not self.stop.is_set():",
        "while self.running:",
        "while not self.stop.wait(5):",
    ],
)
def test_loops_without_an_end_of_their_own(found: Found, loop: str) -> None:
    assert ends(found, WORKER.format(loop=loop, start="pass")) == [12]


@pytest.mark.parametrize("loop", ["while self.left > 0:", "while False:", "for item in range(9):"])
def test_loops_that_end(found: Found, loop: str) -> None:
    assert ends(found, WORKER.format(loop=loop, start="pass")) == []


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("if self.stop.is_set(): break", [12]),
        ("if self.shutdown: return", [12]),
        ("for one in (1, 2): break", [12]),
        ("if self.count > 9: break", []),
        ("return", []),
    ],
)
def test_ways_out(found: Found, start: str, expected: list[int]) -> None:
    assert ends(found, WORKER.format(loop="while True:", start=start)) == expected


def test_a_worker_that_its_caller_starts_again(found: Found) -> None:
    text = """
        import requests, threading, time

        def work():
            while True:
                requests.post("https://other.test", timeout=3).raise_for_status()
                time.sleep(1)

        def main():
            {body}

        threading.Thread(target=main).start()
    """
    plain = dedent(text).replace("{body}", "work()")
    assert ends(found, plain) == [5]
    revived = """while True:
        try:
            work()
        except Exception:
            time.sleep(5)"""
    assert ends(found, dedent(text).replace("{body}", revived)) == []


BATCH = """
import requests
from celery import shared_task
from django.db import models, transaction

class Order(models.Model): ...

@shared_task
def nightly():
    for {item} in Order.objects.all():
        {work}

def send({item}):
    requests.post("https://other.test", json={item}.id, timeout=3).raise_for_status()
"""


@pytest.mark.parametrize(
    ("item", "work", "expected"),
    [
        ("order", "send(order)", [10]),
        ("order", "send(None)", []),
        ("page", "send(page)", []),
        ("order", "try: send(order)\n        except requests.HTTPError: continue", [10]),
        ("order", "try: send(order)\n        except requests.RequestException: continue", []),
        ("order", "try: send(order)\n        except Exception: continue", []),
        ("order", "try: send(order)\n        except KeyError: continue", [10]),
        ("order", "print(order)", []),
    ],
)
def test_the_rest_of_a_batch(found: Found, item: str, work: str, expected: list[int]) -> None:
    assert ends(found, BATCH.format(item=item, work=work)) == expected


def test_a_batch_in_one_transaction_ends_as_a_whole(found: Found) -> None:
    text = BATCH.format(item="order", work="send(order)")
    inside = text.replace("@shared_task", "@shared_task\n@transaction.atomic")
    assert ends(found, inside) == []
