"""However much is stored, a list shows a page of it: also to a caller who asks for everything."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest

from mainstay.experiments.load.lists_bounded import ListsBounded
from mainstay.model.proof import Verdict
from mainstay.model.service import Action

LIST = Action("list", "GET", "/notes")


class Notes:
    """Shows what is stored: a page of `usual`, or as many as are asked for, up to `most`."""

    def __init__(self, usual: int = 20, most: int | None = None, refuses: bool = False) -> None:
        self.stored = 10
        self._usual, self._most, self._refuses = usual, most, refuses

    def __call__(self, request: Any) -> Any:
        wanted = int(parse_qs(request.query).get("limit", [str(self._usual)])[0])
        if self._most is not None and wanted > self._most:
            if self._refuses:
                return 422, {"detail": "that is too many"}
            wanted = self._most
        return 200, {"items": [{"id": number} for number in range(min(wanted, self.stored))]}


def document(maximum: int | None = None) -> dict[str, Any]:
    schema = {"type": "integer"} | ({} if maximum is None else {"maximum": maximum})
    limit = {"name": "limit", "in": "query", "schema": schema}
    listed = {"parameters": [limit], "responses": {"200": {"description": "a page"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "notes", "version": "1"},
        "paths": {"/notes": {"get": listed}},
    }


@pytest.fixture
def tried(make_stand: Any, attempt: Any) -> Any:
    def run(notes: Notes, described: dict[str, Any] | None = None) -> Any:
        def stock(_pools: Any, *, within: float) -> list[Any]:
            notes.stored += 300
            return []

        stand = make_stand(notes, [LIST], document=described)
        stand.driver = SimpleNamespace(stock=stock)
        return attempt(ListsBounded(), stand)

    return run


def test_a_page_whatever_is_stored_passes(tried: Any) -> None:
    assert tried(Notes()).verdicts == {"bounded: list": Verdict.PASSED}


def test_a_list_that_grows_with_what_is_stored_fails(tried: Any) -> None:
    found = tried(Notes(usual=100_000))
    assert found.failed == ["bounded: list"]
    assert "310 with 150 more rows" in found.claims["bounded: list"].said


@pytest.mark.parametrize("notes", [Notes(most=50), Notes(most=100, refuses=True)])
def test_a_limit_with_a_maximum_passes(tried: Any, notes: Notes) -> None:
    found = tried(notes, document())
    assert found.verdicts == {"at most: list": Verdict.PASSED, "bounded: list": Verdict.PASSED}


def test_a_limit_beyond_which_everything_is_shown_is_doubted(tried: Any) -> None:
    found = tried(Notes(), document())
    assert found.claims["at most: list"].verdict is Verdict.INCONCLUSIVE
    assert "?limit=1000000 shows 310 items, and no bound is in sight" in found.claims["at most: list"].said


def test_a_limit_that_is_described_and_not_kept_fails(tried: Any) -> None:
    found = tried(Notes(), document(maximum=100))
    assert found.failed == ["at most: list"]
    assert "more than the 100 that its description allows" in found.claims["at most: list"].said


def test_a_limit_that_is_described_is_kept(tried: Any) -> None:
    assert tried(Notes(most=200), document(maximum=200)).failed == []
