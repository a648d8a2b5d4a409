"""One page for people: self-contained, without script, and readable in print.

It loads nothing and runs nothing: the policy it carries forbids both.  Whatever comes from the
reviewed tree is escaped, and shown printable.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from msgspec import Struct

from mainstay import __version__
from mainstay.model.finding import Analysis, Severity
from mainstay.model.location import Location
from mainstay.model.review import Result, Review, Standing
from mainstay.reports import map_picture, pages, summary, system_map
from mainstay.reports.excerpts import Excerpts, Line
from mainstay.reports.explain import lines_of
from mainstay.reports.map_text import closing, facts
from mainstay.rules.base import Rule

FORMAT = "html"
ENDING = ".html"
CARDS = 200  # findings shown whole; further ones get a line each
AROUND = 3  # lines of context
SIBLINGS = 12
ROWS = 500  # operations in the table


class Step(Struct, frozen=True):
    """A hop of a path, with its line."""

    location: Location
    what: str
    line: str


class Card(Struct, frozen=True):
    """A finding, ready to be shown whole."""

    result: Result
    number: int
    analysis: str
    excerpt: tuple[Line, ...]
    path: tuple[Step, ...]
    siblings: tuple[str, ...]
    more_siblings: int


class Chapter(Struct, frozen=True):
    """An entry of the contents: an analysis, and its rules with how often and where first."""

    analysis: str
    count: int
    rules: tuple[tuple[str, int, int], ...]  # name, findings, number of the first


def render(review: Review, rules: Sequence[type[Rule]]) -> str:
    """The whole page; the same review of the same tree gives the same bytes."""
    environment = pages.environment(_read)
    environment.filters |= {"plural": summary.plural, "lines_of": lines_of, "facts": facts}
    environment.globals["Analysis"] = Analysis
    known = {rule.name(): rule for rule in rules}
    shown = (*review.open, *summary.of_standing(review, Standing.PREVIEW))
    view = system_map.build(review.system)
    style = _read("page.css")
    return environment.get_template("page.html.jinja").render(
        style=pages.style_sheet(style),
        policy=pages.policy(style),
        version=__version__,
        name=Path(review.root).resolve().name,
        review=review,
        outcome=summary.outcome(review),
        verdict=summary.verdict(review),
        caution=summary.caution(review),
        counts=summary.counts(review),
        severities=[s.word for s in reversed(Severity)],
        chapters=_chapters(shown, known),
        cards=_cards(review, shown[:CARDS], known),
        rest=list(enumerate(shown[CARDS:], CARDS + 1)),
        analysis={name: rule.analysis().value for name, rule in known.items()},
        suppressed=summary.of_standing(review, Standing.SUPPRESSED),
        baselined=summary.of_standing(review, Standing.BASELINED),
        explained=[known[name] for name in sorted({r.finding.rule for r in shown}) if name in known],
        view=view,
        picture=map_picture.draw(view),
        closing=closing(view, review.budgets),
        rows=ROWS,
    )


def _cards(review: Review, shown: Sequence[Result], known: dict[str, type[Rule]]) -> list[Card]:
    excerpts = Excerpts(review.root, (r.finding.location for r in shown), AROUND)
    lines = Excerpts(review.root, chain.from_iterable(_hops(r) for r in shown))
    return [_card(number, r, known, excerpts, lines) for number, r in enumerate(shown, 1)]


def _hops(result: Result) -> Iterator[Location]:
    return (hop.location for hop in result.finding.path)


def _card(
    number: int, result: Result, known: dict[str, type[Rule]], excerpts: Excerpts, lines: Excerpts
) -> Card:
    finding = result.finding
    siblings, more = summary.capped(map(str, finding.siblings), SIBLINGS)
    return Card(
        result=result,
        number=number,
        analysis=_analysis(finding.rule, known),
        excerpt=excerpts.block(finding.location),
        path=tuple(Step(hop.location, hop.what, lines.line(hop.location)) for hop in finding.path),
        siblings=tuple(siblings),
        more_siblings=more,
    )


def _chapters(shown: Sequence[Result], known: dict[str, type[Rule]]) -> list[Chapter]:
    """The analyses in the order of their worst finding, their rules likewise."""
    found: dict[str, dict[str, list[int]]] = {}
    for number, result in enumerate(shown, 1):
        name = result.finding.rule
        found.setdefault(_analysis(name, known), {}).setdefault(name, []).append(number)
    return [
        Chapter(
            analysis,
            sum(map(len, rules.values())),
            tuple((name, len(numbers), numbers[0]) for name, numbers in rules.items()),
        )
        for analysis, rules in found.items()
    ]


def _analysis(name: str, known: dict[str, type[Rule]]) -> str:
    rule = known.get(name)
    return rule.analysis().value if rule else "other"


def _read(name: str) -> str:
    return pages.text_of("mainstay.reports", name)
