"""Journeys of a scenario file."""

import json
from collections import Counter
from pathlib import Path
from textwrap import dedent

import pytest

from mainstay.lab.lab import Lab
from mainstay.lab.load.control import Driver, LoadError
from mainstay.lab.load.journeys import ScenarioError, journeys
from mainstay.model.record import Record
from mainstay.model.service import Action
from tests.lab.load.scripted import Heard, Reply, Script, Scripted

SHOP = """
    from mainstay.scenario import get, journey, post

    @journey(weight=2)
    def buy():
        order = yield post("/orders", {"note": "{marker}"}, name="add order", key_header="Key")
        assert order.marker.startswith("run"), order.marker
        seen = yield get(f"/orders/{order.json['id']}", name="read order")
        if seen.ok:
            yield post("/search", {"q": seen.text}, name="search", writes=False)

    @journey(actor="bob")
    def look():
        yield get("/", name="look")
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "scenario.py"
    file.write_text(dedent(text).lstrip())
    return file


def drive(
    lab: Lab, file: Path, script: Script, rate: float = 40, seconds: float = 0.5
) -> tuple[list[Record], list[Heard]]:
    with Scripted(script) as server:
        driver = Driver(
            lab, [Action("plain", "GET", "/plain", weight=0)], targets=[server.address],
            actors={"alice": {"X-Who": "alice"}, "bob": {"X-Who": "bob"}},
            timeout=2, seed=1, prefix="run", scenario=file,
        )  # fmt: skip
        try:
            driver.start(rate, seconds, arrivals="constant")
            records: list[Record] = []
            while driver.running():
                records += driver.poll(0.5)
            records += driver.stop()
        finally:
            driver.end()
    return records, server.heard


def test_each_step_is_due_when_the_answer_before_it_came(lab: Lab, tmp_path: Path) -> None:
    records, heard = drive(lab, written(tmp_path, SHOP), lambda heard: Reply(body=b'{"id": 7}', after=0.02))
    sent = Counter(record.action for record in records)
    assert sent["add order"] == sent["read order"] == sent["search"]
    assert sent["add order"] + sent["look"] == 20
    ended = {record.done for record in records if record.action == "add order"}
    assert {record.due for record in records if record.action == "read order"} == ended
    assert {one.path for one in heard if one.path.startswith("/orders/")} == {"/orders/7"}
    assert {one.path for one in heard if one.headers["x-who"] == "bob"} == {"/"}


def test_a_step_may_say_that_it_writes_nothing(lab: Lab, tmp_path: Path) -> None:
    records, _ = drive(lab, written(tmp_path, SHOP), lambda heard: Reply(body=b'{"id": 7}'))
    assert {(record.action, record.writes) for record in records} == {
        ("add order", True), ("read order", False), ("search", False), ("look", False),
    }  # fmt: skip


def test_a_journey_ends_where_the_service_failed_it(lab: Lab, tmp_path: Path) -> None:
    records, _ = drive(lab, written(tmp_path, SHOP), lambda heard: Reply(500, b"oops"))
    assert {(record.action, record.status) for record in records} == {("add order", 500), ("look", 500)}


def test_a_journey_that_is_wrong_itself_is_told_with_its_line(lab: Lab, tmp_path: Path) -> None:
    file = written(tmp_path, SHOP)
    with pytest.raises(LoadError) as caught:
        drive(lab, file, lambda heard: Reply(body=b'{"ID": 7}'))
    assert str(caught.value) == f"{file}:7: KeyError: 'id'."


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("get('orders')", "Action `GET orders`: the path 'orders' does not begin with a slash."),
        ("post('/', {1j})", "Action `POST /`: its body is no JSON"),
        ("'GET /'", "`look` yields 'GET /', which is no request."),
    ],
)
def test_a_step_that_cannot_be_sent_is_told_with_its_line(
    lab: Lab, tmp_path: Path, step: str, said: str
) -> None:
    text = f"""
    from mainstay.scenario import get, journey, post

    @journey()
    def look():
        yield {step}
    """
    file = written(tmp_path, text)
    with pytest.raises(LoadError) as caught:
        drive(lab, file, lambda heard: Reply())
    assert str(caught.value).startswith(f"{file}:5: ")
    assert said in str(caught.value)


def test_braces_in_a_text_that_was_computed_are_sent_as_they_are(lab: Lab, tmp_path: Path) -> None:
    text = """
    from mainstay.scenario import journey, post

    @journey()
    def look():
        yield post("/", {"q": '{"id": {} }} {{nobody}', "m": "<{marker}>"})
    """
    _, heard = drive(lab, written(tmp_path, text), lambda heard: Reply(), rate=10, seconds=0.1)
    assert json.loads(heard[0].body) == {"q": '{"id": {} }} {{nobody}', "m": "<runm00001>"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(:\n    pass\n", "{file}:1: SyntaxError: "),
        ("x = 1\nx / 0\n", "{file}:2: ZeroDivisionError: division by zero."),
        ("import not_there\n", "{file}:1: ModuleNotFoundError: No module named 'not_there'."),
        ("raise SystemExit(3)\n", "{file}:1: SystemExit: 3."),
        ("x = 1\n", "The scenario {file} declares no journey"),
        (
            "from mainstay.scenario import journey\n\n\n@journey()\ndef f():\n    pass\n",
            "{file}:4: TypeError: `f` is no journey: it yields nothing.",
        ),
        (
            "from mainstay.scenario import journey\n\n\n@journey()\ndef f(user):\n    yield\n",
            "{file}:4: TypeError: `f` is no journey: it asks for arguments.",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "scenario.py"
    file.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        journeys(file)
    assert str(caught.value).startswith(said.replace("{file}", str(file)))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"nothing\.py cannot be read: No such file or directory\."):
        journeys(tmp_path / "nothing.py")


def test_the_driver_refuses_a_scenario_that_cannot_be_used(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="declares no journey"):
        drive(lab, written(tmp_path, "x = 1\n"), lambda heard: Reply())
    clash = "from mainstay.scenario import get, journey\n@journey()\ndef plain():\n    yield get('/')\n"
    with pytest.raises(LoadError, match="The journey `plain` is called like an action"):
        drive(lab, written(tmp_path, clash), lambda heard: Reply())


def test_running_a_scenario_leaves_nothing_beside_it(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("PATH = '/from-helper'\n")
    text = "from helper import PATH\nfrom mainstay.scenario import get, journey\n"
    text += "@journey()\ndef look():\n    yield get(PATH)\n"
    records, heard = drive(lab, written(tmp_path, text), lambda heard: Reply())
    assert {one.path for one in heard} == {"/from-helper"}
    assert {record.action for record in records} == {"GET /from-helper"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["helper.py", "scenario.py"]
