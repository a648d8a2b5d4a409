"""Rules against small projects, linked by the real reader and linker with the real knowledge."""

from collections.abc import Callable
from textwrap import dedent

import pytest

from mainstay.knowledge.load import load_knowledge
from mainstay.link.system import link_system
from mainstay.model.finding import Finding
from mainstay.model.system import Role, System
from mainstay.rules.base import Rule
from mainstay.sources.python import read_python
from mainstay.sources.reading import SourceFile

Link = Callable[[dict[str, str]], System]
Found = Callable[[type[Rule], dict[str, str]], list[Finding]]


@pytest.fixture(scope="session")
def link() -> Link:
    """Turns {path: text} into a System."""
    knowledge = load_knowledge()

    def linked(files: dict[str, str]) -> System:
        sources = [
            SourceFile(path, Role.SOURCE, read_python(dedent(text).encode())) for path, text in files.items()
        ]
        return link_system(sources, knowledge)

    return linked


@pytest.fixture
def found(link: Link) -> Found:
    """Turns a rule and {path: text} into the rule's findings, in order."""

    def check(rule: type[Rule], files: dict[str, str]) -> list[Finding]:
        return sorted(rule().check(link(files)), key=lambda finding: finding.location)

    return check
