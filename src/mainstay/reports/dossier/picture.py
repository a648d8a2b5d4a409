"""Where boxes and arrows stand: callers left, the service in the middle, what it needs right."""

from msgspec import Struct

from mainstay.model.dossier import Picture

WIDTH = 900
BOX_WIDTH, BOX_HEIGHT, GAP, TOP = 210, 56, 22, 16
COLUMNS = {"caller": 0, "service": 1, "database": 2, "need": 2}
LEFT = (0, (WIDTH - BOX_WIDTH) // 2, WIDTH - BOX_WIDTH)


class Placed(Struct, frozen=True):
    """A box with its place."""

    name: str
    kind: str
    note: str
    x: int
    y: int


class Line(Struct, frozen=True):
    """An arrow with its ends."""

    x1: int
    y1: int
    x2: int
    y2: int
    note: str


class Drawing(Struct, frozen=True):
    """A picture, ready to be drawn."""

    boxes: tuple[Placed, ...]
    lines: tuple[Line, ...]
    height: int


def place(picture: Picture) -> Drawing:
    """Each kind has its column; columns are centred on one another."""
    columns: list[list[int]] = [[], [], []]
    for number, box in enumerate(picture.boxes):
        columns[COLUMNS[box.kind]].append(number)
    tallest = max(len(column) for column in columns)
    height = 2 * TOP + tallest * BOX_HEIGHT + (tallest - 1) * GAP
    placed: dict[str, Placed] = {}
    for left, column in zip(LEFT, columns, strict=True):
        used = len(column) * BOX_HEIGHT + (len(column) - 1) * GAP
        for row, number in enumerate(column):
            box = picture.boxes[number]
            y = (height - used) // 2 + row * (BOX_HEIGHT + GAP)
            placed[box.name] = Placed(box.name, box.kind, box.note, left, y)
    lines = tuple(
        Line(
            placed[arrow.start].x + BOX_WIDTH,
            placed[arrow.start].y + BOX_HEIGHT // 2,
            placed[arrow.end].x,
            placed[arrow.end].y + BOX_HEIGHT // 2,
            arrow.note,
        )
        for arrow in picture.arrows
    )
    return Drawing(tuple(placed.values()), lines, height)
