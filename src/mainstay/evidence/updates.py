"""Lost updates: several callers change one number at once, and the sum of their changes has to be in it."""

from collections.abc import Iterable

from msgspec import Struct

from mainstay.evidence import said
from mainstay.model.proof import Claim, Figure, Subject, Verdict

_SHOWN = 20


class Tallied(Struct, frozen=True):
    """One number before and after, and the changes that were asked for in between."""

    key: str
    before: float
    after: float
    acknowledged: int
    unknown: int = 0  # without an answer, or refused without saying that nothing happened
    by: float = 1.0  # each change

    @property
    def lost(self) -> int:
        """Acknowledged changes that are not in it, at least."""
        return max(0, self.acknowledged - self.applied)

    @property
    def doubled(self) -> int:
        """Changes in it beyond all that were asked for."""
        return max(0, self.applied - self.acknowledged - self.unknown)

    @property
    def applied(self) -> int:
        """How many changes the difference amounts to."""
        return round((self.after - self.before) / self.by)


def claim(numbers: Iterable[Tallied], *, name: str = "no-update-lost") -> Claim:
    """One claim over all keys."""
    kept = list(numbers)
    asked = sum(one.acknowledged for one in kept)
    lost, doubled = sum(one.lost for one in kept), sum(one.doubled for one in kept)
    bad = [one for one in kept if one.lost or one.doubled]
    verdict = Verdict.PASSED if asked else Verdict.INCONCLUSIVE
    return Claim(
        name=name,
        subject=Subject.INTEGRITY,
        verdict=Verdict.FAILED if bad else verdict,
        said=(
            f"Of {said.count(asked, 'acknowledged change')} to {said.count(len(kept), 'number')}, "
            f"{said.count(lost)} were lost and {said.count(doubled)} more were applied than asked for."
        ),
        figures=(Figure("changes", asked), Figure("lost", lost), Figure("too many", doubled)),
        evidence=tuple(map(_shown, bad[:_SHOWN])),
    )


def _shown(one: Tallied) -> str:
    return (
        f"{one.key}: {one.before:g} and {said.count(one.acknowledged, 'change')} of {one.by:g} "
        f"(and {one.unknown} without an answer) made {one.after:g}"
    )
