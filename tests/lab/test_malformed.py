"""The catalogue of broken requests breaks one thing at a time, in many ways."""

import json
from typing import Any

from mainstay.lab.malformed import Malformed, malformed
from mainstay.sources.openapi import read

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {},
    "paths": {
        "/orders/{order_id}/lines": {
            "post": {
                "parameters": [
                    {"name": "order_id", "in": "path", "required": True, "schema": {"format": "uuid"}},
                    {"name": "day", "in": "query", "required": True, "schema": {"format": "date"}},
                    {"name": "X-Kind", "in": "header", "required": True, "schema": {"enum": ["a"]}},
                ],
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["amount", "product_id"],
                                "properties": {
                                    "amount": {"type": "integer", "minimum": 1},
                                    "product_id": {"type": "string", "format": "uuid"},
                                    "note": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]},
                                },
                            }
                        }
                    }
                },
                "responses": {"201": {"description": ""}},
            }
        },
        "/login": {
            "post": {
                "requestBody": {
                    "content": {
                        "application/x-www-form-urlencoded": {
                            "schema": {"required": ["user"], "properties": {"user": {"type": "string"}}}
                        }
                    }
                },
                "responses": {"200": {"description": ""}},
            }
        },
        "/hook": {"post": {"responses": {"200": {"description": ""}}}},
    },
}
KNOWN = {
    "order_id": "11111111-1111-4111-8111-111111111111",
    "product_id": "22222222-2222-4222-8222-222222222222",
}


def catalogue(path: str, known: dict[str, str] | None = None) -> dict[str, Malformed]:
    api = read(json.dumps(DOCUMENT).encode(), "x")
    operation = next(each for each in api.operations if each.path == path)
    found = list(malformed(api, operation, known))
    assert len({each.what for each in found}) == len(found)
    return {each.what: each for each in found}


def test_each_request_is_right_but_for_one_thing() -> None:
    found = catalogue("/orders/{order_id}/lines", KNOWN)
    broken = found["`amount` is negative"]
    assert (broken.method, broken.path) == ("POST", f"/orders/{KNOWN['order_id']}/lines?day=2026-01-15")
    assert broken.headers == {"X-Kind": "a", "Content-Type": "application/json"}
    assert json.loads(broken.body or b"") == {"amount": -1, "product_id": KNOWN["product_id"]}
    elsewhere = found["`order_id` holds a NUL character"]
    assert elsewhere.path == "/orders/a%00b/lines?day=2026-01-15"
    assert json.loads(elsewhere.body or b"")["amount"] == 1


def test_everything_that_breaks_services_is_in_it() -> None:
    found = catalogue("/orders/{order_id}/lines", KNOWN)
    bodies = {what: each.body or b"" for what, each in found.items()}
    assert b"1" + b"0" * 400 in bodies["`amount` is a number of 401 digits"]
    assert b"NaN" in bodies["`amount` is not a number but NaN"]
    assert b"Infinity" in bodies["`amount` is the largest number and more"]
    assert b'"1"' in bodies["`amount` is a text"]
    assert b"a\\u0000b" in bodies["`note` holds a NUL character"]
    assert b"\\ud800" in bodies["`note` holds half a character"]
    assert b'"xxxxxx"' in bodies["`note` is one character too long"]
    assert len(bodies["`note` is far too long"]) > 100_000
    assert "amount" not in json.loads(bodies["`amount` is missing"])
    assert json.loads(bodies["`product_id` is an id that nobody has"])["product_id"] not in KNOWN.values()
    assert bodies["the body is no JSON"] == b'{"a": '
    assert b"\xff" in bodies["the body is no text"]
    assert bodies["the body is nested far too deeply"].startswith(b"[[[[")
    assert found["the body is said to be XML"].headers["Content-Type"] == "application/xml"
    assert found["the body is said to be packed"].headers["Content-Encoding"] == "gzip"
    assert found["`order_id` is no UTF-8"].path.startswith("/orders/%ff%fe/lines")
    assert found["`day` is no day"].path.endswith("day=2026-02-30T25:61:61Z")
    assert "day" not in found["`day` is missing"].path
    assert "X-Kind" not in found["`X-Kind` is missing"].headers


def test_forms_and_bodies_that_nobody_described_are_broken_too() -> None:
    login = catalogue("/login")
    assert login["`user` holds a NUL character"].body == b"user=a%00b&"
    assert login["the form is empty"].body == b""
    assert "the body is nested far too deeply" in catalogue("/hook")


def test_without_known_ids_the_ids_are_nobodys() -> None:
    found = catalogue("/orders/{order_id}/lines")
    assert found["`amount` is 0"].path.startswith("/orders/0f8fad5b-")
