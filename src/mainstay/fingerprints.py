"""Names for findings that stay the same while code moves."""

import re
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

from mainstay.model.finding import Finding

_LINES = re.compile(r"(?<=\.py):\d+(:\d+)?|\blines? \d+( to \d+|-\d+)?")


def fingerprints(findings: Sequence[Finding]) -> list[str]:
    """A fingerprint for each finding, in the order given.

    It is made of the rule, the file and what the finding is about, never of a line.  Findings
    alike in all of these are told apart by their order in the file, so that one more of them
    above changes the others' names but a moved function does not.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    named: dict[int, str] = {}
    for index in sorted(range(len(findings)), key=lambda i: findings[i].location):
        identity = _identity(findings[index])
        named[index] = _digest((*identity, str(seen[identity])))
        seen[identity] += 1
    return [named[index] for index in range(len(findings))]


def _identity(finding: Finding) -> tuple[str, str, str]:
    return finding.rule, finding.location.path, finding.subject or _LINES.sub("", finding.message)


def _digest(parts: Sequence[str]) -> str:
    return sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]
