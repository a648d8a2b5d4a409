"""The API that follows from a specification."""

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from mainstay.model.specification import Operation, Specification
from mainstay.plan.api import (
    body_fields,
    filters,
    needs_match,
    openapi,
    path_fields,
    statuses,
    text,
)
from mainstay.sources import openapi as source
from mainstay.sources.specification import read
from mainstay.starters import starter
from tests.sources.specification.texts import BOOKINGS, PAYMENTS

EDIT = '  edit: {PATCH: "/bookings/{id}", by: desk with book, changes: Booking, takes: note}\n'


def spec(text: str, old: str = "", new: str = "") -> Specification:
    assert old in text
    return read(text.replace(old, new, 1) if old else text, "spec.yaml")


def operation(found: Specification, name: str) -> Operation:
    return next(one for one in found.operations if one.name == name)


def codes(found: Specification, name: str) -> list[int]:
    return [status.code for status in statuses(found, operation(found, name))]


def schemas(found: Specification) -> dict[str, Any]:
    parts: dict[str, Any] = openapi(found)["components"]["schemas"]
    return parts


def described(found: Specification, name: str) -> dict[str, Any]:
    each = (one for item in openapi(found)["paths"].values() for one in item.values())
    one: dict[str, Any] = next(one for one in each if one["operationId"] == name)
    return one


@pytest.mark.parametrize("given", [PAYMENTS, BOOKINGS, BOOKINGS + EDIT])
def test_the_document_is_read_back_as_what_was_meant(given: str) -> None:
    found = spec(given)
    api = source.read(text(openapi(found)).encode(), "openapi.yaml")
    assert [(one.method, one.path, one.id) for one in api.operations] == [
        (one.method, f"/v1{one.path}", one.name)
        for path in openapi(found)["paths"]
        for one in sorted(found.operations, key=lambda one: source._METHODS.index(one.method.lower()))
        if f"/v1{one.path}" == path
    ]


@pytest.mark.parametrize("given", [PAYMENTS, BOOKINGS, BOOKINGS + EDIT])
def test_its_schemas_are_json_schemas_and_its_references_lead_somewhere(given: str) -> None:
    document = openapi(spec(given))
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in references(document):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [one for value in node.values() for one in references(value)]
    return [one for value in node for one in references(value)] if isinstance(node, list) else []


@pytest.mark.parametrize("given", [PAYMENTS, BOOKINGS + EDIT])
def test_it_keeps_the_rules_of_openapi(given: str) -> None:
    """What the specification of OpenAPI 3.1 demands of objects, written as a JSON schema."""
    Draft202012Validator(RULES).validate(openapi(spec(given)))


# OpenAPI 3.1.0, sections 4.8.1 to 4.8.17: which fields an object has to have.
RULES = {
    "type": "object",
    "required": ["openapi", "info", "paths"],
    "properties": {
        "openapi": {"pattern": "^3\\.1\\.\\d+$"},
        "info": {"required": ["title", "version"]},
        "paths": {
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {"additionalProperties": {"$ref": "#/$defs/operation"}},
        },
        "components": {
            "properties": {
                "securitySchemes": {"additionalProperties": {"$ref": "#/$defs/scheme"}},
                "responses": {"additionalProperties": {"$ref": "#/$defs/response"}},
                "parameters": {"additionalProperties": {"$ref": "#/$defs/parameter"}},
            },
            "additionalProperties": {"propertyNames": {"pattern": "^[a-zA-Z0-9._-]+$"}},
        },
    },
    "$defs": {
        "operation": {
            "required": ["responses"],
            "properties": {
                "parameters": {"items": {"$ref": "#/$defs/parameter"}},
                "requestBody": {"required": ["content"]},
                "responses": {
                    "minProperties": 1,
                    "propertyNames": {"pattern": "^([1-5][0-9][0-9]|default)$"},
                    "additionalProperties": {"$ref": "#/$defs/response"},
                },
            },
        },
        "response": {"anyOf": [{"required": ["$ref"]}, {"required": ["description"]}]},
        "parameter": {
            "anyOf": [
                {"required": ["$ref"]},
                {
                    "required": ["name", "in", "schema"],
                    "properties": {"in": {"enum": ["path", "query", "header", "cookie"]}},
                    "if": {"properties": {"in": {"const": "path"}}},
                    "then": {"required": ["required"], "properties": {"required": {"const": True}}},
                },
            ]
        },
        "scheme": {
            "required": ["type"],
            "oneOf": [
                {"properties": {"type": {"const": "apiKey"}}, "required": ["name", "in"]},
                {"properties": {"type": {"const": "oauth2"}}, "required": ["flows"]},
            ],
        },
    },
}


def test_the_same_specification_gives_the_same_text_without_aliases() -> None:
    first, second = text(openapi(spec(PAYMENTS))), text(openapi(spec(PAYMENTS)))
    assert first == second
    assert yaml.safe_load(first) == openapi(spec(PAYMENTS))
    assert "&id" not in first


def test_a_secret_is_taken_and_never_shown() -> None:
    found = schemas(spec(PAYMENTS))
    assert "card_token" in found["ChargeRequest"]["properties"]
    assert "card_token" not in found["Charge"]["properties"]


def test_a_body_holds_neither_the_state_nor_what_the_path_says() -> None:
    found = spec(PAYMENTS)
    assert [field.name for field in body_fields(found, operation(found, "refund"))] == ["amount"]
    assert [(name, field.name) for name, field in path_fields(found, operation(found, "refund"))] == [
        ("id", "charge")
    ]
    assert "status" not in schemas(found)["ChargeRequest"]["properties"]


def test_a_body_holds_nothing_that_is_not_named() -> None:
    checks = Draft202012Validator(schemas(spec(PAYMENTS))["RefundRequest"])
    assert checks.is_valid({"amount_minor": 1, "amount_currency": "EUR"})
    assert not checks.is_valid({"amount_minor": 1, "amount_currency": "EUR", "tenant_id": "x"})
    assert not checks.is_valid({"amount_minor": 0, "amount_currency": "EUR"})
    assert not checks.is_valid({"amount_minor": 1, "amount_currency": "euro"})
    assert not checks.is_valid({"amount_minor": 1})


def test_what_is_optional_may_be_absent_or_null() -> None:
    request = schemas(spec(BOOKINGS))["BookRequest"]
    assert "note" not in request["required"]
    assert request["properties"]["note"] == {"type": ["string", "null"], "minLength": 0, "maxLength": 500}


def test_an_amount_with_a_default_still_needs_its_currency() -> None:
    request = schemas(spec(BOOKINGS, "money >= 0", "money >= 0 default 5"))["AddRoomRequest"]
    assert request["required"] == ["name", "price_currency"]


def test_what_was_erased_is_answered_as_null_and_still_asked_for() -> None:
    found = schemas(spec(PAYMENTS))
    assert found["Charge"]["properties"]["payer_email"]["type"] == ["string", "null"]
    assert found["ChargeRequest"]["properties"]["payer_email"]["type"] == "string"
    assert "payer_email" in found["ChargeRequest"]["required"]


def test_a_critical_write_needs_a_key_and_others_do_not() -> None:
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    found = spec(PAYMENTS)
    assert key in described(found, "charge")["parameters"]
    assert key not in described(found, "get_charge")["parameters"]
    assert key not in described(spec(BOOKINGS), "add_room").get("parameters", [])
    shape = openapi(found)["components"]["parameters"]["IdempotencyKey"]
    assert (shape["required"], shape["schema"]["minLength"], shape["schema"]["maxLength"]) == (True, 8, 200)


def test_what_is_created_is_at_a_location() -> None:
    assert set(described(spec(PAYMENTS), "charge")["responses"]["202"]["headers"]) == {"Location", "ETag"}


def test_what_nothing_reads_has_no_location() -> None:
    assert "headers" not in described(spec(PAYMENTS), "refund")["responses"]["201"]


def test_statuses_follow_from_what_an_operation_does() -> None:
    found = spec(PAYMENTS)
    assert codes(found, "charge") == [202, 400, 401, 403, 409, 422, 429, 503]
    assert codes(found, "refund") == [201, 400, 401, 403, 404, 409, 422, 429, 503]
    assert codes(found, "get_charge") == [200, 401, 403, 404, 422, 429, 503]
    assert codes(found, "list_charges") == [200, 400, 401, 403, 422, 429, 503]


def test_a_need_that_is_refused_gives_no_202() -> None:
    assert 202 not in codes(spec(PAYMENTS, "accept and settle later", "refuse"), "charge")


def test_anyone_at_all_is_neither_unknown_nor_forbidden() -> None:
    found = spec(BOOKINGS)
    assert codes(found, "list_rooms") == [200, 400, 422, 429, 503]
    assert described(found, "list_rooms")["security"] == [{}]


def test_a_move_is_refused_as_a_conflict() -> None:
    found = spec(BOOKINGS)
    (conflict,) = [one for one in statuses(found, operation(found, "cancel")) if one.code == 409]
    assert conflict.when == "`booking` cannot become `gone` now"
    assert "requestBody" not in described(found, "cancel")


def test_a_change_names_the_version_that_it_changes() -> None:
    found = spec(BOOKINGS + EDIT)
    assert needs_match(found, operation(found, "edit"))
    assert {"$ref": "#/components/parameters/IfMatch"} in described(found, "edit")["parameters"]
    assert 412 in codes(found, "edit")
    assert schemas(found)["EditRequest"] == {
        "type": "object",
        "additionalProperties": False,
        "properties": {"note": {"type": ["string", "null"], "minLength": 0, "maxLength": 500}},
        "minProperties": 1,
    }


def test_what_is_removed_is_answered_with_nothing() -> None:
    found = spec(PAYMENTS + '  forget: {DELETE: "/charges/{id}", by: shop, removes: Charge}\n')
    assert codes(found, "forget") == [204, 401, 403, 404, 409, 422, 429, 503]


def test_a_list_is_read_by_pages_and_narrowed_by_its_fields() -> None:
    found = spec(PAYMENTS)
    names = [one.name for one in filters(found, operation(found, "list_charges"))]
    assert names == ["status", "created_at_from", "created_at_before"]
    page = schemas(found)["ChargePage"]
    assert page["properties"]["items"]["maxItems"] == 100
    assert page["required"] == ["items", "next"]


def test_callers_show_who_they_are_and_the_scope_that_is_needed() -> None:
    found = spec(PAYMENTS)
    assert described(found, "charge")["security"] == [{"oauth2": ["charge"]}]
    flow = openapi(found)["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert list(flow["scopes"]) == ["charge", "refund", "read"]
    assert described(spec(BOOKINGS), "book")["security"] == [{"apiKey": ["book"]}]


def test_every_failure_is_a_problem() -> None:
    document = openapi(spec(PAYMENTS))
    for response in document["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]
    assert all("default" in one["responses"] for item in document["paths"].values() for one in item.values())


def test_an_end_can_be_announced() -> None:
    assert {"Deprecation", "Sunset"} <= set(openapi(spec(PAYMENTS))["components"]["headers"])


def test_what_is_hashed_or_internal_is_in_no_answer_and_inputs_are_the_body() -> None:
    found = schemas(read(starter("authentication"), "a.yaml"))
    assert not {"password", "failures", "locked_until"} & set(found["Account"]["properties"])
    assert "token_digest" not in found["Session"]["properties"]
    assert set(found["RegisterRequest"]["properties"]) == {"email", "password"}
    assert set(found["SignInRequest"]["properties"]) == {"email", "password"}
    assert set(found["ResetRequest"]["properties"]) == {"token", "password"}


def test_who_brings_a_token_need_not_know_the_version_of_the_row() -> None:
    found = read(starter("authentication"), "a.yaml")
    reset = next(operation for operation in found.operations if operation.name == "reset")
    assert not needs_match(found, reset)
