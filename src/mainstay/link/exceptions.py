"""Which exception is which, and what a handler catches."""

from collections.abc import Set as AbstractSet

from mainstay.link.classes import Classes
from mainstay.link.draft import Draft
from mainstay.link.names import Names, join

ALL = frozenset({"BaseException", "Exception"})


class Exceptions:
    """The hierarchy of exceptions: the project's, the libraries' and the built-in ones."""

    def __init__(self, names: Names, classes: Classes) -> None:
        self._names = names
        self._classes = classes
        self._bases: dict[str, frozenset[str]] = {}
        self._answers: dict[tuple[frozenset[str], str], bool] = {}

    def full(self, draft: Draft, path: str) -> str:
        """The dotted name of an exception as written in that body."""
        head, _, rest = path.partition(".")
        bound = self._names.lookup(draft, head)
        if bound is not None:
            return self._names.canonical(join(bound, rest))
        return path

    def catches(self, caught: frozenset[str], exception: str) -> bool:
        """Whether a handler for `caught` catches `exception`."""
        key = (caught, exception)
        if key not in self._answers:
            self._answers[key] = bool(caught & self.kinds(exception))
        return self._answers[key]

    def kinds(self, exception: str) -> AbstractSet[str]:
        """The exception and everything it derives from.

        An exception of which nothing is known is taken for an ordinary one.
        """
        found = self._bases.get(exception)
        if found is None:
            found = self._bases[exception] = frozenset(self._kinds(exception))
        return found

    def _kinds(self, exception: str) -> set[str]:
        knowledge = self._names.knowledge
        found = {exception, *knowledge.exception_bases(exception)}
        if exception in self._names.classes:
            for base in self._classes.ancestry(exception):
                found |= {base, *knowledge.exception_bases(base)}
        if not found & {"BaseException"} or "Exception" in found:
            found |= ALL
        return found
