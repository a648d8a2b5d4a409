"""What every rule is made of.

A rule is one class in one file.  Its docstring is its page: the first line names the fault, the
first paragraph says what happens, the last one what to do.  `bad` and `good` are small projects,
read by the real readers in the tests; `# <-` marks each line the rule should point at.
"""

import inspect
import re
from collections.abc import Iterator
from typing import ClassVar

from msgspec import Struct

from mainstay.model.finding import Analysis, Answers, Confidence, Family, Finding, Hop, Severity
from mainstay.model.location import Location
from mainstay.model.system import System


class Example(Struct, frozen=True):
    """A small project: file name -> text.  A line that ends in `# <-` is one the rule points at."""

    files: dict[str, str]
    why: str = ""


class Rule:
    """Base of all rules; a subclass names the fault it finds and sets what is bare here."""

    severity: ClassVar[Severity]
    family: ClassVar[tuple[Family, ...]]
    since: ClassVar[str]
    preview: ClassVar[bool] = False
    references: ClassVar[tuple[str, ...]] = ()  # "CWE-400", "OWASP A03:2021"

    notices: ClassVar[str]  # who notices the failure, and how
    recovers: ClassVar[str]  # how the system recovers, if it does
    costs: ClassVar[str]  # what the change costs

    bad: ClassVar[tuple[Example, ...]]
    good: ClassVar[tuple[Example, ...]]

    def check(self, system: System) -> Iterator[Finding]:
        """Yield one finding for each root cause."""
        raise NotImplementedError

    @classmethod
    def name(cls) -> str:
        """`call-without-deadline` for the class CallWithoutDeadline."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def analysis(cls) -> Analysis:
        """The analysis whose folder the rule is in."""
        return Analysis(cls.__module__.split(".")[-2])

    @classmethod
    def paragraphs(cls) -> list[str]:
        """The docstring's paragraphs, each on one line: the title, what happens ..., what to do."""
        text = inspect.cleandoc(cls.__doc__ or "")
        return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]

    def found(
        self,
        message: str,
        location: Location,
        *,
        clears: str,
        confidence: Confidence = Confidence.HIGH,
        severity: Severity | None = None,
        path: tuple[Hop, ...] = (),
        siblings: tuple[Location, ...] = (),
        subject: str = "",
        change: str = "",
    ) -> Finding:
        """A finding of this rule; what is not given is answered by the rule's own page."""
        paragraphs = self.paragraphs()
        return Finding(
            rule=self.name(),
            message=message,
            location=location,
            severity=self.severity if severity is None else severity,
            confidence=confidence,
            answers=Answers(
                fails=paragraphs[1],
                notices=self.notices,
                recovers=self.recovers,
                change=change or paragraphs[-1],
                costs=self.costs,
            ),
            clears=clears,
            path=path,
            siblings=siblings,
            subject=subject,
        )
