"""The k6 script."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mainstay.budgets import STANDARD
from mainstay.exports import exports
from mainstay.exports.mix import CannotExport, mix
from mainstay.model.service import Action, Declaration
from tests.exports import engines, shop
from tests.lab.load.scripted import Scripted

NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def rendered(declared: Declaration) -> str:
    return exports()["k6"].render(mix(declared, declared.actions, STANDARD))


@NODE
def test_node_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "script.mjs"
    file.write_text(rendered(shop.declaration()))
    done = subprocess.run(["node", "--check", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_holds_no_credential() -> None:
    text = rendered(shop.declaration())
    assert shop.KEY not in text
    assert "token" not in text


def test_journeys_are_refused_because_they_are_python() -> None:
    with pytest.raises(CannotExport, match=r"k6 runs no Python, and the journeys of buy\.py are"):
        rendered(shop.declaration(scenario="buy.py"))


def test_the_arrivals_do_not_depend_on_answers_and_the_budgets_are_thresholds(tmp_path: Path) -> None:
    declared = shop.declaration(Action("read", "GET", "/a"))
    with Scripted(shop.Shop()) as server:
        file = engines.written(tmp_path, "k6", declared)
        options = engines.k6(file, server.address, 1, PEAK_SECONDS="30")["options"]
    expected, peak = options["scenarios"]["expected"], options["scenarios"]["peak"]
    assert (expected["executor"], expected["rate"], expected["timeUnit"]) == (
        "constant-arrival-rate",
        1200,
        "1m",
    )
    assert (expected["preAllocatedVUs"], expected["maxVUs"]) == (40, 100)
    assert peak["executor"] == "ramping-arrival-rate"
    assert [stage["target"] for stage in peak["stages"]] == [2400, 2400]
    assert peak["startTime"] == expected["duration"] == "5s"
    assert options["thresholds"] == {
        "dropped_iterations": ["count==0"],
        "http_req_failed{scenario:expected}": ["rate<=0.001"],
        "http_req_duration{scenario:expected}": ["p(95)<=200"],
        "http_req_failed{scenario:peak}": ["rate<=0.001"],
        "http_req_duration{scenario:peak}": ["p(95)<=200"],
    }


def test_the_peak_takes_other_values_than_the_stage_before(tmp_path: Path) -> None:
    service = shop.Shop()
    with Scripted(service) as server:
        file = engines.written(tmp_path, "k6", shop.declaration())
        told = engines.k6(file, server.address, 100, EXPECTED_SECONDS="5", PEAK_SECONDS="3")
    assert max(service.paid.values()) == 1
    assert sum(one["failed"] for one in told["load"].values()) == 0
