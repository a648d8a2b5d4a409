"""Signatures by which one service shows another who sent a request."""

import base64
import hashlib
import hmac

import msgspec

from mainstay.lab.error import LabError
from mainstay.lab.load.templates import Prepared
from mainstay.lab.placeholders import fill
from mainstay.model.service import Signature


def signed(request: Prepared, signature: Signature, secret: str, timestamp: int) -> Prepared:
    """The request with its signature: an HMAC (RFC 2104) over what the declaration says is signed.

    `timestamp` is in seconds since 1970.  Raises LabError for a placeholder that means nothing.
    """
    body = (request.body or b"").decode(errors="surrogateescape")
    values = {"body": body, "timestamp": str(timestamp)}
    where = f"the signature of {request.action!r}"
    text = fill(signature.over, values, where).encode(errors="surrogateescape")
    try:
        made = hmac.new(secret.encode(), text, signature.algorithm).digest()
    except ValueError as error:
        known = ", ".join(sorted(name for name in hashlib.algorithms_guaranteed if name.startswith("sha")))
        problem = f"{where}: {signature.algorithm!r} is none of {known}"
        raise LabError(problem) from error
    digest = base64.b64encode(made).decode() if signature.base64 else made.hex()
    value = fill(signature.value, {"digest": digest, "timestamp": str(timestamp)}, where)
    header = f"{signature.header}: {value}".encode()
    return msgspec.structs.replace(request, headers=[*request.headers, header])
