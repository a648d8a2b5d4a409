"""The JSON schema of a specification, for editors: keys, words and the forms of phrases.

What has to fit together, no schema can say; `mainstay design` does.
"""

from typing import Any

from mainstay.model.specification import Auth, NeedKind
from mainstay.sources.specification import callers, needs, operations, whole
from mainstay.sources.specification.amounts import RATES, SHARES, TIMES
from mainstay.sources.specification.entities import NAME as ENTITY
from mainstay.sources.specification.fields import NAME

DIALECT = "https://json-schema.org/draft/2020-12/schema"
WORDS = {
    "mainstay": "The version of this language.",
    "service": "The name of the service.",
    "purpose": "What it is for, in one sentence.",
    "owner": "Who answers for it.",
    "budgets": "What it promises; where nothing is said, the standing budgets hold.",
    "load": "Requests a second, expected and at peak.",
    "callers": "Who calls, and how they show who they are.",
    "data": "What is stored: a phrase for each field, `moves` between states, `rule` or `rules`.",
    "needs": "What it cannot do alone, and what it does when that is down.",
    "operations": "What can be asked of it, by whom, and what it does.",
}


def schema() -> dict[str, Any]:
    """The schema as JSON has it."""
    sections = {
        "mainstay": {"const": 1},
        "service": _like(whole.SERVICE.pattern),
        "purpose": _text(),
        "owner": _text(),
        "budgets": _table(
            {
                "availability": _amount(SHARES),
                "errors": _amount(SHARES),
                "p95": _amount(TIMES),
                "recovery": _amount(TIMES),
                "data_loss": _amount(TIMES),
            }
        ),
        "load": _load(),
        "callers": _named(NAME.pattern, _caller()),
        "data": _named(ENTITY.pattern, _entity()),
        "needs": _named(NAME.pattern, _need()),
        "operations": _named(NAME.pattern, _operation()),
    }
    assert tuple(sections) == whole.KEYS
    described = {key: value | {"description": WORDS[key]} for key, value in sections.items()}
    needed = [key for key in whole.KEYS if key not in ("budgets", "load", "needs")]
    return {"$schema": DIALECT, "title": "A service for Mainstay", **_table(described), "required": needed}


def _caller() -> dict[str, Any]:
    return _table(
        {
            "auth": {"enum": [str(auth) for auth in Auth]},
            "scopes": _words(),
            "sees": {"enum": list(callers.SEES)},
            "why": _text(),
        }
    ) | {"required": ["auth"], **_when("auth", Auth.NOBODY, "why")}


def _entity() -> dict[str, Any]:
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {
            "id": {"const": "uuid"},
            "moves": _like(r".+->.+", "pending -> captured | failed"),
            "rule": _text("sum(amount) by charge <= charge.amount"),
            "rules": {"type": "array", "items": _text()},
        },
        "patternProperties": {f"^{NAME.pattern}$": {}},
        "additionalProperties": False,
    }


def _need() -> dict[str, Any]:
    down = r"refuse|(accept and )?settle later|degrade to .+"
    keys = {
        "kind": {"enum": [str(kind) for kind in NeedKind]},
        "url": _like(rf"env {needs.SETTING.pattern}", "env PROCESSOR_URL"),
        "auth": _like(rf"secret {needs.SETTING.pattern}", "secret PROCESSOR_KEY"),
        "timeout": _amount(TIMES),
        "idempotent": _like(r"no|header [A-Za-z][A-Za-z0-9-]*", "header Idempotency-Key"),
        "when_down": _like(down, "accept and settle later"),
        "availability": _amount(SHARES),
    }
    return _table(keys) | {
        "required": ["kind", "when_down"],
        **_when("kind", NeedKind.HTTP, "url", "timeout"),
    }


def _operation() -> dict[str, Any]:
    keys: dict[str, Any] = {method: _like(operations.PATH.pattern) for method in operations.METHODS}
    keys |= {deed: _text() for deed in operations.DEEDS}
    keys |= {name: _words() for name in ("moves", "calls", "emits")}
    keys |= {
        "by": _words(rf"{NAME.pattern}( with {NAME.pattern})?", "shop with charge"),
        "takes": {"anyOf": [*_words()["anyOf"], _named(NAME.pattern, _text())]},
        "locks": _text(),
        "limit": _amount(RATES),
        "critical": {"type": "boolean"},
        "budget": _table({"p95": _amount(TIMES)}),
        "load": _load(),
    }
    one = [{"required": [method]} for method in operations.METHODS]
    return _table(keys) | {"required": ["by"], "oneOf": one}


def _load() -> dict[str, Any]:
    return _table({"expected": _amount(RATES), "peak": _amount(RATES)})


def _table(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _named(pattern: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "patternProperties": {f"^{pattern}$": value}, "additionalProperties": False}


def _text(example: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"type": "string", "minLength": 1}
    return found | {"examples": [example]} if example else found


def _like(pattern: str, example: str = "") -> dict[str, Any]:
    return _text(example) | {"pattern": f"^({pattern})$"}


def _amount(units: dict[str, Any]) -> dict[str, Any]:
    return _like(rf"\d+(\.\d+)? ?({'|'.join(units)})")


def _words(pattern: str = ".+", example: str = "") -> dict[str, Any]:
    """A list of words, or one text with commas between them."""
    listed = _like(rf"({pattern})(, ?({pattern}))*", example)
    return {"anyOf": [listed, {"type": "array", "items": _like(pattern)}]}


def _when(key: str, value: str, *needed: str) -> dict[str, Any]:
    """Where the key has that value, these are needed too."""
    return {
        "if": {"properties": {key: {"const": str(value)}}, "required": [key]},
        "then": {"required": list(needed)},
    }
