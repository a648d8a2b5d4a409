"""What surrounds a statement: transactions, locks, retries, loops and handlers."""

from collections.abc import Callable

from mainstay.model.code import Call
from mainstay.model.system import System

Link = Callable[[dict[str, str]], System]


def around(system: System, name: str, callee: str) -> list[str]:
    """The kinds of enclosure around the first call whose target ends so."""
    function = system.functions[name]
    for at, statement in enumerate(function.body.statements):
        target = function.targets.get(at)
        if isinstance(statement, Call) and target and target.name.endswith(callee):
            return [e.kind.value for e in function.around(at)]
    raise AssertionError(f"{callee} is not called in {name}")


def test_django_atomic_as_block_and_as_decorator(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import requests
                from django.db import transaction
                def block():
                    with transaction.atomic():
                        requests.get('http://x')
                @transaction.atomic
                def decorated():
                    requests.get('http://x')
                def outside():
                    with transaction.atomic():
                        pass
                    requests.get('http://x')
            """
        }
    )
    assert around(system, "app.block", "requests.get") == ["transaction"]
    assert around(system, "app.decorated", "requests.get") == ["transaction"]
    assert around(system, "app.outside", "requests.get") == []


def test_a_context_manager_of_the_project_holds_what_it_yields_in(link: Link) -> None:
    system = link(
        {
            "db.py": """
                from contextlib import contextmanager
                from sqlalchemy.orm import Session, sessionmaker
                factory = sessionmaker()
                @contextmanager
                def unit_of_work():
                    session = factory()
                    try:
                        yield session
                        session.commit()
                    finally:
                        session.close()
                @contextmanager
                def reading():
                    with factory() as session:
                        yield session
            """,
            "app.py": """
                import requests
                from db import unit_of_work, reading
                def write():
                    with unit_of_work() as session:
                        requests.get('http://x')
                def read():
                    with reading() as session:
                        requests.get('http://x')
            """,
        }
    )
    assert "transaction" in around(system, "app.write", "requests.get")
    assert "transaction" not in around(system, "app.read", "requests.get")


def test_a_transaction_begins_with_the_first_write_and_ends_with_the_commit(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import requests
                from sqlalchemy.orm import DeclarativeBase, Session
                class Base(DeclarativeBase): ...
                class Charge(Base): ...
                def inside(session: Session):
                    session.add(Charge())
                    session.flush()
                    requests.get('http://inside')
                    session.commit()
                def after(session: Session):
                    session.add(Charge())
                    session.commit()
                    requests.get('http://after')
            """
        }
    )
    assert around(system, "app.inside", "requests.get") == ["transaction"]
    assert around(system, "app.after", "requests.get") == []


def test_loops_retries_and_handlers(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import requests, time, tenacity
                def loop(urls):
                    for url in urls:
                        requests.get(url)
                def by_hand():
                    for attempt in range(5):
                        try:
                            return requests.get('http://x')
                        except requests.RequestException:
                            time.sleep(1)
                def each(urls):
                    for url in urls:
                        try:
                            requests.get(url)
                        except requests.RequestException:
                            continue
                @tenacity.retry(stop=tenacity.stop_after_attempt(3))
                def decorated():
                    requests.get('http://x')
            """
        }
    )
    assert around(system, "app.loop", "requests.get") == ["loop"]
    assert sorted(around(system, "app.by_hand", "requests.get")) == ["handler", "retry"]
    assert sorted(around(system, "app.each", "requests.get")) == ["handler", "loop"]
    assert around(system, "app.decorated", "requests.get") == ["retry"]


def test_locks_held_and_exceptions_swallowed(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import threading, requests
                from contextlib import suppress
                lock = threading.Lock()
                def held():
                    with lock:
                        requests.get('http://x')
                def quiet():
                    with suppress(ValueError):
                        requests.get('http://x')
            """
        }
    )
    assert around(system, "app.held", "requests.get") == ["lock"]
    assert around(system, "app.quiet", "requests.get") == ["handler"]
