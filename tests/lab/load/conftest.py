"""One lab for the tests of a module: drivers are started in it."""

from collections.abc import Iterator

import pytest

from mainstay.lab.lab import Lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as entered:
        yield entered
