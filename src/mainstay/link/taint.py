"""What a requester chose: the labels that values carry, and for which sinks they are still dangerous.

A label is text.  `p:body.url` is what the caller gave as attribute `url` of parameter `body`; `s:3`
is the fourth source found in the project (`request.args["next"]`).  A function's summary speaks of
its own parameters, so that each body is read once however many callers it has.
"""

import re

from msgspec import Struct

from mainstay.model.code import Literal, Name, Operation, Text, Value
from mainstay.model.finding import Hop
from mainstay.model.location import Location

SINKS = frozenset({"sql", "url", "path", "redirect", "command", "html"})
NOTHING: "Taint" = {}
MOST_LABELS = 24  # in one value
DEEPEST = 3  # attributes of one parameter that are told apart
HOPS = 12  # calls that one flow may pass

Taint = dict[str, frozenset[str]]
"""Label -> the sinks for which it has not been made harmless."""

_OPEN_HOST = re.compile(r"\w*:?/?/?[^/?#]*\Z")
_SCHEME = re.compile(r"\w+:")


class Source(Struct, frozen=True):
    """A place where a requester's data is read."""

    what: str
    function: str
    location: Location


class Hit(Struct, frozen=True):
    """A sink that a label reaches, and the calls on the way."""

    function: str
    statement: int
    location: Location
    callee: str
    hops: tuple[Hop, ...] = ()
    certain: bool = True


class Summary(Struct, frozen=True, eq=False):
    """What a function does with what it is given."""

    sinks: dict[tuple[str, str], Hit]  # (label of a parameter, sink)
    returns: Taint
    clears: Taint  # labels it makes sure of, or raises
    only_scheme: bool = False  # of an address it looks at the scheme alone

    def size(self) -> tuple[int, int, int]:
        return len(self.sinks), sum(map(len, self.returns.values())), len(self.clears)


EMPTY = Summary({}, {}, {})


def joined(*taints: Taint) -> Taint:
    """Everything that any of them carries."""
    found: Taint = {}
    for taint in taints:
        for label, sinks in taint.items():
            if label in found:
                found[label] |= sinks
            elif len(found) < MOST_LABELS:
                found[label] = sinks
    return found


def without(taint: Taint, sinks: frozenset[str]) -> Taint:
    """The taint once it is harmless for these sinks."""
    return {label: left for label, held in taint.items() if (left := held - sinks)}


def below(taint: Taint, path: str) -> Taint:
    """The taint of the attribute or item `path` of a value."""
    if not path:
        return taint
    return {lengthened(label, path): sinks for label, sinks in taint.items()}


def lengthened(label: str, path: str) -> str:
    """`p:body` and `url` make `p:body.url`; sources stay themselves."""
    if not label.startswith("p:") or not path:
        return label
    parts = f"{label}.{path}".split(".")
    return ".".join(parts[: DEEPEST + 1])


def prefixes(label: str) -> tuple[str, ...]:
    """The label itself and those it lies below: `p:a.b`, `p:a`."""
    found = [label]
    while "." in label:
        label = label.rpartition(".")[0]
        found.append(label)
    return tuple(found)


def fixed_by(prefix: str) -> frozenset[str]:
    """The sinks that text after this prefix no longer steers: a host once written cannot be changed.

    In a prefix, NUL stands for a part that no requester chose.
    """
    if not prefix:
        return frozenset()
    if prefix.startswith("\0") or not _SCHEME.match(prefix):
        return frozenset({"url", "redirect"})
    return frozenset() if _OPEN_HOST.fullmatch(prefix) else frozenset({"url", "redirect"})


def parts_of(value: Value) -> tuple[Value, ...]:
    """The parts of a text put together in any way."""
    if isinstance(value, Text):
        return value.parts
    if isinstance(value, Operation) and value.operator == "+":
        return tuple(part for operand in value.operands for part in parts_of(operand))
    return (value,)


def spoken(value: Value) -> str:
    """A key in words."""
    if isinstance(value, Literal):
        return repr(value.value)
    return value.path if isinstance(value, Name) else "..."
