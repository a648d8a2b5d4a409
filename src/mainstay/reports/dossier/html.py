"""A dossier as one page that people like to read: without script, self-contained, fit for print."""

import re

from mainstay.model.dossier import Dossier, Grid, Part, Statements
from mainstay.model.proof import Origin
from mainstay.reports import pages
from mainstay.reports.dossier import LABELS
from mainstay.reports.dossier.picture import BOX_HEIGHT, BOX_WIDTH, WIDTH, place
from mainstay.reports.terminal import cut

FORMAT = "html"
ENDING = ".html"
LINES = 400  # of an artefact that are shown; the file has all


def render(dossier: Dossier) -> str:
    """The whole page; the same dossier gives the same bytes."""
    environment = pages.environment(_read)
    environment.filters |= {"cut": cut, "label": LABELS.__getitem__, "anchor": _anchor, "kind": _kind}
    environment.globals |= {
        "place": place,
        "width": WIDTH,
        "box_width": BOX_WIDTH,
        "box_height": BOX_HEIGHT,
        "LINES": LINES,
    }
    style = pages.text_of("mainstay.reports", "page.css") + _read("page.css")
    return environment.get_template("page.html.jinja").render(
        style=pages.style_sheet(style),
        policy=pages.policy(style),
        dossier=dossier,
        specification=dossier.specification,
        counts=[(LABELS[origin], _count(dossier, origin)) for origin in LABELS],
    )


def _count(dossier: Dossier, origin: Origin) -> int:
    """How many lines are of that origin."""
    parts = [part for chapter in dossier.chapters for part in chapter.parts]
    found = sum(
        item.origin is origin for part in parts if isinstance(part, Statements) for item in part.items
    )
    return found + sum(row.origin is origin for part in parts if isinstance(part, Grid) for row in part.rows)


def _kind(part: Part) -> str:
    return str(part.__struct_config__.tag)


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _read(name: str) -> str:
    return pages.text_of("mainstay.reports.dossier", name)
