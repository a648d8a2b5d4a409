"""What a name of unknown type likely holds: a guess by the name, never certain."""

from mainstay.link.names import Names
from mainstay.model.system import Type


class Hints:
    """The hints of the libraries in use.  The file's own imports decide between libraries."""

    def __init__(self, names: Names) -> None:
        self._tops = {name: tops_of(name, names) for name in names.files}
        everywhere = frozenset().union(*self._tops.values()) if self._tops else frozenset()
        self._hints = {
            name: tuple(Type(held, certain=False) for held in types if held.partition(".")[0] in everywhere)
            for name, types in names.knowledge.hints.items()
        }

    def of(self, name: str, file: str) -> Type | None:
        """The likely type of `name` in that file, or None."""
        types = self._hints.get(name)
        if not types:
            return None
        tops = self._tops.get(file, frozenset())
        for held in types:
            if held.name.partition(".")[0] in tops:
                return held
        return types[0]


def tops_of(file: str, names: Names) -> frozenset[str]:
    """The top-level modules that a file imports."""
    return frozenset(imported.module.partition(".")[0] for imported in names.files[file].module.imports)
