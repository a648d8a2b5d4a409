"""Reads the keys of a table: each is known, has the right shape, and those that must be there are."""

from collections.abc import Iterator, Sequence

from mainstay.sources.specification.faults import Faults
from mainstay.sources.specification.nodes import Many, Node, Table, Text


class Keys:
    """The keys of one table; `what` names it in what is said, and `known` are those that it may have."""

    def __init__(self, node: Node, what: str, known: Sequence[str], faults: Faults) -> None:
        self.faults = faults
        self.what = what
        self.table = node if isinstance(node, Table) else Table(node.location, ())
        if not isinstance(node, Table):
            faults.add(node.location, f"{what} is a mapping; write `{{{known[0]}: ...}}`.")
        for key, _ in self.table.items:
            if key.value not in known:
                faults.unknown(key.location, f"key in {what}", key.value, known)

    def has(self, name: str) -> bool:
        return self.table.get(name) is not None

    def text(self, name: str, *, like: str = "", needed: bool = False) -> Text | None:
        """The text under a key; `like` shows what would be right."""
        node = self.table.get(name)
        if node is None:
            if needed:
                self.faults.add(self.table.location, f"{self.what} has no `{name}`; add `{name}: {like}`.")
            return None
        if not isinstance(node, Text) or not node.value.strip():
            self.faults.add(self.table.key(name), f"`{name}` is a text; write `{name}: {like}`.")
            return None
        return node

    def word(self, name: str, known: Sequence[str], default: str) -> str:
        """The text under a key when it is one of those."""
        found = self.text(name, like=known[0])
        if found is None:
            return default
        if found.value not in known:
            self.faults.unknown(found.location, f"`{name}`", found.value, known)
            return default
        return found.value

    def texts(self, name: str) -> tuple[Text, ...]:
        """A list of texts, or one with commas between."""
        node = self.table.get(name)
        if node is None:
            return ()
        if isinstance(node, Text):
            return tuple(Text(node.location, part.strip()) for part in node.value.split(",") if part.strip())
        if isinstance(node, Many) and all(isinstance(item, Text) for item in node.items):
            return tuple(item for item in node.items if isinstance(item, Text))
        self.faults.add(self.table.key(name), f"`{name}` is a list of words: `{name}: [one, two]`.")
        return ()

    def flag(self, name: str) -> bool:
        """`true` or `false`; false when it is not there."""
        found = self.text(name, like="true")
        if found is None:
            return False
        if found.value not in ("true", "false"):
            self.faults.add(found.location, f"`{name}` is `true` or `false`, not `{found.value}`.")
        return found.value == "true"

    def rows(self, name: str) -> Iterator[tuple[Text, Node]]:
        """The keys and values of a mapping under a key."""
        node = self.table.get(name)
        if node is None:
            return
        if not isinstance(node, Table):
            self.faults.add(self.table.key(name), f"`{name}` is a mapping of names; indent them below it.")
            return
        yield from node.items
