"""Where a key lives: a caller, an operation, and the key that the caller chose."""

from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from mainstay_runtime.events import tell
from mainstay_runtime.idempotency.refusals import Malformed

LONGEST = 255  # of key, scope and operation, in characters; together they fit into an index entry


@dataclass(frozen=True, slots=True)
class Address:
    """Scope, operation and key: what the tables are keyed by."""

    scope: str
    operation: str
    key: str

    @property
    def lock(self) -> int:
        """The number of the advisory lock: 64 bits of a hash, as PostgreSQL takes it, signed."""
        parts = "\0".join((self.scope, self.operation, self.key))
        return int.from_bytes(sha256(parts.encode()).digest()[:8], signed=True)

    def parameters(self) -> dict[str, object]:
        return {"scope": self.scope, "operation": self.operation, "key": self.key}


def address(scope: str | int | UUID, operation: str, key: str | None) -> Address:
    """The address of a key.  Raises Malformed for a key that a caller may not use.

    Raises ValueError for an empty scope or operation: that is a mistake of the service, and one that would
    let callers read each other's answers.
    """
    if isinstance(scope, bool | None):  # what an absent principal and a mistaken test look like
        raise TypeError(f"the scope is who calls, a string, UUID or number, not {scope}")
    for name, value in (("scope", str(scope)), ("operation", operation)):
        if not 1 <= len(value) <= LONGEST or "\0" in value:
            raise ValueError(f"the {name} has {len(value)} characters; 1 to {LONGEST} without NUL are needed")
    if key is None or not _usable(key):
        tell("idempotency", operation, "malformed")
        raise Malformed(operation)
    return Address(str(scope), operation, key)


def _usable(key: str) -> bool:
    return 1 <= len(key) <= LONGEST and key.isascii() and key.isprintable() and key == key.strip()
