"""A dossier reads as Markdown: chapters, where each line comes from, pictures, and the files beside it."""

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
from mainstay.reports.dossier import formats
from mainstay.reports.dossier.markdown import render
from mainstay.sources.specification import read
from tests.sources.specification.texts import PAYMENTS

SPECIFICATION = read(PAYMENTS, "payments.yaml")


def shown(*parts: Statements | Grid | Picture | Artefact) -> str:
    chapter = Chapter("one", "What is there, and why?", "It begins.", parts)
    return render(Dossier(SPECIFICATION, (chapter,)))


def test_the_contents_lead_to_the_chapters() -> None:
    text = shown()
    assert text.startswith("# payments\n\nCharge cards for orders and pay refunds, exactly once.\n")
    assert "1. [What is there, and why?](#what-is-there-and-why)" in text
    assert "## What is there, and why?\n\nIt begins.\n" in text


def test_every_line_says_where_it_comes_from() -> None:
    text = shown(
        Statements(
            (Statement("Two replicas.", sum="1 + 1 = 2"), Statement("Who pays?", Origin.OPEN)), "Sums"
        ),
        Grid(("what", "how many"), (Row(("`pool`", "9"), Origin.ASSUMED, "nobody said"),)),
    )
    assert "### Sums\n\n- Two replicas. *derived: 1 + 1 = 2*\n- Who pays? *open*\n" in text
    assert "| what | how many | from |\n|---|---|---|\n| `pool` | 9 | assumed: nobody said |\n" in text


def test_a_picture_is_mermaid_and_a_file_is_a_link() -> None:
    boxes = (Box("shop", "caller", "by key"), Box("pay", "service"))
    text = shown(Picture(boxes, (Arrow("shop", "pay", 'a "b"'),)), Artefact("schema.sql", "sql", "a\nb\n"))
    assert 'b0(["shop<br/>by key"])\n  b1["pay"]\n  b0 -->|"a #quot;b#quot;"| b1\n```' in text
    assert "[`schema.sql`](schema.sql), 2 lines" in text


def test_texts_of_the_specification_become_no_markup() -> None:
    text = shown(
        Statements((Statement("<script> *x* [a](b) `left open"), Statement("fine `a*b`"))),
        Grid(("a",), (Row(("one | two\nthree",)),)),
    )
    assert r"\<script\> \*x\* \[a\](b) \`left open" in text
    assert "fine `a*b`" in text
    assert "| one \\| two" in text
    assert "\nthree" not in text


def test_both_formats_are_there_and_give_the_same_twice() -> None:
    chapter = Chapter("one", "One", "Lead.", (Statements((Statement("Two replicas."),)),))
    found = Dossier(SPECIFICATION, (chapter,))
    assert {name: form.ENDING for name, form in formats().items()} == {"html": ".html", "markdown": ".md"}
    for form in formats().values():
        assert form.render(found) == form.render(found)
