import pytest

from mainstay.initial.commands import Kind, Server, commands, server, shell_commands


def words(text: str) -> list[tuple[str, ...]]:
    return [each.words for each in shell_commands(text)]


def kinds(text: str) -> list[Kind]:
    return [each.kind for each in shell_commands(text)]


def only_server(text: str) -> Server:
    (found,) = (server(each) for each in shell_commands(text) if each.kind is Kind.SERVER)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "text",
    [
        "uvicorn app:app",
        "exec uvicorn app:app",
        "PORT=80 poetry run uvicorn app:app",
        "uv run --frozen uvicorn app:app",
        "python -m uvicorn app:app",
        "/usr/bin/python3.12 -u -m uvicorn app:app",
        "tini -g -- uvicorn app:app",
        "./wait-for-it.sh db:5432 -t 60 -- uvicorn app:app",
        "opentelemetry-instrument uvicorn app:app",
    ],
)
def test_a_command_is_found_in_what_it_is_wrapped_in(text: str) -> None:
    assert words(text) == [("uvicorn", "app:app")]


def test_a_shell_line_holds_several_commands() -> None:
    text = "set -e && alembic upgrade head; python seed.py && exec gunicorn shop.wsgi"
    assert kinds(text)[1:] == [Kind.MIGRATION, Kind.SEED, Kind.SERVER]


def test_what_a_shell_is_given_is_read_like_its_own_line() -> None:
    found = list(commands(("sh", "-c", "python manage.py migrate && gunicorn shop.wsgi")))
    assert [each.words for each in found] == [("manage.py", "migrate"), ("gunicorn", "shop.wsgi")]


def test_addresses_users_and_reloading_are_left_behind() -> None:
    found = only_server(
        "gunicorn -b 0.0.0.0:80 --reload --workers=4 -k uvicorn.workers.UvicornWorker --user www -D"
        " shop.asgi:app"
    )
    assert found.words() == (
        "gunicorn",
        "shop.asgi:app",
        "--bind",
        "127.0.0.1:{port}",
        "--workers",
        "4",
        "-k",
        "uvicorn.workers.UvicornWorker",
    )  # fmt: skip - a command line reads best on few lines
    assert found.workers == 4


def test_a_variable_takes_its_default_and_one_without_takes_the_option_along() -> None:
    assert only_server("uvicorn app:app --workers ${WORKERS:-2}").workers == 2
    assert only_server('uvicorn app:app --workers "$WORKERS"').options == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("celery -A shop worker -l info", Kind.WORKER),
        ("celery -A shop inspect ping", Kind.OTHER),
        ("python -m shop.worker", Kind.WORKER),
        ("python manage.py rqworker", Kind.WORKER),
        ("flask db upgrade", Kind.MIGRATION),
        ("flask run", Kind.SERVER),
        ("alembic current", Kind.OTHER),
        ("python manage.py collectstatic", Kind.OTHER),
        ("python manage.py loaddata demo", Kind.SEED),
        ("echo python manage.py migrate", Kind.OTHER),
    ],
)
def test_what_a_command_does_for_the_service(text: str, kind: Kind) -> None:
    assert kinds(text) == [kind]


def test_broken_quotation_is_passed_over() -> None:
    assert words("echo 'no end\nuvicorn app:app") == [("uvicorn", "app:app")]
