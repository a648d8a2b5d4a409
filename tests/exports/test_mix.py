"""What an engine is told of a load."""

import pytest
from msgspec import structs

from mainstay.budgets import STANDARD
from mainstay.exports.mix import CannotExport, Mix, described, mix
from mainstay.model.service import Action
from tests.exports import shop


def told(*actions: Action, environment: dict[str, str] | None = None) -> Mix:
    declared = shop.declaration(*actions)
    return mix(declared, declared.actions, STANDARD, environment or {})


def test_the_headers_of_actors_are_named_and_what_they_hold_is_not() -> None:
    assert told().actors == {"alice": ("Authorization",), "bob": ("Authorization",)}


def test_an_action_without_an_actor_gets_the_first_one() -> None:
    assert told(Action("read", "GET", "/a")).actions[0].actor == "alice"


def test_actors_who_send_nothing_are_left_out() -> None:
    assert list(told(Action("read", "GET", "/a", actor="bob")).actors) == ["bob"]


def test_a_secret_is_taken_from_the_environment_wherever_it_stands() -> None:
    action = Action(
        "read", "GET", f"/a/{shop.KEY}", headers={"X-Shop": f"key {shop.KEY}"}, form={"k": shop.KEY}
    )
    found = told(action)
    assert found.actions[0].path == "/a/{$SHOP_KEY}"
    assert found.actions[0].headers == {"X-Shop": "key {$SHOP_KEY}"}
    assert found.actions[0].form == {"k": "{$SHOP_KEY}"}
    assert found.settings == ("SHOP_KEY",)


def test_a_secret_that_only_our_environment_holds_is_hidden_as_well() -> None:
    declared = structs.replace(
        shop.declaration(Action("read", "GET", "/a", query={"k": "from-{{outside}}"})), secrets=("OUTSIDE",)
    )
    found = mix(declared, declared.actions, STANDARD, {"OUTSIDE": "from-{outside}"})
    assert found.actions[0].query == {"k": "{$OUTSIDE}"}


def test_a_secret_does_not_tear_a_placeholder_apart() -> None:
    action = Action("read", "GET", "/{marker}/marker")
    declared = structs.replace(shop.declaration(action), environment={"SHOP_KEY": "marker"})
    assert mix(declared, declared.actions, STANDARD, {}).actions[0].path == "/{marker}/{$SHOP_KEY}"


@pytest.mark.parametrize("header", ["Authorization", "Cookie", "X-Api-Key", "X-Auth-Token"])
def test_a_header_of_an_action_that_says_who_calls_is_taken_from_the_environment(header: str) -> None:
    found = told(Action("read", "GET", "/a", headers={header: "abc"}))
    name = f"HEADER_{header.upper().replace('-', '_')}"
    assert found.actions[0].headers == {header: f"{{${name}}}"}
    assert found.settings == (name,)


def test_a_key_that_is_made_for_each_request_is_no_credential() -> None:
    assert told(Action("write", "POST", "/a", headers={"X-Token": "{key}"})).settings == ()


def test_an_action_is_written_with_what_it_needs_and_no_more() -> None:
    assert described(Action("read", "GET", "/a", actor="bob")) == {
        "name": "read",
        "request": "GET /a",
        "weight": 1,
        "actor": "bob",
    }


@pytest.mark.parametrize("body", [{}, [], "", 0, False])
def test_an_empty_body_is_a_body(body: object) -> None:
    assert described(Action("write", "POST", "/a", body=body))["body"] == body


def test_a_load_that_cannot_be_sent_is_refused() -> None:
    with pytest.raises(CannotExport, match=r"`\{nothing\}` in its path"):
        told(Action("read", "GET", "/{nothing}"))
    with pytest.raises(CannotExport, match="No action has a weight"):
        told(Action("read", "GET", "/a", weight=0))
    with pytest.raises(CannotExport, match="To give `one`, the action `a` needs one to begin with"):
        told(
            Action("a", "POST", "/a/{two}", gives={"one": "id"}),
            Action("b", "POST", "/b/{one}", gives={"two": "id"}),
        )
