"""A small shop for the exports: the service as a script, and its declaration."""

import json
import re
import threading
from collections import Counter

from mainstay.model.service import Action, Actor, Declaration, Load, Process
from tests.lab.load.scripted import Heard, Reply

KEY = "s3cret-of-the-shop"
HEADERS = {"alice": {"Authorization": "Bearer alice-token"}, "bob": {"Authorization": "Bearer bob-token"}}

ACTIONS = (
    Action("add customer", "POST", "/customers", body={"email": "{email}"}, gives={"customer": "id"}),
    Action(
        "add order",
        "POST",
        "/orders",
        body={"customer": "{customer}", "note": "for {customer} {{now}} ☃ {marker}"},
        gives={"order": "order.id"},
    ),
    Action(
        "pay",
        "POST",
        "/orders/{order}/payments",
        weight=2,
        takes=("order",),
        form={"amount": "3 & 4", "ref": "{marker}"},
        key_header="Idempotency-Key",
        expects=(201, 202),
    ),
    Action(
        "search",
        "GET",
        "/search",
        query={"q": "a b&{marker}", "size": "20"},
        headers={"X-Number": "{number}"},
    ),
    Action("show", "GET", "/a path/ünder/{customer}", headers={"X-Shop": KEY}),
    Action(
        "add as bob", "POST", "/customers", actor="bob", body={"email": "{email}"}, gives={"customer": "id"}
    ),
    Action("show as bob", "GET", "/customers/{customer}", actor="bob"),
)


def declaration(*actions: Action, scenario: str = "", root: str = "/srv/shop") -> Declaration:
    return Declaration(
        root=root,
        processes=(Process("web", ("shop",), serves=True, ready="/"),),
        environment={"SHOP_KEY": KEY},
        actors=tuple(Actor(name, headers={"Authorization": "Bearer {output}"}) for name in HEADERS),
        actions=actions or ACTIONS,
        load=Load(expected=20, peak=40, timeout=5, scenario=scenario),
        secrets=("SHOP_KEY",),
    )


class Shop:
    """Answers as the shop does; an order is paid once, and a customer belongs to whoever made him."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}  # id -> actor
        self.paid: Counter[str] = Counter()
        self.strangers = 0  # customers that were asked for by somebody else
        self._lock = threading.Lock()

    def __call__(self, heard: Heard) -> Reply:
        with self._lock:
            return self._answer(heard)

    def _answer(self, heard: Heard) -> Reply:
        who = heard.headers.get("authorization", "")
        if who not in ("Bearer alice-token", "Bearer bob-token"):
            return Reply(401)
        if heard.path == "/customers":
            return self._new(who, lambda number: {"id": number})
        if heard.path == "/orders":
            return self._new(who, lambda number: {"order": {"id": f"o-{number}"}})
        if found := re.fullmatch(r"/orders/(o-\d+)/payments", heard.path):
            self.paid[found[1]] += 1
            return Reply(201 if self.paid[found[1]] == 1 else 409)
        if found := re.search(r"/(\d+)$", heard.path):
            self.strangers += self.made.get(found[1]) != who
        return Reply()

    def _new(self, who: str, answer: object) -> Reply:
        number = len(self.made) + 1
        self.made[str(number)] = who
        assert callable(answer)
        return Reply(201, json.dumps(answer(number)).encode())
