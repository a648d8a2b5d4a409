"""JSON: the proof as it is, in one versioned shape, readable back.

`schema` is the version of the shape.  A later version may add members; it changes the meaning of none
without counting up.  What is no finite number is written as JSON can hold it: an endless amount as the
greatest number there is, an unknown one as nothing, an unknown figure as an open question.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from mainstay.model.gate import GateResult
from mainstay.model.proof import Origin, Proof
from mainstay.reports.encode import encode

FORMAT = "json"
ENDING = ".json"
SCHEMA = 1


class ProofUnreadable(Exception):
    """A file that is no proof, or one of a version that is not known here; the message is a sentence."""


class _Version(Struct):
    schema: int


def render(proof: Proof, *, families: Mapping[str, str] = {}, gates: Sequence[GateResult] = ()) -> str:
    """The proof and nothing else: what `read_proof` reads."""
    return encode(_finite(msgspec.to_builtins(proof)))


def read_proof(text: str | bytes) -> Proof:
    """The proof that `render` wrote; raises ProofUnreadable."""
    try:
        version = msgspec.json.decode(text, type=_Version).schema
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ProofUnreadable(f"This is not the result of a proof: {_said(error)}.") from None
    if version != SCHEMA:
        raise ProofUnreadable(f"The proof has the schema {version}; this version of Mainstay reads {SCHEMA}.")
    try:
        return msgspec.json.decode(text, type=Proof)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ProofUnreadable(f"The proof is damaged: {_said(error)}.") from None


def schema() -> str:
    """The JSON Schema (2020-12) of what `render` writes, printed from the model itself."""
    printed = msgspec.json.schema(Proof)
    return encode({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Proof", **printed})


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return value if math.isfinite(value) else math.copysign(sys.float_info.max, value)
    if isinstance(value, dict):
        if "origin" in value and value.get("value") != value.get("value"):  # NaN is unlike itself
            value = value | {"value": 0.0, "origin": str(Origin.OPEN)}
        return {key: _finite(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(held) for held in value]
    return value


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:1].lower() + text[1:]
