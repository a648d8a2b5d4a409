import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mainstay.cli import run
from mainstay.configuration import read_configuration
from mainstay.model.service import Declaration, DependencyKind, Process

Tree = Callable[[Mapping[str, str | bytes]], Path]

FASTAPI = """
    import os

    import httpx
    from fastapi import FastAPI

    app = FastAPI()
    DATABASE = os.environ["DATABASE_URL"]
    BANK = os.environ["BANK_URL"]
    KEY = os.environ["BANK_API_KEY"]
    LIMIT = int(os.environ.get("LIMIT", "5"))

    @app.get("/readyz")
    def ready():
        return {}

    @app.get("/orders")
    def orders():
        return httpx.get(BANK, timeout=12).json()
    """


def begin(root: Path) -> Declaration:
    assert run(["prove", "--init", str(root)]) == 0
    found = read_configuration(root / "mainstay.toml", ()).declaration
    assert found is not None
    return found


def web(found: Declaration) -> Process:
    (serving,) = (each for each in found.processes if each.serves)
    return serving


# --- FastAPI ---------------------------------------------------------------------------------------


def test_a_fastapi_service_is_declared_from_its_code(tree: Tree) -> None:
    found = begin(
        tree({"shop/main.py": FASTAPI, "shop/__init__.py": "", "requirements.txt": "sqlalchemy\nasyncpg\n"})
    )
    assert web(found).command == (
        "{python}",
        "-m",
        "uvicorn",
        "shop.main:app",
        "--host",
        "127.0.0.1",
        "--port",
        "{port}",
    )  # fmt: skip - a command line reads best on one line
    assert web(found).ready == "/readyz"
    assert found.openapi == "/openapi.json"
    assert {each.name: each.kind for each in found.dependencies} == {
        "database": DependencyKind.POSTGRES,
        "bank": DependencyKind.HTTP,
    }
    assert found.environment["DATABASE_URL"].startswith("postgresql+asyncpg://{database.user}:")
    assert found.environment["BANK_URL"] == "{bank.url}"
    assert found.secrets == ("BANK_API_KEY",)
    assert "LIMIT" not in found.environment  # it has a default
    assert "GET /readyz" in found.public
    assert found.longest_wait == 30.0  # the pool's, which is longer than the call's 12 s


def test_each_secret_is_made_up_anew_and_never_taken_from_the_tree(tree: Tree) -> None:
    root = tree(
        {"main.py": FASTAPI, ".env.example": "BANK_API_KEY=live-4711\n", ".env": "BANK_API_KEY=live-0815\n"}
    )
    text = begin(root).environment["BANK_API_KEY"]
    assert text.startswith("prove-")
    assert "live-" not in (root / "mainstay.toml").read_text()
    (root / "mainstay.toml").unlink()
    assert begin(root).environment["BANK_API_KEY"] != text


def test_a_factory_is_served_as_one(tree: Tree) -> None:
    code = (
        "from fastapi import FastAPI\n\ndef create_app() -> FastAPI:\n    app = FastAPI()\n    return app\n"
    )
    command = web(begin(tree({"app.py": code}))).command
    assert command[:4] == ("{python}", "-m", "uvicorn", "app:create_app")
    assert "--factory" in command


def test_settings_of_pydantic_are_set_as_their_types_want(tree: Tree) -> None:
    code = """
        from pydantic import EmailStr, SecretStr
        from pydantic_settings import BaseSettings, SettingsConfigDict
        from fastapi import FastAPI

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="shop_")
            postgres_host: str
            postgres_port: int = 5432
            redis_url: str
            sender: EmailStr
            pepper: SecretStr
            smtp_password: str | None = None
            page: int = 20

        app = FastAPI()
        """
    found = begin(tree({"main.py": code, "requirements.txt": "redis"}))
    assert found.environment["SHOP_POSTGRES_HOST"] == "{database.host}"
    assert found.environment["SHOP_POSTGRES_PORT"] == "{database.port}"
    assert found.environment["SHOP_REDIS_URL"] == "{cache.url}"
    assert found.environment["SHOP_SENDER"] == "prove@example.com"
    assert found.secrets == ("SHOP_PEPPER",)
    assert not {"SHOP_SMTP_PASSWORD", "SHOP_PAGE"} & found.environment.keys()


def test_whoever_can_register_is_two_actors(tree: Tree) -> None:
    code = """
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Account(BaseModel):
            email: str
            password: str

        class Session(BaseModel):
            access_token: str

        @app.post("/register", response_model=Session)
        def register(account: Account):
            return {}
        """
    found = begin(tree({"main.py": code}))
    assert [each.name for each in found.actors] == ["one", "two"]
    assert found.actors[0].request == "POST /register"
    assert set(found.actors[0].body) == {"email", "password"}
    assert found.actors[0].token == "access_token"
    assert found.actors[0].body != found.actors[1].body


# --- other frameworks and deployments ----------------------------------------------------------------

DJANGO = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/__init__.py": "",
    "shop/settings.py": """
        import os
        SECRET_KEY = os.environ["SECRET_KEY"]
        HOST = os.getenv("DB_HOST", "localhost")
        """,
    "shop/urls.py": """
        from django.urls import path
        from shop import views
        urlpatterns = [path('items/', views.items)]
        """,
    "shop/views.py": "def items(request):\n    return None\n",
    "shop/wsgi.py": """
        from django.core.wsgi import get_wsgi_application
        application = get_wsgi_application()
        """,
}


def test_a_django_project_is_served_by_what_it_asks_for(tree: Tree) -> None:
    found = begin(tree({**DJANGO, "requirements.txt": "django\ngunicorn\npsycopg\n"}))
    assert web(found).command[2:] == ("gunicorn", "shop.wsgi", "--bind", "127.0.0.1:{port}")
    assert found.migrate == (("{python}", "manage.py", "migrate", "--noinput"),)
    assert found.environment["DB_HOST"] == "{database.host}"
    assert found.secrets == ("SECRET_KEY",)


def test_a_django_project_without_gunicorn_serves_itself(tree: Tree) -> None:
    found = begin(tree({**DJANGO, "requirements.txt": "django\n"}))
    assert web(found).command == ("{python}", "manage.py", "runserver", "--noreload", "127.0.0.1:{port}")


FLASK = """
    from flask import Flask

    app = Flask(__name__)

    @app.get("/items")
    def items():
        return []

    @app.post("/items")
    def add():
        return {}
    """


def test_without_a_document_reads_become_actions_and_writes_templates(tree: Tree) -> None:
    root = tree({"shop.py": FLASK})
    found = begin(root)
    assert web(found).command == (
        "{python}",
        "-m",
        "flask",
        "--app",
        "shop:app",
        "run",
        "--host",
        "127.0.0.1",
        "--port",
        "{port}",
    )  # fmt: skip - a command line reads best on one line
    assert [each.name for each in found.actions] == ["GET /items"]
    assert '# request = "POST /items"' in (root / "mainstay.toml").read_text()


PROCFILE = """\
release: flask db upgrade
web: gunicorn shop:app --workers 3 --bind 0.0.0.0:$PORT
mail: python -m shop_mail_worker
"""


def test_a_procfile_tells_more_than_the_code(tree: Tree) -> None:
    found = begin(tree({"shop.py": FLASK, "shop_mail_worker.py": "print()\n", "Procfile": PROCFILE}))
    assert web(found).command[2:] == ("gunicorn", "shop:app", "--bind", "127.0.0.1:{port}", "--workers", "3")
    assert web(found).workers == 3
    assert [(each.name, each.command) for each in found.processes[1:]] == [
        ("mail", ("{python}", "-m", "shop_mail_worker"))
    ]
    assert found.migrate == (("{python}", "-m", "flask", "db", "upgrade"),)


COMPOSE = """
    services:
      db: {image: "postgres:16"}
      queue: {image: "redis:7"}
      prepare:
        build: .
        command: bash scripts/prepare.sh
      web:
        build: .
        command: uvicorn main:app --host 0.0.0.0 --timeout-graceful-shutdown 40
        environment:
          STORE: postgres://u:p@db:5432/shop
          BROKER: redis://queue:6379/2
          MODE: "{production}"
        depends_on:
          prepare: {condition: service_completed_successfully}
        healthcheck: {test: "curl -f http://localhost/up"}
    """


def test_a_compose_file_tells_stores_order_and_readiness(tree: Tree) -> None:
    script = "#!/bin/sh\nset -e\nalembic upgrade head\npython -m seed_shop\n"
    found = begin(tree({"main.py": FASTAPI, "compose.yml": COMPOSE, "scripts/prepare.sh": script}))
    assert web(found).ready == "/up"
    assert web(found).stop_within == 50.0
    assert found.migrate == (("{python}", "-m", "alembic", "upgrade", "head"),)
    assert found.seed == (("{python}", "-m", "seed_shop"),)
    assert (
        found.environment["STORE"]
        == "postgres://{database.user}:{database.password}@{database.host}:{database.port}/{database.database}"
    )
    assert found.environment["BROKER"] == "redis://:{cache.password}@{cache.host}:{cache.port}/2"
    assert found.environment["MODE"] == "{{production}}"  # no placeholder of ours
    assert [each.name for each in found.dependencies][:2] == ["database", "cache"]


def test_a_port_of_its_own_belongs_to_the_process_not_to_migrations(tree: Tree) -> None:
    worker = """
        import os
        import time

        PORT = int(os.environ["METRICS_PORT"])

        if __name__ == "__main__":
            while True:
                time.sleep(1)
        """
    found = begin(tree({"main.py": FASTAPI, "worker.py": worker}))
    assert "METRICS_PORT" not in found.environment
    (process,) = found.processes[1:]
    assert process.command == ("{python}", "-m", "worker")
    assert process.environment == {"METRICS_PORT": "{port.metrics}"}
    assert process.metrics == "{port.metrics}/metrics"


def test_a_service_below_the_folder_is_started_in_its_own(tree: Tree) -> None:
    files = {
        "backend/app/main.py": FASTAPI.replace("import os", "import os\n    from app import things", 1),
        "backend/app/things.py": "",
        "backend/app/__init__.py": "",
        "backend/alembic.ini": "",
    }  # fmt: skip - short
    found = begin(tree(files))
    assert web(found).command[:2] == ("sh", "-c")
    assert web(found).command[2].startswith("cd backend && exec {python} -m uvicorn app.main:app ")
    assert found.migrate == (("sh", "-c", "cd backend && exec {python} -m alembic upgrade head"),)


def test_extensions_and_alerts_are_found(tree: Tree) -> None:
    alerts = "groups: [{name: a, rules: [{alert: Down, expr: up == 0}]}]"
    migration = (
        'down_revision = None\n\ndef upgrade():\n    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")\n'
    )
    found = begin(tree({"main.py": FASTAPI, "alerts.yml": alerts, "migrations/versions/a.py": migration}))
    assert found.dependencies[0].extensions == ("pg_trgm",)
    assert found.alerts == ("alerts.yml",)


# --- what it says, and where it writes -----------------------------------------------------------------


def test_every_guess_is_marked_and_the_text_is_shown(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree({"main.py": FASTAPI})
    begin(root)
    text = (root / "mainstay.toml").read_text()
    unmarked = [
        line
        for before, line in zip(["", *text.splitlines()], text.splitlines(), strict=False)
        if re.match(r"[\w-]+ = ", line) and "# guess: " not in line and not before.startswith("# guess: ")
    ]
    assert unmarked == ["serves = true"]
    out = capsys.readouterr().out
    assert 'ready = "/readyz"' in out
    assert "No account to call as was found" not in out  # nothing asks who calls


def test_it_is_appended_to_a_configuration_that_has_none(tree: Tree) -> None:
    before = 'fail-at = "high"\n\n[[public]]\noperation = "GET /orders"\nreason = "It is a shop."\n'
    before += '[[public]]\noperation = "GET /orders/{id}"\nreason = "It is a shop."\n'
    root = tree({"main.py": FASTAPI, "mainstay.toml": before})
    found = begin(root)
    assert (root / "mainstay.toml").read_text().startswith(before)
    assert {"GET /orders", "GET /orders/{id}"} < set(found.public)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"mainstay.toml": "[prove]\n"}, r"mainstay\.toml: there is a \[prove\] already"),
        ({"mainstay.toml": "[prove"}, r"mainstay\.toml: this is not valid TOML"),
        ({"pyproject.toml": "[tool.mainstay.prove]\n"}, r"there is a \[tool\.mainstay\.prove\] already"),
        ({"pyproject.toml": "[tool.mainstay]\nshow = 'low'\n"}, r"there is a \[tool\.mainstay\]"),
    ],
)
def test_what_is_there_is_never_overwritten(
    tree: Tree, capsys: pytest.CaptureFixture[str], files: dict[str, str], problem: str
) -> None:
    root = tree({"main.py": FASTAPI, **files})
    assert run(["prove", "--init", str(root)]) == 2
    assert re.search(problem, capsys.readouterr().err)
    for name, text in files.items():
        assert (root / name).read_text() == text
    assert (root / "mainstay.toml").exists() == ("mainstay.toml" in files)


def test_a_link_is_not_followed_when_it_is_written(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree({"main.py": FASTAPI})
    outside = root.parent / "outside.toml"
    (root / "mainstay.toml").symlink_to(outside)
    assert run(["prove", "--init", str(root)]) == 2
    assert "it is a link" in capsys.readouterr().err
    assert not outside.exists()


def test_a_folder_without_python_is_said_to_be_one(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree({"README.md": "nothing"})
    assert run(["prove", "--init", str(root)]) == 2
    assert "there is no Python here" in capsys.readouterr().err
    assert not (root / "mainstay.toml").exists()


def test_nothing_of_a_hostile_tree_leaves_its_quotes_or_is_run(tree: Tree) -> None:
    evil = 'x"\n[prove.process.evil]\ncommand = "touch owned"\n#'
    environment = f"{{{evil!r}: {evil!r}, SECRET: '{{database.password}}'}}"
    compose = f"services: {{web: {{build: ../../.., command: {evil!r}, environment: {environment}}}}}"
    root = tree(
        {
            "main.py": FASTAPI.replace("/readyz", "/health\\n[prove.process.evil]"),
            "compose.yml": compose,
            "Procfile": 'web: uvicorn main:app --root-path "$(touch owned)"\n',
            ".env.example": 'BANK_URL=http://x"]\\n[a]\n',
        }
    )  # fmt: skip - one table
    found = begin(root)
    assert "evil" not in [each.name for each in found.processes]
    assert sorted(each.name for each in root.iterdir()) == [
        ".env.example",
        "Procfile",
        "compose.yml",
        "main.py",
        "mainstay.toml",
    ]


def test_broken_artefacts_cost_only_what_they_would_have_told(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree(
        {"main.py": FASTAPI, "compose.yml": "services: [", "Dockerfile": b"\xff\xfe CMD", "Procfile": "web"}
    )
    assert web(begin(root)).ready == "/readyz"
    assert "compose.yml: this is no valid YAML" in capsys.readouterr().out
