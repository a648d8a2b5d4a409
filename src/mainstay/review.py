"""The verb `review`: what is wrong with the system as it is written."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from mainstay.baseline import read_baseline
from mainstay.configuration import Configuration
from mainstay.fingerprints import fingerprints
from mainstay.knowledge import load_knowledge
from mainstay.link.system import link_system
from mainstay.model.finding import Analysis, Finding
from mainstay.model.location import Location
from mainstay.model.review import Notice, Result, Review, Standing
from mainstay.model.system import Guard, Operation, System
from mainstay.rules.base import Rule
from mainstay.rules.catalogue import all_rules
from mainstay.sources.cache import Cache
from mainstay.sources.discovery import discover
from mainstay.sources.reading import Progress, collector_paused, read_files
from mainstay.suppressions import apply_suppressions


class Reach(Struct, frozen=True):
    """What is read, and with how many processes and which cache."""

    paths: tuple[Path, ...]
    jobs: int
    cache: Cache
    progress: Progress | None = None


class Broken(Struct, frozen=True):
    """A rule that failed, which is a fault of Mainstay."""

    rule: str
    error: Exception


class Outcome(Struct, frozen=True):
    """A review, and the rules whose findings it lacks."""

    review: Review
    broken: tuple[Broken, ...] = ()


def review(reach: Reach, configuration: Configuration) -> Outcome:
    """Discover, read, link, run the rules, set aside what is suppressed or known, put in order.

    Raises KnowledgeError, BaselineError and ReaderUnavailable.
    """
    started = time.monotonic()
    baseline = read_baseline(configuration.baseline) if configuration.baseline else frozenset()
    with collector_paused():
        system = system_at(reach, configuration)
        rules = chosen_rules(configuration)
        findings, broken = run_rules(rules, system)
        results, notices = judge(findings, system, rules, baseline)
    shown = [result for result in results if result.finding.confidence >= configuration.show]
    return Outcome(
        Review(
            root=named(reach.paths),
            system=system,
            results=tuple(in_reading_order(shown)),
            notices=(*notices, *_hidden(results, configuration), *map(_apology, broken)),
            files=len(system.files),
            lines=sum(file.module.lines for file in system.files),
            rules=tuple(rule.name() for rule in rules),
            threshold=configuration.fail_at,
            confidence=configuration.show,
            budgets=configuration.budgets,
            seconds=time.monotonic() - started,
        ),
        broken,
    )


def system_at(reach: Reach, configuration: Configuration) -> System:
    """The system that the files make; raises KnowledgeError and ReaderUnavailable."""
    knowledge = load_knowledge(configuration.knowledge, cached=reach.cache.works)
    found = discover(reach.paths, configuration.selection)
    reading = read_files(found.files, jobs=reach.jobs, cache=reach.cache, progress=reach.progress)
    gaps = sorted((*found.gaps, *reading.gaps), key=lambda gap: gap.location)
    system = link_system(reading.files, knowledge, gaps)
    operations = tuple(_declared(system.operations, found.root, configuration))
    return msgspec.structs.replace(system, operations=operations)


def chosen_rules(configuration: Configuration) -> tuple[type[Rule], ...]:
    """The rules that a configuration asks for, sorted by name."""
    wanted = configuration.rules or tuple(rule.name() for rule in all_rules())
    return tuple(r for r in all_rules() if r.name() in wanted and r.name() not in configuration.ignore)


def run_rules(rules: Iterable[type[Rule]], system: System) -> tuple[list[Finding], tuple[Broken, ...]]:
    """Every finding, once; a rule that fails takes none of the others with it."""
    findings: dict[Finding, None] = {}
    broken: list[Broken] = []
    for rule in rules:
        try:
            findings.update(dict.fromkeys(rule().check(system)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other rules still run
            broken.append(Broken(rule.name(), error))
    return list(findings), tuple(broken)


def judge(
    findings: Sequence[Finding], system: System, rules: Sequence[type[Rule]], baseline: frozenset[str]
) -> tuple[list[Result], tuple[Notice, ...]]:
    """Say of each finding whether it counts: not when it is suppressed, known before or in preview."""
    known = frozenset(rule.name() for rule in all_rules())
    ran = frozenset(rule.name() for rule in rules)
    preview = frozenset(rule.name() for rule in rules if rule.preview)
    suppressed = apply_suppressions(system.files, findings, known=known, ran=ran)
    results = []
    for index, (finding, mark) in enumerate(zip(findings, fingerprints(findings), strict=True)):
        reason = suppressed.reasons.get(index, "")
        if reason:
            standing = Standing.SUPPRESSED
        elif mark in baseline:
            standing = Standing.BASELINED
        else:
            standing = Standing.PREVIEW if finding.rule in preview else Standing.OPEN
        results.append(Result(finding, mark, standing, reason))
    return results, suppressed.notices


_ORDER = {
    Analysis.FAILURE: 0,  # reliability, of which integrity is a part
    Analysis.INTEGRITY: 0,
    Analysis.SECURITY: 1,
    Analysis.PERFORMANCE: 2,
    Analysis.MONITORING: 3,
}


def in_reading_order(results: Iterable[Result]) -> list[Result]:
    """The worst first; then reliability, security, performance, the rest; then the surest; then by place."""
    order = {rule.name(): _ORDER[rule.analysis()] for rule in all_rules()}

    def key(result: Result) -> tuple[int, int, int, Location, str, str]:
        finding = result.finding
        place = (finding.location, finding.rule, finding.message)
        return -finding.severity, order.get(finding.rule, len(_ORDER)), -finding.confidence, *place

    return sorted(results, key=key)


def named(paths: Sequence[Path]) -> str:
    """What is reviewed, as the user named it: the one path, or the folder that several have in common."""
    if len(paths) == 1:
        return str(paths[0])
    folders = [path if path.is_dir() else path.parent for path in paths]
    return os.path.relpath(os.path.commonpath([folder.resolve() for folder in folders]))


def _declared(
    operations: Iterable[Operation], root: Path, configuration: Configuration
) -> Iterator[Operation]:
    """The operations; those that the configuration declares public carry a guard that says why."""
    file = Path(os.path.relpath(configuration.file, root)).as_posix() if configuration.file else ""
    for operation in operations:
        guards = [
            Guard("public", Location(file, entry.line), authenticates=False, public=True, why=entry.reason)
            for entry in configuration.public
            if entry.covers(operation.method, operation.path)
        ]
        yield msgspec.structs.replace(operation, guards=(*operation.guards, *guards)) if guards else operation


def _hidden(results: Iterable[Result], configuration: Configuration) -> Iterator[Notice]:
    unsure = [
        result
        for result in results
        if result.finding.confidence < configuration.show and result.standing is Standing.OPEN
    ]
    if unsure:
        least = min(result.finding.confidence for result in unsure).word
        findings = "1 finding is" if len(unsure) == 1 else f"{len(unsure):,} findings are"
        yield Notice(f"{findings} too unsure to show; --confidence {least} shows all.")


def _apology(broken: Broken) -> Notice:
    return Notice(f"The rule {broken.rule} failed, so its findings are missing: a fault of Mainstay.")
