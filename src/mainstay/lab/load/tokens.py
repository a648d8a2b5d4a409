"""Texts that stand in one request of a run and in no other."""

import re
import zlib
from collections.abc import Callable

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
WIDTH = 5  # digits of a serial: 60 million requests
MARKER, KEY = "m", "k"

_BLOCK = 1_000_000  # numbers that belong to one prefix


class Tokens:
    """Makes them from a serial number and the run's prefix, so that those of one request belong together.

    A marker is `<prefix>m<serial>` and a key `<prefix>k<serial>`: the serial has a fixed width, so none is
    the beginning of another, and a database can be searched for `<prefix>%`.
    Raises ValueError for a prefix that is not of 1 to 16 characters `[a-z0-9]`.
    """

    def __init__(self, prefix: str) -> None:
        if not re.fullmatch(r"[a-z0-9]{1,16}", prefix):
            raise ValueError(f"a prefix is 1 to 16 of a-z and 0-9, not {prefix!r}")
        self.prefix = prefix
        self._sum = zlib.crc32(prefix.encode())
        # prefixes of one database rarely share a block; the highest number still fits 32 bits with a sign
        self._first = self._sum % 2000 * _BLOCK

    def marker(self, serial: int) -> str:
        return f"{self.prefix}{MARKER}{_digits(serial)}"

    def key(self, serial: int) -> str:
        return f"{self.prefix}{KEY}{_digits(serial)}"

    def number(self, serial: int) -> int:
        return self._first + serial % _BLOCK

    def email(self, serial: int) -> str:
        """At example.com, which is kept for this and which validators accept (`.test` they refuse)."""
        return f"{self.marker(serial)}@example.com"

    def uuid(self, serial: int) -> str:
        """In the form of version 4; the prefix is in its first part and the serial in its last."""
        return f"{self._sum:08x}-{serial >> 16 & 0xFFFF:04x}-4{serial & 0xFFF:03x}-8000-{serial:012x}"


# What a text of the load may hold beside pools.
MAKERS: dict[str, Callable[[Tokens, int], str | int]] = {
    "marker": Tokens.marker,
    "key": Tokens.key,
    "number": Tokens.number,
    "email": Tokens.email,
    "uuid": Tokens.uuid,
}


def pattern(prefix: str) -> re.Pattern[str]:
    """Finds markers and keys of a run in any text: group `kind` is `m` or `k`, `serial` joins the two."""
    return re.compile(rf"{re.escape(prefix)}(?P<kind>[{MARKER}{KEY}])(?P<serial>[0-9a-z]{{{WIDTH}}})")


def _digits(serial: int) -> str:
    found = ""
    for _ in range(WIDTH):
        serial, digit = divmod(serial, len(DIGITS))
        found = DIGITS[digit] + found
    return found
