"""The flawed twins of the example: small patches that apply, and that somebody has to fail."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mainstay.experiments.catalogue import all_experiments

ROOT = Path(__file__).resolve().parents[2]
SOUND = ROOT / "examples" / "payments"
PATCHES = sorted((ROOT / "examples" / "twins").glob("*.patch"))
FEW = 40  # lines that a patch adds and removes: one flaw, small, as real code has it
KINDS = {experiment.name() for experiment in all_experiments()}
AWAITED = {"notices-repeated"}  # experiments that twins name already


def load() -> ModuleType:
    """The script that runs the twins."""
    spec = importlib.util.spec_from_file_location("twins", ROOT / "scripts" / "twins.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["twins"] = module
    spec.loader.exec_module(module)
    return module


twins = load()


def changed(patch: Path) -> list[str]:
    """The lines that a patch adds and removes."""
    lines = patch.read_text().partition("\n--- ")[2].splitlines()
    return [line for line in lines if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")]


def test_there_are_enough_of_them() -> None:
    assert len(PATCHES) >= 13


@pytest.mark.parametrize("patch", PATCHES, ids=[patch.stem for patch in PATCHES])
def test_each_applies_to_a_copy_and_leaves_python_that_compiles(patch: Path) -> None:
    with twins.copied(twins.read(patch)) as copy:
        files = re.findall(r"^\+\+\+ b/(\S+)$", patch.read_text(), re.MULTILINE)
        assert files
        for file in files:
            text = (copy / file).read_text()
            if file.endswith(".py"):
                compile(text, file, "exec")


@pytest.mark.parametrize("patch", PATCHES, ids=[patch.stem for patch in PATCHES])
def test_each_changes_few_lines_of_the_example(patch: Path) -> None:
    assert 0 < len(changed(patch)) <= FEW


@pytest.mark.parametrize("patch", PATCHES, ids=[patch.stem for patch in PATCHES])
def test_each_says_what_it_does_in_production_and_who_fails_it(patch: Path) -> None:
    twin = twins.read(patch)
    assert len(twin.page.split()) >= 20
    assert twin.catches
    assert {catch.experiment for catch in twin.catches} <= KINDS | AWAITED


def test_every_flaw_that_an_experiment_has_to_catch_is_a_twin() -> None:
    wanted = {name for experiment in all_experiments() for name in experiment.catches}
    assert wanted - {patch.stem for patch in PATCHES} == set()


def test_a_patch_that_no_longer_applies_is_told(tmp_path: Path) -> None:
    patch = tmp_path / "stale.patch"
    patch.write_text(
        "Old.\n\nCaught by: steady / error-rate\n\n--- a/README.md\n+++ b/README.md\n@@ -1 +1 @@\n-x\n+y\n"
    )
    with pytest.raises(twins.TwinError, match="does not apply"), twins.copied(twins.read(patch)):
        pass


def test_the_description_of_the_api_is_the_one_that_the_example_prints() -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("httpx2")
    printed = subprocess.run(
        [sys.executable, "-m", "payments.admin", "print-openapi"],
        cwd=SOUND,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        stdout=subprocess.PIPE,
    )
    assert json.loads(printed.stdout) == json.loads((SOUND / "openapi.json").read_text())
