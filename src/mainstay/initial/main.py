"""Writes a first `[prove]`: everything that can be guessed, each guess with its reason."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from mainstay.configuration import OWN_FILE, SHARED_FILE, Configuration
from mainstay.initial.actors import callers
from mainstay.initial.environment import DATABASE, Environment, environment
from mainstay.initial.operations import Interface, actions, interface, reachable
from mainstay.initial.preparing import Prepared, prepared
from mainstay.initial.processes import Planned, processes
from mainstay.initial.section import Entry, Section
from mainstay.initial.settings import settings
from mainstay.initial.tree import Tree, look
from mainstay.initial.waits import longest_wait
from mainstay.initial.writing import written
from mainstay.lab.paging.rules import AlertError, read_rules
from mainstay.model.project import Documents
from mainstay.model.system import System
from mainstay.sources.discovery import printable
from mainstay.sources.documents import read_documents
from mainstay.sources.reading import Unreadable, content_of

HEAD = "# How `mainstay prove` starts this service, whom it calls it as, and what has to hold.\n"
HINT = "# Written by `mainstay prove --init`: what is marked `guess` was guessed, and wants a look.\n"


class NotWritten(Exception):
    """No `[prove]` could be written; the message is a sentence that says why."""


class First(Struct, frozen=True):
    """A first `[prove]`: its text, where it belongs, and what a person has to see to."""

    file: Path
    text: str
    appended: bool
    look: tuple[str, ...]


def check(root: Path) -> None:
    """Raises NotWritten where a `[prove]` is already, so that nobody waits for the reading first."""
    if not root.is_dir():
        raise NotWritten(f"{root}: --init needs a folder")
    _existing(root / OWN_FILE)
    shared = _table(root / SHARED_FILE)
    tool = shared.get("tool")
    ours = tool.get("mainstay") if isinstance(tool, dict) else None
    if isinstance(ours, dict) and "prove" in ours:
        raise NotWritten(f"{root / SHARED_FILE}: there is a [tool.mainstay.prove] already")
    if ours and not (root / OWN_FILE).exists():
        raise NotWritten(
            f"{root / SHARED_FILE}: there is a [tool.mainstay], which a {OWN_FILE} would replace; "
            f"move it into a {OWN_FILE} first"
        )


def first(root: Path, system: System, configuration: Configuration) -> First:
    """The first `[prove]` for the service in `root`; nothing is run and nothing is written."""
    tree = look(root.resolve(), system)
    sections, notes = _sections(tree, configuration)
    file = root / OWN_FILE
    before = _existing(file)
    text = f"{HINT}\n{written(sections)}"
    return First(file, text, before is not None, tuple(map(printable, (*notes, *tree.problems))))


def whole(found: First) -> str:
    """What its file holds with it: it stands at the end of what is there; raises NotWritten."""
    before = _existing(found.file)
    return f"{HEAD}{found.text}" if before is None else f"{before.rstrip()}\n\n{found.text}".lstrip()


def told(found: First) -> str:
    """What a person is told when it is written: the text itself, and what to look at."""
    how = "The end of" if found.appended else "The whole of"
    lines = [f"{how} {printable(str(found.file))}:\n\n{found.text}\n"]
    guesses = found.text.count("# guess:")
    lines.append(f"{guesses} guesses are marked. Look at them, then: mainstay prove --experiment steady\n")
    lines.extend(f"- {each}\n" for each in found.look)
    return "".join(lines)


# --- what is there -------------------------------------------------------------------------------


def _existing(file: Path) -> str | None:
    """The text of a configuration without `[prove]`; raises NotWritten when it has one."""
    if file.is_symlink():
        raise NotWritten(f"{file}: it is a link, and what it leads to may be anything; put a file there")
    if not file.exists():
        return None
    if "prove" in _table(file):
        raise NotWritten(f"{file}: there is a [prove] already; remove it to have it guessed anew")
    return content_of(str(file)).decode()


def _table(file: Path) -> dict[str, object]:
    if not file.exists() and not file.is_symlink():
        return {}
    try:
        return tomllib.loads(content_of(str(file)).decode())
    except Unreadable as error:
        raise NotWritten(f"{file}: {error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise NotWritten(f"{file}: this is not valid TOML: {error}") from error


# --- putting it together -------------------------------------------------------------------------


def _sections(tree: Tree, configuration: Configuration) -> tuple[list[Section], list[str]]:
    found = settings(tree)
    operations = reachable(tree, found)
    planned, missing = processes(tree)
    told = environment(tree, found, frozenset(each.name for each in planned))
    face = interface(tree, operations, found, configuration)
    ready = prepared(tree)
    who = callers(tree, operations, found, told)
    documents = read_documents(tree.root)
    openapi = face.openapi or _document(tree, documents)
    alerts = _alerts(tree, documents)
    sections = [
        Section(("prove",), tuple(_top(tree, told, face, ready, openapi, alerts))),
        Section(
            ("prove", "load"),
            (
                Entry("expected", "20/s", "nothing says how much is expected"),
                Entry("peak", "60/s", "three times that"),
            ),
        ),
    ]
    shared = tuple(entry for entry in told.entries if not _is_port(entry))
    if shared:
        sections.append(Section(("prove", "environment"), shared))
    sections.extend(_process(each, face, _ports(told, each, planned)) for each in planned)
    sections.extend(_dependency(each, ready) for each in told.dependencies)
    sections.extend(who.sections)
    sections.extend(actions(operations, known=openapi is not None, logged_in=who.logged_in))
    look_at = [*missing, *told.look, *face.look, *who.look]
    if openapi is None:
        look_at.append(
            "No OpenAPI document was found: the load is what [[prove.action]] names, so name what writes."
        )
    return sections, look_at


def _top(
    tree: Tree,
    told: Environment,
    face: Interface,
    ready: Prepared,
    openapi: Entry | None,
    alerts: tuple[str, ...],
) -> Iterator[Entry]:
    if ready.migrate:
        yield Entry("migrate", ready.migrate, ready.why)
    if ready.seed:
        yield Entry("seed", ready.seed, ready.seed_why)
    if openapi is not None:
        yield openapi
    if alerts:
        yield Entry(
            "alerts",
            alerts,
            "there are alert rules in them" if len(alerts) > 1 else "there are alert rules in it",
        )
    if told.secrets:
        yield Entry("secrets", told.secrets, "their names say so")
    if face.public:
        yield Entry("public", face.public, face.public_why)
    seconds, why = longest_wait(tree)
    yield Entry("longest-wait", f"{seconds:g}s", why)


def _is_port(entry: Entry) -> bool:
    """A port that only the process itself has; migrations have none."""
    return "{port." in str(entry.value)


def _ports(told: Environment, process: Planned, planned: tuple[Planned, ...]) -> dict[str, str]:
    """The names under which a process is told its further ports: a worker, or what serves alone."""
    if process.serves and len(planned) > 1:
        return {}
    return {entry.key: entry.value for entry in told.entries if _is_port(entry)}


def _process(planned: Planned, face: Interface, ports: dict[str, str]) -> Section:
    entries = [Entry("command", planned.command, planned.why)]
    if ports:
        entries.append(Entry("environment", ports, "the names say so"))
    if planned.serves:
        entries += [Entry("serves", True), face.ready]
        if face.metrics is not None:
            entries.append(face.metrics)
        if planned.workers > 1:
            entries.append(Entry("workers", planned.workers, "its command says so"))
    elif ports:
        entries.append(Entry("metrics", "{port.metrics}/metrics", "it is told a port for them"))
    if planned.stop_within:
        entries.append(
            Entry("stop-within", f"{planned.stop_within:g}s", "longer than it is given to end its requests")
        )
    return Section(("prove", "process", planned.name), tuple(entries))


def _dependency(section: Section, ready: Prepared) -> Section:
    if section.name[2:] != (DATABASE,) or not ready.extensions:
        return section
    entry = Entry("extensions", ready.extensions, "migrations create them")
    return msgspec.structs.replace(section, entries=(*section.entries, entry))


def _document(tree: Tree, found: Documents) -> Entry | None:
    """An OpenAPI document of the tree: of the service's own folder first, and the one nearest to its top."""
    prefix = f"{tree.home}/" if tree.home else ""
    paths = sorted(found.openapi, key=lambda path: (not path.startswith(prefix), path.count("/"), path))
    return Entry("openapi", paths[0], "it is an OpenAPI document") if paths else None


def _alerts(tree: Tree, found: Documents) -> tuple[str, ...]:
    """The files with alert rules that Prometheus would take."""
    kept = []
    for name in sorted({page.location.path for page in found.alerts}):
        try:
            if any(rule.alert for rule in read_rules([tree.root / name])):
                kept.append(name)
        except AlertError:
            continue  # most often a template of another tool
    return tuple(kept)
