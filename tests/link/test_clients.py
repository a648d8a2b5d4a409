"""Deadlines of clients: handed in, kept in attributes, chosen between, made by the project's own class."""

from collections.abc import Callable

import pytest

from mainstay.model.system import Bound, Deadline, System

Link = Callable[[dict[str, str]], System]


def deadline(system: System, name: str) -> Deadline:
    """The one deadline decided in a function."""
    (found,) = system.functions[name].deadlines.values()
    return found


@pytest.mark.parametrize(
    ("call", "bound", "seconds"),
    [
        ("requests.get(u, timeout=True and 5)", Bound.BOUNDED, None),
        ("requests.get(u, timeout='5')", Bound.BOUNDED, None),
        ("requests.get(u, timeout=(1, 5))", Bound.BOUNDED, None),
        ("requests.get(u, timeout=config.TIMEOUT)", Bound.BOUNDED, 4.0),
        ("requests.get(u, timeout=config.FOREVER)", Bound.UNBOUNDED, None),
        ("httpx.get(u, timeout=httpx.Timeout(None))", Bound.UNBOUNDED, None),
        ("httpx.get(u, timeout=httpx.Timeout(7))", Bound.BOUNDED, 7.0),
        ("requests.get(u, **{'timeout': 3})", Bound.UNKNOWN, None),
    ],
)
def test_what_a_timeout_says(link: Link, call: str, bound: Bound, seconds: float | None) -> None:
    system = link(
        {
            "config.py": "TIMEOUT = 4\nFOREVER = None\n",
            "app.py": f"import requests, httpx, config\ndef go(u):\n    {call}\n",
        }
    )
    found = system.functions["app.go"].deadlines
    decided = list(found.values())[-1]
    assert (decided.bound, decided.seconds) == (bound, seconds)


def test_a_client_handed_in_is_the_one_its_callers_build(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import httpx
                class Api:
                    def __init__(self, http: httpx.Client, other: httpx.Client = None):
                        self.http = http
                        self.other = other or httpx.Client(timeout=9)
                    def go(self): self.http.get('x')
                    def beside(self): self.other.get('x')
                def fetch(http: httpx.Client): http.get('x')
                def lone(http: httpx.Client): http.get('x')
                def main():
                    Api(httpx.Client(timeout=2))
                    fetch(httpx.Client(timeout=None))
            """
        }
    )
    assert deadline(system, "app.Api.go").seconds == 2.0
    assert deadline(system, "app.Api.beside").seconds == 9.0
    assert deadline(system, "app.fetch").bound is Bound.UNBOUNDED
    assert deadline(system, "app.lone").seconds == 5.0, "the library's default, as nobody builds one"


def test_a_client_from_a_dependency_that_yields_it(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import httpx
                def client():
                    with httpx.Client(timeout=3) as made:
                        yield made
                def again():
                    return client()
                def go():
                    again().get('x')
            """
        }
    )
    assert deadline(system, "app.go").seconds == 3.0


def test_a_client_class_of_the_project_decides_itself(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import requests
                class Patient(requests.Session):
                    def request(self, method, url, **options):
                        options.setdefault("timeout", 5)
                        return super().request(method, url, **options)
                def go(): Patient().get('x')
            """
        }
    )
    found = deadline(system, "app.go")
    assert (found.bound, found.why) == (Bound.UNKNOWN, "the project's own client class decides")


@pytest.mark.parametrize(
    ("call", "bound"),
    [
        ("fetch('x', **options)", Bound.CALLER),
        ("fetch('x', **choose())", Bound.UNKNOWN),
        ("fetch('x', timeout=wait)", Bound.CALLER),
        ("fetch('x', wait)", Bound.CALLER),
        ("fetch('x', 4)", Bound.BOUNDED),
        ("fetch('x')", Bound.UNBOUNDED),
    ],
)
def test_a_wrapper_of_a_wrapper(link: Link, call: str, bound: Bound) -> None:
    system = link(
        {
            "app.py": f"""
                import requests
                def choose(): ...
                def fetch(url, timeout=None):
                    return requests.get(url, timeout=timeout)
                def again(wait=None, **options):
                    return {call}
            """
        }
    )
    found = [d.bound for d in system.functions["app.again"].deadlines.values()]
    assert found == [bound]


def test_a_parameter_that_the_function_sets_itself(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import requests
                def bounded(url, timeout=None):
                    timeout = timeout or 3
                    requests.get(url, timeout=timeout)
                def written(url, **options):
                    options["timeout"] = 3
                    requests.get(url, **options)
                def by_setting(url, timeout=settings.TIMEOUT):
                    requests.get(url, timeout=timeout)
                def must(url, timeout):
                    requests.get(url, timeout=timeout)
                def calls():
                    must('x')
            """
        }
    )
    for name in ("bounded", "written", "by_setting"):
        assert deadline(system, f"app.{name}").bound is Bound.BOUNDED, name
    assert deadline(system, "app.must").bound is Bound.CALLER
    assert deadline(system, "app.calls").bound is Bound.UNBOUNDED
