"""What a function does to the world, through calls: the specification of summaries."""

from collections.abc import Callable

from mainstay.link.effects import components
from mainstay.model.effect import EffectKind
from mainstay.model.system import System

Link = Callable[[dict[str, str]], System]

MODELS = """
    from sqlalchemy.orm import DeclarativeBase, Session
    class Base(DeclarativeBase): ...
    class Charge(Base): ...
"""


def does(system: System, name: str) -> list[str]:
    """The effects of a function, in words; exceptions and what they are about left out."""
    function = system.functions[name]
    lines = []
    for effect, found in function.effects.items():
        if effect.kind is EffectKind.RAISE:
            continue
        words = [effect.kind.value, effect.target, "must" if found.must else "may"]
        words += ["blocking"] if effect.blocking else []
        words += [f"via {found.via}"] if found.via else []
        lines.append(" ".join(words))
    return sorted(lines)


def raises(system: System, name: str) -> set[str]:
    return {e.target for e in system.functions[name].effects if e.kind is EffectKind.RAISE}


def test_a_library_call_is_an_effect_of_its_function(link: Link) -> None:
    system = link({"app.py": "import requests\ndef fetch(): return requests.get('http://x')\n"})
    assert does(system, "app.fetch") == ["call-out requests must blocking"]


def test_effects_are_carried_through_calls_and_files_with_their_way(link: Link) -> None:
    system = link(
        {
            "pay/__init__.py": "",
            "pay/http.py": "import requests\ndef post(b):\n    return requests.post('http://x', json=b)\n",
            "pay/charges.py": "from pay.http import post\ndef charge(body):\n    return post(body)\n",
            "pay/api.py": "from pay import charges\ndef create(b):\n    if b:\n        charges.charge(b)\n",
        }
    )
    assert does(system, "pay.api.create") == ["call-out requests may blocking via pay.charges.charge"]
    create = system.functions["pay.api.create"]
    step = next(system.steps(create, EffectKind.CALL_OUT))
    hops = [(hop.location.path, hop.location.line) for hop in system.trace(create, step)]
    assert hops == [("pay/api.py", 4), ("pay/charges.py", 3), ("pay/http.py", 3)]


def test_functions_that_call_each_other_share_their_effects_and_the_analysis_ends(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import requests
                def even(n):
                    if n: odd(n - 1)
                def odd(n):
                    requests.get('http://x')
                    even(n - 1)
                def alone(n):
                    alone(n - 1)
            """
        }
    )
    assert does(system, "app.even") == ["call-out requests may blocking via app.odd"]
    assert does(system, "app.odd") == ["call-out requests must blocking"]
    assert does(system, "app.alone") == []


def test_must_needs_every_way_through(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import requests
                def early(x):
                    if x:
                        return None
                    requests.get('http://x')
                def checked(x):
                    if not x:
                        raise ValueError(x)
                    requests.get('http://x')
                def looped(xs):
                    for x in xs:
                        requests.get(x)
                def tried():
                    try:
                        requests.get('http://x')
                    finally:
                        pass
            """
        }
    )
    assert does(system, "app.early") == ["call-out requests may blocking"]
    assert does(system, "app.checked") == ["call-out requests must blocking"]
    assert does(system, "app.looped") == ["call-out requests may blocking"]
    assert does(system, "app.tried") == ["call-out requests must blocking"]


def test_a_spawned_task_is_not_the_callers_doing_and_a_thread_does_not_block(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import asyncio, requests
                def fetch(): return requests.get('http://x')
                async def refresh(): fetch()
                async def later(): asyncio.create_task(refresh())
                async def beside(): await asyncio.to_thread(fetch)
            """
        }
    )
    assert "call-out requests must blocking via app.refresh" not in does(system, "app.later")
    assert not [e for e in system.functions["app.later"].effects if e.kind is EffectKind.CALL_OUT]
    assert "call-out requests must via app.fetch" in does(system, "app.beside")


def test_before_and_after_the_commit(link: Link) -> None:
    system = link(
        {
            "db.py": MODELS,
            "app.py": """
                import requests
                from sqlalchemy.orm import Session
                from db import Charge
                def save(session: Session):
                    session.add(Charge())
                    session.commit()
                    requests.post('http://notify')
                def outer(session: Session):
                    save(session)
            """,
        }
    )
    save = system.functions["app.save"].effects
    by_kind = {effect.kind: found for effect, found in save.items()}
    assert by_kind[EffectKind.INSERT].precedes_commit
    assert not by_kind[EffectKind.INSERT].follows_commit
    assert by_kind[EffectKind.CALL_OUT].follows_commit
    assert not by_kind[EffectKind.CALL_OUT].precedes_commit
    outer = {effect.kind: found for effect, found in system.functions["app.outer"].effects.items()}
    assert outer[EffectKind.CALL_OUT].follows_commit
    assert {e.target for e in save if e.kind is EffectKind.INSERT} == {"Charge"}


def test_an_exception_goes_as_far_as_the_handler_that_catches_it(link: Link) -> None:
    system = link(
        {
            "app.py": """
                class Refused(Exception): ...
                class CardRefused(Refused): ...
                def pay(): raise CardRefused("no")
                def narrow():
                    try: pay()
                    except KeyError: pass
                def by_base():
                    try: pay()
                    except Refused: pass
                def again():
                    try: pay()
                    except Refused: raise
                def other():
                    try: pay()
                    except Exception as error: raise ValueError("x") from error
            """
        }
    )
    assert raises(system, "app.pay") == {"app.CardRefused"}
    assert raises(system, "app.narrow") == {"app.CardRefused"}
    assert raises(system, "app.by_base") == set()
    assert raises(system, "app.again") == {"app.CardRefused"}
    assert raises(system, "app.other") == {"ValueError"}


def test_a_receiver_known_by_its_name_alone_is_not_certain(link: Link) -> None:
    system = link(
        {
            "app.py": """
                from sqlalchemy.orm import Session
                def typed(s: Session): s.commit()
                def named(session): session.commit()
            """
        }
    )
    typed = [f for e, f in system.functions["app.typed"].effects.items() if e.kind is EffectKind.COMMIT]
    named = [f for e, f in system.functions["app.named"].effects.items() if e.kind is EffectKind.COMMIT]
    assert typed[0].certain
    assert not named[0].certain


def test_summaries_stay_small_whatever_the_number_of_tables(link: Link) -> None:
    classes = "\n".join(f"class T{i}(Base): ..." for i in range(120))
    adds = "\n".join(f"    session.add(T{i}())" for i in range(120))
    text = (
        "from sqlalchemy.orm import DeclarativeBase, Session\nclass Base(DeclarativeBase): ...\n"
        f"{classes}\ndef fill(session: Session):\n{adds}\n"
    )
    effects = [e for e in link({"app.py": text}).functions["app.fill"].effects if e.kind is EffectKind.INSERT]
    assert len(effects) == 41
    assert "" in {e.target for e in effects}


def test_components_come_callees_first_and_cycles_together() -> None:
    graph = {"a": ["b"], "b": ["c", "a"], "c": ["d"], "d": [], "e": ["e"]}
    assert [sorted(found) for found in components(graph)] == [["d"], ["c"], ["a", "b"], ["e"]]


def test_components_do_not_recurse() -> None:
    graph = {str(i): [str(i + 1)] for i in range(50_000)} | {"50000": []}
    assert sum(1 for _ in components(graph)) == 50_001


def test_a_lazy_query_reads_when_it_is_looped_over(link: Link) -> None:
    system = link(
        {
            "models.py": "from django.db import models\nclass Order(models.Model): ...\n",
            "app.py": """
                from models import Order
                def never(): return Order.objects.filter(a=1)
                def loop():
                    for order in Order.objects.filter(a=1):
                        print(order)
                def later():
                    orders = Order.objects.all()
                    return [order.pk for order in orders]
                def consumed(): return list(Order.objects.all())
            """,
        }
    )
    assert does(system, "app.never") == []
    for name in ("loop", "later", "consumed"):
        assert does(system, f"app.{name}") == ["read Order must blocking"], name


def test_what_a_mixin_does_to_its_class_is_done_to_the_class_it_is_called_on(link: Link) -> None:
    system = link(
        {
            "models.py": """
                from sqlalchemy.orm import DeclarativeBase, Session
                class Base(DeclarativeBase): ...
                class Saves:
                    @classmethod
                    def create(cls, session: Session):
                        made = cls()
                        session.add(made)
                        return made
                class Order(Base, Saves): ...
            """,
            "app.py": """
                from models import Order
                def place(session): Order.create(session)
            """,
        }
    )
    place = system.functions["app.place"]
    assert [e.target for e in place.effects if e.kind is EffectKind.INSERT] == ["Order"]
    step = next(system.steps(place, EffectKind.INSERT))
    assert [str(hop.location) for hop in system.trace(place, step)] == ["app.py:3", "models.py:8"]


def test_a_function_handed_to_a_retry_helper_is_retried(link: Link) -> None:
    system = link(
        {
            "app.py": """
                import requests, time
                def again(call):
                    for attempt in range(3):
                        try:
                            return call()
                        except OSError:
                            time.sleep(1)
                def post(): return requests.post('http://x')
                def by_name(): return again(post)
                def by_lambda(): return again(lambda: post())
            """
        }
    )
    assert [e.how for edges in system.functions["app.by_name"].edges.values() for e in edges] == [
        "call",
        "retry",
    ]
    assert any("call-out" in line for line in does(system, "app.by_lambda"))


def test_sending_a_task_is_a_message_not_a_call(link: Link) -> None:
    system = link(
        {
            "tasks.py": """
                import requests
                from celery import shared_task
                @shared_task
                def ship(order): requests.get('http://x')
            """,
            "app.py": "from tasks import ship\ndef place(): ship.delay(1)\n",
        }
    )
    kinds = {effect.kind for effect in system.functions["app.place"].effects}
    assert EffectKind.SEND in kinds
    assert EffectKind.CALL_OUT not in kinds


def test_a_mixin_uses_what_the_classes_it_is_mixed_into_inherit(link: Link) -> None:
    system = link(
        {
            "db.py": "from flask_sqlalchemy import SQLAlchemy\ndb = SQLAlchemy()\n",
            "models.py": """
                from db import db
                class Finds:
                    @classmethod
                    def get_by(cls, **values): return cls.query.filter_by(**values).first()
                class Contact(db.Model, Finds): ...
            """,
            "app.py": "from models import Contact\ndef known(email): return Contact.get_by(email=email)\n",
        }
    )
    assert [e.target for e in system.functions["app.known"].effects if e.kind is EffectKind.READ] == [
        "Contact"
    ]
