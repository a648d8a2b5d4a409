import re
from collections.abc import Iterable, Iterator

from mainstay.model.effect import OUTSIDE, WRITES, EffectKind
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.system import Guard, Operation, System
from mainstay.rules.base import Example, Rule

NAMED = 3  # siblings that a message names
FEW, MOST = 3, 9  # so few gaps, or so many guarded for each, that a gap is surely none on purpose
WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
APART = frozenset(
    "admin administration internal staff manage management superuser debug ops private backoffice".split()
)
"""What lies under these is asked for a reason of its own, which tells nothing of what lies elsewhere."""
GENERAL = re.compile(r"[{<(^].*|api|rest|v\d+(?:\.\d+)?|!?")  # segments that say nothing of what is served


class UnauthenticatedOperation(Rule):
    """An operation answers whoever asks.

    Nobody is asked who they are before this operation runs, and nothing says that this is meant.
    Whoever finds the address reads, or changes, what the operation reaches; where its neighbours
    do ask, the guard was most likely forgotten.

    Put the guard of its neighbours in front of it, best on the router so that the next operation
    has it from the start; or declare it public at the same place, with the reason.
    """

    severity = Severity.CRITICAL
    family = (Family.AUTHORISATION_GAP,)
    since = "0.1"
    references = ("CWE-306", "CWE-862", "OWASP A01:2021", "OWASP API5:2023")

    notices = "Nobody: to the service it is a request like any other. At best somebody reads the access log."
    recovers = "Not by itself. What was read stays known; what was changed has to be found and put back."
    costs = "One line on the router or the operation; clients without credentials must now send some."

    bad = (
        Example(
            {
                "shop/auth.py": """
                    from fastapi import Depends, HTTPException
                    from fastapi.security import OAuth2PasswordBearer

                    scheme = OAuth2PasswordBearer(tokenUrl="token")

                    def current_user(token: str = Depends(scheme)):
                        user = find(token)
                        if user is None:
                            raise HTTPException(status_code=401)
                        return user
                """,
                "shop/orders.py": """
                    from fastapi import APIRouter, Depends
                    from shop.auth import current_user
                    from shop.store import load, drop

                    router = APIRouter(prefix="/orders")

                    @router.get("/{order_id}")
                    def show(order_id: int, user=Depends(current_user)):
                        return load(order_id)

                    @router.delete("/{order_id}")
                    def remove(order_id: int):  # <-
                        drop(order_id)
                """,
                "shop/store.py": """
                    from sqlalchemy.orm import Session

                    def load(order_id): ...

                    def drop(order_id):
                        with Session() as session:
                            session.delete(order_id)
                            session.commit()
                """,
            },
            "The sibling on the same router asks who is there",
        ),
        Example(
            {
                "shop/views.py": """
                    from flask import Blueprint, abort, g, jsonify, request
                    from functools import wraps

                    bp = Blueprint("shop", __name__, url_prefix="/shop")

                    def signed_in(view):
                        @wraps(view)
                        def wrapper(*args, **kwargs):
                            if g.user is None:
                                abort(401)
                            return view(*args, **kwargs)
                        return wrapper

                    @bp.route("/orders")
                    @signed_in
                    def orders():
                        return jsonify([])

                    @bp.route("/refund", methods=["POST"])
                    def refund():  # <-
                        return jsonify(pay_back(request.json["order"]))

                    def pay_back(order):
                        return {"order": order}
                """,
            },
            "A decorator of the project that aborts with 401 is missing from one view",
        ),
        Example(
            {
                "shop/settings.py": 'REST_FRAMEWORK = {"PAGE_SIZE": 50}',
                "shop/models.py": """
                    from django.db import models

                    class Order(models.Model):
                        total = models.IntegerField()
                """,
                "shop/urls.py": """
                    from django.urls import path
                    from shop import views

                    urlpatterns = [
                        path("orders/", views.OrderList.as_view()),
                        path("orders/close/", views.OrderClose.as_view()),
                    ]
                """,
                "shop/views.py": """
                    from rest_framework.permissions import IsAuthenticated
                    from rest_framework.views import APIView
                    from shop.models import Order

                    class OrderList(APIView):
                        permission_classes = [IsAuthenticated]

                        def get(self, request):
                            return Order.objects.all()

                    class OrderClose(APIView):
                        def post(self, request):  # <-
                            Order.objects.update(total=0)
                """,
            },
            "Without a default in the settings, a view of Django REST framework is open",
        ),
        Example(
            {
                "shop/auth.py": """
                    from fastapi import Header, HTTPException

                    def licence(authorization: str = Header()):
                        if authorization != "known":
                            raise HTTPException(401)

                    def optional_licence(authorization: str | None = Header(None)):
                        if authorization is None:
                            return None
                        return licence(authorization)
                """,
                "shop/orders.py": """
                    from fastapi import APIRouter, Depends
                    from sqlalchemy.orm import Session
                    from shop.auth import licence, optional_licence

                    router = APIRouter(prefix="/orders", tags=["orders"])

                    @router.get("/{order_id}", dependencies=[Depends(licence)])
                    def show(order_id: int): ...

                    @router.delete("/{order_id}")
                    def remove(order_id: int, known=Depends(optional_licence)):  # <-
                        with Session() as session:
                            session.delete(order_id)
                            session.commit()
                """,
            },
            "A guard that refuses wrong credentials only stops nobody who brings none",
        ),
    )
    good = (
        Example(
            {
                "shop/app.py": """
                    from fastapi import Depends, FastAPI
                    from shop import orders
                    from shop.auth import caller

                    app = FastAPI()
                    app.include_router(orders.router, prefix="/v1", dependencies=[Depends(caller)])

                    @app.get("/healthz")
                    def healthz():
                        return {"status": "alive"}
                """,
                "shop/auth.py": """
                    from fastapi import Header
                    from shop.errors import Unauthorised

                    def caller(authorization: str = Header()):
                        return check(authorization)

                    def check(key):
                        if key != "known":
                            raise Unauthorised("unknown key")
                """,
                "shop/errors.py": "class Unauthorised(Exception): ...",
                "shop/orders.py": """
                    from fastapi import APIRouter

                    router = APIRouter(prefix="/orders")

                    @router.delete("/{order_id}")
                    def remove(order_id: int):
                        return order_id
                """,
            },
            "The router is guarded where it is mounted; a health check needs nobody's name",
        ),
        Example(
            {
                "shop/hooks.py": """
                    import hashlib
                    import hmac
                    from fastapi import APIRouter, Depends, HTTPException, Request
                    from shop.auth import current_user, public

                    router = APIRouter()

                    @router.post("/hooks/payment")
                    async def payment(request: Request):
                        body = await request.body()
                        verify(body, request.headers["x-signature"])
                        return {"taken": True}

                    @router.get("/prices", dependencies=[Depends(public(reason="the window shows them"))])
                    def prices():
                        return []

                    @router.get("/orders")
                    def orders(user=Depends(current_user)):
                        return []

                    def verify(body, signature):
                        wanted = hmac.new(b"key", body, hashlib.sha256).hexdigest()
                        if not hmac.compare_digest(wanted, signature):
                            raise HTTPException(400, "the signature does not match")
                """,
                "shop/auth.py": """
                    from fastapi import HTTPException

                    def current_user():
                        raise HTTPException(401)

                    def public(*, reason):
                        def anyone():
                            return None
                        return anyone
                """,
            },
            "A verified signature is a guard, and a declaration with a reason is one, too",
        ),
        Example(
            {
                "shop/settings.py": """
                    REST_FRAMEWORK = {
                        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
                    }
                """,
                "shop/models.py": """
                    from django.db import models

                    class Order(models.Model):
                        total = models.IntegerField()
                """,
                "shop/views.py": """
                    from django.contrib.auth.mixins import LoginRequiredMixin
                    from django.core.exceptions import PermissionDenied
                    from django.http import HttpResponse
                    from django.views import View
                    from rest_framework.views import APIView
                    from shop.models import Order

                    class OrderClose(APIView):
                        def post(self, request):
                            Order.objects.update(total=0)

                    class OrderPage(LoginRequiredMixin, View):
                        def get(self, request):
                            return HttpResponse(Order.objects.count())

                    class StaffPage(View):
                        def dispatch(self, request, *args, **kwargs):
                            if not request.user.is_staff:
                                raise PermissionDenied
                            return super().dispatch(request, *args, **kwargs)

                        def post(self, request):
                            Order.objects.update(total=0)
                            return HttpResponse()
                """,
                "shop/urls.py": """
                    from django.urls import path
                    from shop import views

                    urlpatterns = [
                        path("close/", views.OrderClose.as_view()),
                        path("page/", views.OrderPage.as_view()),
                        path("staff/", views.StaffPage.as_view()),
                    ]
                """,
            },
            "The default of the settings, a mixin, and a dispatch that refuses",
        ),
        Example(
            {
                "shop/__init__.py": """
                    from flask import Flask
                    from shop.views import bp

                    def create_app():
                        app = Flask(__name__)
                        app.register_blueprint(bp, url_prefix="/shop")
                        return app
                """,
                "shop/views.py": """
                    from flask import Blueprint, abort, g, jsonify

                    bp = Blueprint("shop", __name__)

                    @bp.before_request
                    def need_user():
                        if g.user is None:
                            abort(401)

                    @bp.route("/refund", methods=["POST"])
                    def refund():
                        return jsonify({})
                """,
            },
            "A hook of the blueprint turns unknown callers away before every view",
        ),
        Example(
            {
                "shop/app.py": """
                    from fastapi import FastAPI
                    from shop import prices

                    app = FastAPI()
                    app.include_router(prices.router, prefix="/api")

                    PUBLIC_ENDPOINTS = [("/prices/{code}", {"GET"}), ("/prices/quote", {"POST"})]

                    def every_route_is_guarded(application, public=PUBLIC_ENDPOINTS):
                        for route in application.routes:
                            if (route.path, route.methods) not in public and not route.dependencies:
                                raise RuntimeError(route.path)

                    every_route_is_guarded(app)
                """,
                "shop/prices.py": """
                    from fastapi import APIRouter, Depends, HTTPException
                    from shop.store import change, load

                    router = APIRouter(prefix="/prices")

                    def current_user():
                        raise HTTPException(401)

                    @router.get("/{code}")
                    def show(code: str):
                        return load(code)

                    @router.post("/quote")
                    def quote(code: str):
                        return change(code)

                    @router.put("/{code}")
                    def put(code: str, user=Depends(current_user)):
                        return change(code)
                """,
                "shop/store.py": """
                    from sqlalchemy.orm import Session

                    def load(code): ...

                    def change(code):
                        with Session() as session:
                            session.add(code)
                            session.commit()
                """,
            },
            "A list of public endpoints, which the application checks itself against, declares them",
        ),
        Example(
            {
                "shop/views.py": """
                    from flask import Blueprint, abort, redirect, session, url_for

                    bp = Blueprint("shop", __name__)

                    class Page:
                        def process(self):
                            self.check_access()
                            return self.show()

                        def check_access(self):
                            if session.user is None:
                                abort(401)

                        def show(self):
                            raise NotImplementedError

                    class OrderPage(Page):
                        def show(self):
                            return "the order"

                    @bp.route("/orders/close", methods=["POST"])
                    def close():
                        if not session.user:
                            abort(401)
                        return "closed"

                    @bp.route("/orders/<int:order>")
                    def show(order):
                        if order < 1000:
                            return redirect(url_for("shop.old", order=order))
                        return OrderPage().process()

                    @bp.route("/orders/<int:order>/latest")
                    def latest(order):
                        return redirect(url_for("shop.show", order=order))
                """,
            },
            "What hands on to a guarded page has its guard; what only redirects gives nothing away",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        """Compare each open operation with those published beside it, then with the whole project."""
        guarded = [operation for operation in system.operations if operation.authenticated]
        unguarded = [o for o in system.operations if not (o.authenticated or o.public)]
        open_ = [o for o in unguarded if lenient(o) is None]
        if open_ and not guarded:
            yield from self._nothing_guards(system, open_)
            return
        modules = frozenset(file.name for file in system.files)
        beside = by_router(guarded)
        for router, operations in by_router(open_).items():
            for group, siblings in neighbours(operations, beside.get(router, []), router in modules):
                yield from self._of_router(system, group, siblings)
        for router, operations in by_router([o for o in unguarded if lenient(o) is not None]).items():
            for group, siblings in neighbours(operations, beside.get(router, []), router in modules):
                yield from self._lets_through(system, group, siblings)

    def _lets_through(
        self, system: System, operations: list[Operation], siblings: list[Operation]
    ) -> Iterator[Finding]:
        """Operations whose guard only looks at callers that bring a credential; one finding for a guard."""
        by_guard: dict[str, list[Operation]] = {}
        for operation in operations:
            guard = lenient(operation)
            if guard is not None and self._rank(system, [operation]) >= Severity.HIGH:
                by_guard.setdefault(guard.name, []).append(operation)
        for same in by_guard.values() if len(siblings) >= len(operations) else ():
            worst = max(same, key=lambda operation: self._rank(system, [operation]))
            guard = lenient(worst)
            assert guard is not None
            others = [operation for operation in same if operation.function != worst.function]
            more = f", as it does for {count(others)} beside it" if others else ""
            yield self.found(
                f"{shown(guard)} lets callers without a credential through to {spoken([worst])}{more}; "
                f"{named(siblings)} beside it are guarded by {shown(usual_guard(siblings))}",
                worst.location,
                clears="a guard that refuses them, or a declaration that it is public, with the reason",
                severity=Severity(self._rank(system, [worst]) - 1),
                confidence=Confidence.LOW,
                path=(Hop(worst.location, f"{spoken([worst])}: {shown(guard)}, {guard.why}"),),
                siblings=tuple(dict.fromkeys(o.location for o in others)),
                subject=f"{worst.router} {guard.name}",
            )

    def _of_router(
        self, system: System, operations: list[Operation], siblings: list[Operation]
    ) -> Iterator[Finding]:
        """A few gaps among guarded siblings were forgotten; a whole open router is one decision."""
        by_function: dict[str, list[Operation]] = {}
        for operation in operations:
            by_function.setdefault(operation.function, []).append(operation)
        if len(siblings) >= len(operations):
            usual = len(by_function) < FEW or len(siblings) >= MOST * len(operations)
            for same in by_function.values():
                yield self._forgotten(system, same, siblings, usual)
        else:
            yield self._open_router(system, operations, siblings)

    def _forgotten(
        self, system: System, same: list[Operation], siblings: list[Operation], usual: bool
    ) -> Finding:
        """One operation without the guard of its siblings; `usual`: nearly all of them have it."""
        operation = same[0]
        guard = usual_guard(siblings)
        beside = named(s for s in siblings)
        rank = self._rank(system, same)
        return self.found(
            f"{spoken(same)} asks nobody who they are; {beside} beside it are guarded by {shown(guard)}",
            operation.location,
            clears=f"{shown(guard)} in front of `{short(operation)}`, or a declaration that it is public",
            severity=rank,
            confidence=self._sure(system, same, rank, usual),
            path=(
                Hop(operation.location, f"{spoken(same)}: no guard"),
                *(
                    Hop(s.location, f"{s.method} {s.path}: {shown(usual_guard([s]))}")
                    for s in siblings[:NAMED]
                ),
            ),
            siblings=tuple(dict.fromkeys(s.location for s in siblings[:NAMED])),
            subject=operation.function,
        )

    def _sure(self, system: System, same: list[Operation], rank: Severity, usual: bool) -> Confidence:
        """What only reads may be there for everybody to read."""
        if rank < Severity.HIGH:
            return Confidence.LOW
        function = system.functions.get(same[0].function)
        kinds = function.kinds if function is not None else frozenset[EffectKind]()
        if EffectKind.READ in kinds and kinds.isdisjoint(WRITES | OUTSIDE | {EffectKind.COMMIT}):
            return Confidence.MEDIUM
        return Confidence.HIGH if usual else Confidence.MEDIUM

    def _open_router(self, system: System, operations: list[Operation], siblings: list[Operation]) -> Finding:
        worst = max(operations, key=lambda operation: self._rank(system, [operation]))
        others = [operation for operation in operations if operation.function != worst.function]
        more = (
            f", nor {'does' if functions(others) == 1 else 'do'} {count(others)} beside it" if others else ""
        )
        return self.found(
            f"{spoken([worst])} asks nobody who they are{more}",
            worst.location,
            clears="a guard on the router, or a declaration that these are public, with the reason",
            severity=Severity(max(Severity.LOW, self._rank(system, [worst]) - 1)),
            confidence=Confidence.MEDIUM if siblings else Confidence.LOW,
            path=(Hop(worst.location, f"{spoken([worst])}: no guard"),),
            siblings=tuple(dict.fromkeys(o.location for o in others)),
            subject=worst.router,
        )

    def _nothing_guards(self, system: System, open_: list[Operation]) -> Iterator[Finding]:
        """No operation of the project is guarded: one decision of the whole application."""
        worst = max(open_, key=lambda operation: self._rank(system, [operation]))
        others = [operation for operation in open_ if operation.function != worst.function]
        yield self.found(
            f"Nothing in this project asks who is calling: {spoken([worst])}"
            + (f" and {count(others)} are open" if others else " is open"),
            worst.location,
            clears="a guard in front of the application, or what authenticates in front of it, declared",
            severity=Severity(max(Severity.LOW, self._rank(system, [worst]) - 1)),
            confidence=Confidence.LOW,
            path=(Hop(worst.location, f"{spoken([worst])}: no guard"),),
            siblings=tuple(dict.fromkeys(o.location for o in others)),
            subject="application",
        )

    def _rank(self, system: System, same: list[Operation]) -> Severity:
        """What an unknown caller can do there: change or set off things, read, or neither."""
        function = system.functions.get(same[0].function)
        kinds = function.kinds if function is not None else frozenset[EffectKind]()
        if kinds & (WRITES | OUTSIDE | {EffectKind.COMMIT}):
            return Severity.CRITICAL if any(o.method in WRITING for o in same) else Severity.HIGH
        if EffectKind.READ in kinds or any(o.method in WRITING for o in same):
            return Severity.HIGH
        return Severity.LOW


def lenient(operation: Operation) -> Guard | None:
    """A guard that shows that it refuses, and is yet known not to ask everybody."""
    return next((g for g in operation.guards if g.why and not g.authenticates and not g.public), None)


def by_router(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = {}
    for operation in operations:
        groups.setdefault(operation.router, []).append(operation)
    return groups


def neighbours(
    operations: list[Operation], guarded: list[Operation], scattered: bool
) -> Iterator[tuple[list[Operation], list[Operation]]]:
    """Operations of one router with the guarded ones beside them.

    Those under the same first part of the path come first.  Where there are none, it is the rest of
    the router, unless all that joins them is the module they stand in (`scattered`).
    """
    areas: dict[str, list[Operation]] = {}
    for operation in guarded:
        areas.setdefault(area(operation), []).append(operation)
    left: list[Operation] = []
    groups: dict[str, list[Operation]] = {}
    for operation in operations:
        where = area(operation)
        if where and where in areas:
            groups.setdefault(where, []).append(operation)
        else:
            left.append(operation)
    for where, group in groups.items():
        yield group, areas[where]
    if left:
        apart = any(area(operation) in APART for operation in left)
        rest = [o for o in guarded if not scattered and (apart or area(o) not in APART)]
        yield left, rest


def area(operation: Operation) -> str:
    """The first part of the path that is neither a parameter nor common to every API."""
    parts = re.split(r"[/^]+", operation.path.lower())
    return next((part.strip("$") for part in parts if part and not GENERAL.fullmatch(part)), "")


def usual_guard(operations: Iterable[Operation]) -> Guard:
    """The guard that most of the operations have."""
    counts: dict[str, int] = {}
    guards: dict[str, Guard] = {}
    for operation in operations:
        for guard in operation.guards:
            if guard.authenticates:
                counts[guard.name] = counts.get(guard.name, 0) + 1
                guards.setdefault(guard.name, guard)
    return guards[max(counts, key=lambda name: counts[name])]


def named(operations: Iterable[Operation]) -> str:
    """A few operations by method and path, each function once."""
    texts = list(dict.fromkeys(spoken([operation]) for operation in operations))
    rest = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + rest


def spoken(same: list[Operation]) -> str:
    """`GET /orders`; for a view without a known path, its name."""
    methods = "/".join(dict.fromkeys(operation.method for operation in same))
    return f"{methods} {same[0].path or short(same[0])}"


def short(operation: Operation) -> str:
    return ".".join(operation.function.split(".")[-2:])


def shown(guard: Guard) -> str:
    return f"`{guard.name.removesuffix('.<body>').rpartition('.')[2]}`"


def count(operations: list[Operation]) -> str:
    number = functions(operations)
    return "1 other operation" if number == 1 else f"{number} other operations"


def functions(operations: list[Operation]) -> int:
    """How many functions serve the operations."""
    return len({operation.function for operation in operations})
