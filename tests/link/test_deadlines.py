"""How long a call may wait: at the call, at the client, at the wrapper's caller."""

from collections.abc import Callable

import pytest

from mainstay.model.system import Bound, Deadline, System

Link = Callable[[dict[str, str]], System]


def deadline(system: System, name: str) -> Deadline:
    """The one deadline decided in a function."""
    found = list(system.functions[name].deadlines.values())
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("call", "bound", "seconds"),
    [
        ("requests.get(u)", Bound.UNBOUNDED, None),
        ("requests.get(u, timeout=5)", Bound.BOUNDED, 5.0),
        ("requests.get(u, timeout=None)", Bound.UNBOUNDED, None),
        ("requests.get(u, timeout=LIMIT)", Bound.BOUNDED, 2.5),
        ("requests.Session().get(u)", Bound.UNBOUNDED, None),
        ("httpx.get(u)", Bound.BOUNDED, 5.0),
        ("httpx.get(u, timeout=None)", Bound.UNBOUNDED, None),
        ("requests.get(u, **options())", Bound.UNKNOWN, None),
    ],
)
def test_at_the_call(link: Link, call: str, bound: Bound, seconds: float | None) -> None:
    system = link(
        {"app.py": f"import requests, httpx\nLIMIT = 2.5\ndef options(): ...\ndef go(u):\n    {call}\n"}
    )
    found = deadline(system, "app.go")
    assert (found.bound, found.seconds) == (bound, seconds)


def test_where_the_client_is_built(link: Link) -> None:
    system = link(
        {
            "clients.py": """
                import httpx
                patient = httpx.Client(timeout=None)
                quick = httpx.Client(timeout=1)
                def build():
                    return httpx.Client(timeout=None)
            """,
            "app.py": """
                import httpx
                from clients import patient, quick, build
                class Api:
                    def __init__(self): self.http = httpx.AsyncClient(timeout=None)
                    async def go(self): await self.http.get('x')
                def one(): patient.get('x')
                def two(): quick.get('x')
                def three(): build().get('x')
                def four():
                    with httpx.Client(timeout=None) as c:
                        c.get('x')
                def five(): patient.get('x', timeout=2)
            """,
        }
    )
    assert deadline(system, "app.Api.go").bound is Bound.UNBOUNDED
    one = deadline(system, "app.one")
    assert one.bound is Bound.UNBOUNDED
    assert str(one.location) == "clients.py:3"
    assert deadline(system, "app.two").seconds == 1.0
    assert deadline(system, "app.three").bound is Bound.UNBOUNDED
    assert deadline(system, "app.four").bound is Bound.UNBOUNDED
    assert deadline(system, "app.five").seconds == 2.0


def test_a_wrapper_hands_the_decision_to_its_callers(link: Link) -> None:
    system = link(
        {
            "use.py": """
                from shop import fetch, patient, careful, sets
                def bare(): fetch('x')
                def given(): fetch('x', timeout=2)
                def starred(): patient('x')
                def safe(): careful('x')
                def settled(): sets('x')
            """,
            "shop.py": """
                import requests
                def fetch(url, timeout=None):
                    return requests.get(url, timeout=timeout)
                def patient(url, **options):
                    return requests.get(url, **options)
                def careful(url, timeout=3):
                    return requests.get(url, timeout=timeout)
                def sets(url, **options):
                    options.setdefault("timeout", 3)
                    return requests.get(url, **options)
            """,
        }
    )
    assert deadline(system, "shop.fetch").bound is Bound.CALLER
    assert deadline(system, "shop.careful").seconds == 3.0
    assert deadline(system, "shop.sets").bound is Bound.BOUNDED
    assert deadline(system, "use.bare").bound is Bound.UNBOUNDED
    assert deadline(system, "use.given").seconds == 2.0
    assert deadline(system, "use.starred").bound is Bound.UNBOUNDED
    assert system.functions["use.safe"].deadlines == {}


def test_a_deadline_around_the_call_counts(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import asyncio, aiohttp
                async def inside(s: aiohttp.ClientSession):
                    async with asyncio.timeout(3):
                        await s.get('x', timeout=None)
                async def waited(s: aiohttp.ClientSession):
                    await asyncio.wait_for(s.get('x', timeout=None), 3)
            """
        }
    )
    assert deadline(system, "app.inside").bound is Bound.BOUNDED
    found = [d.bound for d in system.functions["app.waited"].deadlines.values()]
    assert Bound.UNBOUNDED not in found
