"""What of a request and an answer is compared and kept: bytes, and JSON of everything else."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from uuid import UUID


def digest(request: object) -> bytes:
    """SHA-256 of a request: of bytes as they are, of all else as JSON with sorted keys (32 bytes).

    A model counts by the fields that were set, so that a field with a default which a new version adds does
    not turn a retry into another request.  Raises TypeError for what has no JSON.
    """
    if isinstance(request, bytes | bytearray | memoryview):
        return hashlib.sha256(b"bytes\n" + bytes(request)).digest()
    return hashlib.sha256(b"json\n" + _json(request, _as_asked, sort_keys=True)).digest()


def encoded(body: object) -> bytes:
    """The bytes of an answer's body: bytes and text as they are, all else as JSON.  Raises TypeError."""
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    if isinstance(body, str):
        return body.encode()
    whole = getattr(body, "model_dump_json", None)  # by its shape: the runtime does not depend on pydantic
    return str(whole()).encode() if callable(whole) else _json(body, _in_full, sort_keys=False)


def _json(value: object, default: Callable[[object], object], *, sort_keys: bool) -> bytes:
    return json.dumps(
        value,
        default=default,
        sort_keys=sort_keys,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    ).encode()


def _as_asked(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", exclude_unset=True) if callable(dump) else _plain(value)


def _in_full(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else _plain(value)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        raise TypeError("a set has no order, so it has no digest: pass a sorted list")
    raise TypeError(f"{type(value).__name__} has no JSON: pass bytes, a model, a dataclass or plain values")
