from collections.abc import Iterator

import pytest

from mainstay.lab.lab import Lab
from mainstay.lab.proxy.control import FaultProxy


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="session")
def proxy(lab: Lab) -> Iterator[FaultProxy]:
    with FaultProxy(lab) as proxy:
        yield proxy
