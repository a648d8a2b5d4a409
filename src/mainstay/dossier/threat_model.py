"""What somebody could do to the service, in words."""

from mainstay.model.dossier import Chapter, Grid, Row, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.model.specification import Specification
from mainstay.plan.threats import (
    Side,
    Stride,
    Threat,
    personal_fields,
    secret_fields,
    threats,
)

PLACE = 50
HEADS = ("kind", "what could happen", "what it concerns", "what stands against it", "what is open")
DANGERS = {
    (Side.CALLER, Stride.SPOOFING): "Somebody calls in the name of another.",
    (Side.CALLER, Stride.TAMPERING): "A request says what its sender may not decide, or is sent twice.",
    (Side.CALLER, Stride.REPUDIATION): "A caller denies that he asked for it.",
    (Side.CALLER, Stride.DISCLOSURE): "A caller reads what belongs to another, in a row or in an error.",
    (Side.CALLER, Stride.DENIAL): "One caller takes so much that nothing is left for others.",
    (Side.CALLER, Stride.ELEVATION): "A caller does what only another may.",
    (Side.NEED, Stride.SPOOFING): "Something else answers in its place, or somebody uses our credentials.",
    (Side.NEED, Stride.TAMPERING): "An answer is changed on its way, or is not what it should be.",
    (Side.NEED, Stride.REPUDIATION): "It denies that it was asked, or that it answered.",
    (Side.NEED, Stride.DISCLOSURE): "It is told more than it has to know, or others listen.",
    (Side.NEED, Stride.DENIAL): "It hangs, and takes the service with it.",
    (Side.NEED, Stride.ELEVATION): "A request leads the service to an address of the caller's choice.",
    (Side.DATABASE, Stride.SPOOFING): "Somebody else connects as the service, or answers as the database.",
    (Side.DATABASE, Stride.TAMPERING): "Rows are changed past the rules, by a statement that was slipped in.",
    (Side.DATABASE, Stride.REPUDIATION): "A row was changed and nobody knows by whom.",
    (Side.DATABASE, Stride.DISCLOSURE): "A dump, a backup or a disk falls into other hands.",
    (Side.DATABASE, Stride.DENIAL): "One statement or a transaction left open holds all others up.",
    (Side.DATABASE, Stride.ELEVATION): "A hole in the service becomes the right to change the schema.",
    (Side.OPERATOR, Stride.SPOOFING): "Somebody deploys or reads with the rights of an operator.",
    (Side.OPERATOR, Stride.TAMPERING): "Other code runs than what was reviewed.",
    (Side.OPERATOR, Stride.REPUDIATION): "A change in production cannot be traced to a person.",
    (Side.OPERATOR, Stride.DISCLOSURE): "An operator sees, in a log or a setting, what he need not know.",
    (Side.OPERATOR, Stride.DENIAL): "A release or a setting takes the service down.",
    (Side.OPERATOR, Stride.ELEVATION): "Whoever breaks into the process owns the machine and the data.",
}


def chapter(specification: Specification) -> Chapter:
    """One grid for each boundary, then the fields that matter most, then what is open."""
    found = threats(specification)
    places = dict.fromkeys(threat.boundary for threat in found)
    grids = tuple(
        Grid(
            HEADS,
            tuple(_row(threat) for threat in found if threat.boundary == place),
            f"{place.start} → {place.end}",
        )
        for place in places
    )
    return Chapter(
        "threat-model",
        "What somebody could do to it",
        "At each boundary six kinds of threat (STRIDE): what stands against them, and what does not yet.",
        (Statements(_kept(specification), "What is worth stealing"), *grids, _open(found)),
    )


def _row(threat: Threat) -> Row:
    cells = (
        threat.stride.value,
        DANGERS[threat.boundary.side, threat.stride],
        ", ".join(f"`{name}`" for name in threat.concerns),
        "; ".join(threat.mitigations) or "nothing",
        "; ".join(threat.unresolved),
    )
    origin = Origin.OPEN if not threat.mitigations else Origin.DERIVED
    return Row(cells, origin, f"STRIDE at {threat.boundary.start} → {threat.boundary.end}")


def _kept(specification: Specification) -> tuple[Statement, ...]:
    secret, personal = secret_fields(specification), personal_fields(specification)
    found = []
    if secret:
        said = f"Secret: {_names(secret)}. Encrypted in the database, in no log and in no answer."
        found.append(
            Statement(said, sum="the word `secret` in the specification; tested by `planted-secrets`")
        )
    if personal:
        said = f"Personal: {_names(personal)}. In no log, and deleted when the time is over."
        found.append(Statement(said, sum="the word `personal` in the specification"))
    if not found:
        said = "No field is said to be secret or personal. Is that so?"
        found.append(
            Statement(said, Origin.OPEN, "nothing is encrypted, kept out of logs or deleted by itself")
        )
    return tuple(found)


def _open(found: tuple[Threat, ...]) -> Statements:
    """Each question once, with the boundaries at which it is asked."""
    questions = dict.fromkeys(question for threat in found for question in threat.unresolved)
    items = []
    for question in questions:
        asked = [t for t in found if question in t.unresolved]
        places = ", ".join(dict.fromkeys(f"{t.boundary.start} → {t.boundary.end}" for t in asked))
        said = f"Nothing says {question}."
        items.append(Statement(said, Origin.OPEN, f"{asked[0].stride} at {places}"))
    return Statements(tuple(items), "What is open about threats")


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
