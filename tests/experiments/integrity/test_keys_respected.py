"""A write that is repeated happens once: under the key it asks for, or under one that it never named."""

from typing import Any

from mainstay.experiments.integrity.keys_respected import KeysRespected
from mainstay.model.proof import Verdict
from mainstay.model.service import Action

ADD = Action("add", "POST", "/notes", body={"text": "{marker}"}, gives={"note": "id"})
CHANGE = Action("change", "PUT", "/notes/{note}", body={"text": "{marker}"})


class Notes:
    """Keeps notes; a repeat is another one, unless its key is known."""

    def __init__(self, *, keyed: bool = False) -> None:
        self._keyed = keyed
        self._kept: dict[str, str] = {}

    def __call__(self, request: Any) -> Any:
        if request.method == "PUT":
            return 200, {"id": request.path.rpartition("/")[2]}
        name = f"n-{len(self._kept)}"
        key = request.headers["idempotency-key"] if self._keyed else name
        return 201, {"id": self._kept.setdefault(key, name)}


class Natural(Notes):
    """There is one note of each text."""

    def __call__(self, request: Any) -> Any:
        text = request.json["text"]
        if text in self._kept:
            return 409, {"detail": "there is one of that text"}
        self._kept[text] = f"n-{len(self._kept)}"
        return 201, {"id": self._kept[text]}


def test_a_repeat_that_makes_a_second_one_fails_though_no_key_is_documented(
    make_stand: Any, attempt: Any
) -> None:
    found = attempt(KeysRespected(), make_stand(Notes(), [ADD, CHANGE]))
    assert found.verdicts == {"once in sequence: add": Verdict.FAILED}
    assert "2 different things were made" in found.claims["once in sequence: add"].said


def test_a_key_that_is_known_though_nothing_says_so_passes(make_stand: Any, attempt: Any) -> None:
    found = attempt(KeysRespected(), make_stand(Notes(keyed=True), [ADD]))
    assert found.verdicts == {
        "once in sequence: add": Verdict.PASSED,
        "once at once: add": Verdict.PASSED,
    }


def test_what_may_be_there_once_needs_no_key(make_stand: Any, attempt: Any) -> None:
    found = attempt(KeysRespected(), make_stand(Natural(), [ADD]))
    assert found.verdicts["once in sequence: add"] is Verdict.PASSED


def test_a_write_that_shows_no_id_is_named_and_not_judged(make_stand: Any, attempt: Any) -> None:
    wave = Action("wave", "POST", "/waves", body={"text": "{marker}"})
    found = attempt(KeysRespected(), make_stand(lambda _: (201, {"done": True}), [wave]))
    assert found.verdicts == {}
    assert found.notes == ["wave: no id in its answers tells what a repeat has made"]


def test_it_does_not_apply_where_nothing_is_made(make_stand: Any) -> None:
    assert KeysRespected().applies(make_stand(Notes(), [CHANGE])) == "no write makes anything"
