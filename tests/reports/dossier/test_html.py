"""A dossier as a page: everything escaped, nothing loaded, and a place for each chapter and file."""

import re

from mainstay.model.dossier import (
    Arrow,
    Artefact,
    Box,
    Chapter,
    Dossier,
    Grid,
    Picture,
    Row,
    Statement,
    Statements,
)
from mainstay.model.proof import Origin
from mainstay.reports.dossier.html import LINES, render
from mainstay.reports.dossier.picture import place
from mainstay.sources.specification import read
from tests.sources.specification.texts import PAYMENTS

PICTURE = Picture(
    (
        Box("shop", "caller"),
        Box("desk", "caller"),
        Box("pay", "service", "99.9%"),
        Box("PostgreSQL", "database"),
    ),
    (Arrow("shop", "pay", "charge"), Arrow("pay", "PostgreSQL")),
    "Around it",
)


def page(*parts: Statements | Grid | Picture | Artefact) -> str:
    chapter = Chapter("failure-modes", "When something fails", "Read this first.", parts)
    return render(Dossier(read(PAYMENTS, "p.yaml"), (chapter,)))


def test_the_tiles_count_the_lines_by_origin() -> None:
    text = page(
        Statements((Statement("a"), Statement("b", Origin.ASSUMED), Statement("c", Origin.OPEN))),
        Grid(("x",), (Row(("1",)), Row(("2",), Origin.ASSUMED))),
    )
    assert re.findall(r"<b>(\d+)</b> (\w+)", text) == [
        ("2", "derived"),
        ("2", "assumed"),
        ("0", "measured"),
        ("1", "open"),
    ]


def test_chapters_and_files_have_places_to_go_to() -> None:
    text = page(Artefact("alerts.yml", "yaml", "groups: []\n"))
    assert '<a href="#failure-modes">' in text
    assert '<section id="failure-modes">' in text
    assert '<a href="#file-alerts-yml">' in text
    assert '<details id="file-alerts-yml">' in text


def test_a_long_file_is_cut_and_says_so() -> None:
    text = page(Artefact("schema.sql", "sql", "\n".join(f"row {n}" for n in range(LINES + 7))))
    assert f"row {LINES - 1}\n" in text
    assert f"row {LINES}\n" not in text
    assert "... 7 more lines in the file" in text


def test_nothing_of_a_text_becomes_markup() -> None:
    text = page(
        Statements((Statement("<img src=x onerror=alert(1)>", sum="<b>"),)),
        Artefact("a", "x", "</pre><script>"),
    )
    assert "<img" not in text
    assert "<script" not in text
    assert "default-src &#39;none&#39;" in text


def test_a_picture_has_a_column_for_each_kind() -> None:
    drawing = place(PICTURE)
    columns = {box.name: box.x for box in drawing.boxes}
    assert columns["shop"] == columns["desk"] < columns["pay"] < columns["PostgreSQL"]
    assert all(line.x1 < line.x2 for line in drawing.lines)
    middle = next(box.y for box in drawing.boxes if box.name == "pay")
    tops = [box.y for box in drawing.boxes if box.kind == "caller"]
    assert min(tops) < middle < max(tops)
    assert '<figure class="wide"><svg class="picture"' in page(PICTURE)
