"""Who is asked before an operation runs."""

from collections.abc import Callable

import pytest

from mainstay.link.guards import signing_in
from mainstay.link.words import conventional, sounds_authenticating, sounds_checking, sounds_public
from mainstay.model.location import Location
from mainstay.model.system import Operation, System
from mainstay.rules.security.unauthenticated_operation import neighbours

Link = Callable[[dict[str, str]], System]

AUTH = """
    from fastapi import Depends, HTTPException, Header, status
    from fastapi.security import HTTPBearer
    def lookup(authorization: str = Header()):
        return check(authorization)
    def check(key):
        if not key:
            raise HTTPException(status.HTTP_401_UNAUTHORIZED)
    def page(size: int = 50):
        if size > 100:
            raise HTTPException(422)
        return size
"""


def served(system: System) -> dict[str, Operation]:
    return {operation.function.rpartition(".")[2]: operation for operation in system.operations}


def fastapi(link: Link, text: str) -> dict[str, Operation]:
    return served(link({"auth.py": AUTH, "app.py": text}))


def test_dependencies_wherever_they_are_given(link: Link) -> None:
    found = fastapi(
        link,
        """
        from typing import Annotated
        from fastapi import APIRouter, Depends, FastAPI
        import auth
        Caller = Annotated[str, Depends(auth.lookup)]
        app = FastAPI()
        guarded = APIRouter(dependencies=[Depends(auth.lookup)])
        plain = APIRouter()
        mounted = APIRouter()
        app.include_router(guarded)
        app.include_router(mounted, dependencies=[Depends(auth.lookup)])
        app.include_router(plain)
        @plain.get("/a")
        def by_default(key=Depends(auth.lookup)): ...
        @plain.get("/b")
        def by_type(caller: Caller): ...
        @plain.get("/c", dependencies=[Depends(auth.lookup)])
        def by_decorator(): ...
        @guarded.get("/d")
        def by_router(): ...
        @mounted.get("/e")
        def by_mount(): ...
        @plain.get("/f")
        def by_nothing(size=Depends(auth.page)): ...
        """,
    )
    assert {name for name, o in found.items() if not o.authenticated} == {"by_nothing"}
    assert [g.name for g in found["by_nothing"].guards] == ["auth.page"]
    assert found["by_type"].guards[0].why == "raises HTTPException(401) in auth.check"


def test_an_application_s_own_dependencies_and_middleware(link: Link) -> None:
    system = link(
        {
            "one.py": """
                from fastapi import Depends, FastAPI
                import auth
                app = FastAPI(dependencies=[Depends(auth.lookup)])
                @app.get("/a")
                def a(): ...
            """,
            "two.py": """
                from fastapi import FastAPI
                from fastapi.responses import JSONResponse
                app = FastAPI()
                @app.middleware("http")
                async def gate(request, call_next):
                    if "authorization" not in request.headers:
                        return JSONResponse({}, status_code=401)
                    return await call_next(request)
                @app.get("/b")
                def b(): ...
            """,
            "three.py": """
                from fastapi import FastAPI
                app = FastAPI()
                @app.middleware("http")
                async def measure(request, call_next):
                    return await call_next(request)
                @app.get("/c")
                def c(): ...
            """,
            "auth.py": AUTH,
        }
    )
    found = served(system)
    assert found["a"].authenticated
    assert found["b"].authenticated
    assert not found["c"].authenticated


def test_a_session_is_no_guard_and_an_optional_user_neither(link: Link) -> None:
    found = fastapi(
        link,
        """
        from fastapi import Depends, FastAPI, HTTPException
        from fastapi.security import HTTPBearer
        app = FastAPI()
        def get_session():
            raise HTTPException(401)
        def optional_user():
            return None
        lenient = HTTPBearer(auto_error=False)
        strict = HTTPBearer()
        def token(given=Depends(strict)): ...
        @app.get("/a")
        def a(db=Depends(get_session), user=Depends(optional_user)): ...
        @app.get("/b")
        def b(key=Depends(token)): ...
        """,
    )
    assert not found["a"].authenticated
    assert found["b"].authenticated


def test_a_guard_that_lets_a_missing_credential_pass_is_one_by_half(link: Link) -> None:
    found = fastapi(
        link,
        """
        from fastapi import Depends, FastAPI, Header, HTTPException
        app = FastAPI()
        def licence(authorization: str | None = Header(None)):
            if authorization is None:
                return None
            if authorization != "known":
                raise HTTPException(401)
            return authorization
        def optional_caller(authorization: str | None = Header(None)): ...
        def optional_page(number: int | None = None): ...
        @app.get("/a")
        def a(known=Depends(licence)): ...
        @app.get("/b")
        def b(known=Depends(optional_caller)): ...
        @app.get("/c")
        def c(number=Depends(optional_page)): ...
        """,
    )
    guards = {name: [(g.authenticates, g.public, g.why) for g in o.guards] for name, o in found.items()}
    assert guards == {
        "a": [(False, False, "raises HTTPException(401)")],
        "b": [(False, False, "its name says so")],
        "c": [(False, False, "")],
    }


LISTED = """
    from fastapi import FastAPI
    app = FastAPI()
    @app.get("/api/v1/prices/{{code}}")
    def price(): ...
    @app.post("/api/v1/prices/{{code}}")
    def change(): ...
    @app.get("/files/public/{{name}}")
    def file(): ...
    @app.get("/files")
    def files(): ...
    {constant}
"""


@pytest.mark.parametrize(
    ("constant", "public"),
    [
        ('PUBLIC_ENDPOINT_SPECS = [("/prices/{id}", {"GET"})]', {"price"}),
        ('OPEN_PATHS = frozenset({"/api/v1/prices/{id}"})', {"price", "change"}),
        ('AUTH_EXEMPT_URLS = (r"^/files/public/.+$",)', {"file"}),
        ('LOGIN_EXEMPT_URLS = [r"^files$"]', {"files"}),
        ('ANONYMOUS = {"/files": ["GET"]}', {"files"}),
        ('NO_AUTH_PREFIXES = ("/files",)', {"file", "files"}),
        (
            'BASE_PUBLIC = ["/files"]; PUBLIC_PATHS = BASE_PUBLIC + ["/prices/{id}"]',
            {"price", "change", "files"},
        ),
        ('CSRF_EXEMPT_PATHS = ["/files"]', set()),
        ('ALLOWLIST = ["/files"]', set()),
        ('PUBLIC_PATHS = ["/"]', set()),
        ('PUBLIC_PATHS = ["/files/{name}", "/other"]', set()),
    ],
)
def test_lists_of_what_is_open(link: Link, constant: str, public: set[str]) -> None:
    found = served(link({"app.py": LISTED.format(constant=constant)}))
    assert {name for name, o in found.items() if o.public} == public
    assert all(g.why.startswith("listed in ") for o in found.values() for g in o.guards)


def test_a_list_compared_by_start_covers_what_lies_below(link: Link) -> None:
    compared = (
        'OPEN_PATHS = ["/files"]\n    def open_(path): return any(path.startswith(p) for p in OPEN_PATHS)'
    )
    found = served(link({"app.py": LISTED.format(constant=compared)}))
    assert {name for name, o in found.items() if o.public} == {"file", "files"}


def test_middleware_that_only_a_setting_installs(link: Link) -> None:
    found = fastapi(
        link,
        """
        import os
        from fastapi import FastAPI
        from fastapi.responses import JSONResponse
        from starlette.middleware.base import BaseHTTPMiddleware
        class Password(BaseHTTPMiddleware):
            async def dispatch(self, request, call_next):
                if "authorization" not in request.headers:
                    return JSONResponse({}, status_code=401)
                return await call_next(request)
        app = FastAPI()
        if os.getenv("PASSWORD"):
            app.add_middleware(Password)
        @app.get("/a")
        def a(): ...
        """,
    )
    assert found["a"].authenticated
    assert found["a"].guards[0].why == "JSONResponse(401), when configured"


def test_handlers_that_hand_on(link: Link) -> None:
    system = link(
        {
            "shop.py": """
                from flask import Blueprint, abort, redirect, request, session, url_for
                from flask_login import login_required
                from sqlalchemy.orm import Session
                bp = Blueprint("shop", __name__)
                class Page:
                    def process(self):
                        self._check_access()
                        return self._process()
                    def _check_access(self):
                        if session.user is None:
                            abort(403)
                    def _process(self): ...
                class Order(Page):
                    def _process(self): ...
                def to_orders():
                    return redirect(url_for("shop.orders"))
                @bp.route("/a")
                def a():
                    if request.args:
                        return redirect("/b")
                    return Order().process()
                @bp.route("/b")
                @login_required
                def b(): ...
                @bp.route("/c")
                def c():
                    return b()
                @bp.route("/d")
                def d():
                    return redirect("/a") if request.args else to_orders()
                @bp.route("/e")
                def e():
                    with Session() as db:
                        db.delete(request.args["order"])
                        db.commit()
                    return redirect("/a")
                @bp.route("/f")
                def f():
                    if request.args:
                        return Order().process()
                    return "anyone"
            """
        }
    )
    found = {name: (o.authenticated, o.public) for name, o in served(system).items()}
    assert found == {
        "a": (True, False),
        "b": (True, False),
        "c": (True, False),
        "d": (False, True),
        "e": (False, False),
        "f": (False, False),
    }


HANDLERS = """
    from flask import Blueprint, abort, request, session
    from itsdangerous import URLSafeSerializer
    signer = URLSafeSerializer("key")
    def serving(handler):
        def serve(**arguments):
            return handler().process()
        return serve
    class Handlers(Blueprint):
        def add_url_rule(self, rule, endpoint=None, view_func=None, **options):
            super().add_url_rule(rule, endpoint, serving(view_func), **options)
    class Handler:
        def process(self):
            self._check_csrf()
            return self._do_process()
        def _do_process(self):
            self._process_args()
            self._check_access()
            return self._process()
        def _check_csrf(self): ...
        def _process_args(self): ...
        def _check_access(self): ...
        def _process(self):
            return getattr(self, "_process_" + request.method)()
    class Guarded(Handler):
        def _check_access(self):
            if session.user is None:
                abort(403)
    class Icon(Guarded):
        def _check_access(self):
            pass  # icons are for everybody
        def _process(self): ...
    class Order(Guarded):
        def _process_args(self): ...
        def _process(self): ...
    class Rest(Guarded):
        def _process_GET(self): ...
        def _process_DELETE(self): ...
    class Picture(Handler):
        def _process_args(self):
            self.user = signer.loads(request.view_args["signature"])
        def _process(self): ...
    class Open(Handler):
        def _process(self): ...
    bp = Handlers("shop", __name__)
    bp.add_url_rule("/icon", "icon", Icon)
    bp.add_url_rule("/order", "order", Order, methods=("GET", "POST"))
    bp.add_url_rule("/rest", "rest", Rest, methods=("GET", "POST"))
    bp.add_url_rule("/picture", "picture", Picture)
    bp.add_url_rule("/open", "open", Open)
"""


def test_handler_classes_of_the_project(link: Link) -> None:
    system = link({"shop.py": HANDLERS})
    found = {(o.method, o.function): (o.authenticated, o.public) for o in system.operations}
    assert found == {
        ("GET", "shop.Icon._process"): (False, True),
        ("GET", "shop.Order._process"): (True, False),
        ("POST", "shop.Order._process"): (True, False),
        ("GET", "shop.Rest._process_GET"): (True, False),
        ("GET", "shop.Picture._process"): (True, False),
        ("GET", "shop.Open._process"): (False, False),
    }


def operation(path: str) -> Operation:
    return Operation("GET", path, path, Location("shop.py", 1), "shop.bp", "flask", ())


@pytest.mark.parametrize(
    ("path", "guarded", "scattered", "beside"),
    [
        ("/e/{event}", ["/admin/events", "/admin/users"], False, []),
        ("/e/{event}", ["/admin/events", "/event/{event}"], False, ["/event/{event}"]),
        ("/api/v1/orders/close", ["/api/v1/orders", "/api/v1/users"], False, ["/api/v1/orders"]),
        ("/admin/sync", ["/admin/users", "/orders"], False, ["/admin/users"]),
        ("/{order}", ["/{order}/lines", "/users"], True, []),
        ("^remote_version/", ["^chat/", "^bulk_edit/"], False, ["^chat/", "^bulk_edit/"]),
    ],
)
def test_neighbours(path: str, guarded: list[str], scattered: bool, beside: list[str]) -> None:
    opened = operation(path)
    [(group, found)] = neighbours([opened], [operation(each) for each in guarded], scattered)
    assert group == [opened]
    assert [each.path for each in found] == beside


def test_asking_for_the_caller_in_the_body(link: Link) -> None:
    found = fastapi(
        link,
        """
        from fastapi import FastAPI
        from shop import orders
        from flask import session
        app = FastAPI()
        @app.get("/a")
        def a():
            user = session.user
            if not user:
                return None
            return user
        @app.get("/b")
        def b(order):
            if not order.can_access(session.user):
                return None
            return order
        @app.get("/c")
        def c():
            found = orders()
            if session.user:
                found = sorted(found, key=session.user.likes)
            return found
        """,
    )
    assert found["a"].authenticated
    assert found["b"].authenticated
    assert not found["c"].authenticated


def test_public_needs_a_reason_where_the_marker_takes_one(link: Link) -> None:
    found = fastapi(
        link,
        """
        from fastapi import Depends, FastAPI
        app = FastAPI()
        def public(reason):
            def anyone(): ...
            return anyone
        @app.get("/a", dependencies=[Depends(public("the window shows it"))])
        def a(): ...
        @app.get("/b", dependencies=[Depends(public(" "))])
        def b(): ...
        @app.get("/healthz")
        def c(): ...
        """,
    )
    assert found["a"].public
    assert found["a"].guards[0].why == "the window shows it"
    assert not found["b"].public
    assert [(g.name, g.public) for g in found["c"].guards] == [("public by convention", True)]


def test_checks_in_the_body(link: Link) -> None:
    found = fastapi(
        link,
        """
        import hmac
        from fastapi import FastAPI, HTTPException, Request
        app = FastAPI()
        def verify(body, given):
            if not hmac.compare_digest(body, given):
                raise HTTPException(400)
        def make_api_key(): ...
        @app.post("/a")
        def a(request: Request):
            verify(b"", b"")
        @app.post("/b")
        def b(request: Request):
            if not request.user.is_authenticated:
                raise HTTPException(404)
        @app.post("/c")
        def c(request: Request):
            make_api_key()
        """,
    )
    assert found["a"].authenticated
    assert found["b"].authenticated
    assert not found["c"].authenticated


def test_flask_decorators_and_hooks(link: Link) -> None:
    system = link(
        {
            "shop.py": """
                from functools import wraps
                from flask import Blueprint, abort, g
                from flask_login import login_required
                hooked = Blueprint("hooked", __name__)
                plain = Blueprint("plain", __name__)
                def member(view):
                    @wraps(view)
                    def wrapper(*args):
                        if g.user is None:
                            abort(401)
                        return view(*args)
                    return wrapper
                def timed(view):
                    @wraps(view)
                    def wrapper(*args):
                        return view(*args)
                    return wrapper
                @hooked.before_request
                def gate():
                    if g.user is None:
                        return "who?", 401
                @hooked.route("/a")
                def a(): ...
                @plain.route("/b")
                @member
                def b(): ...
                @plain.route("/c")
                @login_required
                def c(): ...
                @plain.route("/d")
                @timed
                def d(): ...
            """
        }
    )
    assert {name for name, o in served(system).items() if not o.authenticated} == {"d"}


def test_permissions_of_rest_framework(link: Link) -> None:
    system = link(
        {
            "views.py": """
                from rest_framework.decorators import api_view, permission_classes
                from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
                from rest_framework.views import APIView
                class Member(BasePermission):
                    def has_permission(self, request, view):
                        return request.user.is_member
                class Anyone(BasePermission):
                    def has_permission(self, request, view):
                        return True
                class Base(APIView):
                    permission_classes = [IsAuthenticated]
                class A(Base):
                    def get(self, request): ...
                class B(APIView):
                    permission_classes = (Member,)
                    def get(self, request): ...
                class C(Base):
                    permission_classes = [AllowAny]
                    def get(self, request): ...
                class D(Base):
                    permission_classes = [Anyone]
                    def get(self, request): ...
                class E(APIView):
                    def get(self, request): ...
                @api_view(["POST"])
                @permission_classes([IsAuthenticated])
                def f(request): ...
            """,
            "urls.py": """
                from django.urls import path
                import views
                urlpatterns = [path("f/", views.f)]
            """,
        }
    )
    found = {o.function.removeprefix("views."): (o.authenticated, o.public) for o in system.operations}
    assert found == {
        "A.get": (True, False),
        "B.get": (True, False),
        "C.get": (False, True),
        "D.get": (False, True),
        "E.get": (False, False),
        "f": (True, False),
    }


def test_defaults_and_middleware_of_django_settings(link: Link) -> None:
    settings = """
        BASE_MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware", "shop.gate.LoginRequiredMiddleware"]
        MIDDLEWARE = BASE_MIDDLEWARE
    """
    gate = "class LoginRequiredMiddleware:\n    def __call__(self, request): ...\n"
    views = "from django.views import View\nclass A(View):\n    def get(self, request): ...\n"
    files = {"shop/__init__.py": "", "shop/gate.py": gate, "shop/views.py": views}
    assert not link(files).operations[0].authenticated
    assert link({**files, "shop/settings.py": settings}).operations[0].authenticated


def test_mixins_hooks_and_class_decorators_of_django(link: Link) -> None:
    system = link(
        {
            "views.py": """
                from django.contrib.auth.decorators import login_required
                from django.contrib.auth.mixins import LoginRequiredMixin
                from django.core.exceptions import PermissionDenied
                from django.utils.decorators import method_decorator
                from django.views import View
                class Gate:
                    def dispatch(self, request):
                        if not request.user.is_staff:
                            raise PermissionDenied
                        return super().dispatch(request)
                class A(LoginRequiredMixin, View):
                    def get(self, request): ...
                class B(Gate, View):
                    def get(self, request): ...
                @method_decorator(login_required, name="dispatch")
                class C(View):
                    def get(self, request): ...
                class D(View):
                    def get(self, request): ...
            """
        }
    )
    assert [o.function for o in system.operations if not o.authenticated] == ["views.D.get"]


@pytest.mark.parametrize(
    "name", ["current_user", "require_admin", "LoginRequiredMixin", "verify_signature", "api_key"]
)
def test_names_that_authenticate(name: str) -> None:
    assert sounds_authenticating(f"shop.auth.{name}")


@pytest.mark.parametrize(
    "name", ["get_db", "auth_service", "optional_user", "login_not_required", "author", "csrf"]
)
def test_names_that_do_not(name: str) -> None:
    assert not sounds_authenticating(name)


def test_making_a_key_is_no_check() -> None:
    assert sounds_checking("check_permissions")
    assert not sounds_checking("create_api_key")


def test_a_public_key_is_not_public() -> None:
    assert sounds_public("public")
    assert not sounds_public("get_public_key")


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/api/auth", "auth"),
        ("/auth/{provider}", "auth"),
        ("/auth/type", "type"),
        ("/auth/google", "google"),
        ("^auth/login/$", "login"),
        ("/auth/users", ""),
        ("/auth/users/{user_id}/roles", ""),
    ],
)
def test_what_signs_in_under_auth(path: str, word: str) -> None:
    assert signing_in(path) == word


@pytest.mark.parametrize(
    ("path", "name", "word"),
    [
        ("/api/health-check/", "x", "health_check"),
        ("^accounts/login$", "x", "login"),
        ("/orders/{version}", "x", ""),
        ("^logo(?:/(?P<filename>.+))?/?$", "x", "logo"),
        ("/tokens", "list_tokens", ""),
        ("", "shop.LoginView", "login"),
        ("/orders", "orders", ""),
    ],
)
def test_conventions(path: str, name: str, word: str) -> None:
    assert conventional(path, name) == word
