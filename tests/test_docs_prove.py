"""The manual of `mainstay prove` cannot lie either: its configuration is read, its journeys run."""

import inspect
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mainstay.cli import prove
from mainstay.configuration import declaration, read_configuration
from mainstay.experiments.catalogue import all_experiments
from mainstay.lab.lab import Lab
from mainstay.lab.load.control import Driver
from mainstay.lab.load.templates import check
from mainstay.lab.load.tokens import MAKERS
from mainstay.model.service import Declaration
from mainstay.rules.catalogue import all_rules
from scripts import print_docs
from tests.lab.load.scripted import Heard, Reply, Scripted
from tests.test_docs import ROOT, example

Tree = Callable[[Mapping[str, str | bytes]], Path]

MANUAL = "docs/prove.md"


@pytest.fixture
def declared(tree: Tree) -> Declaration:
    file = tree({"mainstay.toml": example(MANUAL, "mainstay.toml")}) / "mainstay.toml"
    found = read_configuration(file, [rule.name() for rule in all_rules()]).declaration
    assert found is not None
    return found


def tables(raw: Any) -> dict[str, list[dict[str, Any]]]:
    """The tables of `[prove]` by the name of the struct that reads them."""
    answers = [one for entry in raw["dependency"].values() for one in entry.get("answer", [])]
    return {
        "_Prove": [raw],
        "_Load": [raw["load"]],
        "_Process": [*raw["process"].values()],
        "_Dependency": [*raw["dependency"].values()],
        "_Answer": answers,
        "_Actor": [*raw["actor"].values()],
        "_Action": raw["action"],
        "_Notice": raw["notice"],
        "_Signature": [one["signature"] for one in raw["notice"] if "signature" in one],
        "_Invariant": raw["invariant"],
        "_Waiver": raw["waive"],
        "_Frequency": [*raw["frequency"].values()],
    }


def shapes() -> dict[str, set[str]]:
    """The keys of every struct that reads a part of `[prove]`."""
    members = inspect.getmembers(declaration, inspect.isclass)
    return {
        name: {field.encode_name for field in msgspec.structs.fields(member)}
        for name, member in members
        if name.startswith("_") and issubclass(member, msgspec.Struct)
    }


def test_the_configuration_shows_every_key() -> None:
    shown = tables(tomllib.loads(example(MANUAL, "mainstay.toml"))["prove"])
    assert set(shown) == set(shapes())
    lacking = {name: keys - {key for one in shown[name] for key in one} for name, keys in shapes().items()}
    assert {name: keys for name, keys in lacking.items() if keys} == {}


def test_the_configuration_is_read_and_its_actions_can_be_sent(declared: Declaration) -> None:
    assert [process.name for process in declared.processes] == ["web"]
    assert len(declared.dependencies) == 3
    check(declared.actions, [actor.name for actor in declared.actors])


def test_what_is_waived_and_what_is_frequent_are_experiments(declared: Declaration) -> None:
    known = {experiment.name() for experiment in all_experiments()}
    assert {waiver.experiment for waiver in declared.waivers} <= known
    assert {frequency.event for frequency in declared.frequencies} <= known


def test_the_journeys_run_from_end_to_end(tree: Tree) -> None:
    file = tree({"journeys.py": example(MANUAL, "journeys.py")}) / "journeys.py"
    with Lab() as lab, Scripted(_shop) as server:
        driver = Driver(
            lab, [], targets=[server.address], actors={"alice": {}, "bob": {}}, timeout=5.0, seed=1,
            prefix="doc", scenario=file,
        )  # fmt: skip
        driver.start(40, 1.0, arrivals="constant")
        records = []
        while driver.running():
            records += driver.poll(0.5)
        records += driver.stop()
        driver.end()
    assert all(record.ok for record in records)
    assert {record.action for record in records} == {
        *("new basket", "add line", "order", "read order", "search", "next page"),
    }


def _shop(heard: Heard) -> Reply:
    if heard.path in ("/baskets", "/orders"):
        return Reply(201, json.dumps({"id": 7}).encode())
    return Reply()


def test_the_experiments_are_printed_from_their_classes() -> None:
    text = (ROOT / MANUAL).read_text()
    assert text == print_docs.pages()[MANUAL], "`make docs` prints it anew"
    assert [e.name() for e in all_experiments() if f"**`{e.name()}`**" not in text] == []


def test_every_option_is_in_the_manual() -> None:
    text = (ROOT / MANUAL).read_text()
    general = {"--quiet", "--config", "--help"}
    options = {name for option in prove.params for name in option.opts if name.startswith("--")}
    assert {option for option in options - general if option not in text} == set()


def test_every_maker_is_in_the_manual() -> None:
    text = (ROOT / MANUAL).read_text()
    assert [name for name in MAKERS if f"`{{{name}}}`" not in text] == []
