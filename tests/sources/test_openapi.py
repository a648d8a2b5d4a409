"""OpenAPI documents are read as they are meant, and refused in one sentence when they lie."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.model.api import Api, ApiOperation
from mainstay.sources.openapi import LARGEST, OpenApiError, read, read_file

SHOP: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "shop", "version": "1"},
    "servers": [{"url": "https://shop.example.test/api/v1/"}],
    "security": [{"bearer": []}],
    "paths": {
        "/orders": {
            "post": {
                "operationId": "add_order",
                "tags": ["orders"],
                "parameters": [{"$ref": "#/components/parameters/Key"}],
                "requestBody": {"$ref": "#/components/requestBodies/Order"},
                "responses": {
                    "201": {
                        "description": "made",
                        "headers": {"Location": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
                    },
                    "422": {"$ref": "#/components/responses/Invalid"},
                    "x-note": "ours",
                },
            },
            "get": {"security": [], "deprecated": True, "responses": {"2XX": {"description": ""}}},
        },
        "/orders/{order_id}": {
            "parameters": [
                {"name": "order_id", "in": "path", "schema": {"type": "string", "format": "uuid"}},
                {"name": "view", "in": "query", "schema": {"enum": ["short", "long"]}},
            ],
            "get": {
                "parameters": [{"name": "view", "in": "query", "required": True, "example": "long"}],
                "security": [{"bearer": []}, {}],
                "responses": {"default": {"description": ""}},
            },
        },
        "x-internal": {},
    },
    "components": {
        "parameters": {"Key": {"name": "Idempotency-Key", "in": "header", "required": True}},
        "requestBodies": {
            "Order": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"$ref": "#/components/schemas/NewOrder"},
                        "examples": {"one": {"value": {"amount": 5}}, "two": {"summary": "none"}},
                    }
                },
            }
        },
        "responses": {"Invalid": {"description": "no"}},
        "schemas": {
            "NewOrder": {
                "type": "object",
                "required": ["amount"],
                "additionalProperties": False,
                "properties": {
                    "amount": {"type": "integer", "exclusiveMinimum": 0, "maximum": 10},
                    "note": {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}], "default": "x"},
                    "parent": {"$ref": "#/components/schemas/NewOrder"},
                },
            },
            "Order": {"allOf": [{"$ref": "#/components/schemas/NewOrder"}, {"properties": {"id": {}}}]},
            "Unused": {"$ref": "#/nowhere"},
        },
    },
}

YAML = """
openapi: 3.0.3
info: {title: "on", version: 2026-01-01}
paths:
  /a:
    get:
      responses:
        200:
          description: fine
          content:
            application/json:
              schema: &day
                type: object
                nullable: true
                properties:
                  on: {type: integer, minimum: 1, exclusiveMinimum: true, example: 2}
                  day: {type: string, format: date, example: 2026-01-01}
              example: *example
"""

OLD: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "pets"},
    "basePath": "/v2",
    "paths": {
        "/pets": {
            "post": {
                "consumes": ["application/json"],
                "parameters": [
                    {"name": "body", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Pet"}}
                ],
                "responses": {
                    "200": {
                        "description": "",
                        "schema": {"type": "array", "items": {"$ref": "#/definitions/Pet"}},
                        "examples": {"application/json": [{"name": "Rex"}]},
                    }
                },
            }
        },
        "/pets/{id}": {
            "put": {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "type": "integer", "maximum": 9},
                    {"name": "name", "in": "formData", "required": True, "type": "string"},
                    {"name": "photo", "in": "formData", "type": "file"},
                ],
                "responses": {"204": {"description": ""}},
            }
        },
    },
    "definitions": {"Pet": {"type": "object", "properties": {"name": {"type": "string"}}}},
}


def api_of(document: object) -> Api:
    return read(json.dumps(document).encode(), "shop.json")


def operation(api: Api, name: str) -> ApiOperation:
    return next(each for each in api.operations if each.name == name)


def test_operations_have_all_that_is_said_of_them() -> None:
    api = api_of(SHOP)
    assert [each.name for each in api.operations] == [
        "GET /api/v1/orders",
        "POST /api/v1/orders",
        "GET /api/v1/orders/{order_id}",
    ]
    add = operation(api, "POST /api/v1/orders")
    assert (api.title, api.version, add.id, add.tags, add.security) == (
        "shop",
        "3.1.0",
        "add_order",
        ("orders",),
        ("bearer",),
    )
    assert [(each.name, each.where, each.required) for each in add.parameters] == [
        ("Idempotency-Key", "header", True)
    ]
    assert add.body is not None
    assert add.body.required
    assert add.body.content[0].examples == ({"amount": 5},)
    assert [(each.status, each.succeeds, each.headers) for each in add.answers] == [
        ("201", True, ("Location",)),
        ("422", False, ()),
    ]


def test_who_may_call_is_the_operations_word_before_the_documents() -> None:
    api = api_of(SHOP)
    assert operation(api, "GET /api/v1/orders").security == ()
    assert operation(api, "GET /api/v1/orders").deprecated
    assert operation(api, "GET /api/v1/orders/{order_id}").security == ()  # a choice that may be nothing


def test_parameters_of_the_path_hold_unless_the_operation_has_its_own() -> None:
    show = operation(api_of(SHOP), "GET /api/v1/orders/{order_id}")
    assert [(each.name, each.required, each.schema.format, each.examples) for each in show.parameters] == [
        ("order_id", True, "uuid", ()),
        ("view", True, "", ("long",)),
    ]


def test_schemas_are_kept_by_reference_so_that_circles_are_harmless() -> None:
    api = api_of(SHOP)
    assert set(api.schemas) == {"#/components/schemas/NewOrder", "#/components/schemas/Order"}
    new = api.schemas["#/components/schemas/NewOrder"]
    amount, note = new.properties["amount"], new.properties["note"]
    assert (new.required, new.closed) == (("amount",), True)
    assert (amount.types, amount.exclusive_minimum, amount.minimum, amount.maximum) == (
        ("integer",),
        0,
        None,
        10,
    )
    assert [(each.types, each.max_length) for each in note.any_of] == [(("string",), 9), (("null",), None)]
    assert note.examples == ("x",)
    assert api.resolved(new.properties["parent"]) == new


def test_yaml_is_read_as_json_would_be() -> None:
    with pytest.raises(OpenApiError, match=r"^a\.yaml: it is no YAML: found undefined alias"):
        read(YAML.encode(), "a.yaml")
    api = read(YAML.replace("*example", "{day: 2026-02-03, on: .inf}").encode(), "a.yaml")
    media = api.operations[0].answers[0].content[0]
    assert api.operations[0].answers[0].status == "200"
    assert media.schema.types == ("object", "null")
    assert media.schema.properties["on"].exclusive_minimum == 1
    assert media.schema.properties["on"].minimum is None
    assert media.schema.properties["day"].examples == ("2026-01-01",)
    assert media.examples == ({"day": "2026-02-03", "on": None},)


def test_version_two_is_read_too() -> None:
    api = api_of(OLD)
    add, change = api.operations
    assert add.name == "POST /v2/pets"
    assert add.body is not None
    assert api.resolved(add.body.content[0].schema).properties["name"].types == ("string",)
    assert add.answers[0].content[0].examples == ([{"name": "Rex"}],)
    assert [(each.name, each.schema.types, each.schema.maximum) for each in change.parameters] == [
        ("id", ("integer",), 9)
    ]
    assert change.body is not None
    form = change.body.content[0]
    assert (form.type, form.schema.required, list(form.schema.properties)) == (
        "application/x-www-form-urlencoded",
        ("name",),
        ["name", "photo"],
    )


def test_servers_that_disagree_or_have_holes_add_nothing() -> None:
    def path(*servers: str) -> str:
        return api_of({**SHOP, "servers": [{"url": url} for url in servers]}).operations[0].path

    assert path("https://a.test/v1", "/v1/") == "/v1/orders"
    assert path("https://a.test/v1", "https://a.test/v2") == "/orders"
    assert path("https://{region}.a.test/v1") == "/v1/orders"
    assert path("https://a.test/{version}") == "/orders"
    assert path("/") == "/orders"


def without(place: str, value: object = None) -> dict[str, Any]:
    """The shop with something else at a place, "paths//orders/post": steps begin with one slash more."""
    document = copy.deepcopy(SHOP)
    *steps, last = place.split(">")
    found = document
    for step in steps:
        found = found[step]
    found[last] = value
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "there should be an object, not a list"),
        ("text", "there should be an object, not a text"),
        ({}, "it is no OpenAPI document: it has neither `openapi` nor `swagger`"),
        (without("openapi", "4.0"), "version '4.0' is none of 2.0, 3.0 and 3.1, at /openapi"),
        (without("paths", {}), "it describes no operation, at /paths"),
        (without("paths", []), "it describes no operation, at /paths"),
        (without("paths", [1]), "there should be an object, not a list, at /paths"),
        (without("paths>/orders", None), "there should be an object, not nothing, at /paths/~1orders"),
        (without("paths>/orders>get", 1), "there should be an object, not a number, at /paths/~1orders/get"),
        (
            without("paths>/orders>get>responses", {"20": {}}),
            "'20' is no status, at /paths/~1orders/get/responses/20",
        ),
        (
            without("paths>/orders>post>parameters", [{"name": "a", "in": "body"}]),
            "'body' is no place of a parameter, at /paths/~1orders/post/parameters/0/in",
        ),
        (
            without("paths>/orders/{order_id}>parameters", []),
            "the path holds {order_id}, but no parameter says what it is, at /paths/~1orders~1{order_id}/get",
        ),
        (
            without("components>parameters", {}),
            "'#/components/parameters/Key' refers to what is not there, at /paths/~1orders/post/parameters/0",
        ),
        (
            without("components>requestBodies>Order", {"$ref": "#/components/requestBodies/Order"}),
            "references lead round in a circle, at /components/requestBodies/Order",
        ),
        (
            without("components>schemas>Order", {"$ref": "other.json#/Order"}),
            "'other.json#/Order' refers to another document, which is not read, at /components/schemas/Order",
        ),
        (
            without("components>schemas>Order", {"type": "float"}),
            "'float' is no type, at /components/schemas/Order/type",
        ),
        (
            without("components>schemas>Order", {"minLength": -1}),
            "-1 is no number of things, at /components/schemas/Order/minLength",
        ),
        (
            without("components>schemas>Order", {"maximum": "9"}),
            "there should be a number, not a text, at /components/schemas/Order/maximum",
        ),
        (
            without("components>schemas>Order", {"enum": 1}),
            "there should be a list, not a number, at /components/schemas/Order/enum",
        ),
    ],
)
def test_a_document_that_lies_is_one_sentence_with_the_place(document: object, message: str) -> None:
    with pytest.raises(OpenApiError) as caught:
        api_of(document)
    assert str(caught.value) == f"shop.json: {message}"
    assert str(caught.value).endswith(caught.value.place)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is no OpenAPI document|there should be an object, not nothing"),
        (b"\xff\xfe", "it is no UTF-8 text"),
        (b'{"openapi": ', "it is no JSON: Expecting value: line 1"),
        (b"{a: 1", "it is no JSON"),
        (b"a: b: c", "it is no YAML: mapping values are not allowed"),
        (b"a: !!python/object/apply:os.system [id]", "it is no YAML: could not determine a constructor"),
        (b"a: !!int x", "it is no YAML: invalid literal"),
        (b"[" * 200_000, "it is no JSON"),
        (b"- " * 200_000, "it is no YAML: it is nested too deeply"),
        (b'{"a":' * 200_000, "it is no JSON"),
        (b"{a: " * 200_000, "it is no JSON"),
        (b" " * (LARGEST + 1), "it is larger than 16 MiB"),
    ],
)
def test_what_is_no_document_is_one_sentence(content: bytes, message: str) -> None:
    with pytest.raises(OpenApiError, match=rf"^x: (?:{message})"):
        read(content, "x")


def test_aliases_do_not_blow_up() -> None:
    lines = ["openapi: 3.0.0", "x0: &x0 {type: string}"]
    for level in range(1, 40):
        both = f"{{anyOf: [*x{level - 1}, *x{level - 1}]}}"
        lines.append(f"x{level}: &x{level} {both}")
    lines += ["paths:", "  /a:", "    get:", "      responses:", "        200:", "          description: a"]
    lines += ["          content: {application/json: {schema: *x39}}"]
    with pytest.raises(OpenApiError, match="it has more than 400,000 parts"):
        read("\n".join(lines).encode(), "bomb")


def test_merges_do_not_blow_up() -> None:
    lines = ["x0: &x0 {a: 1}"]
    lines += [f"x{level}: &x{level} {{<<: [{', '.join([f'*x{level - 1}'] * 60)}]}}" for level in range(1, 12)]
    with pytest.raises(OpenApiError, match="a mapping is too large"):
        read("\n".join(lines).encode(), "bomb")


def test_schemas_within_schemas_end_somewhere() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(150):
        schema = {"items": schema}
    with pytest.raises(OpenApiError, match="nested too deeply"):
        api_of(without("components>schemas>Order", schema))


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OpenApiError, match=r"none\.json: it cannot be read: No such file or directory$"):
        read_file(tmp_path / "none.json")
    with pytest.raises(OpenApiError, match=r"it cannot be read: Is a directory$"):
        read_file(tmp_path)
    (tmp_path / "shop.json").write_text(json.dumps(SHOP))
    assert read_file(tmp_path / "shop.json") == api_of(SHOP)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**6) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [before, *(place for key, each in inner for place in places(each, (*before, key)))]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_is_changed_it_is_read_or_refused_in_one_sentence(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from([SHOP, OLD])))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from([each for each in places(document) if each]))
        found: Any = document
        for step in place[:-1]:
            found = found[step]
        other = st.sampled_from(places(document)).map(lambda each: "#" + "".join(f"/{step}" for step in each))
        found[place[-1]] = data.draw(VALUES | other.map(lambda reference: {"$ref": reference}))
    said = ""
    try:
        read(json.dumps(document).encode(), "x")
    except OpenApiError as error:
        said = str(error)
    assert said.isprintable()


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=' \n-:{}[]&*!|>"#ab1,?%@', max_size=60))
def test_any_text_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(OpenApiError) as caught:
        read(text.encode(), "x")
    assert str(caught.value).isprintable()
