"""Secrets and personal data, looked for where they may not be."""

from pathlib import Path
from typing import Any

from mainstay.experiments.security.planted_secrets import (
    addresses,
    broken,
    credentials_of,
    nowhere,
    written,
)
from mainstay.lab.caller import Told
from mainstay.lab.client import Reply
from mainstay.lab.leaks import planted
from mainstay.lab.load.templates import Prepared
from mainstay.model.proof import Verdict
from mainstay.model.service import Actor


def prepared(body: bytes | None) -> Prepared:
    return Prepared("add", "POST", "/people", [], body)


def test_addresses_are_found_in_what_was_sent() -> None:
    sent = [prepared(b'{"email": "mp1@example.test", "name": "Ada"}'), prepared(None), prepared(b"{}")]
    assert addresses([*sent, sent[0]]) == {"address 1": "mp1@example.test"}


def test_what_is_spoilt_leaves_the_address_where_it_is() -> None:
    (spoilt,) = broken([prepared(b'{"email": "mp1@example.test", "name": "Ada"}'), prepared(b"no JSON")])
    assert spoilt.body == b'{"email": "mp1@example.test", "name": {"wrong": []}}'


def test_credentials_are_what_proves_the_caller(make_stand: Any) -> None:
    headers = {
        "ada": {"Authorization": "Bearer owner-secret-1", "X-Tenant": "one"},
        "bob": {"Cookie": "session=0123456789abcdef"},
    }
    stand = make_stand(lambda _: (200, {}), actors=[Actor("ada", "one"), Actor("bob")], headers=headers)
    assert credentials_of(stand) == {
        "ada's Authorization": "owner-secret-1",
        "bob's Cookie": "0123456789abcdef",
    }


def test_a_leak_is_told_without_the_secret(tmp_path: Path) -> None:
    values = {"KEY": "sk-0123456789"}
    told = [Told(500, Reply(500, {"server": "x"}, b"cannot pay with sk-0123456789", 0.1))]
    claim = nowhere(
        "no-secret-in-answers", "1 answer", planted([written(tmp_path / "a", told)], values), values
    )
    assert claim.verdict is Verdict.FAILED
    assert claim.said == "1 planted values were looked for in 1 answer: KEY turned up."
    assert "cannot pay with [KEY]" in claim.evidence[0]
    assert "sk-0123456789" not in claim.evidence[0]


def test_a_secret_in_a_header_of_an_answer_is_found(tmp_path: Path) -> None:
    told = [Told(302, Reply(302, {"location": "/?key=sk-0123456789"}, b"", 0.1))]
    assert planted([written(tmp_path / "a", told)], {"KEY": "sk-0123456789"})


def test_nothing_planted_is_nothing_shown() -> None:
    assert nowhere("no-secret-in-logs", "the logs", [], {}).verdict is Verdict.INCONCLUSIVE
    assert nowhere("no-secret-in-logs", "the logs", [], {"KEY": "sk-1"}).verdict is Verdict.PASSED
