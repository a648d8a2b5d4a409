"""What a call resolves to: imports, classes, annotations, factories, injection."""

from collections.abc import Callable

from mainstay.link.classes import MOST_ANCESTORS
from mainstay.model.system import System

Link = Callable[[dict[str, str]], System]


def targets(system: System, name: str) -> list[str]:
    return [target.name for _, _, target in system.functions[name].calls()]


def test_imports_and_reexports(link: Link) -> None:
    system = link(
        {
            "shop/__init__.py": "from .core import pay\n",
            "shop/core.py": "def pay(): ...\n",
            "shop/api.py": "import shop\nfrom shop import pay as charge\nfrom . import core\n"
            "def go():\n    shop.pay()\n    charge()\n    core.pay()\n",
        }
    )
    assert targets(system, "shop.api.go") == ["shop.core.pay"] * 3


def test_star_imports_local_imports_and_a_source_root_below(link: Link) -> None:
    system = link(
        {
            "backend/src/shop/__init__.py": "",
            "backend/src/shop/core.py": "def pay(): ...\n",
            "backend/src/shop/all.py": "from shop.core import *\ndef go(): pay()\n",
            "backend/src/shop/late.py": "def go():\n    from shop.core import pay\n    pay()\n",
        }
    )
    assert targets(system, "shop.all.go") == ["shop.core.pay"]
    assert targets(system, "shop.late.go") == ["shop.core.pay"]


def test_a_module_named_like_the_standard_library_does_not_hide_it(link: Link) -> None:
    system = link(
        {
            "shop/__init__.py": "",
            "shop/logging.py": "def getLogger(): ...\n",
            "shop/api.py": "import logging\ndef go(): logging.getLogger()\n",
        }
    )
    assert targets(system, "shop.api.go") == ["logging.getLogger"]


def test_methods_through_self_inheritance_and_super(link: Link) -> None:
    system = link(
        {
            "app.py": """
                class Base:
                    def save(self): ...
                    def log(self): ...
                class Child(Base):
                    def save(self):
                        super().save()
                        self.log()
                def go():
                    Child().save()
            """
        }
    )
    assert targets(system, "app.Child.save") == ["super", "app.Base.save", "app.Base.log"]
    assert targets(system, "app.go") == ["app.Child", "app.Child.save"]


def test_types_from_annotations_attributes_singletons_and_factories(link: Link) -> None:
    system = link(
        {
            "clients.py": """
                import httpx
                def build() -> httpx.Client: ...
                def make(): return httpx.Client()
                client = make()
            """,
            "app.py": """
                import httpx
                import clients
                from clients import client
                class Service:
                    def __init__(self, http: httpx.Client, other=None):
                        self.http = http
                        self.made = clients.build()
                    def go(self):
                        self.http.get('a')
                        self.made.get('b')
                def annotated(c: "httpx.Client"): c.get('c')
                def optional(c: httpx.Client | None = None): c.get('d')
                def singleton(): client.get('e')
                def qualified(): clients.client.get('f')
                def entered():
                    with httpx.Client() as c:
                        c.get('g')
            """,
        }
    )
    get = "httpx.Client.get"
    assert targets(system, "app.Service.go") == [get, get]
    for name in ("annotated", "optional", "singleton", "qualified"):
        assert targets(system, f"app.{name}") == [get], name
    assert targets(system, "app.entered") == ["httpx.Client", get]


def test_injected_parameters(link: Link) -> None:
    system = link(
        {
            "db.py": """
                from typing import Annotated
                from fastapi import Depends
                from sqlalchemy.orm import Session, sessionmaker
                factory = sessionmaker()
                def get_db():
                    with factory() as session:
                        yield session
                SessionDep = Annotated[Session, Depends(get_db)]
            """,
            "app.py": """
                from fastapi import Depends
                from db import SessionDep, get_db
                def by_default(db=Depends(get_db)): db.commit()
                def by_alias(db: SessionDep): db.commit()
            """,
        }
    )
    assert targets(system, "app.by_default")[-1] == "sqlalchemy.orm.Session.commit"
    assert targets(system, "app.by_alias") == ["sqlalchemy.orm.Session.commit"]


def test_queries_of_an_orm_know_their_table(link: Link) -> None:
    system = link(
        {
            "models.py": """
                from django.db import models
                class Order(models.Model): ...
            """,
            "app.py": """
                from models import Order
                def first(): return Order.objects.filter(a=1).first()
                def fresh():
                    order = Order()
                    order.save()
                def changed(pk):
                    order = Order.objects.get(pk=pk)
                    order.save()
            """,
        }
    )

    def kinds(name: str) -> list[tuple[str, str]]:
        return [(e.kind.value, e.target) for e in system.functions[name].effects if e.kind.value != "raise"]

    assert kinds("app.first") == [("read", "Order")]
    assert kinds("app.fresh") == [("insert", "Order")]
    assert kinds("app.changed") == [("read", "Order"), ("update", "Order")]


def test_what_cannot_be_resolved_is_left_out(link: Link) -> None:
    system = link({"app.py": "def go(x):\n    x.whatever()\n    unknown()\n    x[0].y()\n"})
    assert targets(system, "app.go") == []


def test_cycles_of_imports_classes_and_variables_end(link: Link) -> None:
    system = link(
        {
            "a.py": "from b import x\nfrom b import A\nclass B(A): ...\ny = x\n",
            "b.py": "from a import y as x\nfrom a import B\nclass A(B): ...\ndef go(): x.z()\n",
        }
    )
    assert set(system.classes) == {"a.B", "b.A"}


def test_an_overload_leaves_its_name_to_the_definition_that_runs(link: Link) -> None:
    system = link(
        {
            "clients.py": "from typing import overload\nclass Slow:\n    def get(self): ...\n"
            "class Fast:\n    def get(self): ...\n"
            "@overload\ndef client(fast: None) -> Slow: ...\n"
            "def client(fast=None) -> Fast:\n    return Fast()\n",
            "shop.py": "from clients import client\ndef go():\n    client().get()\n",
        }
    )
    assert targets(system, "shop.go") == ["clients.client", "clients.Fast.get"]


def test_one_of_several_types_is_uncertain(link: Link) -> None:
    system = link(
        {
            "shop.py": "class Slow:\n    def get(self): ...\nclass Fast:\n    def get(self): ...\n"
            "def go(client: Slow | Fast, other: Slow | None):\n    client.get()\n    other.get()\n",
        }
    )
    assert [target.certain for _, _, target in system.functions["shop.go"].calls()] == [False, True]


def test_a_factory_of_different_functions_gives_none_of_them(link: Link) -> None:
    system = link(
        {
            "shop.py": "def one(): ...\ndef two(): ...\n"
            "def choose(x):\n    if x:\n        return one\n    return two\n"
            "def same(x):\n    return one\n"
            "def go():\n    choose(1)()\n    same(1)()\n",
        }
    )
    assert targets(system, "shop.go") == ["shop.choose", "shop.same", "shop.one"]


def test_relative_imports_where_folders_are_no_packages(link: Link) -> None:
    system = link(
        {
            "apps/api/pkg/__init__.py": "",
            "apps/api/pkg/views/app/x.py": """
                from ..base import pay
                from . import y
                def go():
                    pay()
                    y.z()
            """,
            "apps/api/pkg/views/app/y.py": "def z(): ...\n",
            "apps/api/pkg/views/base.py": "def pay(): ...\n",
        }
    )
    go = next(name for name in system.functions if name.endswith("x.go"))
    assert [name.rpartition(".")[2] for name in targets(system, go)] == ["pay", "z"]
    assert all(name in system.functions for name in targets(system, go))


def test_a_long_chain_of_functions_classes_and_variables_is_followed_without_recursing(link: Link) -> None:
    count = 3_000
    functions = (
        "".join(f"def f{i}(): return f{i + 1}()\n" for i in range(count)) + f"def f{count}(): return 1\n"
    )
    classes = "class C0: ...\n" + "".join(f"class C{i + 1}(C{i}): ...\n" for i in range(count))
    variables = "v0 = 1\n" + "".join(f"v{i + 1} = v{i}\n" for i in range(count))
    system = link({"app.py": functions + classes + variables + f"def go(): v{count}.x()\n"})
    assert targets(system, "app.f0") == ["app.f1"]
    assert len(system.classes[f"app.C{count}"].ancestry) == MOST_ANCESTORS


def test_a_model_of_an_unknown_base_is_still_a_table_with_a_manager(link: Link) -> None:
    system = link(
        {
            "app.py": """
                from django.db import models
                from django_extensions.db.models import TimeStampedModel
                class Order(TimeStampedModel):
                    number = models.IntegerField()
                def first(): return Order.objects.filter(number=1).first()
                def page(): return list(Order.objects.all()[:10])
            """
        }
    )
    assert system.classes["app.Order"].table
    for name in ("app.first", "app.page"):
        reads = [e for e in system.functions[name].effects if e.kind.value == "read"]
        assert [e.target for e in reads] == ["Order"], name
    first = system.functions["app.first"].effects
    assert not any(found.certain for effect, found in first.items() if effect.kind.value == "read")
