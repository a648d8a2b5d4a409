"""A dossier as Markdown: chapters, sentences with their origin, grids, pictures as Mermaid text."""

import re
from collections.abc import Iterator

from mainstay.model.dossier import Artefact, Chapter, Dossier, Grid, Part, Picture, Row, Statement, Statements
from mainstay.reports.dossier import LABELS
from mainstay.reports.visible import visible

FORMAT = "markdown"
ENDING = ".md"
SHAPES = {"caller": '(["{}"])', "service": '["{}"]', "database": '[("{}")]', "need": '[["{}"]]'}


def render(dossier: Dossier) -> str:
    """The whole dossier; the artefacts are named as files beside it."""
    return "\n".join(_lines(dossier)) + "\n"


def _lines(dossier: Dossier) -> Iterator[str]:
    found = dossier.specification
    yield f"# {_plain(found.service)}"
    yield ""
    yield _plain(found.purpose)
    yield ""
    yield f"Owner: {_plain(found.owner)}. Every line says where it comes from: *derived* (with its sum),"
    yield "*assumed*, *measured* (with its run) or *open*."
    yield ""
    for number, chapter in enumerate(dossier.chapters, 1):
        yield f"{number}. [{_plain(chapter.title)}](#{_anchor(chapter.title)})"
    for chapter in dossier.chapters:
        yield from _chapter(chapter)


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield from ["", f"## {_plain(chapter.title)}", "", _plain(chapter.lead)]
    for part in chapter.parts:
        yield ""
        if part.title:
            yield from [f"### {_plain(part.title)}", ""]
        yield from _part(part)


def _part(part: Part) -> Iterator[str]:
    match part:
        case Statements():
            yield from (_statement(item) for item in part.items)
        case Grid():
            yield f"| {' | '.join(map(_cell, part.heads))} | from |"
            yield "|---" * (len(part.heads) + 1) + "|"
            yield from (
                f"| {' | '.join(map(_cell, row.cells))} | {_cell(_origin(row))} |" for row in part.rows
            )
        case Picture():
            yield from _picture(part)
        case Artefact():
            yield f"[`{part.path}`]({part.path}), {len(part.text.splitlines()):,} lines"


def _statement(item: Statement) -> str:
    return f"- {_plain(item.said)} *{_plain(_origin(item))}*"


def _origin(item: Statement | Row) -> str:
    """`derived: 50/s x 0.2 s = 10`."""
    label = LABELS[item.origin]
    return f"{label}: {item.sum}" if item.sum else label


def _picture(picture: Picture) -> Iterator[str]:
    names = {box.name: f"b{number}" for number, box in enumerate(picture.boxes)}
    yield "```mermaid"
    yield "flowchart LR"
    for box in picture.boxes:
        shown = box.name + (f"<br/>{box.note}" if box.note else "")
        yield f"  {names[box.name]}{SHAPES[box.kind].format(_quoted(shown))}"
    for arrow in picture.arrows:
        note = f'|"{_quoted(arrow.note)}"|' if arrow.note else ""
        yield f"  {names[arrow.start]} -->{note} {names[arrow.end]}"
    yield "```"


def _quoted(text: str) -> str:
    return visible(text).replace('"', "#quot;")


def _plain(text: str) -> str:
    """Texts of the specification become no markup; names between backticks stay as they are."""
    parts = visible(text).split("`")
    if len(parts) % 2 == 0:
        return _escaped(visible(text))
    return "".join(f"`{part}`" if number % 2 else _escaped(part) for number, part in enumerate(parts))


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _anchor(title: str) -> str:
    """As the forges make it of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
