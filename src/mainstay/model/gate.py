"""What a quality gate says, and the evidence it rests on."""

from msgspec import Struct

from mainstay.model.proof import Verdict


class Evidence(Struct, frozen=True):
    """One finding, measurement or fact that a gate looked at."""

    source: str  # "review", "prove" or "project": who found it out
    name: str  # the rule, the experiment and its claim, or the file
    verdict: Verdict  # what it says for the gate
    said: str  # one sentence
    place: str = ""  # where: "shop/pay.py:12", or the claim as `experiment/claim`


class GateResult(Struct, frozen=True):
    """The verdict of one gate: `reasons` say why it did not pass, `evidence` what was looked at."""

    name: str  # "error-handling"
    title: str  # "Error handling"
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


class Readiness(Struct, frozen=True):
    """The six gates in their order, and what follows from them."""

    version: str  # of Mainstay
    verdict: Verdict
    gates: tuple[GateResult, ...]
    cautions: tuple[str, ...] = ()  # what narrows the verdict: loosened budgets, an old proof
    schema: int = 1
