"""A notice of another service counts once."""

import hashlib
import hmac
import os
from types import SimpleNamespace
from typing import Any

import pytest

from mainstay.experiments.dependencies.notices_repeated import NoticesRepeated
from mainstay.model.proof import Verdict
from mainstay.model.service import Action, Notice, Signature

ADD = Action("add", "POST", "/orders", gives={"order": "id"})
SECRET = os.environ.get("PATH", "")  # what this very process was given under that name
PAID = Notice(
    Action("paid", "POST", "/hooks", weight=0.0, body={"id": "{marker}", "order": "{order}"}),
    Signature("X-Signature", "PATH", value="sha256={digest}"),
)
LOST = Notice(Action("lost", "POST", "/hooks", weight=0.0, body={"id": "{marker}", "order": "{order}"}))
US = SimpleNamespace(pid=os.getpid())


class Shop:
    """Takes notices; whether it looks who sent them, and on which one of each id it crashes."""

    def __init__(self, *, checks: bool = True, crashes: int = 0) -> None:
        self._checks, self._crashes = checks, crashes
        self.heard: list[str] = []

    def __call__(self, request: Any) -> Any:
        if request.path == "/orders":
            return 201, {"id": "order-000001"}
        wanted = "sha256=" + hmac.new(SECRET.encode(), request.body, hashlib.sha256).hexdigest()
        if self._checks and request.headers.get("x-signature") != wanted:
            return 401, {}
        self.heard.append(request.json["id"])
        if self._crashes and self.heard.count(request.json["id"]) >= self._crashes:
            return 500, "duplicate key"
        return 200, {}


def test_notices_taken_once_pass(make_stand: Any, attempt: Any) -> None:
    shop = Shop()
    found = attempt(NoticesRepeated(), make_stand(shop, [ADD], notices=[PAID], programs=[US]))
    assert found.verdicts == {
        "sent again: paid": Verdict.PASSED,
        "at once: paid": Verdict.PASSED,
        "forged notices are refused: paid": Verdict.PASSED,
    }
    assert max(shop.heard.count(name) for name in shop.heard) == 10


def test_a_repeat_that_crashes_would_be_sent_for_ever(make_stand: Any, attempt: Any) -> None:
    stand = make_stand(Shop(crashes=2), [ADD], notices=[PAID], programs=[US])
    found = attempt(NoticesRepeated(), stand)
    assert found.failed == ["sent again: paid", "at once: paid"]
    assert found.claims["sent again: paid"].evidence[0] == "500 duplicate key"


def test_whoever_takes_what_nobody_signed_is_told(make_stand: Any, attempt: Any) -> None:
    stand = make_stand(Shop(checks=False), [ADD], notices=[PAID], programs=[US])
    found = attempt(NoticesRepeated(), stand)
    assert found.failed == ["forged notices are refused: paid"]


def test_two_about_one_thing_are_also_turned_round(make_stand: Any, attempt: Any) -> None:
    found = attempt(
        NoticesRepeated(), make_stand(Shop(checks=False), [ADD], notices=[LOST, PAID], programs=[US])
    )
    assert found.claims["in any order"].said == "8 notices were answered: 8 × 200."


@pytest.mark.parametrize(("programs", "why"), [([US], "answered with 401"), ([], "PATH is in no process's")])
def test_a_notice_that_does_not_work_shows_nothing(
    make_stand: Any, attempt: Any, programs: list[Any], why: str
) -> None:
    notice = LOST if programs else PAID
    found = attempt(NoticesRepeated(), make_stand(Shop(), [ADD], notices=[notice], programs=programs))
    (claim,) = found.claims.values()
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert why in claim.said
