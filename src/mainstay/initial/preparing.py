"""What fills the database before the service starts: migrations, seed, extensions."""

import re
from collections.abc import Iterator

from msgspec import Struct

from mainstay.initial.commands import Kind
from mainstay.initial.processes import Interpreter, planned_of
from mainstay.initial.tree import Tree, values
from mainstay.model.code import Attribute, Call, Literal, Name, Statement
from mainstay.model.flow import text_of
from mainstay.model.system import Role

_EXTENSION = re.compile(r"CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?\"?([A-Za-z_][\w-]*)", re.IGNORECASE)
_SHIPPED = frozenset({"plpgsql"})
_DJANGO = {
    "CreateExtension": "",
    "TrigramExtension": "pg_trgm",
    "HStoreExtension": "hstore",
    "CITextExtension": "citext",
    "UnaccentExtension": "unaccent",
    "BtreeGinExtension": "btree_gin",
    "BtreeGistExtension": "btree_gist",
    "CryptoExtension": "pgcrypto",
    "VectorExtension": "vector",
}  # fmt: skip - a table reads best in rows
_DATABASE_URL = "{database.url}"
SQL_BYTES = 2 << 20
SQL_FILES = 200


class Prepared(Struct, frozen=True):
    """Commands as the configuration holds them, why, and the extensions that migrations create."""

    migrate: tuple[str | tuple[str, ...], ...] = ()
    why: str = ""
    seed: tuple[str | tuple[str, ...], ...] = ()
    seed_why: str = ""
    extensions: tuple[str, ...] = ()


def prepared(tree: Tree) -> Prepared:
    """By the deployment where it says so, else by the tool that is there."""
    before = [
        (each.command, each.said) for each in tree.started if each.command.kind in (Kind.MIGRATION, Kind.SEED)
    ]
    last = max((at for at, (command, _) in enumerate(before) if command.kind is Kind.MIGRATION), default=-1)
    extensions = tuple(dict.fromkeys(_extensions(tree)))
    seed = tuple(dict.fromkeys(planned_of(tree, command) for command, _ in before[last + 1 :]))
    seed_why = f"{before[-1][1]} runs it" if seed else ""
    if last >= 0:
        migrate = tuple(dict.fromkeys(planned_of(tree, command) for command, _ in before[: last + 1]))
        return Prepared(migrate, f"{before[last][1]} runs it before the service", seed, seed_why, extensions)
    found = _of_tools(tree)
    if found is None:
        return Prepared(seed=seed, seed_why=seed_why, extensions=extensions)
    return Prepared((Interpreter(tree).command(found[0]),), found[1], seed, seed_why, extensions)


def _of_tools(tree: Tree) -> tuple[tuple[str, ...], str] | None:
    folder = tree.folder
    if (folder / "manage.py").is_file():
        return ("manage.py", "migrate", "--noinput"), "manage.py is there"
    if tree.has("flask-migrate") and (folder / "migrations").is_dir():
        return ("flask", "db", "upgrade"), "Flask-Migrate is asked for"
    for name in ("alembic.ini", "migrations/alembic.ini", "alembic/alembic.ini"):
        if (folder / name).is_file():
            option = () if name == "alembic.ini" else ("-c", name)
            return ("alembic", *option, "upgrade", "head"), f"{name} is there"
    for name in ("schema.sql", "db/schema.sql", "sql/schema.sql", "init.sql", "db/init.sql"):
        if (folder / name).is_file():
            return ("psql", _DATABASE_URL, "--set", "ON_ERROR_STOP=1", "--file", name), f"{name} is there"
    return None


def _extensions(tree: Tree) -> Iterator[str]:
    prefix = f"{tree.home}/" if tree.home else ""
    for file in tree.system.files:
        if not file.path.startswith(prefix) or file.role is Role.TEST:
            continue
        if file.role is not Role.MIGRATION and "postgres" not in file.path and "db" not in file.path:
            continue
        for body in file.module.bodies:
            for statement in body.statements:
                yield from _in_statement(statement)
    for number, path in enumerate(sorted(tree.folder.glob("**/*.sql"))):
        if number >= SQL_FILES:
            return
        if not path.is_symlink() and path.is_file() and path.stat().st_size <= SQL_BYTES:
            yield from _in_text(path.read_text("utf-8", errors="replace"))


def _in_statement(statement: Statement) -> Iterator[str]:
    if not isinstance(statement, Call):
        return
    callee = statement.callee.path if isinstance(statement.callee, Name | Attribute) else ""
    last = callee.rpartition(".")[2]
    if last in _DJANGO:
        name = _DJANGO[last] or text_of(statement.argument(0, "name")) or ""
        if name and name not in _SHIPPED:
            yield name
        return
    for value in values(statement):
        if isinstance(value, Literal) and isinstance(value.value, str):
            yield from _in_text(value.value)


def _in_text(text: str) -> Iterator[str]:
    yield from (found for found in _EXTENSION.findall(text) if found.lower() not in _SHIPPED)
