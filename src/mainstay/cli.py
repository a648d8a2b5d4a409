"""The command line: options in, a text and an exit status out."""

import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import click

from mainstay import __version__

# Everything else is imported where it is used: `mainstay --help` has to be there at once.
if TYPE_CHECKING:
    from mainstay.configuration import Configuration
    from mainstay.model.review import Review
    from mainstay.review import Outcome, Reach

SEVERITIES = ("low", "medium", "high", "critical")
CONFIDENCES = ("low", "medium", "high")

CLEAN, FINDINGS, ERROR, NOTHING, STOPPED = 0, 1, 2, 3, 130

STATUSES = """\b
Exit status, whatever the format:
  0  clean
  1  findings at or above the threshold
  2  misuse, or a fault of Mainstay
  3  nothing to look at
"""


class Ending(Protocol):
    """A format that a file can be written in."""

    @property
    def ENDING(self) -> str: ...  # noqa: N802 - a constant of the modules that are formats


class _Misuse(click.ClickException):
    """What was asked for cannot be done; the message says why."""


class _Format(click.ParamType[str, str]):
    """One of the formats of a package, which are not loaded before one is asked for."""

    name = "format"

    def __init__(self, package: str) -> None:
        self._package = package

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return click.Choice(self._names()).convert(value, param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        return f"[{'|'.join(self._names())}]"

    def _names(self) -> tuple[str, ...]:
        return tuple(import_module(self._package).formats())


class _Stopped(Exception):
    """The user pressed Ctrl-C."""


class _Mainstay(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # click would answer it with an empty line
            raise _Stopped from None


def main() -> NoReturn:
    """Run the command line and end the process, at once: freeing millions of facts helps nobody."""
    status = run()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            pass
    os._exit(status)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status, whatever happens."""
    from mainstay.console import say

    try:
        status = cli.main(args=arguments, prog_name="mainstay", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return ERROR
    except click.ClickException as error:
        say(error.format_message())
        return ERROR
    except (_Stopped, KeyboardInterrupt, click.Abort):
        say("stopped")
        return STOPPED
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody wants to read a traceback
        _confess(f"it failed with {_described(error)}", error)
        return ERROR
    return status if isinstance(status, int) else CLEAN


@click.group(cls=_Mainstay, epilog=STATUSES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="mainstay %(version)s")
def cli() -> None:
    """A backend reliability engineer: is this backend ready for production, and if not, why?

    `review` reads, and runs nothing of what it reads. `prove` runs what the configuration names, on this
    machine alone. Neither goes online.
    """


_FILE = click.Path(path_type=Path)

_config = click.option("--config", type=_FILE, metavar="FILE", help="Read this configuration, no other.")
_output = click.option(
    "--output",
    "outputs",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="Write FILE as well; its ending says which format. Repeatable.",
)
_quiet = click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
_exit_zero = click.option("--exit-zero", is_flag=True, help="Exit with 0 where it would be 1.")
_text_or_json = click.option(
    "--format", "shown", type=click.Choice(("text", "json")), default="text", help="What is printed."
)
_no_cache = click.option("--no-cache", is_flag=True, help="Neither use nor keep facts of earlier runs.")
_jobs = click.option("--jobs", type=click.IntRange(1, 64), metavar="N", help="Read with N processes.")


@cli.command(epilog=STATUSES, short_help="Say what is wrong with a backend, worst first.")
@click.argument("paths", nargs=-1, type=_FILE)
@click.option("--format", "shown", type=_Format("mainstay.reports"), default="text", help="What is printed.")
@_output
@_quiet
@click.option(
    "--fail-at", type=click.Choice(SEVERITIES), help="The least severity that fails the review (low)."
)
@click.option(
    "--confidence", type=click.Choice(CONFIDENCES), help="The least confidence that is shown (medium)."
)
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="Apply this rule only. Repeatable.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Do not apply this rule. Repeatable.")
@click.option("--baseline", type=_FILE, metavar="FILE", help="Findings kept in FILE do not count.")
@click.option("--write-baseline", type=_FILE, metavar="FILE", help="Keep the findings in FILE as a baseline.")
@_exit_zero
@_config
@_no_cache
@_jobs
def review(
    paths: tuple[Path, ...],
    shown: str,
    outputs: tuple[Path, ...],
    quiet: bool,
    write_baseline: Path | None,
    exit_zero: bool,
    config: Path | None,
    no_cache: bool,
    jobs: int | None,
    **changes: Any,
) -> int:
    """Say what is wrong with the backend at PATHS (this folder if none is given), worst first."""
    from mainstay.baseline import write_baseline as baseline_of
    from mainstay.console import show
    from mainstay.reports import formats as all_formats
    from mainstay.review import review as review_system

    formats = {path: _format_of(path, all_formats()) for path in outputs}
    _check_folders((*outputs, write_baseline))
    configuration = _changed(_configuration(paths, config), **changes)
    with _reach(paths, no_cache, jobs) as reach:
        outcome = review_system(reach, configuration)
    for path, name in formats.items():
        _write(path, _rendered(name, outcome.review))
    if write_baseline:
        _write(write_baseline, baseline_of(outcome.review.results))
    if not quiet:
        show(_rendered(shown, outcome.review, printed=True))
    for broken in outcome.broken:
        _confess(f"the rule {broken.rule} failed with {_described(broken.error)}", broken.error)
    status = _status(outcome)
    return CLEAN if exit_zero and status == FINDINGS else status


@cli.command("map", short_help="Show the system as it was read.")
@click.argument("path", default=Path(), type=_FILE)
@_text_or_json
@_config
@_no_cache
@_jobs
def show_map(path: Path, shown: str, config: Path | None, no_cache: bool, jobs: int | None) -> int:
    """Show the system at PATH as it was read: operations, jobs, stores, calls out and their deadlines."""
    from mainstay.console import look, show
    from mainstay.reports import map_json, map_text
    from mainstay.review import system_at

    configuration = _configuration((path,), config)
    with _reach((path,), no_cache, jobs) as reach:
        system = system_at(reach, configuration)
    budgets = configuration.budgets
    show(map_json.render(system, budgets) if shown == "json" else map_text.render(system, budgets, **look()))
    return CLEAN if system.files else NOTHING


@cli.command(epilog=STATUSES, short_help="Start a service, load it, break it, count what was lost.")
@click.argument("path", default=Path(), type=_FILE)
@click.option(
    "--profile", type=click.Choice(("quick", "full")), default="quick", help="How much is done (quick)."
)
@click.option("--experiment", "only", multiple=True, metavar="NAME", help="Do this one only. Repeatable.")
@click.option("--against", metavar="REV", help="The version that runs beside this one in two-versions.")
@click.option(
    "--format", "shown", type=_Format("mainstay.reports.proof"), default="text", help="What is printed."
)
@_output
@click.option("--list", "listed", is_flag=True, help="List the experiments, and do none.")
@click.option(
    "--init", "begin", is_flag=True, help="Write a first [prove] into mainstay.toml, and start nothing."
)
@click.option(
    "--export",
    "exports",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="Write the load for Locust (.py) or k6 (.js), and do nothing else. Repeatable.",
)
@_quiet
@_exit_zero
@_config
def prove(
    path: Path,
    profile: str,
    only: tuple[str, ...],
    against: str | None,
    shown: str,
    outputs: tuple[Path, ...],
    listed: bool,
    begin: bool,
    exports: tuple[Path, ...],
    quiet: bool,
    exit_zero: bool,
    config: Path | None,
) -> int:
    """Start the service at PATH, load it, break it, watch it come back, and count what was lost or doubled.

    It runs what [prove] of the configuration names, and nothing else, on this machine alone.
    """
    from mainstay import proving
    from mainstay.console import show

    _check_experiments(only)
    if listed:
        show(proving.listing())
        return CLEAN
    if begin:
        return _begin(path, config)
    if exports:
        return _export(exports, _configuration((path,), config), quiet)
    formats = {file: _format_of(file, proving.formats()) for file in outputs}
    _check_folders(outputs)
    configuration = _configuration((path,), config)
    try:
        proof = proving.run(configuration, profile, only=only, against=against, quiet=quiet)
    except proving.Impossible as error:
        raise _Misuse(str(error)) from error
    for file, name in formats.items():
        _write(file, proving.rendered(proof, name))
    if not quiet:
        show(proving.rendered(proof, shown, printed=True))
    status = proving.exit_status(proof.verdict)
    return CLEAN if exit_zero and status == FINDINGS else status


@cli.command(epilog=STATUSES, short_help="Join the evidence into the six quality gates.")
@click.argument("path", default=Path(), type=_FILE)
@click.option("--proof", type=_FILE, metavar="FILE", help="What `mainstay prove --output FILE.json` wrote.")
@click.option(
    "--coverage", type=_FILE, metavar="FILE", help="What your tests reached: coverage.xml or .json."
)
@_text_or_json
@_exit_zero
@_config
@_no_cache
@_jobs
def ready(
    path: Path,
    proof: Path | None,
    coverage: Path | None,
    shown: str,
    exit_zero: bool,
    config: Path | None,
    no_cache: bool,
    jobs: int | None,
) -> int:
    """Say whether the backend at PATH is ready for production: the six gates, each with its evidence.

    It reviews the code and reads its documents; what was measured comes from a proof, and what nobody looked
    at did not pass.
    """
    from mainstay.console import look, show
    from mainstay.ready import ProofUnreadable, exit_status, read_proof_file
    from mainstay.ready import ready as join
    from mainstay.reports import readiness_json, readiness_text
    from mainstay.review import review as review_system
    from mainstay.sources.coverage_report import CoverageUnreadable
    from mainstay.sources.project import project_facts

    configuration = _configuration((path,), config)
    alerts = configuration.declaration.alerts if configuration.declaration else ()
    try:
        measured = read_proof_file(proof) if proof else None
        facts = project_facts(path, alerts, coverage)
    except (OSError, ProofUnreadable, CoverageUnreadable) as error:
        raise _Misuse(str(error)) from error
    with _reach((path,), no_cache, jobs) as reach:
        outcome = review_system(reach, configuration)
    readiness = join(outcome.review, measured, facts, configuration.budgets)
    show(readiness_json.render(readiness) if shown == "json" else readiness_text.render(readiness, **look()))
    for broken in outcome.broken:
        _confess(f"the rule {broken.rule} failed with {_described(broken.error)}", broken.error)
    status = ERROR if outcome.broken else exit_status(readiness.verdict)
    return CLEAN if exit_zero and status == FINDINGS else status


@cli.command(short_help="Say everything that follows from a specification.")
@click.argument("spec", type=_FILE, required=False)
@click.option(
    "--schema", "wanted", is_flag=True, help="Print the JSON schema of specifications, for editors."
)
@click.option(
    "--format", "shown", type=_Format("mainstay.reports.dossier"), default="markdown", help="What is printed."
)
@click.option(
    "--output", "folder", type=_FILE, metavar="DIR", help="Write both formats and all files into DIR instead."
)
def design(spec: Path | None, wanted: bool, shown: str, folder: Path | None) -> int:
    """Say everything that follows from SPEC, a specification of about forty lines or the name of a starter.

    Every line is derived, with its sum, or assumed, or open. Nothing is started, and nobody is asked.
    """
    from mainstay.console import show
    from mainstay.design import design as dossier_of
    from mainstay.reports.dossier import formats
    from mainstay.sources.specification import SpecificationError
    from mainstay.sources.specification.schema import schema

    if wanted:
        import json

        show(json.dumps(schema(), indent=2) + "\n")
        return CLEAN
    if spec is None:
        raise _Misuse("say which specification: mainstay design SPEC")
    try:
        found = dossier_of(spec)
    except SpecificationError as error:
        raise _Misuse(str(error)) from error
    except OSError as error:
        raise _Misuse(f"{spec}: {error.strerror}") from error
    if folder is None:
        show(formats()[shown].render(found))
        return CLEAN
    texts = {f"DESIGN{form.ENDING}": form.render(found) for form in formats().values()}
    texts |= {artefact.path: artefact.text for artefact in found.artefacts}
    _make_folder(folder)
    for name, text in texts.items():
        _write(folder / name, text)
    show(f"{folder}: {', '.join(texts)}\n")
    return CLEAN


@cli.command(short_help="Turn a sentence into a specification, by a printed grammar.")
@click.argument("sentence", required=False, default="")
@click.option("--grammar", "wanted", is_flag=True, help="Print the grammar: every word that is known.")
def ask(sentence: str, wanted: bool) -> int:
    """Turn SENTENCE into a specification, with what was assumed and what is open.

    A word that could matter and that nobody knows is never guessed: then the status is 2. No model is called.
    """
    from mainstay.asking import NotUnderstood, answer
    from mainstay.asking.grammar import printed
    from mainstay.asking.printing import text
    from mainstay.console import show

    if wanted:
        show(printed())
        return CLEAN
    try:
        show(text(answer(sentence)))
    except NotUnderstood as error:
        raise _Misuse(f"that is not understood: {error}. mainstay ask --grammar lists every word.") from error
    return CLEAN


@cli.command(short_help="Print the page of a rule.")
@click.argument("rule")
def explain(rule: str) -> int:
    """Print the page of RULE: what it finds, why that matters, what to do, and code that is bad and good."""
    from mainstay.console import look, show
    from mainstay.reports import explain as page
    from mainstay.rules.catalogue import all_rules

    _check_rules((rule,))
    (found,) = (each for each in all_rules() if each.name() == rule)
    show(page.render(found, **look()))
    return CLEAN


@cli.command()
def rules() -> int:
    """List all rules."""
    from mainstay.console import look, show
    from mainstay.reports import rule_list
    from mainstay.rules.catalogue import all_rules

    show(rule_list.render(all_rules(), **look()))
    return CLEAN


def _begin(path: Path, config: Path | None) -> int:
    """Write a first `[prove]` and say what to look at."""
    from mainstay.console import show
    from mainstay.initial import main as initial
    from mainstay.review import system_at

    try:
        initial.check(path)
        configuration = _configuration((path,), config)
        with _reach((path,), no_cache=False, jobs=None) as reach:
            system = system_at(reach, configuration)
        if not system.files:
            raise _Misuse(f"{path}: there is no Python here to guess a service from")
        found = initial.first(path, system, configuration)
        _write(found.file, initial.whole(found))
    except initial.NotWritten as error:
        raise _Misuse(str(error)) from error
    show(initial.told(found))
    return CLEAN


def _export(files: Sequence[Path], configuration: "Configuration", quiet: bool) -> int:
    """Write the declared load for other engines."""
    from mainstay import proving
    from mainstay.console import show

    engines = {file: _format_of(file, proving.exports()) for file in files}
    _check_folders(files)
    try:
        texts = proving.exported(configuration, tuple(engines.values()), quiet=quiet)
    except proving.Impossible as error:
        raise _Misuse(str(error)) from error
    for file, engine in engines.items():
        _write(file, texts[engine])
        if not quiet:
            show(f"{file}: the load for {engine}; its head says how to run it\n")
    return CLEAN


# --- from options to what the verbs take ---------------------------------------------------------


def _configuration(paths: Sequence[Path], file: Path | None) -> "Configuration":
    from mainstay.configuration import ConfigurationError, configuration_for, read_configuration
    from mainstay.sources.discovery import common_folder

    for path in paths:
        if not path.exists():
            raise _Misuse(f"{path}: there is no such file or folder")
    try:
        if file is not None:
            return read_configuration(file, _rule_names())
        return configuration_for(common_folder([path.resolve() for path in paths or [Path()]]), _rule_names())
    except ConfigurationError as error:
        raise _Misuse(str(error)) from None


def _changed(
    configuration: "Configuration",
    *,
    fail_at: str | None,
    confidence: str | None,
    rules: tuple[str, ...],
    ignore: tuple[str, ...],
    baseline: Path | None,
) -> "Configuration":
    """The configuration, with what the command line says instead."""
    import msgspec

    from mainstay.model.finding import Confidence, Severity

    _check_rules((*rules, *ignore))
    return msgspec.structs.replace(
        configuration,
        fail_at=Severity[fail_at.upper()] if fail_at else configuration.fail_at,
        show=Confidence[confidence.upper()] if confidence else configuration.show,
        rules=rules or configuration.rules,
        ignore=(*configuration.ignore, *ignore),
        baseline=baseline or configuration.baseline,
    )


@contextmanager
def _reach(paths: Sequence[Path], no_cache: bool, jobs: int | None) -> "Iterator[Reach]":
    """What to read and how; inside, faults of the input become messages."""
    from mainstay.baseline import BaselineError
    from mainstay.console import Progress, is_terminal
    from mainstay.knowledge import KnowledgeError
    from mainstay.review import Reach
    from mainstay.sources.cache import Cache, open_cache
    from mainstay.sources.discovery import common_folder
    from mainstay.sources.reading import default_jobs
    from mainstay.sources.workers import ReaderUnavailable

    paths = tuple(paths) or (Path(),)
    root = common_folder([path.resolve() for path in paths])
    progress = Progress(sys.stderr) if is_terminal(sys.stderr) else None
    try:
        with Cache(None) if no_cache else open_cache(root, os.environ) as cache:
            yield Reach(paths, jobs or default_jobs(), cache, progress)
    except (BaselineError, KnowledgeError, ReaderUnavailable) as error:
        raise _Misuse(str(error)) from error
    finally:
        if progress is not None:
            progress.clear()


def _rule_names() -> list[str]:
    from mainstay.rules.catalogue import all_rules

    return [rule.name() for rule in all_rules()]


def _check_rules(names: Sequence[str]) -> None:
    from mainstay.configuration import rule_named

    try:
        for name in names:
            rule_named(name, _rule_names())
    except LookupError as error:
        raise _Misuse(f"{error} mainstay rules lists them all.") from None


def _check_experiments(names: Sequence[str]) -> None:
    from mainstay import proving

    try:
        proving.check_installed()
    except proving.Impossible as error:
        raise _Misuse(str(error)) from error
    from mainstay.experiments.catalogue import all_experiments
    from mainstay.suppressions import suggestion

    known = [experiment.name() for experiment in all_experiments()]
    for name in names:
        if name not in known:
            problem = f"there is no experiment {name!r}.{suggestion(name, known)}"
            raise _Misuse(f"{problem} mainstay prove --list lists them all.")


def _format_of(path: Path, formats: "Mapping[str, Ending]") -> str:
    endings = {form.ENDING: name for name, form in formats.items()}
    if path.suffix not in endings:
        raise _Misuse(f"{path}: its ending has to be one of {', '.join(endings)}")
    return endings[path.suffix]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _Misuse(f"{folder}: it cannot be made: {error.strerror}") from None


def _check_folders(paths: Sequence[Path | None]) -> None:
    """Better to fail now than after the review."""
    for path in filter(None, paths):
        if not path.parent.is_dir():
            raise _Misuse(f"{path}: there is no folder {path.parent}")
        if path.is_dir():
            raise _Misuse(f"{path}: this is a folder")


# --- from a review to texts and a status ---------------------------------------------------------


def _rendered(name: str, review: "Review", *, printed: bool = False) -> str:
    from mainstay.console import look
    from mainstay.reports import formats, text
    from mainstay.rules.catalogue import all_rules

    if name == "text" and printed:
        return text.render(review, all_rules(), **look())
    return formats()[name].render(review, all_rules())


def _write(path: Path, content: str) -> None:
    from mainstay.console import write

    try:
        write(path, content)
    except OSError as error:
        raise _Misuse(f"{path}: it could not be written: {error.strerror}") from None


def _status(outcome: "Outcome") -> int:
    """An error wins over findings, and findings win over having seen nothing."""
    if outcome.broken:
        return ERROR
    if outcome.review.failing:
        return FINDINGS
    return CLEAN if outcome.review.files else NOTHING


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _confess(what: str, error: Exception) -> None:
    """Own up to a fault of Mainstay in one line; the traceback is for those who ask."""
    from mainstay.console import say

    if os.environ.get("MAINSTAY_DEBUG"):
        traceback.print_exception(error)
    say(f"{' '.join(what.split())}. This is a fault of Mainstay; MAINSTAY_DEBUG=1 shows where.")
