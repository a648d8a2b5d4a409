"""The six gates as JSON, in one versioned shape."""

from typing import Any

import msgspec

from mainstay.model.gate import Readiness
from mainstay.reports.encode import encode


def render(readiness: Readiness) -> str:
    """The verdict, and each gate with its reasons and all of its evidence.

    `schema` is the version of the shape; the place of evidence of `prove` is `experiment/claim`.
    """
    return encode(_lists(msgspec.to_builtins(readiness)))


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(held) for key, held in value.items()}
    return [_lists(held) for held in value] if isinstance(value, list | tuple) else value
