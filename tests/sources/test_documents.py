"""Which documents a project has, read from its files alone."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from mainstay.model.location import Location
from mainstay.model.project import AlertPage, Documents, RunbookLink
from mainstay.sources.documents import read_documents

WORDS = "one two three four five six seven eight nine ten " * 5
ALERTS = """\
groups:
  - name: shop
    rules:
      - record: shop:errors
        expr: sum(errors)
      - alert: ShopErrors
        expr: shop:errors > 1
        annotations:
          {annotation}
"""


def found(folder: Path, files: Mapping[str, str], *alerts: str) -> Documents:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return read_documents(folder, alerts)


def alert(folder: Path, annotation: str, files: Mapping[str, str]) -> AlertPage:
    documents = found(folder, {"ops/alerts.yml": ALERTS.format(annotation=annotation), **files})
    (page,) = documents.alerts
    assert (page.name, page.location) == ("ShopErrors", Location("ops/alerts.yml", 6))
    return page


def test_an_empty_project_has_none(tmp_path: Path) -> None:
    assert found(tmp_path, {"app.py": "x = 1"}) == Documents()


@pytest.mark.parametrize(
    ("name", "text", "held"),
    [
        ("openapi.json", '{"openapi": "3.1.0", "paths": {}}', True),
        ("api/shop.yaml", "openapi: 3.0.3\ninfo: {}\npaths:\n  /x: {}\n", True),
        ("swagger.yml", 'swagger: "2.0"\npaths: {}\n', True),
        ("openapi.json", '{"title": "an openapi document, one day"}', False),
        ("config.yaml", "openapi: false\n", False),
        ("node_modules/x/openapi.json", '{"openapi": "3.1.0", "paths": {}}', False),
        (".cache/openapi.json", '{"openapi": "3.1.0", "paths": {}}', False),
    ],
)
def test_an_openapi_document_is_known_by_what_it_says(
    tmp_path: Path, name: str, text: str, held: bool
) -> None:
    assert found(tmp_path, {name: text}).openapi == ((name,) if held else ())


@pytest.mark.parametrize(
    ("name", "text", "held"),
    [
        ("docs/disaster-recovery.md", f"# When all is lost\n{WORDS}", True),
        ("README.md", f"# Shop\n\n## Backup and restore\n{WORDS}", True),
        ("docs/disaster-recovery.md", "# Disaster recovery\nTo be written.\n", False),
        ("README.md", f"# Shop\n{WORDS}\n## Disaster recovery\nsoon\n", False),
        ("README.md", f"# Shop\nThere is no disaster recovery. {WORDS}", False),
    ],
)
def test_a_recovery_document_has_to_say_something(tmp_path: Path, name: str, text: str, held: bool) -> None:
    assert found(tmp_path, {name: text}).recovery == ((name,) if held else ())


def test_an_alert_that_nothing_is_said_of_has_no_runbook(tmp_path: Path) -> None:
    page = alert(tmp_path, "summary: Orders fail.", {"README.md": "Errors happen."})
    assert (page.link, page.runbook) == (RunbookLink.NONE, "")


def test_a_runbook_that_speaks_of_the_alert_is_found_unnamed(tmp_path: Path) -> None:
    page = alert(tmp_path, "summary: x", {"docs/runbooks/errors.md": f"# ShopErrors\n{WORDS}"})
    assert (page.link, page.runbook) == (RunbookLink.FOUND, "docs/runbooks/errors.md")


@pytest.mark.parametrize(
    ("annotation", "link"),
    [
        ("runbook: docs/on-call.md", RunbookLink.FOUND),
        ("runbook_url: ../docs/on-call.md", RunbookLink.FOUND),
        ("runbook_url: https://git.example/shop/blob/main/docs/on-call.md#what-to-do", RunbookLink.FOUND),
        ("""runbook: 'docs/other.md, "What to do"'""", RunbookLink.FOUND),
        ("runbook: docs/other.md#what-to-do", RunbookLink.FOUND),
        ("runbook: docs/other.md#elsewhere", RunbookLink.BROKEN),
        ("runbook: docs/other.md", RunbookLink.BROKEN),
        ("runbook: docs/gone.md", RunbookLink.BROKEN),
        ("runbook_url: https://wiki.example/errors", RunbookLink.NAMED),
        ("runbook: [a, b]", RunbookLink.NONE),
    ],
)
def test_a_named_runbook_is_looked_up_in_the_project(
    tmp_path: Path, annotation: str, link: RunbookLink
) -> None:
    files = {
        "docs/on-call.md": "When `ShopErrors` fires, look at the database.",
        "docs/other.md": "# Other\n## What to do\nLook.",
    }
    assert alert(tmp_path, annotation, files).link is link


def test_rules_of_kubernetes_are_read_too(tmp_path: Path) -> None:
    text = "kind: PrometheusRule\nspec:\n  groups:\n  - rules:\n    - alert: Down\n      expr: up == 0\n"
    assert [page.name for page in found(tmp_path, {"k8s.yaml": text}).alerts] == ["Down"]


def test_each_document_of_a_file_is_read(tmp_path: Path) -> None:
    text = "kind: Service\n--- # the rules\n" + ALERTS.format(annotation="summary: x")
    assert [page.name for page in found(tmp_path, {"all.yaml": text}).alerts] == ["ShopErrors"]


@pytest.mark.parametrize(
    "text",
    [
        "- alert: [" + "[" * 5000,
        "a: &a [alert, alert]\nb: &b [*a, *a]\nc: &c [*b, *b]\ngroups: [{rules: [{alert: *c}]}]\n",
        "- alert: [",
        "groups: 3\nalert: x\n",
        "groups:\n- rules: [alert, {alert: {a: 1}}]\n",
        "!!python/object:alert\n",
    ],
)
def test_odd_files_bring_no_alert_and_no_error(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, {"alerts.yml": text}).alerts == ()


def test_what_was_named_and_could_not_be_read_is_told(tmp_path: Path) -> None:
    documents = found(tmp_path, {"broken.yml": "- alert: ["}, "broken.yml", "gone.yml")
    broken, gone = documents.unread
    assert broken.startswith("broken.yml: this is no valid YAML: ")
    assert gone == "gone.yml: there are no alert rules to read."


def test_no_link_leads_out_of_the_project(tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text(f"# Disaster recovery\n{WORDS}")
    inside = tmp_path / "project"
    inside.mkdir()
    (inside / "disaster.md").symlink_to(outside)
    assert read_documents(inside) == Documents()
