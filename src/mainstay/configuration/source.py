"""The text of a configuration: its table, and the line on which a key of it stands."""

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from mainstay.suppressions import suggestion

T = TypeVar("T", bound=Struct)

SHARES = {"%": Decimal("0.01")}
TIMES = {"ms": Decimal("0.001"), "s": Decimal(1), "min": Decimal(60), "h": Decimal(3600)}
RATES = {"/s": Decimal(1), "/min": Decimal(1) / 60}


class ConfigurationError(Exception):
    """A configuration that cannot be used; the message begins with file and line."""


class Source:
    """The text of a configuration, able to say on which line a key stands."""

    def __init__(self, file: Path, text: str, prefix: str) -> None:
        self.file = file
        self._text = text
        self._prefix = prefix

    def table(self) -> dict[str, Any] | None:
        """The table that is ours, None when the file has none."""
        try:
            table: object = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"at line (\d+)", str(error))
            line = int(found[1]) if found else self._text.count("\n") + 1
            raise self._error(line, f"this is not valid TOML: {error}") from None
        except RecursionError:
            raise self._error(1, "no usable TOML: it is nested too deeply") from None
        for part in filter(None, self._prefix.split(".")):
            table = table.get(part) if isinstance(table, dict) else None
        if table is None:
            return None
        if not isinstance(table, dict):
            raise self.at(self._prefix, "expected a table")
        return table

    def at(self, key: str, problem: str, nth: int = 0) -> ConfigurationError:
        """The error that `problem` is, at the line of the dotted `key`."""
        return self._error(self.line(key, nth), f"`{key}`: {problem}" if key else problem)

    def line(self, key: str, nth: int = 0) -> int:
        """Where the key (its `nth` mention, for lists of tables) stands, or the nearest table above it."""
        wanted = ".".join(filter(None, (self._prefix, key)))
        header, best, best_depth, seen = "", 1, -1, 0
        for number, line in enumerate(self._text.splitlines(), 1):
            opened = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line)
            if opened:
                here = header = _plain(opened[1])
            elif assigned := re.match(r"""\s*([\w.\-"' ]+?)\s*=""", line):
                here = ".".join(filter(None, (header, _plain(assigned[1]))))
            else:
                continue
            if here == wanted:
                if seen == nth:
                    return number
                seen += 1
            depth = here.count(".")
            if (wanted.startswith(f"{here}.") or here == wanted) and depth >= best_depth:
                best, best_depth = number, depth
        return best

    def _error(self, line: int, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self.file}:{line}: {problem}")

    def refuse_unknown(self, raw: object, prefix: str, shape: type[Struct], nth: int = 0) -> None:
        """Raise ConfigurationError for a key that the shape does not have."""
        if not isinstance(raw, dict):
            return
        known = {field.encode_name for field in msgspec.structs.fields(shape)}
        for key in raw:
            if key not in known:
                raise self.at(prefix + key, f"there is no such key.{suggestion(key, known)}", nth)

    def convert(self, raw: object, shape: type[T], prefix: str = "", nth: int = 0) -> T:
        """The raw table as a struct; raises ConfigurationError at the key whose value does not fit."""
        try:
            return msgspec.convert(raw, shape)
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at `$.")
            key = re.sub(r"\[.*?\]", "", where.rstrip("`"))
            raise self.at(prefix + key, what[:1].lower() + what[1:], nth) from None

    def amount(
        self, key: str, text: str | None, units: Mapping[str, Decimal], default: float, nth: int = 0
    ) -> float:
        """An amount with its unit, `350ms`; as decimals, so that 350 ms is 0.35 s exactly."""
        if text is None:
            return default
        parts = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z%/]+)\s*", text)
        if parts is None or parts[2] not in units:
            example = "99.9%" if "%" in units else "60/s" if "/s" in units else "200ms"
            problem = f"{text!r} is no amount with a unit ({', '.join(units)}), such as {example!r}"
            raise self.at(key, problem, nth)
        return float(Decimal(parts[1]) * units[parts[2]])


def _plain(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
