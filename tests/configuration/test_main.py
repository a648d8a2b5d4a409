import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mainstay.budgets import Budgets
from mainstay.configuration import (
    Configuration,
    ConfigurationError,
    Public,
    configuration_for,
    read_configuration,
    rule_named,
)
from mainstay.model.finding import Confidence, Severity

Tree = Callable[[Mapping[str, str | bytes]], Path]

RULES = ("call-without-deadline", "exception-swallowed")


def read(tree: Tree, text: str, name: str = "mainstay.toml") -> Configuration:
    return read_configuration(tree({name: text}) / name, RULES)


def test_every_key(tree: Tree) -> None:
    found = read(
        tree,
        """
        exclude = ["legacy/*"]
        include = ["vendor/ours"]
        rules = ["call-without-deadline", "exception-swallowed"]
        ignore = ["exception-swallowed"]
        fail-at = "high"
        show = "low"
        knowledge = "knowledge"
        baseline = "ci/baseline.json"

        [budgets]
        availability = "99.95%"
        errors = "0.5%"
        p95 = "350ms"
        recovery = "10min"

        [[public]]
        operation = "GET /health"
        reason = "The load balancer asks it."

        [[public]]
        path = "/webhooks/*"
        reason = "Signed by the sender."
        """,
    )
    assert found.selection.exclude == ("legacy/*",)
    assert found.selection.include == ("vendor/ours",)
    assert found.rules == RULES
    assert found.ignore == ("exception-swallowed",)
    assert (found.fail_at, found.show) == (Severity.HIGH, Confidence.LOW)
    assert found.budgets == Budgets(availability=0.9995, errors=0.005, p95=0.35, recovery=600.0)
    assert found.file is not None
    assert found.knowledge == found.file.parent / "knowledge"
    assert found.baseline == found.file.parent / "ci" / "baseline.json"
    assert found.public == (
        Public("GET /health", "The load balancer asks it.", 17),
        Public("/webhooks/*", "Signed by the sender.", 21),
    )


def test_an_empty_file_means_the_defaults(tree: Tree) -> None:
    found = read(tree, "")
    assert found == Configuration(file=found.file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nexlude = []\n", "2: `exlude`: there is no such key. Did you mean exclude?"),
        ("[budgets]\nx = 1\np59 = '1s'", "2: `budgets.x`: there is no such key."),
        ("budgets.p59 = '1s'", "1: `budgets.p59`: there is no such key. Did you mean p95?"),
        ("\n\nexclude = 'a'", "3: `exclude`: expected `array`, got `str`"),
        ("exclude = [\n 'a',\n 1]", "1: `exclude`: expected `str`, got `int`"),
        ("budgets = 1", "1: `budgets`: expected `object`, got `int`"),
        (
            "rules = ['call-without-dedline']",
            "1: `rules`: there is no rule 'call-without-dedline'. Did you mean",
        ),
        (
            "fail-at = 'hihg'",
            "1: `fail-at`: 'hihg' is none of low, medium, high, critical. Did you mean high?",
        ),
        ("[budgets]\n\np95 = '200'", "3: `budgets.p95`: '200' is no amount with a unit (ms, s, min, h)"),
        ("[budgets]\np95 = 0.2", "2: `budgets.p95`: expected `str | null`, got `float`"),
        ("[budgets]\nerrors = '1ms'", "2: `budgets.errors`: '1ms' is no amount with a unit (%)"),
        ("knowledge = '../other'", "1: `knowledge`: '../other' is outside the folder of this file"),
        ("baseline = '/etc/passwd'", "1: `baseline`: '/etc/passwd' is outside the folder of this file"),
        ("[[public]]\npath = '/'\nreason = ' '", "1: `public`: give the `reason` why anyone may call it"),
        ("[[public]]\npath='/a'\nreason='x'\n[[public]]\nreason = 'x'", "4: `public`: give either"),
        ("[[public]]\nwhy = 'x'", "2: `public.why`: there is no such key."),
        ("a = 1\nb = [", "2: this is not valid TOML:"),
        ("a = 1\nb = = 2\n", "2: this is not valid TOML:"),
        (b"a = '\xff'", " this is not UTF-8 text"),
        ("[tool.mainstay]\nexclude = []", "1: `tool`: there is no such key."),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tree: Tree, text: str | bytes, message: str) -> None:
    file = tree({"mainstay.toml": text}) / "mainstay.toml"
    with pytest.raises(ConfigurationError) as error:
        read_configuration(file, RULES)
    assert str(error.value).startswith(f"{file}:{message}")
    assert "\n" not in str(error.value)


def test_the_table_of_pyproject_is_read_and_lines_are_its_own(tree: Tree) -> None:
    text = "[project]\nname = 'x'\n\n[tool.mainstay]\nfail-at = 'high'\n[tool.mainstay.budgets]\np95 = '1s'\n"
    found = read(tree, text, "pyproject.toml")
    assert (found.fail_at, found.budgets.p95) == (Severity.HIGH, 1.0)
    with pytest.raises(ConfigurationError, match=r"pyproject\.toml:8: `budgets\.eror`"):
        read(tree, text + "eror = '1%'\n", "pyproject.toml")


def test_the_nearest_folder_with_a_configuration_decides(tree: Tree) -> None:
    root = tree(
        {
            "mainstay.toml": "fail-at = 'critical'",
            "backend/pyproject.toml": "[tool.mainstay]\nfail-at = 'high'",
            "backend/app/pyproject.toml": "[project]\nname = 'app'",
            "backend/app/main.py": "",
            "backend/lib/mainstay.toml": "fail-at = 'medium'",
            "backend/lib/pyproject.toml": "[tool.mainstay]\nfail-at = 'low'",
        }
    )
    assert configuration_for(root, RULES).fail_at is Severity.CRITICAL
    assert configuration_for(root / "backend" / "app", RULES).fail_at is Severity.HIGH
    assert configuration_for(root / "backend" / "lib", RULES).fail_at is Severity.MEDIUM


def test_the_search_ends_where_the_repository_does(tree: Tree) -> None:
    root = tree(
        {"mainstay.toml": "fail-at = 'critical'", "repository/.git/HEAD": "", "repository/app/a.py": ""}
    )
    assert configuration_for(root / "repository" / "app", RULES).file is None


def test_a_pyproject_that_does_not_speak_of_us_may_be_broken(tree: Tree) -> None:
    root = tree({"pyproject.toml": "[project\n", ".git/HEAD": ""})
    assert configuration_for(root, RULES) == Configuration()


def test_a_configuration_that_is_no_file_is_not_opened(tree: Tree) -> None:
    root = tree({"a.py": ""})
    os.mkfifo(root / "mainstay.toml")
    with pytest.raises(ConfigurationError, match="no longer a file"):
        configuration_for(root, RULES)


def test_a_named_configuration_has_to_hold_one(tree: Tree) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no \[tool.mainstay\] in it"):
        read(tree, "[project]\n", "pyproject.toml")


@pytest.mark.parametrize(
    ("pattern", "method", "path", "covered"),
    [
        ("GET /health", "GET", "/health", True),
        ("get /health", "GET", "/health", True),
        ("GET /health", "POST", "/health", False),
        ("/health", "POST", "/health", True),
        ("* /health/*", "POST", "/health/live", True),
        ("/health", "GET", "/healthy", False),
    ],
)
def test_which_operations_are_declared_public(pattern: str, method: str, path: str, covered: bool) -> None:
    assert Public(pattern, "because").covers(method, path) is covered


def test_an_unknown_rule_comes_with_a_suggestion() -> None:
    assert rule_named("exception-swallowed", RULES) == "exception-swallowed"
    with pytest.raises(
        LookupError, match=r"no rule 'exception-swalowed'\. Did you mean exception-swallowed\?"
    ):
        rule_named("exception-swalowed", RULES)
