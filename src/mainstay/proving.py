"""`mainstay prove` as a person meets it: progress on the terminal, a proof and its texts."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tarfile import TarError, TarFile
from tempfile import TemporaryDirectory

from mainstay.configuration import Configuration
from mainstay.console import look
from mainstay.experiments.catalogue import all_experiments
from mainstay.experiments.profile import PROFILES
from mainstay.explained import explained
from mainstay.exports import exports as exports
from mainstay.model.proof import Proof
from mainstay.model.service import Declaration
from mainstay.ready import exit_status as exit_status
from mainstay.ready import gates as gates_of
from mainstay.reports.proof import Format
from mainstay.reports.proof import formats as formats
from mainstay.reports.proof.live import Live

NEEDED = ("promql_parser", "psutil", "psycopg", "pycurl", "yaml")
GIT_S = 60.0


class Impossible(Exception):
    """The service cannot be proved; the message says why."""


def check_installed() -> None:
    """Raise Impossible where the packages are missing that only `prove` needs."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise Impossible(
            f"`mainstay prove` needs more packages: pip install 'mainstay[prove]' ({missing[0]} is missing)"
        )


def run(
    configuration: Configuration, profile: str, *, only: Sequence[str], against: str | None, quiet: bool
) -> Proof:
    """Prove the service that the configuration declares; raises Impossible."""
    declaration = _declared(configuration)
    from mainstay.lab.lab import LabError
    from mainstay.prove import prove

    live = _Spectator(quiet)
    try:
        with _version(Path(declaration.root), against) as other:
            proof = prove(
                declaration,
                configuration.budgets,
                PROFILES[profile],
                live,
                only=only,
                against=other,
            )
        return explained(proof, configuration)
    except LabError as error:
        raise Impossible(str(error)) from error
    finally:
        live.clear()


def exported(configuration: Configuration, engines: Sequence[str], *, quiet: bool) -> dict[str, str]:
    """The declared load as a file for each of these engines; raises Impossible."""
    declaration = _declared(configuration)
    from mainstay.experiments.setting_up import actions_of
    from mainstay.exports.mix import mix
    from mainstay.lab.lab import LabError

    live = _Spectator(quiet)
    try:
        actions = actions_of(declaration, configuration.budgets, live)
        load = mix(declaration, actions, configuration.budgets)
        return {engine: exports()[engine].render(load) for engine in engines}
    except LabError as error:
        raise Impossible(str(error)) from error
    finally:
        live.clear()


def rendered(proof: Proof, name: str, *, printed: bool = False) -> str:
    """The proof in one of its formats."""
    families: Mapping[str, str] = {experiment.name(): experiment.family() for experiment in all_experiments()}
    gates = gates_of(None, proof)
    form: Format = formats()[name]
    if printed and name == "text":
        from mainstay.reports.proof import text

        return text.render(proof, families=families, gates=gates, **look())
    return form.render(proof, families=families, gates=gates)


def listing() -> str:
    """Every experiment with its hypothesis."""
    lines = []
    for experiment in sorted(all_experiments(), key=lambda e: (e.family(), e.order, e.name())):
        mark = "quick" if experiment.quick else "     "
        lines.append(f"{experiment.family():14} {experiment.name():28} {mark}  {experiment.hypothesis()}\n")
    return "".join(lines)


def _declared(configuration: Configuration) -> Declaration:
    """The service that the configuration declares, if it can be proved here; raises Impossible."""
    check_installed()
    if configuration.declaration is None:
        where = configuration.file or "mainstay.toml"
        raise Impossible(
            f"{where}: there is no [prove] that says what to start; mainstay prove --init writes one"
        )
    return configuration.declaration


class _Spectator(Live):
    """Progress on standard error; silent when asked to be."""

    def __init__(self, quiet: bool) -> None:
        shown = look()
        super().__init__(sys.stderr, shown["width"], shown["colour"])
        self._quiet = quiet

    def say(self, line: str) -> None:
        """Something worth a line of its own."""
        self._leave(line)

    def _put(self, text: str) -> None:
        if not self._quiet:
            super()._put(text)


@contextmanager
def _version(root: Path, revision: str | None) -> Iterator[Path | None]:
    """The folder of another version of the service, as git has it; None when none is asked for."""
    if revision is None:
        yield None
        return
    top = Path(_git(root, "rev-parse", "--show-toplevel").decode().strip())
    content = _git(top, "archive", "--format=tar", revision)
    with TemporaryDirectory(prefix="mainstay-version-") as folder:
        try:
            with TarFile(fileobj=BytesIO(content)) as archive:
                archive.extractall(folder, filter="data")
        except TarError as error:
            raise Impossible(f"--against {revision}: {error}") from error
        yield Path(folder) / root.resolve().relative_to(top.resolve())


def _git(folder: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],  # noqa: S607 - whichever git the user has
            capture_output=True,
            timeout=GIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Impossible(f"--against: git could not be run: {error}") from error
    if done.returncode:
        raise Impossible(f"--against: git says: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
