"""Where requester's data is read: attributes and calls that the libraries' knowledge marks as untrusted."""

from mainstay.link.calls import Calls
from mainstay.link.draft import Draft
from mainstay.link.taint import NOTHING, SINKS, Source, Taint, below, spoken
from mainstay.model.code import Attribute, Call, Literal, Name, Value
from mainstay.model.location import Location
from mainstay.model.system import Type

UPLOADS = "FILES"  # Django keeps only the last part of an upload's name
NOT_BY_LINK = frozenset(
    """
    headers META COOKIES cookies user_agent referrer url path full_path path_info base_url host host_url
    url_root script_root get_full_path get_full_path_info build_absolute_uri
    """.split()
)
"""What no link can make a visitor send, and this service's own address: they redirect nowhere else."""


class Sources:
    """Every place found so far where requester's data is read; labels refer to them by number."""

    def __init__(self) -> None:
        self._table: list[Source] = []
        self._labels: dict[tuple[str, str], str] = {}

    def label(self, source: Source) -> str:
        """The label of a source; the same expression of a function is the same source."""
        key = (source.function, source.what)
        if key not in self._labels:
            self._labels[key] = f"s:{len(self._table)}"
            self._table.append(source)
        return self._labels[key]

    def of(self, label: str) -> Source:
        return self._table[int(label[2:])]


class Requested:
    """Tells which values of a body are a requester's own."""

    def __init__(self, calls: Calls, sources: Sources) -> None:
        self._calls = calls
        self._sources = sources
        types = [entry for library in calls.knowledge.libraries for entry in library.type]
        self._attributes = frozenset(name for entry in types for name in entry.untrusted_attributes)

    def attribute(self, draft: Draft, value: Name | Attribute) -> Taint:
        """`request.GET` and the like, by the type of what stands before the last dots."""
        parts = value.path.split(".")
        for position, part in enumerate(parts):
            if part not in self._attributes or (position == 0 and isinstance(value, Name)):
                continue
            held = self._holder(draft, value, ".".join(parts[:position]))
            if held and self._marks(held, part):
                shown = ".".join(parts[: position + 1])
                shown = shown if isinstance(value, Name) else f"{held.rpartition('.')[2]}.{shown}"
                return self._read(draft, shown, draft.body.line, part)
        return NOTHING

    def call(self, draft: Draft, call: Call, name: str) -> Taint:
        """`request.get_json()`, `self.get_argument('next')`."""
        callee = call.callee.path if isinstance(call.callee, Name) else name
        shown = f"{callee}({', '.join(spoken(a) for a in call.arguments[:1])})"
        return self._read(draft, shown, call.line, name)

    def item(self, base: Value, key: Value, taint: Taint) -> Taint:
        """The item `key` of a tainted mapping: a source is named with its key."""
        if isinstance(key, Literal) and isinstance(key.value, str):
            taint = below(taint, key.value.replace(".", "_"))
        if not isinstance(base, Name):
            return taint
        return {self._with_key(label, base, key): sinks for label, sinks in taint.items()}

    def _with_key(self, label: str, base: Name, key: Value) -> str:
        source = self._sources.of(label) if label.startswith("s:") else None
        if source is None or source.what != f"`{base.path}`":
            return label
        what = f"`{base.path}[{spoken(key)}]`"
        return self._sources.label(Source(what, source.function, source.location))

    def _holder(self, draft: Draft, value: Name | Attribute, before: str) -> str:
        """The type of what the attribute is read off."""
        if isinstance(value, Name):
            known = self._calls.path(draft, before)
        else:
            known = self._calls.known(draft, value.base)
            known = self._calls.below(known, before) if before else known
        return known.name if isinstance(known, Type) else known or ""

    def _marks(self, held: str, attribute: str) -> bool:
        """Whether the attribute of an instance of that type is untrusted."""
        if held in self._calls.names.classes:
            names = (held, *self._calls.classes.ancestry(held))
        else:
            names = self._calls.knowledge.ancestry(held)
        for name in names:
            library = self._calls.knowledge.type(name)
            if library and (attribute in library.untrusted_attributes or "*" in library.untrusted_attributes):
                return True
        return False

    def _read(self, draft: Draft, what: str, line: int, attribute: str) -> Taint:
        sinks = SINKS - {"redirect"} if attribute in NOT_BY_LINK else SINKS
        sinks = sinks - {"path"} if attribute == UPLOADS else sinks
        source = Source(f"`{what}`", draft.name, Location(draft.file.path, line))
        return {self._sources.label(source): sinks}
