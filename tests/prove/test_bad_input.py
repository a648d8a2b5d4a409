"""What cannot be proved is said in a sentence, within bounded time, and nothing of it is left.

Each of these runs the command itself on a small project whose service, declaration or machine is not as
it should be.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstay.cli import run
from mainstay.lab import disk
from tests.prove.site import SERVICES, THINGS, Ended, Site, site, web

LIMIT_S = 60.0  # on a machine that others keep busy; a few seconds otherwise
LAST_LINES = "The last lines of its log:"
HEALTHY = web("healthy.py")
MISUSE, INCONCLUSIVE = 2, 3
DATABASE = """
[prove.dependency.database]
kind = "postgres"
"""
SLOW_LOAD = """
[prove.load]
expected = "20/s"
peak = "20/s"
"""

small_disks = pytest.mark.skipif(bool(disk.possible()), reason=disk.possible() or "possible")


@pytest.fixture
def place() -> Iterator[Site]:
    with site() as made:
        yield made


def clean(ended: Ended) -> None:
    """Whatever happened: no traceback of ours, nothing left, not for ever."""
    assert "Traceback" not in ended.out
    assert not [line for line in ended.said.splitlines() if line.startswith("Traceback")]
    assert ended.left == ()
    assert ended.seconds < LIMIT_S


def refused(ended: Ended, sentence: str, log: str = "") -> None:
    """It could not be started: one sentence, the log where there is one, and no report."""
    clean(ended)
    assert ended.status == MISUSE, ended
    assert ended.out == ""
    said, _, lines = ended.said.partition(f"\n{LAST_LINES}\n")
    assert sentence in said.splitlines()[-1]
    assert bool(lines) == bool(log)
    assert log in lines
    assert len(lines.splitlines()) <= 20


def declared(*parts: str, top: str = "") -> str:
    return "".join((f"[prove]\n{top}\n", *parts, THINGS))


# --- the service ---------------------------------------------------------------------------------


def test_a_service_that_is_never_ready(place: Site) -> None:
    place.write(declared(web("never_ready.py", within="2s")))
    refused(
        place.prove(),
        "web was not ready within 2 s: /ready answers 503.",
        log="waiting for the moon to rise",
    )


def test_a_service_that_ends_at_once(place: Site) -> None:
    command = 'command = ["{python}", "-c", "print(\'the moon is away\'); raise SystemExit(7)"]'
    place.write(declared(f'[prove.process.web]\n{command}\nserves = true\nready = "/ready"\n'))
    refused(place.prove(), "web ended with status 7 before it was ready.", log="the moon is away")


def test_a_service_that_is_killed_by_a_signal(place: Site) -> None:
    command = 'command = ["{python}", "-c", "import os; os.kill(os.getpid(), 9)"]'
    place.write(declared(f'[prove.process.web]\n{command}\nserves = true\nready = "/ready"\n'))
    refused(place.prove(), "web ended with signal 9 before it was ready.")


def test_a_service_that_floods_its_log(place: Site) -> None:
    place.write(declared(web("floods.py", within="2s")))
    ended = place.prove()
    refused(ended, "web was not ready within 2 s: /ready gives no answer", log="xxxx")
    assert len(ended.said) < 20_000


def test_a_service_on_another_port(place: Site) -> None:
    place.write(declared(HEALTHY.replace("{port}", "0")))
    ended = place.prove()
    refused(ended, "give it `{port}` in its command or environment")
    assert "web listens on port" in ended.said


def test_a_service_that_forks_away(place: Site) -> None:
    place.write(declared(web("forks_away.py")))
    refused(
        place.prove(), "web ended with status 0 and left processes behind: it has to stay in the foreground"
    )


def test_a_command_that_is_not_there(place: Site) -> None:
    command = 'command = "no-such-program --port {port}"'
    place.write(declared(f'[prove.process.web]\n{command}\nserves = true\nready = "/ready"\n'))
    refused(place.prove(), "`web` cannot be started: there is no program `no-such-program` on its PATH")


# --- what comes before it ------------------------------------------------------------------------


def test_a_migration_that_fails(place: Site) -> None:
    place.write(declared(HEALTHY, top="migrate = [\"sh -c 'echo half of it is done; exit 7'\"]"))
    refused(place.prove(), "the migration `sh -c ", log="half of it is done")


def test_a_migration_that_needs_an_extension_which_no_server_has(place: Site) -> None:
    environment = '[prove.environment]\nDATABASE_URL = "{database.url}"\n'
    migrate = f"migrate = ['{{python}} {SERVICES}/extension.py']"
    place.write(declared(HEALTHY, DATABASE, environment, top=migrate))
    refused(
        place.prove(),
        "No PostgreSQL here has the extension no_such_extension",
        log='extension "no_such_extension" is not available',
    )


def test_an_extension_and_a_version_that_are_declared_and_not_there(place: Site) -> None:
    place.write(declared(HEALTHY, DATABASE, 'extensions = ["no_such_extension"]\n'))
    refused(place.prove(), "No PostgreSQL here has the extension no_such_extension")
    place.write(declared(HEALTHY, DATABASE, "version = 9\n"))
    refused(place.prove(), "PostgreSQL 9 is not here, only")


def test_an_actor_whose_command_prints_nothing(place: Site) -> None:
    place.write(declared(HEALTHY, '[prove.actor.ada]\ncommand = "true"\n'))
    refused(place.prove(), "prove.actor.ada: its command printed nothing")


def test_a_login_that_is_refused(place: Site) -> None:
    place.write(declared(HEALTHY, '[prove.actor.ada]\nrequest = "POST /login"\n'))
    refused(place.prove(), "prove.actor.ada: `POST /login` was answered with 401: ")


# --- what is declared ----------------------------------------------------------------------------


def test_a_placeholder_that_stands_for_nothing(place: Site) -> None:
    place.write(declared(HEALTHY, '[prove.environment]\nURL = "{database.url}"\n'))
    refused(place.prove(), "nothing is called {database.url}. There are ")


def test_an_alert_file_that_is_no_yaml(place: Site) -> None:
    place.write(declared(HEALTHY, top='alerts = ["alerts.yml"]'), {"alerts.yml": "groups: [\n - {"})
    refused(place.prove(), "alerts.yml:2: not YAML")


def test_an_invariant_with_wrong_sql(place: Site) -> None:
    invariant = '[[prove.invariant]]\nname = "no debt"\nsql = "SELEKT 1"\n'
    place.write(declared(HEALTHY, DATABASE, invariant))
    refused(place.prove(), "Whether `no debt` holds is not known: syntax error at or near")


def test_an_operation_that_does_not_exist(place: Site) -> None:
    place.write(declared(HEALTHY).replace("/things", "/thongs"))
    refused(place.prove(), "the operation 'POST /thongs' (POST /thongs) was answered 404")


def test_a_peak_below_the_expected_load(place: Site, capsys: pytest.CaptureFixture[str]) -> None:
    place.write(declared(HEALTHY, '[prove.load]\nexpected = "40/s"\npeak = "20/s"\n'))
    assert run(["prove", str(place.project)]) == MISUSE
    assert "`prove.load`: the peak is at least the expected load" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (HEALTHY, "this is not valid TOML: Cannot declare ('prove', 'process', 'web') twice"),
        (DATABASE.replace("database", "web"), "the name 'web' is taken"),
    ],
)
def test_two_things_of_one_name(
    place: Site, capsys: pytest.CaptureFixture[str], more: str, sentence: str
) -> None:
    place.write(declared(HEALTHY, more))
    assert run(["prove", str(place.project)]) == MISUSE
    assert sentence in capsys.readouterr().err


# --- an OpenAPI document that lies ---------------------------------------------------------------


def test_a_document_of_which_no_operation_exists(place: Site) -> None:
    place.write("[prove]\nopenapi = '/openapi.json'\n" + web("lies.py", "everything"))
    refused(place.prove(), "no operation can be called from what it says")


def test_a_document_that_is_none(place: Site) -> None:
    place.write("[prove]\nopenapi = '/openapi.json'\n" + web("lies.py", "nonsense"))
    refused(place.prove(), "prove.openapi: /openapi.json: there should be an object, not a text")


def test_a_document_that_is_not_there(place: Site) -> None:
    place.write("[prove]\nopenapi = '/nowhere.json'\n" + HEALTHY)
    refused(place.prove(), "prove.openapi: /nowhere.json was answered with 404")


def test_of_a_document_with_wrong_types_what_works_is_used_and_the_rest_is_told(place: Site) -> None:
    place.write(f"[prove]\nopenapi = '/openapi.json'\n{SLOW_LOAD}" + web("lies.py", "types"))
    ended = place.prove("--experiment", "alerts-can-fire")
    clean(ended)
    assert ended.status == INCONCLUSIVE
    text = " ".join(ended.out.split())
    assert "guessed from the API's description: GET /things" in text
    assert "POST /things is left out: it was answered 422" in text
    assert "GET /gone is left out: it was answered 404" in text


# --- the machine ---------------------------------------------------------------------------------


@small_disks
def test_no_free_disk_for_a_database(place: Site) -> None:
    place.write(declared(HEALTHY, DATABASE))
    ended = place.prove("--experiment", "all-killed", disk="8m")
    assert "left on the disk: []" in ended.said
    clean(ended)
    assert ended.status == MISUSE
    assert "initdb ended with status 1" in ended.said
    assert "No space left on device" in ended.said


@small_disks
def test_a_flood_of_logs_on_a_small_disk(place: Site) -> None:
    place.write(declared(web("floods.py", within="2s")))
    ended = place.prove(disk="2m")
    assert "left on the disk: []" in ended.said
    clean(ended)
    assert ended.status == MISUSE
    assert "web was not ready within 2 s" in ended.said


def test_a_temporary_folder_that_the_database_may_not_enter(place: Site) -> None:
    place.write(declared(HEALTHY, DATABASE))
    place.temporary.chmod(0o700)
    if Path(place.temporary).stat().st_uid:
        pytest.skip("only root's servers run as someone else")
    refused(place.prove(), "set TMPDIR to a folder open to all")
