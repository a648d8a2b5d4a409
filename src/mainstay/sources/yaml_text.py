"""Reads YAML that nobody has to trust, as data of JSON: no dates, no tags, no bombs."""

from typing import Any

import yaml

_DEEPEST = 200  # collections within one another
_MERGES = 64  # in one mapping

# libyaml where it was built: it is ten times as fast.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlError(ValueError):
    """The text is no YAML, or none that we read; one line."""


class _Loader(_Base):  # type: ignore[misc]  # which one it is, is known only where it runs
    """Dates stay texts, and `on` and `no` are names, as in YAML 1.2 and in JSON."""

    def flatten_mapping(self, node: Any) -> None:
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge" and len(getattr(value, "value", ())) > _MERGES:
                raise YamlError("a mapping merges too many others")
        super().flatten_mapping(node)
        if len(node.value) > 50_000:
            raise YamlError("a mapping is too large")


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if not tag.endswith(":timestamp") and not (tag.endswith(":bool") and first in "yYnNoO")
    ]
    for first, resolvers in _Base.yaml_implicit_resolvers.items()
}


def parse(text: str) -> Any:
    """The one document in a text; aliases share what they stand for.  Raises YamlError."""
    try:
        _measure(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    except YamlError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise YamlError(f"{error.problem or 'it makes no sense'}{where}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise YamlError(str(error).partition("\n")[0] or type(error).__name__) from error


def _measure(text: str) -> None:
    """The loader goes down by calls, and libyaml's has no floor: the parser alone is safe at any depth."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise YamlError("it is nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
