"""Whether the API itself shows the writes that it acknowledged."""

from collections.abc import Iterable

from msgspec import Struct

from mainstay.evidence import bounds, said
from mainstay.model.proof import Claim, Figure, Origin, Subject, Verdict

_GONE = frozenset({404, 410})
_SHOWN = 20


class ReadBack(Struct, frozen=True):
    """What became of asking for one acknowledged write."""

    action: str  # that wrote it
    path: str  # "/orders/17"
    status: int  # 0: no answer


def claim(reads: Iterable[ReadBack], *, name: str = "acknowledged-writes-are-shown") -> Claim:
    """One claim over all of them; an error or no answer tells nothing of the write."""
    kept = list(reads)
    missing = [one for one in kept if one.status in _GONE]
    told = [one for one in kept if one.status in _GONE or 200 <= one.status < 300]
    if not told:
        text = f"None of {said.count(len(kept), 'acknowledged write')} could be read back."
        return Claim(name, Subject.INTEGRITY, Verdict.INCONCLUSIVE, text)
    upper = bounds.at_most(len(missing), len(told))
    asked = said.count(len(told), "acknowledged write")
    text = (
        f"{said.count(len(missing))} of {asked} read back were not there: "
        f"at most {said.share_at_most(upper)} at 95 % confidence"
    )
    if len(told) < len(kept):
        text += f"; {said.count(len(kept) - len(told))} more reads failed"
    how = f"Clopper-Pearson, one side, 95 %, {len(missing)} of {len(told)}"
    return Claim(
        name=name,
        subject=Subject.INTEGRITY,
        verdict=Verdict.FAILED if missing else Verdict.PASSED,
        said=f"{text}.",
        figures=(
            Figure("read back", len(told)),
            Figure("not there", len(missing)),
            Figure("upper bound", upper, "%", Origin.DERIVED, how),
        ),
        evidence=tuple(f"{one.action}: GET {one.path} answered {one.status}" for one in missing[:_SHOWN]),
    )
