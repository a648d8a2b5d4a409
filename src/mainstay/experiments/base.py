"""What every experiment is made of.

An experiment is one class in one file.  Its docstring is its page: the first line is the hypothesis, which
the service proves or refutes; the first paragraph says what is done to it, the last one what to change
when it fails.  `catches` names the flawed services in `examples/twins` that it has to fail.
"""

import inspect
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from mainstay.model.proof import Claim

if TYPE_CHECKING:
    from mainstay.experiments.stand import Stand
    from mainstay.experiments.trial import Trial


class Experiment:
    """Base of all experiments; a subclass states its hypothesis and does what it takes to refute it."""

    quick: ClassVar[bool] = False  # part of the quick profile, too
    catches: ClassVar[tuple[str, ...]] = ()
    explained_by: ClassVar[tuple[str, ...]] = ()  # rules of `review` that find the usual causes
    gentle: ClassVar[bool] = False  # does nothing that a service has to recover from: needs no fresh one
    order: ClassVar[int] = 50  # lower ones come first: what later ones build on

    def applies(self, stand: "Stand") -> str:
        """Why it makes no sense for this service; empty when it does."""
        return ""

    def possible(self, stand: "Stand") -> str:
        """Why it cannot be done on this machine; empty when it can."""
        return ""

    def seconds(self, stand: "Stand") -> float:
        """How long it takes, about: printed before anything is done."""
        raise NotImplementedError

    def run(self, trial: "Trial") -> Iterator[Claim]:
        """Do it, and yield what it shows."""
        raise NotImplementedError

    @classmethod
    def name(cls) -> str:
        """`database-paused` for the class DatabasePaused."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def family(cls) -> str:
        """The folder that the experiment is in."""
        return cls.__module__.split(".")[-2]

    @classmethod
    def paragraphs(cls) -> list[str]:
        """The docstring's paragraphs, each on one line: the hypothesis, what is done ..., what to change."""
        text = inspect.cleandoc(cls.__doc__ or "")
        return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]

    @classmethod
    def hypothesis(cls) -> str:
        """What the service is expected to do."""
        return cls.paragraphs()[0]
