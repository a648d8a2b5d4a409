"""Runs exported files against a server, with stand-ins for the engines that cannot be installed here."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mainstay.budgets import STANDARD
from mainstay.exports import exports
from mainstay.exports.mix import mix
from mainstay.model.service import Declaration
from tests.exports import shop

HERE = Path(__file__).resolve().parent
SETTINGS = {
    "EXPECTED": "20",
    "EXPECTED_SECONDS": "5",
    "PEAK": "40",
    "PEAK_SECONDS": "0",
    "SHOP_KEY": shop.KEY,
}


def written(folder: Path, engine: str, declared: Declaration) -> Path:
    """The export of a declaration, with the headers of the shop's actors beside it."""
    export = exports()[engine]
    file = folder / f"load{export.ENDING}"
    file.write_text(export.render(mix(declared, declared.actions, STANDARD)))
    (folder / "headers.json").write_text(json.dumps(shop.HEADERS))
    return file


def locust(file: Path, address: str, tasks: int, **settings: str) -> dict[str, Any]:
    """So many tasks of a locustfile, by three users in turn."""
    command = [sys.executable, str(HERE / "locust_stub/run.py"), file.name, address, str(tasks), "3"]
    path = os.pathsep.join([str(HERE / "locust_stub"), str(HERE.parent.parent / "src")])
    return _run(command, file.parent, {"PYTHONPATH": path, **settings})


def k6(file: Path, address: str, iterations: int, vus: int = 3, **settings: str) -> dict[str, Any]:
    """So many iterations of each scenario of a script, by some VUs in turn."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    shutil.copytree(HERE / "k6", file.parent / "node_modules/k6", dirs_exist_ok=True)
    (file.parent / "package.json").write_text('{"type": "module"}')
    command = ["node", "node_modules/k6/run.js", file.name, str(iterations), str(vus)]
    return _run(command, file.parent, {"TARGET": address, **settings})


class Ended(Exception):
    """The engine ended with another status than 0; the message is what it said."""


def _run(command: list[str], folder: Path, settings: dict[str, str]) -> dict[str, Any]:
    environment = {"PATH": os.environ["PATH"], **SETTINGS, **settings}
    environment = {name: value for name, value in environment.items() if value}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise Ended(done.stderr)
    told: dict[str, Any] = json.loads(done.stdout)
    return told
