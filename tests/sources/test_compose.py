from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mainstay.sources.compose import Compose, ComposeError, interpolated, read_compose

Tree = Callable[[Mapping[str, str | bytes]], Path]

FILE = """
services:
  db:
    image: registry.example.test/library/postgres:16-alpine
  migrate:
    build: .
    command: alembic upgrade head
  web:
    build:
      context: ./backend
      dockerfile: Dockerfile.web
    command: ["gunicorn", "shop.wsgi", "--workers", "${WORKERS:-3}"]
    environment:
      DEBUG: false
      DATABASE_URL: postgres://shop:shop@db:5432/shop
      INHERITED:
    depends_on:
      db:
        condition: service_healthy
      migrate:
        condition: service_completed_successfully
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:8000/healthz"]
  worker:
    build: .
    environment:
      - QUEUE=orders
    depends_on: [db]
"""


def read(tree: Tree, text: str | bytes) -> Compose:
    return read_compose(tree({"compose.yml": text}) / "compose.yml")


def test_a_container_says_what_it_is_built_from_starts_and_is_told(tree: Tree) -> None:
    containers = {each.name: each for each in read(tree, FILE).containers}
    web = containers["web"]
    assert (web.build, web.dockerfile) == ("./backend", "Dockerfile.web")
    assert web.command == ("gunicorn", "shop.wsgi", "--workers", "${WORKERS:-3}")
    assert web.environment["DEBUG"] == "false"
    assert web.environment["INHERITED"] is None
    assert web.health == "/healthz"
    assert containers["worker"].environment == {"QUEUE": "orders"}


def test_a_container_that_others_wait_for_to_end_runs_once(tree: Tree) -> None:
    once = [each.name for each in read(tree, FILE).containers if each.once]
    assert once == ["migrate"]


def test_a_store_is_known_by_its_image_whatever_registry_it_comes_from(tree: Tree) -> None:
    found = read(tree, FILE)
    database = found.of_image("postgres")
    assert database is not None
    assert database.name == "db"
    assert found.of_image("redis") is None
    assert [each.name for each in found.own] == ["migrate", "web", "worker"]


def test_variables_become_what_is_known_then_their_default_then_nothing() -> None:
    assert interpolated("${A:-one} ${B-two} ${C?missing} $D $$E", {"D": "four"}) == "one two  four $E"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("services: [", "this is no valid YAML"),
        ("volumes: {}", "it names no services"),
        ("- 1", "it names no services"),
        (b"\xff\xfe", "this is no valid YAML"),
    ],
)
def test_what_is_no_compose_file_is_one_sentence(tree: Tree, text: str | bytes, problem: str) -> None:
    with pytest.raises(ComposeError, match=rf"^compose\.yml: {problem}"):
        read(tree, text)


def test_odd_values_are_passed_over(tree: Tree) -> None:
    found = read(tree, "services: {a: {build: 3, command: {x: 1}, environment: 7, depends_on: 4}, b: null}")
    assert [(each.name, each.command, each.environment) for each in found.containers] == [("a", (), {})]
