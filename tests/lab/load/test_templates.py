"""The texts of actions."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.lab.load.templates import Prepared, TemplateError, Value, check, compile_all
from mainstay.lab.load.tokens import Tokens
from mainstay.model.service import Action

GIVER = Action("add", "POST", "/orders", gives={"order": "id", "code": "code"})


def prepared(action: Action, **values: Value) -> Prepared:
    templates = compile_all([action, GIVER], {"alice": {"Authorization": "Bearer {x}"}, "bob": {}})
    return templates[action.name].prepare(Tokens("run"), 1, values)


def body(content: Any, **values: Value) -> Any:
    sent = prepared(Action("a", "POST", "/", body=content), **values).body
    assert sent is not None
    return json.loads(sent)


def test_every_name_has_its_value() -> None:
    made = body({"all": ["{marker}", "{key}", "{email}", "x{number}"], "deep": {"uuid": "{uuid}"}})
    tokens = Tokens("run")
    assert made == {
        "all": ["runm00001", "runk00001", "runm00001@example.com", f"x{tokens.number(1)}"],
        "deep": {"uuid": tokens.uuid(1)},
    }


def test_a_text_that_is_exactly_a_number_becomes_one() -> None:
    number = Tokens("run").number(1)
    assert body(["{number}", "{number}!"]) == [number, f"{number}!"]


def test_a_text_that_is_exactly_a_pool_keeps_the_kind_of_its_value() -> None:
    assert body({"a": "{order}", "b": "{code}"}, order=17, code="17") == {"a": 17, "b": "17"}
    assert body("no {order}", order=17) == "no 17"


def test_doubled_braces_are_braces() -> None:
    assert body("{{marker}} }}{{") == "{marker} }{"


@given(st.text())
def test_any_value_survives_a_body(text: str) -> None:
    assert body({"x": "<{code}>"}, code=text) == {"x": f"<{text}>"}


@settings(max_examples=50)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.text().filter(lambda t: not {*t} & {*"{}"}),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).filter(lambda made: made is not None)
)
def test_a_body_without_names_is_sent_as_it_is(content: Any) -> None:
    assert body(content) == content


def test_values_are_quoted_in_paths_and_queries() -> None:
    action = Action("a", "GET", "/orders/{code}/ü?x=1", query={"q y": "{code}&"})
    assert prepared(action, code="a/b ?").path == "/orders/a%2Fb%20%3F/%C3%BC?x=1&q%20y=a%2Fb%20%3F%26"


def test_a_form_is_sent_as_one() -> None:
    sent = prepared(Action("a", "POST", "/", form={"user": "{marker}", "pass word": "a&b"}))
    assert sent.body == b"user=runm00001&pass+word=a%26b"
    assert b"Content-Type: application/x-www-form-urlencoded" in sent.headers


def test_the_headers_of_the_actor_are_sent_as_they_are_and_an_action_may_replace_them() -> None:
    assert prepared(Action("a", "GET", "/")).headers == [b"Authorization: Bearer {x}"]
    assert prepared(Action("a", "GET", "/", headers={"authorization": "{marker}"})).headers == [
        b"authorization: runm00001"
    ]
    assert prepared(Action("a", "GET", "/", actor="bob")).headers == []


def test_a_value_cannot_begin_another_header() -> None:
    sent = prepared(Action("a", "GET", "/", headers={"X-Code": "{code}"}), code="1\r\nX-Bad: 2")
    assert sent.headers[1:] == [b"X-Code: 1  X-Bad: 2"]


def test_the_key_header_gets_the_key() -> None:
    sent = prepared(Action("a", "POST", "/", key_header="Idempotency-Key", body={"m": "{marker}"}))
    assert b"Idempotency-Key: runk00001" in sent.headers
    assert (sent.key, sent.marker) == ("runk00001", "runm00001")


def test_a_marker_is_recorded_only_if_it_was_sent() -> None:
    assert prepared(Action("a", "POST", "/", body={"x": 1})).marker == ""
    assert prepared(Action("a", "POST", "/", body="{email}")).marker == "runm00001"
    assert prepared(Action("a", "POST", "/", body="{uuid}")).marker == Tokens("run").uuid(1)


def test_a_request_sent_again_is_the_same() -> None:
    action = Action("a", "POST", "/{number}", body={"m": "{marker}"}, key_header="Key")
    assert prepared(action) == prepared(action)


def test_what_is_taken_is_recorded() -> None:
    assert prepared(Action("a", "POST", "/{order}", takes=("order",)), order=9).taken == ("9",)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (Action("a", "GET", "/{nobody}"), "Action `a`: `{nobody}` in its path is neither one of"),
        (Action("a", "POST", "/", body={"x": ["{nobody}"]}), "`{nobody}` in its body"),
        (Action("a", "POST", "/", form={"x": "{nobody}"}), "`{nobody}` in its form"),
        (Action("a", "GET", "/", query={"x": "{nobody}"}), "`{nobody}` in its query"),
        (Action("a", "GET", "/", headers={"X-It": "{nobody}"}), "`{nobody}` in its header X-It"),
        (Action("a", "POST", "/", body="{ alone"), "a lone `{` in its body; write `{{` for a brace."),
        (Action("a", "GET", "/", takes=("nobody",)), "takes from `nobody`, which no action gives."),
        (Action("a", "GET", "orders"), "the path 'orders' does not begin with a slash."),
        (Action("a", "G T", "/"), "'G T' is not an HTTP method."),
        (Action("a", "GET", "/", headers={"X It": ""}), "'X It' is not the name of a header."),
        (Action("a", "GET", "/", actor="carol"), "Action `a` is sent by `carol`, who is no actor."),
        (Action("a", "POST", "/", body={"x": 1}, form={"y": "2"}), "has both a body and a form."),
        (Action("a", "POST", "/", body={"x": object()}), "its body is no JSON"),
        (Action("add", "GET", "/"), "Two actions are called `add`."),
        (
            Action("a", "GET", "/{order}", actor="bob"),
            "needs `{order}`, which no action of the actor `bob` gives.",
        ),
        (Action("a", "GET", "/", gives={"marker": "id"}), "A pool cannot be called `marker`"),
    ],
)
def test_what_cannot_be_sent_is_told_in_a_sentence_with_the_action(action: Action, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        check([GIVER, action], ["alice", "bob"])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sound_actions_are_checked_without_a_word() -> None:
    check([GIVER, Action("a", "GET", "/orders/{order}")], ["alice"])
    check([GIVER, Action("a", "GET", "/orders/{order}")])
