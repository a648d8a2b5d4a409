"""Reads a specification: the sections one after the other, then what has to fit together."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mainstay.budgets import STANDARD
from mainstay.model.budget import Budgets
from mainstay.model.location import Location
from mainstay.model.specification import Assumption, Caller, Entity, Load, Need, Operation, Specification
from mainstay.sources.specification.amounts import rate, seconds, share
from mainstay.sources.specification.callers import caller
from mainstay.sources.specification.entities import entity
from mainstay.sources.specification.faults import Fault, Faults, SpecificationError
from mainstay.sources.specification.fitting import check
from mainstay.sources.specification.needs import need
from mainstay.sources.specification.nodes import Node, Table, Text, nodes
from mainstay.sources.specification.operations import operation
from mainstay.sources.specification.tables import Keys

VERSION = "1"
KEYS = (
    "mainstay",
    "service",
    "purpose",
    "owner",
    "budgets",
    "load",
    "callers",
    "data",
    "needs",
    "operations",
)
BUDGETS = ("availability", "errors", "p95", "recovery", "data_loss")
SERVICE = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
LOAD = Load(expected=10.0, peak=40.0)  # where nothing is said
RATIO = 4  # of the peak to the expected load, where only one is said


def read_file(file: Path, path: str = "") -> Specification:
    """The specification in a file, named `path` in what is said; raises SpecificationError and OSError."""
    path = path or file.name
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SpecificationError([Fault(Location(path, 1), "this is not UTF-8; save it as such.")]) from None
    return read(text, path)


def read(text: str, path: str) -> Specification:
    """The specification that the text is; raises SpecificationError with all that is wrong."""
    root = nodes(text, path)
    faults = Faults()
    keys = Keys(root, "a specification", KEYS, faults)
    _check_version(keys)
    found = _Reader(keys, faults).whole()
    faults.raise_any()
    check(found, faults)
    faults.raise_any()
    return found


def _check_version(keys: Keys) -> None:
    version = keys.text("mainstay", like=VERSION, needed=True)
    if version is not None and version.value != VERSION:
        said = f"this says version {version.value}, and only {VERSION} is known; write `mainstay: {VERSION}`."
        keys.faults.add(version.location, said)


class _Reader:
    """The sections of one specification."""

    def __init__(self, keys: Keys, faults: Faults) -> None:
        self._keys = keys
        self._faults = faults
        self._assumed: list[Assumption] = []

    def whole(self) -> Specification:
        service = self._keys.text("service", like="payments", needed=True)
        purpose = self._keys.text("purpose", like="Charge cards for orders, exactly once.", needed=True)
        owner = self._keys.text("owner", like="payments-team", needed=True)
        if service is not None and not SERVICE.fullmatch(service.value):
            said = f"`{service.value}` is no name for a service; write small letters, digits and `-`."
            self._faults.add(service.location, said)
        budgets, data_loss = self._budgets()
        return Specification(
            service.value if service else "",
            " ".join(purpose.value.split()) if purpose else "",
            owner.value if owner else "",
            self._keys.table.location,
            budgets,
            data_loss,
            self._load(),
            tuple(self._callers()),
            tuple(self._entities()),
            tuple(self._needs()),
            tuple(self._operations()),
            tuple(self._assumed),
        )

    # --- amounts -----------------------------------------------------------------------------

    def _budgets(self) -> tuple[Budgets, float]:
        found = STANDARD
        inner = self._inner("budgets", BUDGETS)
        for name in ("availability", "errors", "p95", "recovery"):
            text = (
                inner.text(name, like="200ms" if name in ("p95", "recovery") else "99.9%") if inner else None
            )
            if text is None:
                self._assume(f"budgets.{name}", _written(name), "the standing budget")
                continue
            value = (seconds if name in ("p95", "recovery") else share)(text, self._faults)
            if value is not None:
                found = msgspec.structs.replace(found, **{name: value})
        loss = inner.text("data_loss", like="0s") if inner else None
        if loss is None:
            self._assume("budgets.data_loss", "0s", "no acknowledged write is lost")
        return found, (seconds(loss, self._faults) or 0.0) if loss is not None else 0.0

    def _load(self) -> Load:
        inner = self._inner("load", ("expected", "peak"))
        expected = self._rate(inner, "expected", "50/s")
        peak = self._rate(inner, "peak", "200/s")
        if expected is None and peak is None:
            self._assume("load", "10/s, at most 40/s", "nothing is said; a small service")
            return LOAD
        if expected is None:
            assert peak is not None
            expected = peak / RATIO
            self._assume("load.expected", f"{expected:g}/s", f"a {RATIO}th of the peak")
        if peak is None:
            peak = expected * RATIO
            self._assume("load.peak", f"{peak:g}/s", f"{RATIO} times the expected load")
        if peak < expected and inner is not None:
            said = f"the peak ({peak:g}/s) is below the expected load ({expected:g}/s); change one of them."
            self._faults.add(inner.table.key("peak"), said)
        return Load(expected, peak)

    def _rate(self, inner: Keys | None, name: str, like: str) -> float | None:
        text = inner.text(name, like=like) if inner is not None else None
        return rate(text, self._faults) if text is not None else None

    def _inner(self, name: str, known: tuple[str, ...]) -> Keys | None:
        node = self._keys.table.get(name)
        return None if node is None else Keys(node, f"`{name}`", known, self._faults)

    def _assume(self, key: str, value: str, why: str) -> None:
        self._assumed.append(Assumption(key, value, why))

    # --- what there is -----------------------------------------------------------------------

    def _callers(self) -> Iterator[Caller]:
        for name, node in self._section("callers", "shop: {auth: api key}"):
            yield caller(name, node, self._faults)

    def _entities(self) -> Iterator[Entity]:
        rows = list(self._section("data", "Charge: {amount: money > 0}"))
        known = [name.value for name, _ in rows]
        for name, node in rows:
            found = entity(name, node, known, self._faults)
            if found is not None:
                yield found

    def _needs(self) -> Iterator[Need]:
        for name, node in self._keys.rows("needs"):
            found = need(name, node, self._faults)
            if found is not None:
                yield found

    def _operations(self) -> Iterator[Operation]:
        for name, node in self._section("operations", "charge: {POST: /charges, by: shop, creates: Charge}"):
            found = operation(name, node, self._faults)
            if found is not None:
                yield found

    def _section(self, name: str, like: str) -> Iterator[tuple[Text, Node]]:
        node = self._keys.table.get(name)
        if node is None or (isinstance(node, Table) and not node.items):
            self._faults.add(self._keys.table.key(name), f"a service has `{name}`; add {{{like}}} under it.")
            return
        yield from self._keys.rows(name)


def _written(name: str) -> str:
    value = getattr(STANDARD, name)
    if name == "p95":
        return f"{value * 1000:g}ms"
    return f"{value / 60:g}min" if name == "recovery" else f"{value * 100:g}%"
