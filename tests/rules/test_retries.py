"""retry-without-limit and retry-of-unsafe-call: what bounds a retry, and what it may do twice."""

from textwrap import dedent

import pytest

from mainstay.rules.failure.coroutine_never_awaited import CoroutineNeverAwaited
from mainstay.rules.failure.retry_without_limit import RetryWithoutLimit
from mainstay.rules.integrity.retry_of_unsafe_call import RetryOfUnsafeCall
from tests.rules.conftest import Found

HEAD = """
import itertools, sys, time
import requests
from tenacity import retry, stop_after_attempt, stop_never, wait_fixed
"""
LOOP = """
def fetch():
    {head}:
        try:
            return requests.get("https://rates", timeout=3)
        except requests.RequestException:
            {does}
"""


def endless(found: Found, text: str) -> bool:
    return bool(found(RetryWithoutLimit, {"app.py": HEAD + text}))


@pytest.mark.parametrize(
    ("head", "does", "expected"),
    [
        ("while True", "time.sleep(1)", True),
        ("for attempt in itertools.count()", "time.sleep(1)", True),
        ("for attempt in range(5)", "time.sleep(1)", False),
        ("while time.monotonic() < 100", "time.sleep(1)", False),
        ("while True", "time.sleep(1)\n            if time.time() > 5: raise", False),
        ("while True", "time.sleep(1)\n            sys.exit(1)", False),
        ("while ready()", "time.sleep(1)", True),
    ],
)
def test_loops(found: Found, head: str, does: str, expected: bool) -> None:
    assert endless(found, LOOP.format(head=head, does=does)) is expected


@pytest.mark.parametrize(
    ("decorator", "expected"),
    [
        ("@retry", True),
        ("@retry(wait=wait_fixed(1))", True),
        ("@retry(stop=stop_never, wait=wait_fixed(1))", True),
        ("@retry(stop=stop_after_attempt(3))", False),
        ("@retry(**OPTIONS)", False),
    ],
)
def test_decorators(found: Found, decorator: str, expected: bool) -> None:
    text = f"{decorator}\ndef fetch():\n    requests.get('https://rates', timeout=3)\n"
    assert endless(found, text) is expected


ROWS = """
from sqlalchemy.orm import DeclarativeBase, Session

class Base(DeclarativeBase): ...
class Charge(Base):
    __tablename__ = "charges"
"""


def repeats(found: Found, text: str) -> list[str]:
    return [f.message for f in found(RetryOfUnsafeCall, {"app.py": HEAD + ROWS + dedent(text)})]


def test_a_row_committed_ahead_of_a_request_that_may_fail(found: Found) -> None:
    text = """
        @retry(stop=stop_after_attempt(3))
        def charge(session: Session, order):
            session.add(Charge(order))
            session.commit()
            rates()

        def rates():
            return requests.get("https://bank/rates", timeout=3)
    """
    (message,) = repeats(found, text)
    assert message.startswith("@retry repeats sqlalchemy.orm.Session.add below charge and may fail after it")
    looked = text.replace("session.add", "session.query(Charge).first()\n            session.add")
    assert repeats(found, looked) == [], "it looks first whether the row is there"
    assert repeats(found, text.replace("            rates()\n", "")) == [], "nothing behind it can fail"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ('requests.post("https://bank/charges", json=order, timeout=3)', 1),
        ('requests.request("GET", "https://bank/charges", timeout=3)', 0),
        ('requests.post("https://bank/charges", headers={"Idempotency-Key": order}, timeout=3)', 0),
        ('requests.post("https://bank/charges", json=order, idempotency_key=order, timeout=3)', 0),
    ],
)
def test_what_a_request_does_twice(found: Found, call: str, expected: int) -> None:
    text = f"""
        @retry(stop=stop_after_attempt(3))
        def charge(order):
            {call}
    """
    assert len(repeats(found, text)) == expected


def test_a_search_by_post_only_asks(found: Found) -> None:
    text = """
        @retry(stop=stop_after_attempt(3))
        def search(words):
            requests.post("https://shop/search", json=words, timeout=3)
    """
    assert repeats(found, text) == []


def unawaited(found: Found, text: str) -> list[int]:
    return [f.location.line for f in found(CoroutineNeverAwaited, {"app.py": dedent(text).lstrip()})]


def test_a_decorator_of_the_project_that_gives_an_async_wrapper(found: Found) -> None:
    text = """
        def timed(function):
            async def wrapper(*args):
                return await function(*args)
            return wrapper

        def runs(function):
            def wrapper(*args):
                return asyncio.run(function(*args))
            return wrapper

        @timed
        async def send(): ...

        @runs
        async def start(): ...

        async def main():
            send()
            start()
    """
    assert unawaited(found, text) == [18]


def test_a_plain_function_that_gives_back_a_coroutine(found: Found) -> None:
    text = """
        async def send(): ...

        def later():
            return send()

        async def now():
            return await send()

        def sometimes(flag):
            if flag:
                return None
            return send()

        async def main():
            later()
            sometimes(True)
            await later()
    """
    assert unawaited(found, text) == [15]


def test_a_coroutine_that_is_kept(found: Found) -> None:
    text = """
        async def send(): ...

        class Box:
            async def fill(self):
                self.kept = send()

        async def main():
            work = send()
            await work

        async def forgets():
            work = send()

        async def gives():
            pair = send()
            return [pair]

        async def inner():
            work = send()
            async def closure():
                await work
            await closure()
    """
    assert unawaited(found, text) == [12]
