"""Rules against small projects, linked as in the tests of the linker."""

from collections.abc import Callable

import pytest
from tests.link.conftest import Link, link

from mainstay.model.finding import Finding
from mainstay.rules.base import Rule

__all__ = ["link"]

Found = Callable[[type[Rule], dict[str, str]], list[Finding]]


@pytest.fixture
def found(link: Link) -> Found:
    """Turns a rule and {path: text} into the rule's findings, in order."""

    def check(rule: type[Rule], files: dict[str, str]) -> list[Finding]:
        return sorted(rule().check(link(files)), key=lambda finding: finding.location)

    return check
