"""What a body has made sure of so far, told from the tests it makes."""

from collections.abc import Callable, Iterable

from mainstay.link.cleaning import ALL, by_absence, is_scheme, tests_address
from mainstay.link.taint import Taint, prefixes
from mainstay.model.code import Attribute, Literal, Name, Operation, Text, Value

URL = frozenset({"url"})
DEEPEST = 6  # operands inside each other in one test
COMPARISONS = frozenset({"==", "!=", "in", "not in", "is", "is not", "<", ">", "<=", ">="})


class Checks:
    """Labels and the sinks for which they were found harmless.

    Lenient: both ways after a test count as checked, because what a body does with a value it has
    refused (raise, return, take another) needs no telling apart.
    """

    def __init__(self, carried: Callable[[Value], Taint], mentioned: Callable[[Value], Taint]) -> None:
        """`carried`: the taint of a value; `mentioned`: also that of everything a value is made from."""
        self._carried = carried
        self._mentioned = mentioned
        self._cleared: Taint = {}
        self._addresses = False  # the body asks what kind of address a host has
        self._schemes = False  # it looks at the scheme of an address

    def left(self, taint: Taint) -> Taint:
        """The taint less what has been made sure of by now."""
        if not taint or not (self._cleared or self._addresses):
            return taint
        found: Taint = {}
        for label, sinks in taint.items():
            for whole in prefixes(label):
                sinks = sinks - self._cleared.get(whole, frozenset())
            sinks = sinks - URL if self._addresses else sinks
            if sinks:
                found[label] = sinks
        return found

    def clear(self, taint: Taint, sinks: frozenset[str]) -> None:
        """Take these labels as harmless for these sinks from here on."""
        for label in taint if sinks else ():
            self._cleared[label] = self._cleared.get(label, frozenset()) | sinks

    def saw_scheme(self) -> None:
        """Take note that the body looks at the scheme of an address, which tells nothing of its host."""
        self._schemes = True

    @property
    def only_scheme(self) -> bool:
        """Whether the scheme is all that the body looks at of an address."""
        return self._schemes and not self._addresses and not any("url" in s for s in self._cleared.values())

    def of_parameters(self, parameters: Iterable[str]) -> Taint:
        """What has been made sure of the body's own parameters."""
        found = {label: sinks for label, sinks in self._cleared.items() if label.startswith("p:")}
        for name in parameters if self._addresses else ():
            found[f"p:{name}"] = found.get(f"p:{name}", frozenset()) | URL
        return found

    def mark(self) -> Taint:
        """What is known now, to come back to with `reset`."""
        return dict(self._cleared)

    def reset(self, mark: Taint) -> None:
        self._cleared = mark

    def test(self, value: Value, depth: int = 0) -> None:
        """Take note of what a test makes sure of."""
        if depth > DEEPEST:
            return
        if tests_address(value):
            self._addresses = True
        elif isinstance(value, Name | Attribute) and value.path.endswith("netloc"):
            self.clear(self._mentioned(value), frozenset({"redirect"}))
        elif isinstance(value, Operation):
            if value.operator in ("in", "not in", "==", "!=") and len(value.operands) == 2:
                self._comparison(value.operator, *value.operands)
            elif value.operator not in COMPARISONS:
                for each in value.operands:
                    self.test(each, depth + 1)

    def _comparison(self, operator: str, left: Value, right: Value) -> None:
        if is_scheme(right):
            self._schemes = True
        elif "in" in operator:
            if isinstance(left, Literal):
                self.clear(self._mentioned(right), by_absence(str(left.value)))
            elif not self._carried(right) and not isinstance(right, Literal | Text):
                self.clear(self._mentioned(left), ALL)
        elif isinstance(left, Literal) or isinstance(right, Literal):
            return  # to be equal to one text tells nothing where it is not
        elif not self._carried(right):
            self.clear(self._mentioned(left), ALL)
        elif not self._carried(left):
            self.clear(self._mentioned(right), ALL)
