"""What a route says: its path through constants, its methods through decorators and lists."""

from collections.abc import Callable

from mainstay.model.system import System

Link = Callable[[dict[str, str]], System]


def published(system: System) -> list[str]:
    return sorted(f"{o.method} {o.path} {o.function}" for o in system.operations)


def test_a_path_put_together_from_constants(link: Link) -> None:
    system = link(
        {
            "names.py": "ORDERS = '/orders'\nBASE = ORDERS\nVERSION = 'v' + str(2)\n",
            "app.py": """
                from fastapi import FastAPI
                from names import BASE, ORDERS, VERSION
                METHODS = ["POST"]
                MORE = METHODS + ["PUT"]
                app = FastAPI()
                @app.get(BASE + "/new")
                def new(): ...
                @app.get(f"{ORDERS}/{VERSION}/all")
                def every(): ...
                @app.api_route("/more", methods=MORE)
                def more(): ...
                @app.api_route("/spread", methods=[*METHODS, "DELETE"])
                def spread(): ...
            """,
        }
    )
    assert published(system) == [
        "DELETE /spread app.spread",
        "GET /orders/new app.new",
        "GET /orders/v{}/all app.every",
        "POST /more app.more",
        "POST /spread app.spread",
        "PUT /more app.more",
    ]


def test_methods_named_by_an_enumeration(link: Link) -> None:
    system = link(
        {
            "app.py": """
                from http import HTTPMethod
                from fastapi import FastAPI
                app = FastAPI()
                @app.api_route("/orders", methods=[HTTPMethod.PATCH, HTTPMethod.HEAD])
                def orders(): ...
            """
        }
    )
    assert published(system) == ["PATCH /orders app.orders"]


def test_django_functions_answer_what_their_decorators_and_bodies_say(link: Link) -> None:
    system = link(
        {
            "urls.py": """
                from django.urls import path
                import views
                urlpatterns = [
                    path("read/", views.read),
                    path("write/", views.write),
                    path("listed/", views.listed),
                    path("form/", views.form),
                    path("data/", views.data),
                    path("api/", views.api),
                    path("plain/", views.plain),
                ]
            """,
            "views.py": """
                from django.views.decorators.http import require_GET, require_POST, require_http_methods
                from rest_framework.decorators import api_view
                @require_GET
                def read(request): ...
                @require_POST
                def write(request): ...
                @require_http_methods(["PUT", "DELETE"])
                def listed(request): ...
                def form(request):
                    if request.method == "POST":
                        return 1
                def data(request):
                    return save(request.POST)
                @api_view(["POST"])
                def api(request): ...
                def plain(request): ...
            """,
        }
    )
    assert published(system) == [
        "DELETE /listed/ views.listed",
        "GET /data/ views.data",
        "GET /form/ views.form",
        "GET /plain/ views.plain",
        "GET /read/ views.read",
        "POST /api/ views.api",
        "POST /data/ views.data",
        "POST /form/ views.form",
        "POST /write/ views.write",
        "PUT /listed/ views.listed",
    ]


def test_permissions_of_the_framework_and_the_project(link: Link) -> None:
    views = """
        from rest_framework.decorators import api_view, permission_classes
        from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
        from rest_framework.views import APIView

        class Owner(BasePermission):
            def has_permission(self, request, view):
                return request.user.is_active
        class Anyone(BasePermission):
            def has_permission(self, request, view):
                return True
        class Stronger(IsAuthenticated): ...
        class Base(APIView):
            permission_classes = [IsAuthenticated]

        class Known(APIView):
            permission_classes = [IsAuthenticated]
            def get(self, request): ...
        class Derived(Base):
            def get(self, request): ...
        class Own(APIView):
            permission_classes = (Owner,)
            def get(self, request): ...
        class Empty(APIView):
            permission_classes = []
            def get(self, request): ...
        class Opened(APIView):
            permission_classes = [Anyone]
            def get(self, request): ...
        class Either(APIView):
            permission_classes = [IsAuthenticated | AllowAny]
            def get(self, request): ...
        class Both(APIView):
            permission_classes = [IsAuthenticated & Owner]
            def get(self, request): ...
        class Sub(APIView):
            permission_classes = [Stronger]
            def get(self, request): ...
        class Computed(APIView):
            permission_classes = choose()
            def get(self, request): ...

        @api_view(["GET"])
        @permission_classes([IsAuthenticated])
        def function(request): ...
        @api_view(["GET"])
        def default(request): ...
    """
    names = "Known Derived Own Empty Opened Either Both Sub Computed".split()
    routes = "".join(f"path('{name}', views.{name}.as_view()), " for name in names)
    urls = f"""
        from django.urls import path
        import views
        urlpatterns = [{routes} path('function', views.function), path('default', views.default)]
    """
    files = {"views.py": views, "urls.py": urls}

    def judged(system: System) -> dict[str, str]:
        return {
            o.path: "authenticated" if o.authenticated else "public" if o.public else "open"
            for o in system.operations
        }

    expected = {
        "/Known": "authenticated",
        "/Derived": "authenticated",
        "/Own": "authenticated",
        "/Empty": "public",
        "/Opened": "public",
        "/Either": "public",
        "/Both": "authenticated",
        "/Sub": "authenticated",
        "/Computed": "authenticated",
        "/function": "authenticated",
        "/default": "open",
    }
    assert judged(link(files)) == expected
    settings = """
        REST_FRAMEWORK = {
            "PAGE_SIZE": 20,
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        }
    """
    assert judged(link({**files, "settings.py": settings})) == {**expected, "/default": "authenticated"}


def test_view_sets_answer_what_they_define_inherit_and_add(link: Link) -> None:
    system = link(
        {
            "views.py": """
                from rest_framework.decorators import action
                from rest_framework.viewsets import ModelViewSet, ViewSet
                class Orders(ViewSet):
                    def list(self, request): ...
                    def create(self, request): ...
                    @action(detail=True, methods=["post"], url_path="send-back")
                    def refund(self, request, pk=None): ...
                class Items(ModelViewSet):
                    queryset = None
            """,
            "urls.py": """
                from rest_framework.routers import DefaultRouter
                import views
                router = DefaultRouter()
                router.register("orders", views.Orders)
                router.register("items", views.Items)
                urlpatterns = router.urls
            """,
        }
    )
    found = [(o.method, o.function.removesuffix(".<body>")) for o in system.operations]
    assert ("GET", "views.Orders.list") in found
    assert ("POST", "views.Orders.create") in found
    assert ("POST", "views.Orders.refund") in found
    assert {method for method, name in found if name == "views.Items"} == {
        "GET",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
    }
