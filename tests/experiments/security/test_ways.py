"""How each operation of a service is called."""

from typing import Any

from mainstay.experiments.security.ways import NOBODYS, ways
from mainstay.model.service import Action

ID = [{"name": "order_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}]
DONE = {"responses": {"200": {"description": "done"}}}
MADE = {
    "type": "object",
    "properties": {"id": {"type": "string", "format": "uuid"}},
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "shop", "version": "1"},
    "paths": {
        "/orders": {
            "post": {
                "responses": {
                    "201": {"description": "made", "content": {"application/json": {"schema": MADE}}}
                }
            }
        },
        "/orders/{order_id}": {
            "get": {"parameters": ID, **DONE},
            "delete": {"parameters": ID, **DONE},
        },
        "/vaults/{vault_id}": {
            "get": {
                "parameters": [
                    {
                        "name": "vault_id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string", "format": "uuid"},
                    }
                ],
                **DONE,
            }
        },
    },
}
ADD = Action("add", "POST", "/orders", gives={"order": "id"})


def test_every_operation_of_the_document_has_a_way(make_stand: Any) -> None:
    found = {way.operation: way for way in ways(make_stand(lambda _: (200, {}), [ADD], document=DOCUMENT))}
    assert list(found) == [
        "POST /orders",
        "GET /orders/{order_id}",
        "DELETE /orders/{order_id}",
        "GET /vaults/{vault_id}",
    ]
    assert found["POST /orders"].action is ADD
    assert found["GET /orders/{order_id}"].action.path == "/orders/{order}"


def test_what_no_load_would_call_is_called_with_what_there_is(make_stand: Any) -> None:
    found = {way.operation: way for way in ways(make_stand(lambda _: (200, {}), [ADD], document=DOCUMENT))}
    delete = found["DELETE /orders/{order_id}"]
    assert (delete.action.method, delete.action.path, delete.real) == ("DELETE", "/orders/{order}", True)
    vault = found["GET /vaults/{vault_id}"]
    assert (vault.action.path, vault.real) == (f"/vaults/{NOBODYS}", False)


def test_without_a_document_the_actions_are_all_there_is(make_stand: Any) -> None:
    again = Action("again", "POST", "/orders", body={"more": True})
    show = Action("show", "GET", "/orders/{order}")
    found = ways(make_stand(lambda _: (200, {}), [ADD, again, show]))
    assert [way.operation for way in found] == ["POST /orders", "GET /orders/{order}"]
