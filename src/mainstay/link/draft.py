"""A function while it is being linked."""

from mainstay.model.code import Body
from mainstay.model.effect import Effect, Enclosure
from mainstay.model.library import Callable
from mainstay.model.system import Edge, File, Target, Type

Known = Type | str  # a value of that type, or the project's or library's thing of that dotted name


class Draft:
    """One body and what has been found out about it so far; frozen into a `Function` at the end."""

    __slots__ = (
        "body",
        "bound",
        "decorators",
        "direct",
        "edges",
        "enclosures",
        "env",
        "file",
        "index",
        "locals",
        "looked_up",
        "name",
        "notable",
        "owner",
        "parent",
        "results",
        "returned",
        "state",
        "targets",
        "yielded",
    )

    def __init__(
        self, name: str, file: File, index: int, body: Body, owner: str, parent: "Draft | None"
    ) -> None:
        self.name = name
        self.file = file
        self.index = index
        self.body = body
        self.owner = owner  # dotted name of the class whose method (or nested function) it is
        self.parent = parent
        self.state = 0  # 0 untouched, 1 being resolved, 2 resolved
        self.looked_up: dict[str, str | None] = {}  # what names not bound here mean, once asked
        self.locals: dict[str, str] = {}  # names bound by import, def or class -> dotted name
        self.bound: set[str] = set()  # names that parameters, assignments and loops bind here
        self.env: dict[str, Known] = {}  # local variables and parameters
        self.results: dict[int, Known] = {}  # what calls return
        self.targets: dict[int, Target] = {}
        self.decorators: tuple[Target, ...] = ()
        self.returned: Known | None = None
        self.yielded: Known | None = None
        self.notable: tuple[tuple[int, Target, Callable], ...] | None = None  # see `Lookup.notable`
        self.edges: dict[int, tuple[Edge, ...]] = {}
        self.direct: dict[int, tuple[Effect, ...]] = {}
        self.enclosures: tuple[Enclosure, ...] = ()
