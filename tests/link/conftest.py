"""Small projects, linked by the real reader and linker with the real knowledge."""

from collections.abc import Callable
from textwrap import dedent

import pytest

from mainstay.knowledge.load import load_knowledge
from mainstay.link.system import link_system
from mainstay.model.system import Role, System
from mainstay.sources.python import read_python
from mainstay.sources.reading import SourceFile

Link = Callable[[dict[str, str]], System]

KNOWLEDGE = load_knowledge()


@pytest.fixture
def link() -> Link:
    """Turns {path: text} into a System."""

    def linked(files: dict[str, str]) -> System:
        sources = [
            SourceFile(path, Role.SOURCE, read_python(dedent(text).encode())) for path, text in files.items()
        ]
        return link_system(sources, KNOWLEDGE)

    return linked
