"""One page for people: self-contained, without script, and readable in print.

It loads nothing and runs nothing: the policy it carries forbids both.  Whatever comes from the service, its
logs included, is escaped and shown printable.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from mainstay.model.gate import GateResult
from mainstay.model.proof import Claim, Figure, LedgerTotals, Measurement, Origin, Proof, Verdict
from mainstay.reports import pages
from mainstay.reports.proof import curve, histogram, summary, timeline
from mainstay.reports.proof.text import totals
from mainstay.reports.summary import plural

FORMAT = "html"
ENDING = ".html"
REASONS = 3  # of a gate
EVIDENCE = 12  # lines of one claim
ENTRIES = 20  # of the ledger
EXCERPTS = 6  # of the logs
LOG_LINES = 40  # of one excerpt

LABELS = {
    Verdict.ERROR: "void",
    Verdict.FAILED: "failed",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.PASSED: "passed",
}


class LedgerRow(Struct, frozen=True):
    """A line of the ledger table; `bad` when it should be nought."""

    what: str
    count: int
    said: str
    bad: bool = False


class Card(Struct, frozen=True):
    """An experiment, ready to be shown."""

    number: int
    measurement: Measurement
    verdict: str
    family: str
    short: str
    claims: tuple[Claim, ...]
    wide: timeline.Timeline | None
    narrow: timeline.Timeline | None
    bars: histogram.Histogram | None
    drawing: curve.Drawing | None
    map: curve.Map | None
    ledger: tuple[LedgerRow, ...]
    causes: tuple[tuple[str, str], ...]  # rules of review, with their titles


class Chapter(Struct, frozen=True):
    """An entry of the contents: a verdict, and the experiments that ended so."""

    verdict: str
    cards: tuple[Card, ...]


def render(proof: Proof, *, families: Mapping[str, str] = {}, gates: Sequence[GateResult] = ()) -> str:
    """The whole page; the same proof gives the same bytes."""
    environment = pages.environment(_read)
    environment.filters |= {
        "amount": summary.amount,
        "duration": summary.duration,
        "share": summary.share,
        "plural": plural,
        "standing": summary.standing,
        "beyond": summary.beyond_standard,
        "label": LABELS.__getitem__,
        "settled": _settled,
    }
    style = pages.text_of("mainstay.reports", "page.css") + _read("page.css")
    cards = _cards(proof, families)
    return environment.get_template("page.html.jinja").render(
        style=pages.style_sheet(style),
        policy=pages.policy(style),
        proof=proof,
        verdict=LABELS[proof.verdict],
        headline=summary.headline(proof),
        cautions=summary.cautions(proof),
        tiles=[(LABELS[v], len(summary.of_verdict(proof, v))) for v in summary.WORST_FIRST],
        chapters=_chapters(cards),
        cards=cards,
        gates=gates,
        totals=totals(proof),
        budgets=_budgets(proof),
        REASONS=REASONS,
        EVIDENCE=EVIDENCE,
        ENTRIES=ENTRIES,
        EXCERPTS=EXCERPTS,
        LOG_LINES=LOG_LINES,
    )


def _cards(proof: Proof, families: Mapping[str, str]) -> list[Card]:
    titles = _titles(proof)
    return [
        _card(number, measurement, families, titles, proof.budgets.p95)
        for number, measurement in enumerate(summary.worst_first(proof), 1)
    ]


def _card(
    number: int, measurement: Measurement, families: Mapping[str, str], titles: Mapping[str, str], p95: float
) -> Card:
    drawn = curve.draw(measurement.curve, p95) if measurement.curve else None
    causes = measurement.explained_by if measurement.verdict is not Verdict.PASSED else ()
    return Card(
        number=number,
        measurement=measurement,
        verdict=LABELS[measurement.verdict],
        family=families.get(measurement.experiment, ""),
        short=summary.in_short(measurement),
        claims=summary.claims_worst_first(measurement),
        wide=timeline.draw(measurement, p95),
        narrow=timeline.draw(measurement, p95, timeline.NARROW),
        bars=histogram.draw(measurement.histogram, p95),
        drawing=drawn if isinstance(drawn, curve.Drawing) else None,
        map=drawn if isinstance(drawn, curve.Map) else None,
        ledger=tuple(_ledger(measurement.ledger)) if measurement.ledger else (),
        causes=tuple((rule, titles.get(rule, "")) for rule in causes),
    )


def _chapters(cards: Sequence[Card]) -> list[Chapter]:
    found = ((label, tuple(c for c in cards if c.verdict == label)) for label in LABELS.values())
    return [Chapter(label, members) for label, members in found if members]


def _titles(proof: Proof) -> dict[str, str]:
    """What the rules that explain a failure find, in their own words; only loaded when there are some."""
    if not summary.rules_of(proof.measurements):
        return {}
    from mainstay.rules.catalogue import all_rules

    return {rule.name(): rule.paragraphs()[0] for rule in all_rules()}


def _ledger(totals: LedgerTotals) -> list[LedgerRow]:
    rows = [
        LedgerRow("sent", totals.sent, "writes, each with a marker of its own"),
        LedgerRow("acknowledged", totals.acknowledged, "answered as done"),
        LedgerRow("refused", totals.refused, "answered as failed"),
        LedgerRow("unknown", totals.unknown, "never answered"),
        LedgerRow("found", totals.found, "markers in the database afterwards"),
        LedgerRow("unknown, applied", totals.unknown_and_applied, "never answered, and yet done: no fault"),
        LedgerRow("lost", totals.lost, "answered as done, and not there", bad=True),
        LedgerRow("doubled", totals.doubled, "there more than once", bad=True),
        LedgerRow("refused, applied", totals.refused_but_applied, "answered as failed, and there", bad=True),
        LedgerRow("phantom", totals.phantom, "there, and never sent", bad=True),
    ]
    if totals.unchecked:
        rows.append(LedgerRow("not checked", totals.unchecked, "nothing tells whether they were applied"))
    return rows


def _budgets(proof: Proof) -> list[tuple[str, str, str]]:
    own, standard = proof.budgets, proof.standard
    return [
        ("availability", summary.share(own.availability), summary.share(standard.availability)),
        ("errors on critical operations", summary.share(own.errors), summary.share(standard.errors)),
        ("p95", summary.duration(own.p95), summary.duration(standard.p95)),
        ("recovery", summary.duration(own.recovery), summary.duration(standard.recovery)),
    ]


def _settled(figure: Figure) -> bool:
    """Whether a figure stands on its own, and not on an assumption."""
    return figure.origin in (Origin.MEASURED, Origin.DERIVED)


def _read(name: str) -> str:
    return pages.text_of("mainstay.reports.proof", name)
