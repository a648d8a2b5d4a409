"""Which HTTP operations a project publishes, and where."""

from collections.abc import Callable

from mainstay.model.system import Operation, System

Link = Callable[[dict[str, str]], System]


def published(system: System) -> list[str]:
    return [f"{o.method} {o.path} {o.function}" for o in system.operations]


def one(system: System, method: str, path: str) -> Operation:
    return next(o for o in system.operations if (o.method, o.path) == (method, path))


def test_fastapi_prefixes_add_up(link: Link) -> None:
    system = link(
        {
            "app.py": """
                from fastapi import FastAPI
                import orders, items
                PREFIX = "/v1"
                app = FastAPI()
                for module in (orders, items):
                    app.include_router(module.router, prefix=PREFIX)
            """,
            "orders.py": """
                from fastapi import APIRouter
                router = APIRouter(prefix="/orders")
                @router.get("/{order_id}")
                def show(order_id: int): ...
            """,
            "items.py": """
                from fastapi import APIRouter
                router = APIRouter()
                @router.api_route("/items", methods=["GET", "POST"])
                async def items(): ...
            """,
        }
    )
    assert published(system) == [
        "GET /v1/items items.items",
        "POST /v1/items items.items",
        "GET /v1/orders/{order_id} orders.show",
    ]
    assert one(system, "GET", "/v1/items").router == "items.router"
    assert one(system, "GET", "/v1/items").framework == "fastapi"


def test_inputs_are_what_the_requester_fills(link: Link) -> None:
    system = link(
        {
            "app.py": """
                from typing import Annotated
                from fastapi import Depends, FastAPI, Request
                app = FastAPI()
                def session(): ...
                Caller = Annotated[str, Depends(session)]
                @app.post("/orders/{order_id}")
                def add(order_id: int, body: dict, request: Request, caller: Caller, db=Depends(session)):
                    ...
            """
        }
    )
    assert one(system, "POST", "/orders/{order_id}").inputs == ("order_id", "body")


def test_an_application_in_a_factory_and_a_router_that_a_helper_mounts(link: Link) -> None:
    system = link(
        {
            "app.py": """
                from fastapi import FastAPI
                from orders import router
                def mount(app: FastAPI, given):
                    app.include_router(given, prefix="/api")
                def create_app():
                    app = FastAPI()
                    mount(app, router)
                    @app.get("/about")
                    def about(): ...
                    return app
            """,
            "orders.py": """
                from fastapi import APIRouter
                router = APIRouter()
                @router.get("/orders")
                def orders(): ...
            """,
        }
    )
    assert published(system) == ["GET /about app.create_app.about", "GET /api/orders orders.orders"]


def test_flask_blueprints_rules_and_method_views(link: Link) -> None:
    system = link(
        {
            "shop.py": """
                from flask import Blueprint, Flask
                from flask.views import MethodView
                bp = Blueprint("shop", __name__, url_prefix="/shop")
                @bp.route("/orders", methods=["GET", "POST"])
                def orders(): ...
                def late(): ...
                bp.add_url_rule("/late", "late", late, methods=["DELETE"])
                class Items(MethodView):
                    def get(self, item): ...
                    def put(self, item): ...
                bp.add_url_rule("/items/<item>", view_func=Items.as_view("items"))
                def create():
                    app = Flask(__name__)
                    app.register_blueprint(bp)
            """
        }
    )
    assert published(system) == [
        "GET /shop/orders shop.orders",
        "POST /shop/orders shop.orders",
        "DELETE /shop/late shop.late",
        "GET /shop/items/<item> shop.Items.get",
        "PUT /shop/items/<item> shop.Items.put",
    ]


def test_django_includes_views_and_wrapped_functions(link: Link) -> None:
    system = link(
        {
            "site/__init__.py": "",
            "site/urls.py": """
                from django.urls import include, path
                urlpatterns = [path("shop/", include("shop.urls"))]
            """,
            "shop/__init__.py": "",
            "shop/urls.py": """
                from django.contrib.auth.decorators import login_required
                from django.urls import path
                from shop import views
                urlpatterns = [
                    path("orders/", login_required(views.orders)),
                    path("item/", views.Item.as_view()),
                ]
            """,
            "shop/views.py": """
                from django.views import View
                from django.views.decorators.http import require_POST
                @require_POST
                def orders(request): ...
                class Item(View):
                    def get(self, request): ...
                    def helper(self): ...
            """,
        }
    )
    assert published(system) == [
        "POST /shop/orders/ shop.views.orders",
        "GET /shop/item/ shop.views.Item.get",
    ]
    assert "django.contrib.auth.decorators.login_required" in [g.name for g in system.operations[0].guards]


def test_view_sets_their_actions_and_what_the_library_serves(link: Link) -> None:
    system = link(
        {
            "views.py": """
                from rest_framework.decorators import action
                from rest_framework.viewsets import GenericViewSet, ModelViewSet
                class Orders(GenericViewSet):
                    def list(self, request): ...
                    @action(detail=True, methods=["post"])
                    def close(self, request, pk): ...
                class Items(ModelViewSet): ...
            """,
            "urls.py": """
                from django.urls import include, path
                from rest_framework.routers import DefaultRouter
                from views import Items, Orders
                router = DefaultRouter()
                router.register("orders", Orders)
                router.register("items", Items)
                urlpatterns = [path("api/", include(router.urls))]
            """,
        }
    )
    found = published(system)
    assert "GET /api/orders views.Orders.list" in found
    assert "POST /api/orders/close views.Orders.close" in found
    assert {o.method for o in system.operations if o.function == "views.Items"} == {
        "GET",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
    }


def test_a_view_that_no_url_names_is_derived_and_has_no_path(link: Link) -> None:
    system = link(
        {
            "views.py": """
                from django.views import View
                class Base(View):
                    def get(self, request): ...
                class Page(Base): ...
            """
        }
    )
    assert published(system) == ["GET  views.Base.get"]
    assert system.operations[0].basis == "derived"


def test_a_method_that_overrides_a_library_s_keeps_its_meaning(link: Link) -> None:
    system = link(
        {
            "app.py": """
                from flask import Blueprint
                class Shop(Blueprint):
                    def add_url_rule(self, rule, endpoint=None, view_func=None, **options):
                        super().add_url_rule("/x" + rule, endpoint, view_func, **options)
                def orders(): ...
                bp = Shop("shop", __name__)
                bp.add_url_rule("/orders", "orders", orders)
            """
        }
    )
    assert published(system) == ["GET /orders app.orders"]


def test_mounting_in_a_circle_ends(link: Link) -> None:
    system = link(
        {
            "app.py": """
                from fastapi import APIRouter
                a, b = APIRouter(), APIRouter()
                one = APIRouter(prefix="/one")
                two = APIRouter(prefix="/two")
                one.include_router(two)
                two.include_router(one)
                @one.get("/x")
                def x(): ...
            """
        }
    )
    assert len(system.operations) == 1
