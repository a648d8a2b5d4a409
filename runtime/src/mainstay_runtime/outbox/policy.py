"""How patient a relay is."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """All times in seconds.

    `lease` is how long one delivery may take; after it another relay takes the message for abandoned, so it
    has to exceed the timeout of the delivery.  `attempts` is how often a message is tried before it is dead.
    The wait after a failure doubles from `backoff` up to `longest`, each shortened at random by up to a half,
    so that what failed together does not come back together.
    """

    batch: int = 20
    lease: float = 60.0
    attempts: int = 20
    backoff: float = 1.0
    longest: float = 600.0
    poll: float = 1.0
    measure: float = 15.0

    def __post_init__(self) -> None:
        if min(self.batch, self.attempts) < 1 or min(self.lease, self.backoff, self.longest, self.poll) <= 0:
            raise ValueError("batch and attempts have to be at least 1, times above 0")

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the failure of this attempt, the first one being 1."""
        whole = min(self.longest, self.backoff * 2.0 ** min(attempt - 1, 60))
        return whole * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing
