"""`[prove]`: what a project declares, and what is said of what makes no sense."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mainstay.configuration import ConfigurationError, read_configuration
from mainstay.model.service import Declaration, DependencyKind

Tree = Callable[[Mapping[str, str | bytes]], Path]

LEAST = """
[prove.process.web]
command = "serve --port {port}"
serves = true
ready = "/ready"
"""


def read(tree: Tree, text: str) -> Declaration:
    found = read_configuration(tree({"mainstay.toml": text}) / "mainstay.toml", ()).declaration
    assert found is not None
    return found


def test_a_process_is_all_it_takes(tree: Tree) -> None:
    found = read(tree, LEAST)
    (web,) = found.processes
    assert web.command == ("serve", "--port", "{port}")
    assert (web.count, web.workers, web.ready_within, web.stop_within) == (1, 1, 60.0, 30.0)
    assert (found.load.expected, found.load.peak, found.load.timeout) == (20.0, 60.0, 10.0)
    assert found.longest_wait == 30.0


def test_every_part(tree: Tree) -> None:
    found = read(
        tree,
        """
        [prove]
        migrate = ["manage migrate", ["manage", "load data"]]
        alerts = ["alerts.yml"]
        longest-wait = "500ms"

        [prove.load]
        expected = "120/min"
        peak = "10/s"
        arrivals = "constant"

        [prove.process.web]
        command = ["serve", "--port={port}"]
        serves = true
        ready = "/ready"
        ready-within = "2min"
        labels = {job = "shop"}

        [prove.dependency.database]
        kind = "postgres"
        extensions = ["citext"]

        [prove.dependency.mail]
        kind = "http"
        idempotency-header = "Key"

        [[prove.dependency.mail.answer]]
        on = "POST /send"
        status = 202
        body = {id = "{uuid}"}

        [prove.actor.ada]
        request = "POST /login"
        form = {user = "ada"}
        token = "access_token"
        headers = {Authorization = "Bearer {output}"}

        [[prove.action]]
        request = "post /orders"
        name = "order"
        weight = 2
        actor = "ada"
        body = {note = "{marker}"}
        gives = {order = "id"}

        [[prove.action]]
        request = "GET /orders/{order}"

        [[prove.invariant]]
        name = "stock is never negative"
        sql = "SELECT id FROM items WHERE stock < 0"

        [[prove.waive]]
        experiment = "disk-full"
        reason = "The provider grows the disk."

        [prove.frequency]
        service-terminated = {a-month = 60, source = "two deployments a day"}
        """,
    )
    assert found.migrate == (("manage", "migrate"), ("manage", "load data"))
    assert found.longest_wait == 0.5
    assert (found.load.expected, found.load.peak, found.load.arrivals) == (2.0, 10.0, "constant")
    assert found.processes[0].ready_within == 120.0
    assert found.processes[0].labels == {"job": "shop"}
    database, mail = found.dependencies
    assert (database.kind, database.extensions) == (DependencyKind.POSTGRES, ("citext",))
    assert (mail.answers[0].on, mail.answers[0].status, mail.idempotency_header) == ("POST /send", 202, "Key")
    assert found.actors[0].token == "access_token"
    order, show = found.actions
    assert (order.method, order.path, order.weight, order.writes) == ("POST", "/orders", 2.0, True)
    assert (show.name, show.writes) == ("GET /orders/{order}", False)
    assert found.invariants[0].sql.startswith("SELECT")
    assert found.waivers[0].reason == "The provider grows the disk."
    assert (found.frequencies[0].event, found.frequencies[0].a_month) == ("service-terminated", 60.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[prove]\n", "mainstay.toml:1: `prove`: name at least one process: [prove.process.web]"),
        (
            '[prove.process.web]\ncommand = "serve"\n',
            "mainstay.toml:1: `prove.process`: one process has to serve: `serves = true`",
        ),
        (
            '[prove.process.web]\ncommand = "serve"\nserves = true\n',
            "mainstay.toml:1: `prove.process.web`: give the path that answers when it is `ready`",
        ),
        (
            LEAST + "wrokers = 2\n",
            "mainstay.toml:6: `prove.process.web.wrokers`: there is no such key. Did you mean workers?",
        ),
        (LEAST + "count = 0\n", "mainstay.toml:6: `prove.process.web.count`: at least 1 is needed"),
        (
            LEAST + '[prove.dependency.db]\nkind = "postgre"\n',
            (
                "mainstay.toml:7: `prove.dependency.db.kind`: 'postgre' is none of "
                "postgres, redis, http, command. Did you mean postgres?"
            ),
        ),
        (
            LEAST + '[prove.dependency.web]\nkind = "postgres"\n',
            (
                "mainstay.toml:6: `prove.dependency.web`: the name 'web' is taken; "
                "prove.process and prove.dependency share their names"
            ),
        ),
        (
            LEAST + '[[prove.action]]\nrequest = "GET /a"\n[[prove.action]]\nrequest = "orders"\n',
            "mainstay.toml:9: `prove.action.request`: 'orders' is no request, such as 'POST /orders'",
        ),
        (
            LEAST + '[[prove.action]]\nrequest = "GET /a"\nactor = "eve"\n',
            "mainstay.toml:8: `prove.action.actor`: there is no actor 'eve'.",
        ),
        (
            LEAST + '[prove.load]\nexpected = "60"\n',
            (
                "mainstay.toml:7: `prove.load.expected`: '60' is no amount with a unit (/s, /min), "
                "such as '60/s'"
            ),
        ),
        (
            LEAST + '[prove.load]\nexpected = "60/s"\npeak = "10/s"\n',
            "mainstay.toml:6: `prove.load`: the peak is at least the expected load, and both are above 0",
        ),
        (
            LEAST + '[[prove.invariant]]\nname = "x"\n',
            "mainstay.toml:6: `prove.invariant`: give either `sql`, or `request` and `holds`",
        ),
        (
            LEAST + '[[prove.waive]]\nexperiment = "peak"\nreason = " "\n',
            "mainstay.toml:6: `prove.waive`: give the `reason` why it is left out",
        ),
        (
            '[prove.process.web]\ncommand = "serve \'"\nserves = true\nready = "/"\n',
            "mainstay.toml:2: `prove.process.web.command`: this is no command: No closing quotation",
        ),
    ],
)
def test_what_makes_no_sense_is_said_with_its_line(tree: Tree, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tree, text)
    assert str(caught.value).endswith(f"project/{said}")


def test_a_notice_with_its_signature(tree: Tree) -> None:
    found = read(
        tree,
        LEAST
        + """
[[prove.notice]]
request = "post /hooks/paid"
body = {id = "{marker}"}
signature = {header = "X-Sig", secret = "HOOK_SECRET", over = "{timestamp}.{body}", value = "v1={digest}"}

[[prove.notice]]
name = "unsigned"
request = "POST /hooks/lost"
""",
    )
    paid, lost = found.notices
    assert (paid.action.name, paid.action.method, paid.action.weight) == ("post /hooks/paid", "POST", 0.0)
    assert paid.signature is not None
    assert (paid.signature.secret, paid.signature.algorithm, paid.signature.base64) == (
        "HOOK_SECRET",
        "sha256",
        False,
    )
    assert (lost.action.name, lost.signature) == ("unsigned", None)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('request = "hooks"', "`prove.notice.request`: 'hooks' is no request, such as 'POST /orders'"),
        (
            'request = "POST /h"\nsignature = {header = "S", secret = "K", value = "v1="}',
            "`prove.notice.signature`: `over` has to hold {body}, and `value` {digest}",
        ),
    ],
)
def test_a_notice_that_makes_no_sense(tree: Tree, entry: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(tree, f"{LEAST}\n[[prove.notice]]\n{entry}\n")
    assert said in str(raised.value)
