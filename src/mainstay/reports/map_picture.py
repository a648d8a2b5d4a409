"""The map as a picture: what comes in on the left, what it leans on at the right.

Layout only: boxes, rows and lines with their places.  `map.svg.jinja` draws them.  A big system is
cut to what matters most, and every cut is counted in the picture.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from mainstay.model.system import Bound
from mainstay.reports.system_map import Access, CallOut, Does, Store, SystemMap, waits
from mainstay.reports.terminal import cells, cut
from mainstay.reports.visible import visible

WIDTH = 900
LEFT_WIDTH, RIGHT_WIDTH = 360, 370
RIGHT = WIDTH - RIGHT_WIDTH
HEAD, ROW, FOOT, GAP, TOP = 32, 21, 8, 14, 30

GROUPS = 12  # boxes on a side
SMALL = 24  # so many entries are all shown, each with lines of its own
ROWS, FEW_ROWS = 14, 5  # rows of a box in a small and in a large system
CALLS, TABLES = 5, 8
REMARKS = {Access.AUTHENTICATED: "auth", Access.PUBLIC: "public", Access.UNGUARDED: "unguarded"}


class Row(Struct, frozen=True):
    """One line of a box: a key, what it names, a remark at the right end, a tooltip."""

    key: str
    text: str
    remark: str
    hint: str
    y: int
    bad: bool = False
    remark_bad: bool = False


class Box(Struct, frozen=True):
    """A titled box; `kind` is `router`, `job`, `call` or `store`."""

    kind: str
    title: str
    remark: str
    x: int
    y: int
    width: int
    height: int
    rows: tuple[Row, ...]
    more: str = ""
    bad: bool = False

    @property
    def middle(self) -> int:
        """Where lines from and to the box as a whole end."""
        return self.y + HEAD // 2

    @property
    def bottom(self) -> int:
        return self.y + self.height


class Line(Struct, frozen=True):
    """A line from the left to the right; `kind` is `call`, `later`, `read` or `write`."""

    x1: int
    y1: int
    x2: int
    y2: int
    kind: str
    bad: bool

    @property
    def path(self) -> str:
        bend = (self.x2 - self.x1) // 2
        return (
            f"M{self.x1} {self.y1}C{self.x1 + bend} {self.y1} {self.x2 - bend} {self.y2} {self.x2} {self.y2}"
        )


class Picture(Struct, frozen=True):
    """Everything to draw, and what was left out."""

    width: int
    height: int
    right: int  # where the right side begins
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    left_out: tuple[str, ...]


class _Entry(Struct, frozen=True):
    key: str
    text: str
    remark: str
    hint: str
    does: Does
    bad: bool  # it comes to a wait without a bound
    unguarded: bool


class _Group(Struct, frozen=True):
    kind: str
    title: str
    entries: tuple[_Entry, ...]

    @property
    def weight(self) -> tuple[bool, int, int, str]:
        """Sorts the groups worth seeing first."""
        bad = sum(e.bad for e in self.entries)
        return self.kind == "job", -bad, -len(self.entries), self.title


def draw(view: SystemMap) -> Picture:
    """The picture of the map."""
    groups = sorted(_groups(view), key=lambda group: group.weight)
    small = sum(len(group.entries) for group in groups) <= SMALL
    shown = _first_groups(groups)
    left = _left(shown, ROWS if small else FEW_ROWS)
    right, ends = _right(view)
    lines = _lines(view, shown, left, ends, small)
    bottoms = [box.bottom for box in (*left, *right)]
    return Picture(
        width=WIDTH,
        right=RIGHT,
        height=max(bottoms, default=TOP) + 2,
        boxes=(*left, *right),
        lines=tuple(sorted(lines, key=lambda line: (line.bad, msgspec.structs.astuple(line)))),
        left_out=tuple(_left_out(view, groups, shown)),
    )


# --- the left side ---------------------------------------------------------------------------------


def _groups(view: SystemMap) -> Iterable[_Group]:
    for router, operations in view.operations.items():
        entries = [
            _entry(
                view, o.operation.method, o.operation.path, REMARKS[o.access], o.operation.function, o.does
            )
            for o in operations
        ]
        yield _Group("router", router, _worst_first(entries))
    for trigger, jobs in view.jobs.items():
        entries = [
            _entry(view, "", j.job.name, "repeats" if j.job.redelivers else "", j.job.function, j.does)
            for j in jobs
        ]
        yield _Group("job", f"jobs: {trigger}", _worst_first(entries))


def _entry(view: SystemMap, key: str, text: str, remark: str, function: str, does: Does) -> _Entry:
    bad = any(_endless(view.call(number)) for number in (*does.calls, *does.later))
    return _Entry(
        key=cut(visible(key), 7),
        text=_tail(visible(text), 29),
        remark=remark,
        hint=visible(f"{key} {text}: {function}".strip()),
        does=does,
        bad=bad,
        unguarded=remark == REMARKS[Access.UNGUARDED],
    )


def _worst_first(entries: Iterable[_Entry]) -> tuple[_Entry, ...]:
    return tuple(sorted(entries, key=lambda e: (not e.bad, not e.unguarded)))


def _first_groups(groups: Sequence[_Group]) -> list[_Group]:
    """So many routers and jobs that both are seen."""
    routers = [g for g in groups if g.kind == "router"]
    jobs = [g for g in groups if g.kind == "job"]
    room = GROUPS - min(len(jobs), GROUPS // 3)
    shown = routers[:room]
    return shown + jobs[: GROUPS - len(shown)]


def _left(groups: Iterable[_Group], most: int) -> list[Box]:
    boxes, y = [], TOP
    for group in groups:
        kept = group.entries[:most]
        rows = tuple(
            Row(e.key, e.text, e.remark, e.hint, y + HEAD + ROW * n, e.bad, e.unguarded)
            for n, e in enumerate(kept)
        )
        left = len(group.entries) - len(kept)
        box = _box(group.kind, group.title, str(len(group.entries)), (0, y, LEFT_WIDTH), rows, left)
        boxes.append(box)
        y = box.bottom + GAP
    return boxes


# --- the right side --------------------------------------------------------------------------------


def _right(view: SystemMap) -> tuple[list[Box], dict[tuple[str, str], Box]]:
    """The boxes, and which of them stands for each service and each store."""
    targets: dict[str, list[CallOut]] = {}
    for call in view.calls:
        targets.setdefault(call.target, []).append(call)
    boxes: list[Box] = []
    ends: dict[tuple[str, str], Box] = {}
    y = TOP
    for store in view.stores[:GROUPS]:
        boxes.append(_store(store, y))
        ends.setdefault(("store", store.kind), boxes[-1])
        y = boxes[-1].bottom + GAP
    for target, calls in list(targets.items())[:GROUPS]:
        boxes.append(_service(target, calls, y))
        ends["call", target] = boxes[-1]
        y = boxes[-1].bottom + GAP
    return boxes, ends


def _service(target: str, calls: Sequence[CallOut], y: int) -> Box:
    """One row for each deadline, since a client is often called at many places with the same one."""
    alike: dict[str, list[CallOut]] = {}
    for call in calls:
        alike.setdefault(waits(call.deadline), []).append(call)
    rows = tuple(
        Row(
            key="",
            text=cut(visible(says), 46 if len(members) == 1 else 37),
            remark="" if len(members) == 1 else f"{len(members):,} places",
            hint=visible("; ".join(map(_hint, members[:CALLS]))),
            y=y + HEAD + ROW * n,
            bad=_endless(members[0]),
        )
        for n, (says, members) in enumerate(list(alike.items())[:CALLS])
    )
    left = max(0, len(alike) - CALLS)
    return _box(
        "call", target, f"{len(calls)}", (RIGHT, y, RIGHT_WIDTH), rows, left, any(map(_endless, calls))
    )


def _store(store: Store, y: int) -> Box:
    tables = sorted(store.tables, key=lambda t: (t not in store.written, t not in store.read, t))
    rows = tuple(
        Row("", _tail(visible(table), 31), _use(store, table), visible(table), y + HEAD + ROW * n)
        for n, table in enumerate(tables[:TABLES])
    )
    left = max(0, len(tables) - TABLES)
    return _box("store", store.kind, f"{len(tables)}", (RIGHT, y, RIGHT_WIDTH), rows, left)


def _use(store: Store, table: str) -> str:
    if table in store.written:
        return "read, written" if table in store.read else "written"
    return "read" if table in store.read else ""


def _hint(call: CallOut) -> str:
    extras = [
        word
        for word, holds in (("retried", call.retried), ("in a transaction", call.in_transaction))
        if holds
    ]
    return ", ".join([f"{call.location}, {call.function}: waits {waits(call.deadline)}", *extras])


def _endless(call: CallOut) -> bool:
    return call.deadline.bound is Bound.UNBOUNDED


# --- both ------------------------------------------------------------------------------------------


def _box(
    kind: str,
    title: str,
    remark: str,
    frame: tuple[int, int, int],
    rows: tuple[Row, ...],
    left: int,
    bad: bool = False,
) -> Box:
    x, y, width = frame
    count = len(rows) + (1 if left else 0)
    return Box(
        kind=kind,
        title=_tail(visible(title), 40),
        remark=remark,
        x=x,
        y=y,
        width=width,
        height=HEAD + ROW * count + (FOOT if count else 0),
        rows=rows,
        more=f"+{left:,} more" if left else "",
        bad=bad,
    )


def _lines(
    view: SystemMap,
    groups: Sequence[_Group],
    boxes: Sequence[Box],
    ends: dict[tuple[str, str], Box],
    small: bool,
) -> set[Line]:
    """From every row in a small system, from every box in a large one; equal lines count once."""
    homes = {table: store.kind for store in reversed(view.stores) for table in store.tables}
    lines: set[Line] = set()
    for group, box in zip(groups, boxes, strict=True):
        for number, entry in enumerate(group.entries):
            own = small and number < len(box.rows)
            y = box.rows[number].y + ROW // 2 if own else box.middle
            for key, kind, bad in _leans(view, entry.does, homes):
                end = ends.get(key)
                if end:
                    lines.add(Line(LEFT_WIDTH, y, RIGHT, end.middle, kind, bad))
    return lines


def _leans(view: SystemMap, does: Does, homes: dict[str, str]) -> Iterable[tuple[tuple[str, str], str, bool]]:
    for kind, numbers in (("call", does.calls), ("later", does.later)):
        for number in numbers:
            call = view.call(number)
            yield ("call", call.target), kind, _endless(call)
    written = {homes[table] for table in does.writes if table in homes}
    read = {homes[table] for table in does.reads if table in homes}
    for home in sorted(written | read):
        yield ("store", home), "write" if home in written else "read", False


def _left_out(view: SystemMap, groups: Sequence[_Group], shown: Sequence[_Group]) -> Iterable[str]:
    hidden = [g for g in groups if g not in shown]
    if hidden:
        entries = sum(len(g.entries) for g in hidden)
        yield f"{len(hidden):,} more groups with {entries:,} operations and jobs"
    targets = len({call.target for call in view.calls})
    if targets > GROUPS:
        yield f"{targets - GROUPS:,} more services"
    if len(view.stores) > GROUPS:
        yield f"{len(view.stores) - GROUPS:,} more stores"


def _tail(text: str, width: int) -> str:
    """`text`, cut at the left: of dotted names and paths, the end says most."""
    return text if cells(text) <= width else f"…{text[1 - width :]}"
