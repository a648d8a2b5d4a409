"""Every rule against its own page: it points at the marked lines of the bad examples and nowhere else."""

import re
from functools import cache
from textwrap import dedent

import pytest
from _pytest.mark import ParameterSet

from mainstay.knowledge import Knowledge, load_knowledge
from mainstay.link.system import link_system
from mainstay.model.finding import Analysis, Family, Severity
from mainstay.model.location import Location
from mainstay.model.system import Gap, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.catalogue import all_rules
from mainstay.sources.python import read_python
from mainstay.sources.reading import SourceFile
from mainstay.sources.role import role_of

MARK = re.compile(r"\s*(#|//|--)\s*<-\s*$")

Place = tuple[str, int]


def cases(kind: str) -> list[ParameterSet]:
    return [
        pytest.param(rule, example, id=f"{rule.name()}-{number}")
        for rule in all_rules()
        for number, example in enumerate(getattr(rule, kind))
    ]


@pytest.mark.parametrize(("rule", "example"), cases("bad"))
def test_bad(rule: type[Rule], example: Example) -> None:
    assert marked(example), "no line of this bad example is marked"
    assert pointed_at(rule, example) == marked(example)


@pytest.mark.parametrize(("rule", "example"), cases("good"))
def test_good(rule: type[Rule], example: Example) -> None:
    assert not marked(example), "a good example has nothing to mark"
    assert pointed_at(rule, example) == set()


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name())
def test_page(rule: type[Rule]) -> None:
    file = rule.__module__.rpartition(".")[2]
    assert rule.name() == file.replace("_", "-"), "the file's name is the rule's name"
    assert isinstance(rule.analysis(), Analysis)
    title, *prose = rule.paragraphs()
    assert title.endswith("."), "the title is a sentence"
    assert len(title) <= 110, "the title is short"
    assert len(prose) >= 2, "after the title: what happens, then what to do"
    assert isinstance(rule.severity, Severity)
    assert rule.family
    assert all(isinstance(family, Family) for family in rule.family)
    assert re.fullmatch(r"\d+\.\d+", rule.since)
    assert all(text.strip() for text in (rule.notices, rule.recovers, rule.costs))
    assert rule.bad, "at least one bad example"
    assert rule.good, "at least one good example"


@pytest.mark.parametrize(("rule", "example"), cases("bad"))
def test_findings_are_whole(rule: type[Rule], example: Example) -> None:
    for finding in rule().check(link_example(example)):
        assert finding.rule == rule.name()
        assert finding.message
        assert finding.clears
        assert all(getattr(finding.answers, name) for name in finding.answers.__struct_fields__)
        for place in (finding.location, *finding.siblings, *(hop.location for hop in finding.path)):
            assert place.path in example.files
            assert place.line <= lines_of(example.files[place.path]), f"{place} is behind the end of the file"


# --- the harness ---------------------------------------------------------------------------------


def pointed_at(rule: type[Rule], example: Example) -> set[Place]:
    return {(f.location.path, f.location.line) for f in rule().check(link_example(example))}


def marked(example: Example) -> set[Place]:
    return {
        (name, number)
        for name, text in example.files.items()
        for number, line in enumerate(dedent(text).splitlines(), 1)
        if MARK.search(line)
    }


def unmarked(text: str) -> bytes:
    """The text as the readers get it: without the margin and the marks, each line at its number."""
    return "".join(f"{MARK.sub('', line)}\n" for line in dedent(text).splitlines()).encode()


def lines_of(text: str) -> int:
    return len(dedent(text).splitlines())


def link_example(example: Example) -> System:
    files: list[SourceFile] = []
    gaps: list[Gap] = []
    for name in sorted(example.files):
        if name.endswith(".py"):
            content = unmarked(example.files[name])
            module = read_python(content)
            files.append(SourceFile(name, role_of(name, content), module))
            gaps.extend(Gap(Location(name, part.line), part.why) for part in module.unread)
    return link_system(files, knowledge(), gaps)


@cache
def knowledge() -> Knowledge:
    return load_knowledge()
