"""The YAML of a specification as nodes that know their place: no tags, no aliases, no keys twice."""

from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct

from mainstay.model.location import Location
from mainstay.sources.specification.faults import Fault, Faults, SpecificationError

DEEPEST = 12  # collections within one another
LARGEST = 1 << 20  # characters


class Text(Struct, frozen=True):
    """A scalar, as it is written."""

    location: Location
    value: str


class Many(Struct, frozen=True):
    """A list."""

    location: Location
    items: tuple["Node", ...]


class Table(Struct, frozen=True):
    """A mapping whose keys are texts."""

    location: Location
    items: tuple[tuple[Text, "Node"], ...]

    def get(self, name: str) -> "Node | None":
        """The value under that key."""
        return next((value for key, value in self.items if key.value == name), None)

    def key(self, name: str) -> Location:
        """Where that key stands, or the table where it has none."""
        return next((key.location for key, _ in self.items if key.value == name), self.location)


Node = Text | Many | Table


def nodes(text: str, path: str) -> Table:
    """The one mapping that the text holds; raises SpecificationError."""
    if len(text) > LARGEST:
        raise SpecificationError(
            [Fault(Location(path, 1), "it is larger than a specification can be (1 MiB).")]
        )
    faults = Faults()
    try:
        _check_depth(text, path)
        root = yaml.compose(text, Loader=yaml.SafeLoader)  # its own one: libyaml's counts columns in bytes
    except yaml.MarkedYAMLError as error:
        place = _place(error.problem_mark or error.context_mark, path)
        raise SpecificationError([Fault(place, f"this is not YAML: {_plain(error)}.")]) from None
    except yaml.YAMLError as error:
        raise SpecificationError(
            [Fault(Location(path, 1), f"this is not YAML: {error}".splitlines()[0])]
        ) from None
    if not isinstance(root, yaml.MappingNode):
        said = "a specification is a mapping: begin with `mainstay: 1`."
        raise SpecificationError([Fault(Location(path, 1), said)])
    found = _node(root, path, faults)
    faults.raise_any()
    assert isinstance(found, Table)
    return found


def _place(mark: Any, path: str) -> Location:
    return Location(path, mark.line + 1, mark.column + 1) if mark is not None else Location(path, 1)


def _plain(error: yaml.MarkedYAMLError) -> str:
    return " ".join((error.problem or error.context or "it makes no sense").split())


def _check_depth(text: str, path: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        place = _place(event.start_mark, path)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            said = "anchors and aliases (`&`, `*`) are not read; write it out, or put quotes around the text."
            raise SpecificationError([Fault(place, said)])
        if getattr(event, "tag", None) is not None:
            raise SpecificationError([Fault(place, "tags (`!`) are not read; leave it out.")])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise SpecificationError([Fault(place, "this is nested too deeply for a specification.")])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _node(node: Any, path: str, faults: Faults) -> Node:
    place = _place(node.start_mark, path)
    if isinstance(node, yaml.SequenceNode):
        return Many(place, tuple(_node(item, path, faults) for item in node.value))
    if isinstance(node, yaml.MappingNode):
        return Table(place, tuple(_items(node, path, faults)))
    return Text(place, str(node.value))


def _items(node: Any, path: str, faults: Faults) -> Iterator[tuple[Text, Node]]:
    seen: dict[str, Location] = {}
    for key, value in node.value:
        place = _place(key.start_mark, path)
        if not isinstance(key, yaml.ScalarNode):
            faults.add(place, "a key is a plain word.")
            continue
        if key.value in seen:
            faults.add(
                place, f"`{key.value}` stands here twice, first in line {seen[key.value].line}; keep one."
            )
            continue
        seen[key.value] = place
        yield Text(place, str(key.value)), _node(value, path, faults)
