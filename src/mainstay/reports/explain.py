"""`mainstay explain RULE`: the rule's own page, printed."""

import re
from collections.abc import Iterator
from textwrap import dedent

from msgspec import Struct

from mainstay.reports.terminal import Paint, clamp, wrap
from mainstay.rules.base import Example, Rule

MARK = re.compile(r"\s*(?:#|--|//)?\s*<-\s*$")


class ExampleLine(Struct, frozen=True):
    """A line of an example; `marked` when the rule points at it."""

    text: str
    marked: bool


def lines_of(text: str) -> tuple[ExampleLine, ...]:
    """The lines of one file of an example, without the marks and the margin."""
    lines = dedent(text).strip("\n").split("\n")
    return tuple(ExampleLine(MARK.sub("", line), bool(MARK.search(line))) for line in lines)


def render(rule: type[Rule], colour: bool = False, width: int = 80) -> str:
    """Title, what happens, what to do, who notices, what it costs, and code that is bad and good."""
    paint, width = Paint(colour), clamp(width)
    lines = [*_head(rule, paint, width), "", *_prose(rule, width), *_facts(rule, paint, width), ""]
    lines += _examples("Bad", rule.bad, paint, width)
    lines += _examples("Good", rule.good, paint, width)
    lines += _suppression(rule, paint, width)
    return "\n".join(lines) + "\n"


def _head(rule: type[Rule], paint: Paint, width: int) -> Iterator[str]:
    yield paint(rule.name(), "rule")
    for line in wrap(rule.paragraphs()[0], width):
        yield paint(line, "bold")


def _prose(rule: type[Rule], width: int) -> Iterator[str]:
    for paragraph in rule.paragraphs()[1:]:
        yield from wrap(paragraph, width)
        yield ""


def _facts(rule: type[Rule], paint: Paint, width: int) -> Iterator[str]:
    facts = {
        "notices": rule.notices,
        "recovers": rule.recovers,
        "costs": rule.costs,
        "severity": rule.severity.word,
        "analysis": rule.analysis().value,
        "family": ", ".join(family.value for family in rule.family),
        "references": ", ".join(rule.references),
        "since": rule.since + (", in preview: it cannot fail a review yet" if rule.preview else ""),
    }
    for label, text in facts.items():
        for number, line in enumerate(wrap(text, width, " " * 12)):
            yield paint(f"{label:<12}", "dim") + line[12:] if number == 0 else line


def _examples(title: str, examples: tuple[Example, ...], paint: Paint, width: int) -> Iterator[str]:
    for example in examples:
        heading = f"{title}: {example.why}" if example.why else title
        for line in wrap(heading, width):
            yield paint(line, "bold")
        for name, text in example.files.items():
            yield paint(f"  {name}", "dim")
            for shown in lines_of(text):
                marked = paint(f"  > {shown.text}", "high")
                yield marked if shown.marked else f"    {shown.text}".rstrip()
        yield ""


def _suppression(rule: type[Rule], paint: Paint, width: int) -> Iterator[str]:
    yield from wrap("Where it is meant to be so, say why on the line itself or the one above:", width)
    yield paint(f"    # mainstay: ignore[{rule.name()}] the reason", "dim")
