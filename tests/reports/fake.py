"""A review made up for the tests of the reports: a small shop, its tree and its findings."""

from collections.abc import Iterable
from pathlib import Path

from mainstay.budgets import STANDARD
from mainstay.model.code import Body, Module
from mainstay.model.effect import Effect, EffectKind, Occurrence
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.location import Location
from mainstay.model.review import Notice, Result, Review, Standing
from mainstay.model.system import (
    Bound,
    Datastore,
    Deadline,
    Dependency,
    Edge,
    File,
    Function,
    Gap,
    Guard,
    Job,
    Operation,
    Role,
    System,
)
from mainstay.rules.base import Example, Rule


class CallWithoutDeadline(Rule):
    """A call out of the process has no deadline.

    When the other side accepts the connection and then says nothing, the caller waits for ever. Each
    such request keeps one worker; once all are kept, the service answers nobody.

    Give the call a timeout that is shorter than the patience of whoever waits for this service.
    """

    severity = Severity.HIGH
    family = (Family.UNBOUNDED_WAIT,)
    since = "0.1"
    references = ("CWE-400", "CWE-1088")
    notices = "Users, by requests that never end; nothing is logged, because nothing fails."
    recovers = "Not by itself: workers come back only with a restart."
    costs = "One argument; and a decision what to answer when time is up."
    bad = (
        Example(
            {
                "shop/rates.py": """
                    import requests

                    def rate(currency: str) -> float:
                        return requests.get(f"{BASE}/{currency}").json()["rate"]  # <-
                """
            },
            "requests waits for ever unless told otherwise",
        ),
    )
    good = (
        Example(
            {
                "shop/rates.py": """
                    import requests

                    def rate(currency: str) -> float:
                        return requests.get(f"{BASE}/{currency}", timeout=(1, 2)).json()["rate"]
                """
            }
        ),
    )


class ExternalCallInTransaction(Rule):
    """A call to another service is made inside an open transaction.

    The transaction holds its locks and its pooled connection for as long as the other side takes.
    When that slows down, requests for the same rows queue behind it and the pool runs dry.

    Ask first and write afterwards, or record the intent, commit, and call from a worker.
    """

    severity = Severity.HIGH
    family = (Family.COMMIT_ORDER, Family.HELD_RESOURCE)
    since = "0.1"
    notices = "Whoever waits for the same rows; the database shows sessions idle in transaction."
    recovers = "When the other side answers, or the pool's timeout ends the waiters one by one."
    costs = 'A state for "asked, not answered", and a worker that finishes what was left.'
    bad = (Example({"shop/pay.py": "with db.begin():\n    requests.post(URL, timeout=5)  # <-\n"}),)
    good = (Example({"shop/pay.py": "requests.post(URL, timeout=5)\nwith db.begin():\n    ...\n"}),)


class RequestDataInSql(Rule):
    """Request data becomes part of an SQL statement.

    A requester can end the statement and begin one of their own: every row that the service may
    read or write is theirs.

    Pass the value as a bound parameter; choose names of columns from a fixed set.
    """

    severity = Severity.CRITICAL
    family = (Family.UNTRUSTED_INPUT,)
    since = "0.1"
    references = ("CWE-89", "OWASP A03:2021")
    notices = "Nobody, until the data turns up elsewhere."
    recovers = "It does not: what was read cannot be taken back, what was written needs a backup."
    costs = "A bound parameter costs nothing; a fixed set of columns, a few lines."
    bad = (Example({"shop/search.py": 'db.execute(f"select * from goods order by {order}")  # <-\n'}),)
    good = (Example({"shop/search.py": "db.execute(goods.select().order_by(COLUMNS[order]))\n"}),)


class ExceptionSwallowed(Rule):
    """A handler catches everything and says nothing.

    The failure happens, and the program goes on as if it had not: callers are told of success, and
    the data is wrong from then on.

    Catch what can be handled here; log the rest with its traceback, and let it pass.
    """

    severity = Severity.MEDIUM
    family = (Family.EXCEPTION_ESCAPE, Family.SILENT_FAILURE)
    since = "0.1"
    references = ("CWE-390",)
    notices = "Nobody."
    recovers = "Not at all; the lost work has to be found by comparing records."
    costs = "A few lines, and alerts that were due before."
    bad = (Example({"shop/mail.py": "try:\n    send()\nexcept Exception:  # <-\n    pass\n"}),)
    good = (Example({"shop/mail.py": "try:\n    send()\nexcept SMTPException:\n    log.exception('it')\n"}),)


class QueryPerRow(Rule):
    """A query runs for each row of another.

    A page of 200 orders takes 201 round trips; at 1 ms each the budget for latency is spent.

    Load the related rows with the first query, or all of them with a second.
    """

    severity = Severity.LOW
    family = (Family.QUERY_PER_ROW,)
    since = "0.1"
    preview = True
    notices = "Users with many rows, by slow pages; no error says why."
    recovers = "It does not; it grows with the data."
    costs = "A little memory for the rows loaded together."
    bad = (Example({"shop/list.py": "for order in orders():\n    customer(order.id)  # <-\n"}),)
    good = (Example({"shop/list.py": "customers(order.id for order in orders())\n"}),)


for _rule, _analysis in {
    CallWithoutDeadline: "failure",
    ExternalCallInTransaction: "integrity",
    RequestDataInSql: "security",
    ExceptionSwallowed: "monitoring",
    QueryPerRow: "performance",
}.items():
    _rule.__module__ = f"mainstay.rules.{_analysis}.{_rule.name().replace('-', '_')}"

RULES: tuple[type[Rule], ...] = (
    CallWithoutDeadline,
    ExceptionSwallowed,
    ExternalCallInTransaction,
    QueryPerRow,
    RequestDataInSql,
)

ROUTES = "shop.routes.orders"

TREE = {
    "shop/routes/orders.py": '''"""Orders."""

from fastapi import APIRouter, Depends

from shop import payments, search
from shop.auth import caller

router = APIRouter(prefix="/orders", dependencies=[Depends(caller)])


@router.post("", status_code=201)
def place_order(body: NewOrder, db: Session = Depends(session)):
    order = orders.create(db, body)
    payments.charge(db, order)
    return order


@router.get("")
def list_orders(sort: str = "created_at", db: Session = Depends(session)):
    found = search.ordered(db, sort)
    return [view(order, customers.of(db, order)) for order in found]
''',
    "shop/payments.py": '''"""Money."""

import requests

from shop.rates import rate


def charge(db, order):
    """Charge the card and remember it."""
    with db.begin():
        order.status = "charging"
        amount = order.amount * rate(order.currency)
        answer = requests.post(
            f"{PROCESSOR}/v1/charges",
            json={"amount": amount, "token": order.token},
        )
        db.add(Charge(order=order, reference=answer.json()["id"]))


def refund(db, charge):
    answer = requests.post(f"{PROCESSOR}/v1/refunds", json={"charge": charge.reference})
    db.add(Refund(charge=charge, reference=answer.json()["id"]))
''',
    "shop/rates.py": """import requests


def rate(currency):
    return requests.get(f"{RATES}/{currency}").json()["rate"]
""",
    "shop/search.py": """from sqlalchemy import text


def ordered(db, sort):
    statement = f"select * from orders order by {sort}"
    return db.execute(text(statement)).all()
""",
    "shop/mail.py": """import smtplib


def confirm(order):
    try:
        with smtplib.SMTP(HOST) as server:
            server.send_message(letter(order))
    except Exception:
        pass


def remind(order):
    try:
        confirm(order)
    except Exception:
        pass
""",
}


def at(path: str, text: str) -> Location:
    """Where `text` first stands in the file of that path."""
    for number, line in enumerate(TREE[path].split("\n"), 1):
        if text in line:
            column = line.index(text) + 1
            return Location(path, number, column, number, column + len(text))
    raise LookupError(f"{path} holds no {text!r}")


def plant(folder: Path) -> Path:
    """Write the tree below `folder`."""
    for path, text in TREE.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def findings() -> tuple[Finding, ...]:
    """Seven findings, worst first."""
    post = at("shop/payments.py", "requests.post(")
    charge = at("shop/routes/orders.py", "payments.charge(db, order)")
    sort = "query parameter `sort` of GET /orders"
    return (
        RequestDataInSql().found(
            f"{sort} reaches the SQL statement of `search.ordered`",
            at("shop/search.py", "db.execute(text(statement))"),
            clears="`sort` is looked up in a fixed set of columns before it is formatted",
            path=(
                Hop(at("shop/routes/orders.py", "sort: str"), sort),
                Hop(at("shop/routes/orders.py", "search.ordered(db, sort)"), "calls shop.search.ordered"),
                Hop(at("shop/search.py", "db.execute(text(statement))"), "Session.execute: read orders"),
            ),
            subject="shop.search.ordered",
        ),
        ExternalCallInTransaction().found(
            "POST /orders asks the processor while its transaction is open",
            post,
            clears="the call stands outside of `with db.begin()`",
            path=(
                Hop(charge, "calls shop.payments.charge"),
                Hop(at("shop/payments.py", "with db.begin()"), "a transaction begins"),
                Hop(post, "requests.post: call-out processor"),
            ),
            subject="shop.payments.charge",
        ),
        CallWithoutDeadline().found(
            "`requests.post` waits for the processor without a deadline",
            post,
            clears="a timeout is given to the call",
            path=(Hop(charge, "calls shop.payments.charge"), Hop(post, "requests.post: call-out processor")),
            siblings=tuple(Location(f"shop/extra{n}.py", 7 * n) for n in range(1, 8)),
            subject="shop.payments.charge requests.post",
        ),
        CallWithoutDeadline().found(
            "`requests.get` waits for the rates without a deadline",
            at("shop/rates.py", "requests.get("),
            clears="a timeout is given to the call",
            subject="shop.rates.rate requests.get",
        ),
        CallWithoutDeadline().found(
            "`smtplib.SMTP` waits for the mail server without a deadline",
            at("shop/mail.py", "smtplib.SMTP(HOST)"),
            clears="a timeout is given to the call",
            confidence=Confidence.MEDIUM,
            change="Set `timeout=` where the connection is made; 10 s is plenty for a mail server nearby.",
            subject="shop.mail.confirm smtplib.SMTP",
        ),
        ExceptionSwallowed().found(
            "`confirm` says nothing when the mail is not sent",
            at("shop/mail.py", "except Exception:"),
            clears="the handler logs, or names the exceptions it can handle",
            siblings=(Location("shop/mail.py", 15),),
            subject="shop.mail.confirm",
        ),
        QueryPerRow().found(
            "GET /orders asks for the customer of each order by itself",
            at("shop/routes/orders.py", "customers.of(db, order)"),
            clears="the customers are loaded in one query",
            subject="shop.routes.orders.list_orders",
        ),
    )


def results() -> tuple[Result, ...]:
    """The findings, the last of a preview rule, and one each that is suppressed and known before."""
    standing = {"query-per-row": Standing.PREVIEW}
    found = [
        Result(f, f"{number:016x}", standing.get(f.rule, Standing.OPEN))
        for number, f in enumerate(findings(), 1)
    ]
    refund = CallWithoutDeadline().found(
        "`requests.post` waits for the refund without a deadline",
        at("shop/payments.py", 'requests.post(f"{PROCESSOR}/v1/refunds"'),
        clears="a timeout is given to the call",
        subject="shop.payments.refund",
    )
    remind = ExceptionSwallowed().found(
        "`remind` says nothing when `confirm` fails",
        Location("shop/mail.py", 15, 5),
        clears="the handler logs, or names the exceptions it can handle",
        subject="shop.mail.remind",
    )
    suppressed = Result(
        refund, "00000000000000aa", Standing.SUPPRESSED, "the night job ends it after a minute"
    )
    return (*found, suppressed, Result(remind, "00000000000000bb", Standing.BASELINED))


def body(name: str, line: int) -> Body:
    """An empty function."""
    return Body("function", name, name, 0, line, 1, line + 3, False, False, (), (), None, (), ())


def function(
    name: str,
    location: Location,
    calls: Iterable[str] = (),
    does: Iterable[tuple[EffectKind, str]] = (),
    how: str = "call",
) -> Function:
    """A function that calls those project functions and does those things."""
    module = Module((), (), (), (), (), 1)
    file = File(location.path, name.rpartition(".")[0], Role.SOURCE, module)
    effects = {Effect(kind, target): Occurrence(Effect(kind, target), 0) for kind, target in does}
    return Function(
        name=name,
        file=file,
        index=0,
        body=body(name.rpartition(".")[2], location.line),
        owner="",
        targets={},
        deadlines={},
        enclosures=(),
        direct={},
        edges={number: (Edge(callee, how),) for number, callee in enumerate(calls)},
        effects=effects,
        kinds=frozenset(e.kind for e in effects),
        places=(),
        decorators=(),
        callers=(),
        types={},
    )


def system() -> System:
    """Three operations, a job, three calls out and a database."""
    place = at("shop/routes/orders.py", "def place_order")
    listing = at("shop/routes/orders.py", "def list_orders")
    charge = at("shop/payments.py", "def charge")
    rate = at("shop/rates.py", "def rate")
    mail = at("shop/mail.py", "def confirm")
    live, nightly = Location("shop/routes/health.py", 4), Location("shop/tasks.py", 9)
    write, read = EffectKind.INSERT, EffectKind.READ
    functions = [
        function(
            f"{ROUTES}.place_order", place, ["shop.payments.charge"], [(write, "orders"), (write, "charges")]
        ),
        function(f"{ROUTES}.list_orders", listing, [], [(read, "orders"), (read, "customers")]),
        function("shop.routes.health.live", live),
        function("shop.payments.charge", charge, ["shop.rates.rate"], [(write, "charges")]),
        function("shop.rates.rate", rate),
        function("shop.tasks.confirm_all", nightly, ["shop.mail.confirm"], [(read, "orders")]),
        function("shop.mail.confirm", mail),
    ]
    login = Guard("shop.auth.caller", Location("shop/auth.py", 12), True, why="it raises 401")
    orders, health = f"{ROUTES}.router", "shop.routes.health.router"
    return System(
        files=(),
        functions={f.name: f for f in functions},
        sources=tuple(functions),
        classes={},
        operations=(
            Operation(
                "POST", "/orders", f"{ROUTES}.place_order", place, orders, "fastapi", (login,), ("body",)
            ),
            Operation(
                "GET", "/orders", f"{ROUTES}.list_orders", listing, orders, "fastapi", (login,), ("sort",)
            ),
            Operation("GET", "/live", "shop.routes.health.live", live, health, "fastapi", ()),
        ),
        jobs=(Job("confirm_all", "shop.tasks.confirm_all", "schedule", nightly, True),),
        dependencies=(
            Dependency(
                "processor",
                "shop.payments.charge",
                at("shop/payments.py", "requests.post("),
                Deadline(Bound.UNBOUNDED, None, "requests has no default"),
                retried=False,
                in_transaction=True,
            ),
            Dependency(
                "rates",
                "shop.rates.rate",
                at("shop/rates.py", "requests.get("),
                Deadline(Bound.BOUNDED, 2.0, "timeout=2 given"),
                retried=True,
                in_transaction=True,
            ),
            Dependency(
                "smtp",
                "shop.mail.confirm",
                at("shop/mail.py", "smtplib.SMTP(HOST)"),
                Deadline(Bound.UNKNOWN),
                retried=False,
                in_transaction=False,
            ),
        ),
        datastores=(Datastore("postgresql", ("orders", "charges", "customers"), Location("shop/db.py", 5)),),
        flows=(),
        gaps=(Gap(Location("shop/legacy.py", 12), "the text from here on is no Python"),),
    )


def review(root: Path, *, found: tuple[Result, ...] | None = None, whole: System | None = None) -> Review:
    """The review of the tree at `root`."""
    return Review(
        root=str(root),
        system=system() if whole is None else whole,
        results=results() if found is None else found,
        notices=(Notice("this suppression suppresses nothing", Location("shop/auth.py", 3)),),
        files=8,
        lines=1204,
        rules=tuple(rule.name() for rule in RULES),
        threshold=Severity.HIGH,
        confidence=Confidence.MEDIUM,
        budgets=STANDARD,
        seconds=0.25,
    )


def empty(root: Path, files: int = 0) -> Review:
    """A review that found nothing, or (without files) had nothing to read."""
    nothing = System((), {}, (), {}, (), (), (), (), (), ())
    return Review(
        str(root), nothing, (), (), files, files * 40, (), Severity.HIGH, Confidence.MEDIUM, STANDARD, 0.0
    )
