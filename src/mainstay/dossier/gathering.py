"""What stands in the chapters and is asked for in one place: all assumptions, and all open questions."""

from collections.abc import Iterator, Sequence

import msgspec

from mainstay.model.dossier import Chapter, Grid, Row, Statement, Statements
from mainstay.model.proof import Origin

GATHERED = {  # by the chapter that they are gathered in
    "assumptions": (Origin.ASSUMED, "What was assumed in other chapters"),
    "questions": (Origin.OPEN, "What other chapters ask"),
}


def gathered(chapters: Sequence[Chapter]) -> tuple[Chapter, ...]:
    """The chapters, with what others assume and ask in those that are the ledgers of it."""
    return tuple(
        _with_others(chapter, chapters) if chapter.name in GATHERED else chapter for chapter in chapters
    )


def _with_others(ledger: Chapter, chapters: Sequence[Chapter]) -> Chapter:
    origin, title = GATHERED[ledger.name]
    others = (chapter for chapter in chapters if chapter.name not in GATHERED)
    rows = tuple(dict.fromkeys(row for chapter in others for row in _rows(chapter, origin)))
    if not rows:
        return ledger
    grid = Grid(("chapter", "what", "why, and what changes"), rows, title)
    return msgspec.structs.replace(ledger, parts=(*ledger.parts, grid))


def _rows(chapter: Chapter, origin: Origin) -> Iterator[Row]:
    for part in chapter.parts:
        items: tuple[Statement | Row, ...] = ()
        if isinstance(part, Statements):
            items = part.items
        elif isinstance(part, Grid):
            items = part.rows
        for item in items:
            if item.origin is origin:
                said = item.said if isinstance(item, Statement) else "; ".join(item.cells)
                yield Row((chapter.title, said, item.sum), origin)
