"""Actions are guessed from an API's description as far as they can be, and what cannot be is said."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mainstay.lab.actions import Derived, derive
from mainstay.lab.load.templates import check
from mainstay.model.api import Api
from mainstay.model.service import Action
from mainstay.sources.openapi import read

EXAMPLES = Path(__file__).parents[2] / "examples"
PRINT = "import json; from payments.app import create_app; print(json.dumps(create_app().openapi()))"
SETTINGS = {
    "DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none",
    "PROCESSOR_URL": "http://127.0.0.1:1",
    "EVENTS_URL": "http://127.0.0.1:1",
    "PROCESSOR_KEY": "none",
    "WEBHOOK_SECRET": "none",
}


@pytest.fixture(scope="module")
def payments() -> Api:
    pytest.importorskip("fastapi")
    done = subprocess.run(
        [sys.executable, "-c", PRINT],
        env={**os.environ, **SETTINGS},
        cwd=EXAMPLES / "payments",
        capture_output=True,
        check=True,
        timeout=60,
    )
    return read(done.stdout, "payments")


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def body(schema: dict[str, Any], kind: str = "application/json") -> dict[str, Any]:
    return {"required": True, "content": {kind: {"schema": schema}}}


def answers(schema: dict[str, Any] | None = None, status: str = "200") -> dict[str, Any]:
    content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    return {status: {"description": "", **content}}


def item_id(name: str = "id") -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}


def optional(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


TEXT = {"type": "string"}
UUID = {"type": "string", "format": "uuid"}
SIGNED_IN: list[dict[str, list[str]]] = [{"OAuth2PasswordBearer": []}]
# The shape of a popular template: slashes at the end, a login by form, all of it below a prefix.
TEMPLATE: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "template", "version": "1"},
    "paths": {
        "/api/v1/login/access-token": {
            "post": {
                "requestBody": body(ref("Login"), "application/x-www-form-urlencoded"),
                "responses": answers(),
            }
        },
        "/api/v1/users/me": {
            "get": {"security": SIGNED_IN, "responses": answers(ref("User"))},
            "patch": {"security": SIGNED_IN, "requestBody": body(ref("NewUser")), "responses": answers()},
        },
        "/api/v1/users/": {
            "post": {
                "security": SIGNED_IN,
                "requestBody": body(ref("NewUser")),
                "responses": answers(ref("User")),
            }
        },
        "/api/v1/users/signup": {
            "post": {"requestBody": body(ref("NewUser")), "responses": answers(ref("User"))}
        },
        "/api/v1/users/{user_id}": {
            "parameters": [item_id("user_id")],
            "get": {"security": SIGNED_IN, "responses": answers(ref("User"))},
            "delete": {"security": SIGNED_IN, "responses": answers()},
        },
        "/api/v1/items/": {
            "get": {
                "security": SIGNED_IN,
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "default": 100}}
                ],
                "responses": answers({"type": "array", "items": ref("Item")}),
            },
            "post": {
                "security": SIGNED_IN,
                "requestBody": body(ref("NewItem")),
                "responses": answers(ref("Item")),
            },
        },
        "/api/v1/items/{id}": {
            "parameters": [item_id()],
            "get": {"security": SIGNED_IN, "responses": answers(ref("Item"))},
            "put": {
                "security": SIGNED_IN,
                "requestBody": body(ref("ItemChange")),
                "responses": answers(ref("Item")),
            },
        },
        "/api/v1/utils/health-check/": {"get": {"responses": answers()}},
    },
    "components": {
        "schemas": {
            "Login": {
                "type": "object",
                "required": ["username", "password"],
                "properties": {"username": TEXT, "password": TEXT},
            },
            "NewUser": {
                "type": "object",
                "required": ["email", "password"],
                "properties": {
                    "email": {"type": "string", "format": "email", "maxLength": 255},
                    "password": {"type": "string", "minLength": 8, "maxLength": 128},
                    "full_name": optional({"type": "string", "maxLength": 255}),
                },
            },
            "User": {"type": "object", "properties": {"email": TEXT, "id": UUID}},
            "NewItem": {
                "type": "object",
                "required": ["title"],
                "properties": {
                    "title": {"type": "string", "minLength": 1, "maxLength": 255},
                    "description": optional({"type": "string", "maxLength": 255}),
                },
            },
            "ItemChange": {
                "type": "object",
                "properties": {"title": optional({"type": "string", "minLength": 1})},
            },
            "Item": {"type": "object", "properties": {"title": TEXT, "id": UUID, "owner_id": UUID}},
        }
    },
}


# The shape of Conduit, the example that many frameworks implement: everything in a wrapper, articles by slug.
def wrapper(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [name], "properties": {name: schema}}


def named(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": TEXT}


CALLER: list[dict[str, list[str]]] = [{"Token": []}]
ARTICLE = {
    "type": "object",
    "required": ["slug", "title", "author"],
    "properties": {
        "id": {"type": "integer"},
        "slug": TEXT,
        "title": TEXT,
        "author": {"type": "object", "properties": {"username": TEXT}},
    },
}
ARTICLE_CHANGE = {"type": "object", "properties": {"title": TEXT, "description": TEXT, "body": TEXT}}
USER_CHANGE = {"type": "object", "properties": {"email": TEXT, "bio": TEXT, "password": TEXT}}
CONDUIT: dict[str, Any] = {
    "/user": {
        "get": {"security": CALLER, "responses": answers(wrapper("user", {"type": "object"}))},
        "put": {
            "security": CALLER,
            "requestBody": body(wrapper("user", USER_CHANGE)),
            "responses": answers(),
        },
    },
    "/articles": {
        "post": {
            "security": CALLER,
            "requestBody": body(
                wrapper("article", {"type": "object", "required": ["title"], "properties": {"title": TEXT}})
            ),
            "responses": answers(wrapper("article", ARTICLE), "201"),
        },
    },
    "/articles/{slug}": {
        "parameters": [named("slug")],
        "get": {"responses": answers(wrapper("article", ARTICLE))},
        "put": {
            "security": CALLER,
            "requestBody": body(wrapper("article", ARTICLE_CHANGE)),
            "responses": answers(wrapper("article", ARTICLE)),
        },
    },
    "/articles/{slug}/comments": {
        "post": {
            "security": CALLER,
            "parameters": [named("slug")],
            "requestBody": body(
                wrapper("comment", {"type": "object", "required": ["body"], "properties": {"body": TEXT}})
            ),
            "responses": answers(
                wrapper("comment", {"type": "object", "properties": {"id": {"type": "integer"}}})
            ),
        }
    },
    "/articles/{slug}/comments/{id}": {
        "delete": {"security": CALLER, "parameters": [named("slug"), named("id")], "responses": answers()}
    },
    "/profiles/{username}": {"get": {"parameters": [named("username")], "responses": answers()}},
}

# The shape of a Django REST router: keys by number, one collection by slug, slashes at the end.
NUMBER = {"type": "integer"}
CHILD = {
    "type": "object",
    "required": ["id", "slug", "first_name"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "slug": {"type": "string", "readOnly": True},
        "first_name": {"type": "string", "maxLength": 255},
    },
}
NOTE = {
    "type": "object",
    "required": ["id", "child", "note"],
    "properties": {"id": {"type": "integer", "readOnly": True}, "child": NUMBER, "note": TEXT},
}
CHANGED_NOTE = {"type": "object", "properties": {**NOTE["properties"], "order": NUMBER}}  # type: ignore[dict-item]


def router(name: str, key: str, thing: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    return {
        f"/api/{name}/": {
            "get": {"responses": answers({"type": "object", "properties": {"results": {"type": "array"}}})},
            "post": {"requestBody": body(thing), "responses": answers(thing, "201")},
        },
        f"/api/{name}/{{{key}}}/": {
            "parameters": [named(key)],
            "get": {"responses": answers(thing)},
            "put": {"requestBody": body(thing), "responses": answers(thing)},
            "patch": {"requestBody": body(changed), "responses": answers(thing)},
        },
    }


def api_of(paths: dict[str, Any], **more: Any) -> Api:
    document = {"openapi": "3.0.3", "info": {}, "paths": paths, **more}
    return read(json.dumps(document).encode(), "api")


def by_name(derived: Derived) -> dict[str, Action]:
    check(derived.actions)  # the load can send them all
    assert all(action.guessed for action in derived.actions)
    return {action.name: action for action in derived.actions}


def left_out(derived: Derived) -> dict[str, str]:
    return {each.operation: each.why for each in derived.left_out}


def test_the_payment_service_can_be_loaded_without_a_word(payments: Api) -> None:
    derived = derive(
        payments, public=["GET /livez", "GET /readyz", "GET /metrics", "POST /webhooks/processor"]
    )
    actions = by_name(derived)
    customer, order, charge = (actions[f"POST /{name}"] for name in ("customers", "orders", "charges"))
    assert (customer.body, customer.gives, customer.reads) == (
        {"email": "{email}", "name": "{marker}"},
        {"customer": "id"},
        "/customers/{made}",
    )
    assert (order.body, order.takes, order.gives) == (
        {"customer_id": "{customer}", "amount_minor": 1, "currency": "EUR"},
        ("customer",),
        {"order": "id"},
    )
    assert (charge.body["order_id"], charge.takes, charge.key_header) == (
        "{order}",
        ("order",),
        "Idempotency-Key",
    )
    assert actions["GET /charges/{charge_id}/refunds"].path == "/charges/{charge}/refunds"
    assert actions["GET /charges/{charge_id}/refunds"].takes == ()
    assert actions["POST /charges/{charge_id}/refunds"].takes == ("charge",)
    assert actions["GET /evidence/{evidence_id}"].path == "/evidence/{evidence}"
    assert actions["POST /charges/{charge_id}/evidence"].reads == "/evidence/{made}"
    assert actions["GET /customers"].query == {}
    since, until = actions["GET /exports/charges.csv"].query.values()
    assert since < until
    assert set(left_out(derived)) == {"POST /webhooks/processor", "GET /livez", "GET /readyz", "GET /metrics"}
    assert "signature" in left_out(derive(payments))["POST /webhooks/processor"]


def test_the_template_can_be_loaded_too() -> None:
    derived = derive(api_of(TEMPLATE["paths"], components=TEMPLATE["components"]))
    actions = by_name(derived)
    item, user = actions["POST /api/v1/items/"], actions["POST /api/v1/users/"]
    assert (item.body, item.gives, item.reads) == (
        {"title": "{marker}"},
        {"item": "id"},
        "/api/v1/items/{made}",
    )
    assert (user.body, user.gives) == (
        {"email": "{email}", "password": "Example-Passw0rd-1"},
        {"user": "id"},
    )
    change = actions["PUT /api/v1/items/{id}"]
    assert (change.path, change.body, change.takes, change.reads) == (
        "/api/v1/items/{item}",
        {"title": "{marker}"},
        ("item",),
        "/api/v1/items/{made}",
    )
    assert actions["GET /api/v1/users/{user_id}"].path == "/api/v1/users/{user}"
    assert actions["GET /api/v1/users/me"].path == "/api/v1/users/me"
    assert list(left_out(derived).items()) == [
        ("POST /api/v1/login/access-token", "it changes who the caller is; declare an action for it"),
        ("PATCH /api/v1/users/me", "it changes who the caller is; declare an action for it"),
        ("POST /api/v1/users/signup", "it changes who the caller is; declare an action for it"),
        ("DELETE /api/v1/users/{user_id}", "it deletes, and nobody says what"),
        (
            "GET /api/v1/utils/health-check/",
            "it is a probe or a page for operators, which users do not ask for",
        ),
    ]


def test_reads_are_seven_in_ten_spread_evenly_and_the_same_each_time(payments: Api) -> None:
    derived = derive(payments)
    reads = [action.weight for action in derived.actions if not action.writes]
    writes = [action.weight for action in derived.actions if action.writes]
    assert len(set(reads)) == len(set(writes)) == 1
    assert sum(reads) / sum(reads + writes) == pytest.approx(0.7, abs=0.001)
    assert derive(payments) == derived


def test_what_is_declared_is_not_guessed_and_fills_pools(payments: Api) -> None:
    declared = (
        Action("buy", "POST", "/orders", weight=4, actor="alice", gives={"purchase": "id"}),
        Action("look", "GET", "/orders/{purchase}?full=1", weight=2, actor="alice"),
    )
    derived = derive(payments, declared)
    check((*declared, *derived.actions))
    actions = {action.name: action for action in derived.actions}
    assert not {"POST /orders", "GET /orders/{order_id}"} & actions.keys()
    assert actions["GET /orders/{order_id}/complete"].path == "/orders/{purchase}/complete"
    assert actions["GET /orders/{order_id}/complete"].actor == "alice"
    assert actions["POST /charges"].body["order_id"] == "{purchase}"
    assert actions["GET /charges/{charge_id}"].actor == "alice"  # she made the charges
    assert actions["GET /customers/{customer_id}"].actor == ""
    assert sum(action.weight for action in actions.values()) == pytest.approx(3 * len(actions), abs=0.001)


def test_a_declared_action_that_gives_nothing_leaves_others_without(payments: Api) -> None:
    derived = derive(payments, [Action("buy", "POST", "/orders")])
    by_name(derived)
    assert left_out(derived)["POST /charges"] == "it needs `order_id`, which no operation gives"
    assert left_out(derived)["GET /charges/{charge_id}"] == (
        "it needs `charge_id`, which only POST /charges could give, and that is left out"
    )


def test_what_different_actors_make_is_not_mixed() -> None:
    api = api_of(
        {
            "/transfers": {
                "post": {
                    "requestBody": body(
                        {
                            "required": ["payer_id", "payee_id"],
                            "properties": {"payer_id": UUID, "payee_id": UUID},
                        }
                    ),
                    "responses": answers(),
                }
            }
        }
    )
    declared = [
        Action(f"add {name}", "POST", f"/{name}s", actor=actor, gives={name: "id"})
        for name, actor in (("payer", "alice"), ("payee", "bob"))
    ]
    assert left_out(derive(api, declared)) == {
        "POST /transfers": "different actors make what it needs: `payer` and `payee`"
    }


def test_what_the_service_refused_is_left_out_with_all_that_rests_on_it(payments: Api) -> None:
    derived = derive(payments, refused={"POST /charges": "it was answered 402"})
    by_name(derived)
    assert left_out(derived)["POST /charges"] == "it was answered 402"
    assert left_out(derived)["GET /charges/{charge_id}"] == (
        "it needs `charge_id`, which only POST /charges could give, and that is left out"
    )


def test_the_first_actor_is_the_one_of_actions_that_name_none(payments: Api) -> None:
    declared = [Action("buy", "POST", "/orders", actor="alice", gives={"order": "id"})]
    actors = {action.actor for action in derive(payments, declared, first="alice").actions}
    assert actors == {""}


def test_a_declared_action_calls_the_operation_that_is_nearest() -> None:
    api = api_of(
        {
            "/users/me": {"get": {"responses": answers()}},
            "/users/{id}": {"get": {"parameters": [item_id()], "responses": answers()}},
        }
    )
    derived = derive(api, [Action("me", "GET", "/users/me")])
    assert left_out(derived) == {"GET /users/{id}": "it needs `id`, which no operation gives"}
    assert not derived.actions


def one(schema: dict[str, Any], operation: dict[str, Any] | None = None, path: str = "/notes") -> Derived:
    post = {"requestBody": body(schema), "responses": answers(status="201"), **(operation or {})}
    return derive(api_of({path: {"post": post}}))


def made(properties: dict[str, Any], *required: str) -> Any:
    schema = {"type": "object", "properties": properties, "required": list(required or properties)}
    return by_name(one(schema))["POST /notes"].body


def test_the_marker_goes_where_a_text_can_take_it() -> None:
    assert made({"n": {"type": "integer"}, "note": {"type": "string", "maxLength": 12}})["note"] == "{marker}"
    assert made({"note": {"type": "string", "maxLength": 11}})["note"] == "example"
    assert made({"note": {"type": "string", "minLength": 20}})["note"] == "{marker}" + "x" * 13
    assert made({"note": {"type": "string", "enum": ["a"]}})["note"] == "a"
    assert made({"slug": {"type": "string", "pattern": "^[a-z0-9]+$"}})["slug"] == "{marker}"
    assert made({"sku": {"type": "string", "pattern": "^[A-Z]{8}$"}})["sku"] == "AAAAAAAA"
    assert made({"day": {"type": "string", "format": "date"}})["day"] == "2026-01-15"
    assert made({"owner": {"type": "object", "required": ["name"], "properties": {"name": TEXT}}}) == {
        "owner": {"name": "{marker}"}
    }


def test_an_optional_text_takes_it_when_no_other_can() -> None:
    assert made({"n": {"type": "integer"}, "note": optional(TEXT)}, "n") == {"n": 1, "note": "{marker}"}
    assert made({"name": TEXT, "note": TEXT}, "name") == {"name": "{marker}"}


def test_braces_of_examples_stand_for_themselves() -> None:
    assert made({"status": {"type": "string", "example": "{odd}"}})["status"] == "{{odd}}"


def test_ids_of_the_callers_own_making_are_new_each_time() -> None:
    assert made({"id": UUID, "external_id": TEXT, "request_id": {"type": "integer"}}) == {
        "id": "{uuid}",
        "external_id": "{marker}",
        "request_id": "{number}",
    }


def test_ids_are_linked_by_name_in_depth_and_in_lists() -> None:
    new = {
        "type": "object",
        "required": ["billingCustomerId", "lines", "tag_ids"],
        "properties": {
            "billingCustomerId": {"type": "integer"},
            "tag_ids": {"type": "array", "items": {"type": "integer"}},
            "lines": {
                "type": "array",
                "items": {"type": "object", "required": ["product_id"], "properties": {"product_id": UUID}},
            },
        },
    }
    nothing = {"type": "object", "properties": {"id": {"type": "integer"}}}
    given = {name: {"post": {"responses": answers(nothing)}} for name in ("/customers", "/products", "/tags")}
    wrapped = {"type": "object", "properties": {"data": nothing}}
    api = api_of({"/orders": {"post": {"requestBody": body(new), "responses": answers(wrapped)}}, **given})
    order = by_name(derive(api))["POST /orders"]
    assert order.body == {
        "billingCustomerId": "{customer}",
        "lines": [{"product_id": "{product}"}],
        "tag_ids": ["{tag}"],
    }
    assert order.gives == {"order": "data.id"}


@pytest.mark.parametrize(
    ("collection", "parameter"),
    [
        ("categories", "category_id"),
        ("addresses", "addressId"),
        ("houses", "house_id"),
        ("statuses", "status-id"),
    ],
)
def test_the_plural_of_a_path_is_understood(collection: str, parameter: str) -> None:
    something = {"type": "object", "properties": {"id": UUID}}
    api = api_of(
        {
            f"/{collection}": {"post": {"responses": answers(something)}},
            f"/reports/{{{parameter}}}": {
                "get": {"parameters": [item_id(parameter)], "responses": answers()},
            },
        }
    )
    assert by_name(derive(api))[f"GET /reports/{{{parameter}}}"]


def test_two_collections_of_one_name_have_pools_of_their_own() -> None:
    something = {"type": "object", "properties": {"id": UUID}}
    paths: dict[str, Any] = {}
    for parent in ("orders", "charges", "keys"):
        paths[f"/{parent}"] = {"post": {"responses": answers(something)}}
        paths[f"/{parent}/{{id}}/notes"] = {
            "post": {"parameters": [item_id()], "responses": answers(something)}
        }
    gives = [pool for action in by_name(derive(api_of(paths))).values() for pool in action.gives]
    assert gives == ["order", "note", "charge", "charge_note", "key_id", "key_note"]


def test_what_only_leans_on_itself_is_left_out() -> None:
    schema = {"type": "object", "required": ["parent_id"], "properties": {"parent_id": UUID}}
    assert left_out(one(schema)) == {"POST /notes": "it needs `parent_id`, which no operation gives"}


def test_headers_that_are_asked_for_are_sent_and_those_of_the_actor_are_not() -> None:
    def header(name: str, **schema: Any) -> dict[str, Any]:
        return {"name": name, "in": "header", "required": True, "schema": {"type": "string", **schema}}

    parameters = [
        header("Authorization"),
        header("X-API-Key"),
        header("X-Tenant-Id"),
        header("X-Request-Id"),
        header("Idempotency-Key", format="uuid"),
        header("X-Channel", enum=["web"]),
    ]
    action = by_name(one({"type": "object"}, {"parameters": parameters}))["POST /notes"]
    assert action.headers == {"X-Request-Id": "{marker}", "Idempotency-Key": "{uuid}", "X-Channel": "web"}
    assert action.key_header == "Idempotency-Key"


def test_forms_are_sent_and_uploads_are_left_out() -> None:
    schema = {
        "type": "object",
        "required": ["name", "n"],
        "properties": {"name": TEXT, "n": {"type": "integer"}},
    }
    form = one(schema, {"requestBody": body(schema, "application/x-www-form-urlencoded")})
    assert by_name(form)["POST /notes"].form == {"name": "{marker}", "n": "1"}
    upload = one(schema, {"requestBody": body(schema, "multipart/form-data")})
    assert left_out(upload) == {"POST /notes": "it takes multipart/form-data, which is not guessed"}


def test_a_write_that_anyone_may_call_is_left_to_its_owner() -> None:
    api = api_of({"/hooks": {"post": {"responses": answers()}}})
    assert by_name(derive(api))
    assert "anyone may call it" in left_out(derive(api, public=["post /hooks/"]))["POST /hooks"]


def test_a_thing_goes_by_the_property_that_its_path_is_named_for() -> None:
    actions = by_name(derive(api_of(CONDUIT)))
    article = actions["POST /articles"]
    assert article.gives == {"article": "article.slug"}
    assert article.reads == "/articles/{made}"
    assert actions["GET /articles/{slug}"].path == "/articles/{article}"
    comment = actions["POST /articles/{slug}/comments"]
    assert (comment.path, comment.takes) == ("/articles/{article}/comments", ("article",))
    assert comment.gives == {"comment": "comment.id"}


def test_a_change_in_a_wrapper_changes_a_text_that_does_not_rename_the_thing() -> None:
    change = by_name(derive(api_of(CONDUIT)))["PUT /articles/{slug}"]
    assert change.body == {"article": {"description": "{marker}"}}
    assert change.takes == ("article",)


def test_a_router_is_loaded_by_slug_where_it_asks_for_one_and_by_number_in_fields() -> None:
    # the router sorts its paths, so the notes come before the children whom they need
    routes = router("babies-notes", "id", NOTE, CHANGED_NOTE) | router("children", "slug", CHILD, CHILD)
    derived = derive(api_of(routes))
    actions = by_name(derived)
    assert not derived.left_out
    assert actions["POST /api/children/"].gives == {"child": "slug", "child_id": "id"}
    assert actions["GET /api/children/{slug}/"].path == "/api/children/{child}/"
    note = actions["POST /api/babies-notes/"]
    assert (note.body, note.takes) == ({"child": "{child_id}", "note": "{marker}"}, ("child_id",))
    assert note.reads == "/api/babies-notes/{made}/"
    full = actions["PUT /api/babies-notes/{id}/"]
    assert (full.body, full.takes) == (note.body, ("babies_note",))  # the child is referred to, not used up
    assert actions["PATCH /api/babies-notes/{id}/"].body == {"note": "{marker}"}


def test_what_is_read_back_by_another_key_than_its_id_is_not_shown_by_its_id() -> None:
    actions = by_name(derive(api_of(router("children", "slug", CHILD, CHILD))))
    assert actions["POST /api/children/"].reads == ""  # callers take the `id` of the answer for its id
    assert actions["PUT /api/children/{slug}/"].reads == ""
    assert actions["POST /api/children/"].gives == {"child": "slug"}  # no field asks for the number


def key_of(answer: dict[str, Any], parameter: str, collection: str = "articles") -> dict[str, str]:
    api = api_of(
        {
            f"/{collection}": {"post": {"responses": answers(answer)}},
            f"/{collection}/{{{parameter}}}": {
                "get": {"parameters": [named(parameter)], "responses": answers()}
            },
        }
    )
    return by_name(derive(api))[f"POST /{collection}"].gives


def thing(*names: str, **more: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict.fromkeys(names, TEXT) | more}


@pytest.mark.parametrize(
    ("answer", "parameter", "place"),
    [
        (thing("id", "slug"), "slug", "slug"),
        (thing("id", "slug"), "article_slug", "slug"),
        (thing("id", "articleSlug"), "slug", "articleSlug"),
        (thing("id", "slug"), "article_id", "id"),
        (thing("_id", "slug"), "id", "_id"),
        (thing("uuid", "id"), "id", "id"),
        (thing("id", "uuid"), "article_uuid", "uuid"),
        (thing("slug", "id"), "pk", "id"),
        (thing("id", "title"), "slug", "id"),
        (thing("id", slug={"type": "string", "writeOnly": True}), "slug", "id"),
        (thing("id", article={"type": "object"}), "article", "id"),
        (thing(article=thing("id", "slug")), "slug", "article.slug"),
        (thing(article=optional(thing("id", "slug"))), "slug", "article.slug"),
        (thing(newArticle=thing("id", "slug")), "slug", "newArticle.slug"),
        (thing("message", author=thing("id", "slug"), article=thing("slug")), "slug", "article.slug"),
        (thing("id", data=thing("id", attributes=thing("slug"))), "slug", "data.attributes.slug"),
        ({"type": "array", "items": thing("id", "slug")}, "slug", "0.slug"),
        (thing("count", articles={"type": "array", "items": thing("id", "slug")}), "slug", "articles.0.slug"),
        (thing(data={"type": "array", "items": thing("id")}), "id", "data.0.id"),
    ],
)
def test_the_key_of_a_thing_is_found_wherever_the_answer_has_it(
    answer: dict[str, Any], parameter: str, place: str
) -> None:
    assert key_of(answer, parameter) == {"article": place}


def test_a_thing_that_goes_by_two_names_is_given_under_both() -> None:
    user = thing("id", "username")
    paths: dict[str, Any] = {
        "/users": {"post": {"responses": answers(user)}},
        "/users/{id}": {"get": {"parameters": [named("id")], "responses": answers()}},
        "/users/{username}/posts": {"get": {"parameters": [named("username")], "responses": answers()}},
        "/profiles/{username}": {"get": {"parameters": [named("username")], "responses": answers()}},
    }
    actions = by_name(derive(api_of(paths)))
    assert actions["POST /users"].gives == {"user": "id", "user_username": "username"}
    assert actions["GET /users/{id}"].path == "/users/{user}"
    assert actions["GET /users/{username}/posts"].path == "/users/{user_username}/posts"
    assert actions["GET /profiles/{username}"].path == "/profiles/{user_username}"
    assert actions["POST /users"].reads == "/users/{made}"


def test_a_declared_action_gives_by_the_names_of_the_paths_too() -> None:
    declared = [
        Action("write", "POST", "/articles", gives={"serial": "article.id", "address": "article.slug"})
    ]
    derived = derive(api_of(CONDUIT), declared)
    check((*declared, *derived.actions))
    paths = {action.name: action.path for action in derived.actions}
    assert paths["GET /articles/{slug}"] == "/articles/{address}"


def changed(schema: dict[str, Any], method: str = "patch", path: str = "/notes/{id}") -> Any:
    note = thing("id", "text")
    api = api_of(
        {
            "/notes": {"post": {"responses": answers(note)}},
            path: {
                method: {
                    "parameters": [named("id")],
                    "requestBody": body(schema),
                    "responses": answers(),
                }
            },
        }
    )
    return by_name(derive(api))[f"{method.upper()} {path}"].body


def test_a_change_that_would_write_nothing_is_made_to_write_something() -> None:
    assert changed(thing(note=thing("text"))) == {"note": {"text": "{marker}"}}  # the wrapper is optional
    assert changed(wrapper("note", thing(n=NUMBER)), "put") == {"note": {"n": 1}}
    assert changed(wrapper("note", thing(on={"type": "boolean"}))) == {"note": {"on": True}}
    assert changed(thing(lines={"type": "array", "items": thing("text")})) == {
        "lines": [{"text": "{marker}"}]
    }
    assert changed({"type": "array", "minItems": 1, "items": thing("text")}) == [{"text": "{marker}"}]


def test_a_change_leaves_ids_alone() -> None:
    assert changed(thing("id", "author_id", "text")) == {"text": "{marker}"}
    assert changed(thing("author_id", n=NUMBER)) == {"n": 1}
    assert changed({**thing("id", "text"), "required": ["id"]}, "put") == {"id": "{note}", "text": "{marker}"}


def test_an_optional_object_is_not_made_up_for_a_body_that_says_something() -> None:
    assert made({"n": NUMBER, "address": thing("street")}, "n") == {"n": 1}


def alone(method: str, path: str, schema: dict[str, Any] | None = None, **more: Any) -> dict[str, str]:
    """Why the operation was left out; empty when it was not."""
    operation: dict[str, Any] = {"responses": answers(thing("id"))}
    if schema:
        operation["requestBody"] = body(schema)
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    operation["parameters"] = [{**named(name), "schema": {"type": "string", "enum": ["a"]}} for name in names]
    derived = derive(api_of({path: {method: operation}, **more}))
    by_name(derived)
    return {name: why for name, why in left_out(derived).items() if name == f"{method.upper()} {path}"}


SHOWN = {"get": {"responses": answers()}}


@pytest.mark.parametrize(
    ("method", "path", "schema"),
    [
        ("put", "/api/user", None),
        ("patch", "/account", None),
        ("put", "/my-profile", thing("bio")),
        ("post", "/api/user/email", None),
        ("post", "/account/deactivate", None),
        ("put", "/users/current_user", None),
        ("post", "/change-email", None),
        ("put", "/settings", thing(settings=thing("email"))),
        ("patch", "/preferences", thing("new_password")),
        ("post", "/credentials-of-mine", thing("oldPassword", "newPassword")),
    ],
)
def test_what_changes_the_caller_himself_is_left_to_its_owner(
    method: str, path: str, schema: dict[str, Any] | None
) -> None:
    assert list(alone(method, path, schema).values()) == [
        "it changes who the caller is; declare an action for it"
    ]


@pytest.mark.parametrize(
    ("method", "path", "schema"),
    [
        ("post", "/user", thing("email", "password")),  # a collection, in the singular
        ("post", "/users", thing("email", "password")),
        ("put", "/users/{id}/profile", thing("email")),
        ("post", "/account/transfers", thing("note")),
        ("put", "/bank-account", thing("note")),
        ("put", "/cart", thing("note")),
    ],
)
def test_what_only_looks_like_it_is_not(method: str, path: str, schema: dict[str, Any]) -> None:
    assert not alone(method, path, schema)


def test_one_account_with_items_is_a_collection_and_one_that_is_shown_is_the_callers() -> None:
    item = {"get": {"parameters": [named("id")], "responses": answers()}}
    assert not alone("post", "/account", thing("note"), **{"/account/{id}": item})
    api = api_of({"/account": {**SHOWN, "post": {"responses": answers()}}})
    assert "who the caller is" in left_out(derive(api))["POST /account"]


def test_nobody_is_logged_out() -> None:
    assert alone("get", "/auth/logout") == {"GET /auth/logout": "it ends the caller's session"}
    assert alone("get", "/sign-out")


def weights(derived: Derived) -> dict[str, float]:
    return {action.name: action.weight for action in derived.actions}


def test_a_change_weighs_less_than_what_makes_the_things_it_uses_up() -> None:
    found = weights(derive(api_of(TEMPLATE["paths"], components=TEMPLATE["components"])))
    assert found["PUT /api/v1/items/{id}"] == pytest.approx(0.2 * found["POST /api/v1/items/"], abs=1e-5)
    reads = sum(weight for name, weight in found.items() if name.startswith("GET"))
    assert reads / sum(found.values()) == pytest.approx(0.7, abs=0.001)
    assert sum(found.values()) == pytest.approx(len(found), abs=0.001)


def test_many_changes_of_one_thing_weigh_half_of_what_makes_it() -> None:
    paths: dict[str, Any] = {"/notes": {"post": {"responses": answers(thing("id"))}}}
    for part in ("text", "place", "people", "day", "mood"):
        paths[f"/notes/{{id}}/{part}"] = {
            "put": {
                "parameters": [named("id")],
                "requestBody": body(thing("it")),
                "responses": answers(),
            }
        }
    found = weights(derive(api_of(paths)))
    making = found.pop("POST /notes")
    assert sum(found.values()) == pytest.approx(0.5 * making, abs=0.001)


@pytest.mark.parametrize("weight", [0.0, 0.01, 5.0])
def test_a_change_weighs_less_than_a_declared_action_that_feeds_it(weight: float) -> None:
    paths = {
        "/notes": {"post": {"responses": answers(thing("id"))}},
        "/notes/{id}": {
            **SHOWN,
            "parameters": [named("id")],
            "put": {"requestBody": body(thing("text")), "responses": answers()},
        },
    }
    declared = [
        Action("note", "POST", "/notes", weight=weight, gives={"note": "id"}),
        Action("else", "GET", "/else"),
    ]
    found = weights(derive(api_of(paths), declared))
    assert 0 < found["PUT /notes/{id}"] <= 0.2 * (weight or 1.0)
    assert found["GET /notes/{id}"] > found["PUT /notes/{id}"]


@pytest.mark.parametrize("paths", [CONDUIT, router("children", "slug", CHILD, CHILD), TEMPLATE["paths"]])
def test_the_same_document_gives_the_same_actions(paths: dict[str, Any]) -> None:
    api = api_of(paths, components=TEMPLATE["components"])
    assert derive(api) == derive(api)


def test_a_form_that_holds_an_object_is_left_out() -> None:
    schema = {**thing(inner=thing("text")), "required": ["inner"]}
    form = one(schema, {"requestBody": body(schema, "application/x-www-form-urlencoded")})
    assert left_out(form) == {"POST /notes": "its form holds an object, which is not guessed"}
