"""A caller sees and changes nothing of another tenant."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from mainstay.experiments.security.cross_tenant_access import CrossTenantAccess, nobody, strangers
from mainstay.model.proof import Verdict
from mainstay.model.service import Action, Actor

ACTIONS = (
    Action("add", "POST", "/notes", body={"text": "{marker}"}, gives={"note": "id"}),
    Action("show", "GET", "/notes/{note}"),
    Action("change", "PUT", "/notes/{note}", body={"text": "{marker}"}),
    Action("comments", "GET", "/notes/{note}/comments"),
    Action("list", "GET", "/notes"),
)


class Notes:
    """Keeps notes; `open_to` says to whom else: "show", "change", "list"."""

    def __init__(self, *open_to: str) -> None:
        self._open = open_to
        self._kept: dict[str, tuple[str, str]] = {}

    def __call__(self, request: Any) -> Any:
        if not request.tenant:
            return 401, {}
        name = request.path.removeprefix("/notes").strip("/")
        if request.method == "POST":
            made = str(uuid4())
            self._kept[made] = request.tenant, request.json["text"]
            return 201, {"id": made}
        if not name:
            mine = [i for i, (of, _) in self._kept.items() if of == request.tenant or "list" in self._open]
            return 200, [{"id": i, "text": self._kept[i][1]} for i in mine]
        if name.endswith("/comments"):
            return 200, {"note": name.partition("/")[0], "comments": []}
        tenant, text = self._kept.get(name, ("", ""))
        if not tenant:
            return 404, {}
        if request.method == "PUT":
            if tenant != request.tenant and "change" not in self._open:
                return 403, {}
            self._kept[name] = tenant, request.json["text"]
            return 200, {"id": name}
        return (200, {"text": text}) if tenant == request.tenant or "show" in self._open else (404, {})


def test_a_closed_service_passes(make_stand: Any, attempt: Any) -> None:
    found = attempt(CrossTenantAccess(), make_stand(Notes(), ACTIONS))
    assert found.verdicts == {
        "things-of-others-are-closed": Verdict.PASSED,
        "lists-hold-only-ones-own": Verdict.PASSED,
    }
    assert found.notes == []


@pytest.mark.parametrize(
    ("leak", "claim", "operation"),
    [
        ("show", "things-of-others-are-closed", "GET /notes/{note} with {note} of another tenant: 200"),
        ("change", "things-of-others-are-closed", "PUT /notes/{note} with {note} of another tenant: 200"),
        ("list", "lists-hold-only-ones-own", "GET /notes shows "),
    ],
)
def test_each_way_in_is_named(make_stand: Any, attempt: Any, leak: str, claim: str, operation: str) -> None:
    found = attempt(CrossTenantAccess(), make_stand(Notes(leak), ACTIONS))
    assert found.failed == [claim]
    (line,) = found.claims[claim].evidence
    assert line.startswith(operation)


def test_what_the_owner_is_refused_too_shows_nothing(make_stand: Any, attempt: Any) -> None:
    notes = Notes()

    def answer(request: Any) -> Any:
        return (503, {}) if request.method == "GET" else notes(request)

    found = attempt(CrossTenantAccess(), make_stand(answer, ACTIONS[:2]))
    assert found.verdicts == {"things-of-others-are-closed": Verdict.INCONCLUSIVE}
    assert "but the owner is told 503, too" in found.notes[0]


def test_a_tenant_that_the_caller_names_himself_is_no_proof(make_stand: Any, attempt: Any) -> None:
    """The credentials are valid, and the tenant is read from another header."""
    headers = {
        "ada": {"Authorization": "Bearer owner-secret-1", "X-Tenant": "one"},
        "bob": {"Authorization": "Bearer stranger-secret-2", "X-Tenant": "two"},
        "anonymous": {},
    }
    kept: dict[str, tuple[str, str]] = {}

    def answer(request: Any) -> Any:
        tenant = request.headers.get("x-tenant", "")
        if request.method == "POST":
            made = str(uuid4())
            kept[made] = tenant, request.json["text"]
            return 201, {"id": made}
        of, text = kept.get(request.path.removeprefix("/notes/"), ("", ""))
        return (200, {"text": text}) if of == tenant else (404, {})

    found = attempt(CrossTenantAccess(), make_stand(answer, ACTIONS[:2], headers=headers))
    (line,) = found.claims["things-of-others-are-closed"].evidence
    assert "under the other's X-Tenant" in line


def test_two_tenants_are_needed(make_stand: Callable[..., Any]) -> None:
    one = make_stand(Notes(), ACTIONS, actors=[Actor("ada", "one"), Actor("eve", "one")])
    assert CrossTenantAccess().applies(one).startswith("it needs two actors with an unlike `tenant`")
    pair = strangers((Actor("nobody"), Actor("ada", "one"), Actor("eve", "one"), Actor("bob", "two")))
    assert pair is not None
    assert [actor.name for actor in pair] == ["ada", "bob"]


def test_an_id_that_nobody_has_is_of_the_same_form() -> None:
    made = str(uuid4())
    assert UUID(nobody(made)) != UUID(made)
    assert nobody("17").isdigit()
    assert nobody("17") != "17"
    assert len(nobody("ch_Ab9")) == 6
    assert nobody("ch_Ab9") != "ch_Ab9"
