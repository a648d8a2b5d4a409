"""The locustfile."""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from msgspec import structs

from mainstay.budgets import STANDARD
from mainstay.exports import exports
from mainstay.exports.mix import mix
from mainstay.model.service import Action, Declaration
from tests.exports import engines, shop
from tests.lab.load.scripted import Heard, Reply, Scripted

SCENARIO = """
    from mainstay.scenario import get, journey, post

    @journey(weight=3)
    def buy():
        made = yield post("/orders", {"note": "{marker} {other}"}, name="add order", key_header="Key")
        assert made.marker in made.text, made.text
        seen = yield get(f"/orders/{made.json['id']}", name="read order")
        if seen.status == 200:
            yield post("/search", {"q": "x"}, name="search", writes=False)

    @journey(actor="bob")
    def look():
        yield get("/looked", name="look", expects=[404])
"""


def rendered(declared: Declaration) -> str:
    return exports()["Locust"].render(mix(declared, declared.actions, STANDARD))


@pytest.fixture
def with_journeys(tmp_path: Path) -> Declaration:
    (tmp_path / "journeys.py").write_text(dedent(SCENARIO))
    actions = (Action("plain", "GET", "/plain"),)
    return structs.replace(shop.declaration(scenario="load/journeys.py"), actions=actions)


@pytest.mark.parametrize("kind", ["actions", "journeys"])
def test_it_is_as_clean_as_what_ruff_has_formatted(
    kind: str, with_journeys: Declaration, tmp_path: Path
) -> None:
    file = tmp_path / "locustfile.py"
    file.write_text(rendered(with_journeys if kind == "journeys" else shop.declaration()))
    for check in (["check", "--extend-select", "I,UP,B,SIM,RET,PIE"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *check, "--isolated", "--no-cache", str(file)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_it_holds_no_credential() -> None:
    text = rendered(shop.declaration())
    assert shop.KEY not in text
    assert "token" not in text
    assert '"alice": ["Authorization"]' in text


def test_the_same_load_gives_the_same_file() -> None:
    assert rendered(shop.declaration()) == rendered(shop.declaration())


def test_there_are_as_many_users_as_keep_the_rate_while_answers_come_in_time(tmp_path: Path) -> None:
    declared = shop.declaration(Action("read", "GET", "/a"))
    with Scripted(shop.Shop()) as server:
        told = engines.locust(engines.written(tmp_path, "Locust", declared), server.address, 1)
    assert told["users"] == declared.load.expected * declared.load.timeout
    assert told["stop_timeout"] == declared.load.timeout


@pytest.mark.parametrize(("answer", "status"), [(200, 0), (500, 1)])
def test_the_budgets_decide_the_exit_status(answer: int, status: int, tmp_path: Path) -> None:
    declared = shop.declaration(Action("read", "GET", "/a"))
    with Scripted(lambda heard: Reply(answer)) as server:
        file = engines.written(tmp_path, "Locust", declared)
        assert engines.locust(file, server.address, 100)["exit"] == status


def test_a_load_that_was_not_sent_fails(tmp_path: Path) -> None:
    declared = shop.declaration(Action("read", "GET", "/a"))
    with Scripted(shop.Shop()) as server:
        assert engines.locust(engines.written(tmp_path, "Locust", declared), server.address, 50)["exit"] == 1


def test_journeys_go_on_from_each_answer(with_journeys: Declaration, tmp_path: Path) -> None:
    def answer(heard: Heard) -> Reply:
        if heard.path == "/looked":
            return Reply(404)
        if heard.path == "/orders":
            return Reply(201, json.dumps({"id": 5, **json.loads(heard.body)}).encode())
        return Reply()

    file = engines.written(tmp_path, "Locust", with_journeys)
    with Scripted(answer) as server:
        told = engines.locust(file, server.address, 60)["load"]
    assert set(told) == {"plain", "add order", "read order", "search", "look"}
    assert (
        told["add order"]["sent"]
        == told["read order"]["sent"]
        == told["search"]["sent"]
        > told["look"]["sent"]
    )
    assert sum(one["failed"] for one in told.values()) == 0
    orders = [heard for heard in server.heard if heard.path == "/orders"]
    assert all("{other}" in json.loads(heard.body)["note"] and heard.headers["key"] for heard in orders)
    assert {h.headers["authorization"] for h in server.heard if h.path == "/looked"} == {"Bearer bob-token"}


def test_a_journey_that_the_service_breaks_is_an_error_of_the_service(
    with_journeys: Declaration, tmp_path: Path
) -> None:
    file = engines.written(tmp_path, "Locust", with_journeys)
    (tmp_path / "journeys.py").write_text(dedent(SCENARIO).replace("    assert", "    # "))
    with Scripted(lambda heard: Reply(500 if heard.path == "/orders" else 404)) as server:
        told = engines.locust(file, server.address, 40)["load"]
    assert told["add order"]["failed"] == told["add order"]["sent"] > 0
    assert "read order" not in told
