"""Who has written something reads it at once."""

from typing import Any

from mainstay.experiments.integrity.reads_its_writes import ReadsItsWrites
from mainstay.model.proof import Verdict
from mainstay.model.service import Action

ADD = Action("add", "POST", "/notes", body={"text": "{marker}"}, gives={"note": "id"}, reads="/notes/{made}")
CHANGE = Action("change", "PUT", "/notes/{note}", body={"text": "{marker}"}, reads="/notes/{made}")
REMOVE = Action("remove", "DELETE", "/notes/{note}", takes=("note",))


class Notes:
    """Keeps notes and shows them: at once, or each only when it is asked for a second time."""

    def __init__(self, *, late: bool = False, removes: bool = True, status: int = 201) -> None:
        self._late, self._removes, self._status = late, removes, status
        self._kept: dict[str, str] = {}
        self._shown: dict[str, str] = {}

    def __call__(self, request: Any) -> Any:
        name = request.path.rpartition("/")[2]
        if request.method == "POST":
            name = f"note-{len(self._kept)}"
            self._kept[name] = request.json["text"]
            return self._status, {"id": name}
        if request.method == "PUT":
            self._kept[name] = request.json["text"]
            return 200, {"id": name}
        if request.method == "DELETE":
            if self._removes:
                del self._kept[name]
            return 204, ""
        replica = self._shown.get(name) if self._late else self._kept.get(name)
        self._shown = dict(self._kept)
        return (404, {}) if replica is None else (200, {"text": replica})


def test_what_is_there_at_once_passes(make_stand: Any, attempt: Any) -> None:
    found = attempt(ReadsItsWrites(), make_stand(Notes(), [ADD, CHANGE, REMOVE]))
    assert found.verdicts == {
        "read-your-writes": Verdict.PASSED,
        "monotonic-reads": Verdict.PASSED,
        "deleted is gone: remove": Verdict.PASSED,
    }


def test_a_replica_that_lags_fails(make_stand: Any, attempt: Any) -> None:
    found = attempt(ReadsItsWrites(), make_stand(Notes(late=True), [ADD, CHANGE]))
    assert found.failed == ["read-your-writes"]
    assert any(
        "ada wrote there to /notes/note-" in line for line in found.claims["read-your-writes"].evidence
    )


def test_what_is_deleted_is_gone(make_stand: Any, attempt: Any) -> None:
    found = attempt(ReadsItsWrites(), make_stand(Notes(removes=False), [ADD, REMOVE]))
    assert found.failed == ["deleted is gone: remove"]


def test_work_that_is_only_accepted_may_be_shown_later(make_stand: Any, attempt: Any) -> None:
    found = attempt(ReadsItsWrites(), make_stand(Notes(status=202), [ADD]))
    assert found.claims == {}
    assert found.notes == ["10 writes were answered with 202: they may be shown later"]


def test_without_a_path_to_read_it_does_not_apply(make_stand: Any) -> None:
    stand = make_stand(Notes(), [Action("add", "POST", "/notes")])
    assert ReadsItsWrites().applies(stand) == "no write says where it can be read: declare `reads`"
