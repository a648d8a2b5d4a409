"""Changes made at the same moment are all kept, or refused."""

import threading
import time
from typing import Any

from mainstay.experiments.integrity.concurrent_updates import ConcurrentUpdates, moved
from mainstay.model.proof import Verdict
from mainstay.model.service import Action

ADD = Action("add", "POST", "/things", weight=0.0, gives={"thing": "id"})
SHOW = Action("show", "GET", "/things/{thing}")
BUY = Action("buy", "POST", "/things/{thing}/sales", body={"note": "{marker}"})
REPLACE = Action("replace", "PUT", "/things/{thing}", body={"name": "{marker}"})
PAUSE_S = 0.003  # between reading and writing, as a query would take


class Things:
    """Counts sales and keeps names, with care or without."""

    def __init__(self, *, locked: bool = True, versions: str = "", keeps: bool = True) -> None:
        self._lock = threading.Lock()
        self._locked, self._versions, self._keeps = locked, versions, keeps
        self._things: dict[str, dict[str, Any]] = {}

    def __call__(self, request: Any) -> Any:
        if request.path == "/things":
            with self._lock:
                name = f"thing-{len(self._things)}"
                self._things[name] = {"id": name, "sold": 0, "name": "", "version": 0}
            return 201, {"id": name}
        thing = self._things[request.path.split("/")[2]]
        if request.method == "GET":
            etag = f'"{thing["version"]}"'
            return 200, dict(thing), {"ETag": etag} if self._versions else {}
        if self._locked:
            with self._lock:
                return self._change(thing, request)
        return self._change(thing, request)

    def _change(self, thing: dict[str, Any], request: Any) -> Any:
        if request.method == "POST":
            sold = thing["sold"]
            time.sleep(PAUSE_S)
            thing["sold"] = sold + 1
            return 201, {"id": "sale"}
        wanted = request.headers.get("if-match")
        if self._versions == "checked" and wanted and wanted != f'"{thing["version"]}"':
            return 412, {}
        thing["version"] += 1
        if self._keeps:
            thing["name"] = request.json["name"]
        return 200, dict(thing)


def test_a_counter_that_is_locked_keeps_every_change(make_stand: Any, attempt: Any) -> None:
    found = attempt(ConcurrentUpdates(), make_stand(Things(), [ADD, SHOW, BUY]))
    assert found.failed == []
    assert found.claims["no-update-lost"].verdict is Verdict.PASSED
    assert found.notes == ["no invariant is declared: what a lost update breaks may not have been seen"]


def test_read_and_written_back_loses_updates(make_stand: Any, attempt: Any) -> None:
    found = attempt(ConcurrentUpdates(), make_stand(Things(locked=False), [ADD, SHOW, BUY]))
    assert found.failed == ["no-update-lost"]
    (line,) = found.claims["no-update-lost"].evidence
    assert line.startswith("sold of GET /things/thing-")


def test_a_version_has_one_successor(make_stand: Any, attempt: Any) -> None:
    found = attempt(ConcurrentUpdates(), make_stand(Things(versions="checked"), [ADD, SHOW, REPLACE]))
    assert found.failed == []
    assert found.verdicts["one version, one successor: replace"] is Verdict.PASSED
    assert found.verdicts["one value is kept: replace"] is Verdict.PASSED


def test_if_match_that_nobody_looks_at_fails(make_stand: Any, attempt: Any) -> None:
    found = attempt(ConcurrentUpdates(), make_stand(Things(versions="shown"), [ADD, SHOW, REPLACE]))
    assert found.failed == ["one version, one successor: replace"]


def test_acknowledged_values_that_are_nowhere_fail(make_stand: Any, attempt: Any) -> None:
    found = attempt(ConcurrentUpdates(), make_stand(Things(keeps=False), [ADD, SHOW, REPLACE]))
    assert found.failed == ["one value is kept: replace"]


def test_a_deadlock_that_callers_see_is_a_failure(make_stand: Any, attempt: Any) -> None:
    things, inside = Things(), threading.Semaphore(1)

    def crowded(request: Any) -> Any:
        if request.method != "POST" or request.path == "/things":
            return things(request)
        if not inside.acquire(blocking=False):
            return 500, "deadlock detected"
        try:
            time.sleep(0.05)
            return things(request)
        finally:
            inside.release()

    found = attempt(ConcurrentUpdates(), make_stand(crowded, [ADD, SHOW, BUY]))
    assert "at once, the same thing each: buy" in found.failed
    assert "500 deadlock detected" in found.claims["at once, the same thing each: buy"].evidence


def test_a_number_counts_that_moves_evenly() -> None:
    seen = [
        {"sold": 1.0, "left": 9.0, "at": 1.0, "price": 5.0},
        {"sold": 2.0, "left": 7.0, "at": 1.5, "price": 5.0},
        {"sold": 3.0, "left": 5.0, "at": 9.0, "price": 5.0},
    ]
    assert moved(seen) == {"sold": 1.0, "left": -2.0}
