"""A stand-in as Mainstay uses it: a process that listens, obeys, tells and ends."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstay.lab.client import NoAnswer, ask
from mainstay.lab.lab import Lab
from mainstay.lab.standin.control import StandIn, StandInError
from mainstay.model.record import Failure
from mainstay.model.service import Dependency, DependencyKind, StandInAnswer
from mainstay.sources.openapi import OpenApiError

PROCESSOR = Dependency(
    "processor",
    DependencyKind.HTTP,
    answers=(
        StandInAnswer("POST /v1/charges", 201, {"id": "ch_{n}", "reference": "{body.reference}"}),
        StandInAnswer("GET /v1/charges/{id}"),
    ),
    idempotency_header="Idempotency-Key",
)
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "bank", "version": "1"},
    "paths": {
        "/transfers": {
            "post": {
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["reference"],
                                "properties": {"reference": {"type": "string"}},
                            }
                        }
                    }
                },
                "responses": {
                    "201": {
                        "description": "",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Transfer"}}
                        },
                    }
                },
            },
            "get": {
                "responses": {
                    "200": {
                        "description": "",
                        "content": {"application/json": {"example": {"items": [], "note": "{a}"}}},
                    }
                }
            },
        },
        "/transfers/{id}": {
            "get": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {"200": {"description": ""}},
            }
        },
    },
    "components": {
        "schemas": {
            "Transfer": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "reference": {"type": "string"},
                    "state": {"enum": ["accepted", "done"]},
                    "secret": {"type": "string", "writeOnly": True},
                },
            }
        }
    },
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def processor(lab: Lab, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StandIn]:
    dependency = Dependency(
        f"processor-{request.node.name}"[:40],
        PROCESSOR.kind,
        answers=PROCESSOR.answers,
        idempotency_header=PROCESSOR.idempotency_header,
    )
    stand_in = StandIn(lab, dependency, tmp_path)
    try:
        yield stand_in
    finally:
        stand_in.end()


def url(stand_in: StandIn, path: str = "/v1/charges") -> str:
    return f"http://127.0.0.1:{stand_in.port}{path}"


def test_it_answers_remembers_and_forgets(processor: StandIn) -> None:
    before = time.monotonic()
    for _ in range(2):
        reply = ask("POST", url(processor), json={"reference": "r"}, headers={"Idempotency-Key": "k"})
        assert (reply.status, reply.json()) == (201, {"id": "ch_1", "reference": "r"})
    assert ask("GET", url(processor, "/v1/charges/r")).json()["id"] == "ch_1"
    first, second, shown = processor.requests()
    assert (first.path, first.key, first.status, first.effect, first.repeat) == (
        "/v1/charges",
        "k",
        201,
        True,
        False,
    )
    assert (second.effect, second.repeat, shown.method) == (False, True, "GET")
    assert json.loads(first.body) == {"reference": "r"}
    assert before < first.at < second.at < time.monotonic()
    processor.forget()
    assert processor.requests() == []


def test_it_is_slow_wrong_and_well_again_on_demand(processor: StandIn) -> None:
    processor.behave(latency=0.3)
    assert ask("POST", url(processor), json={}).seconds >= 0.3
    processor.behave(fail=1.0, status=503)
    assert ask("POST", url(processor), json={}).status == 503
    processor.behave(garbage=True)
    assert ask("POST", url(processor), json={}).headers["content-type"] == "text/html"
    processor.behave()
    assert ask("POST", url(processor), json={}).json()["id"] == "ch_3"


def test_the_effect_takes_place_before_a_late_answer(processor: StandIn) -> None:
    processor.behave(latency=30)
    with pytest.raises(NoAnswer) as caught:
        ask("POST", url(processor), json={"reference": "late"}, timeout=0.3)
    assert caught.value.failure is Failure.TIMED_OUT
    assert [asked.effect for asked in processor.requests()] == [True]
    processor.behave()
    assert ask("GET", url(processor, "/v1/charges/late")).status == 200


def test_a_connection_is_kept_and_requests_on_it_are_answered_in_turn(processor: StandIn) -> None:
    processor.behave(latency=0.05)
    with socket.create_connection(("127.0.0.1", processor.port), timeout=5) as sock:
        line = b"GET /v1/charges/%d HTTP/1.1\r\nHost: x\r\n\r\n"
        sock.sendall(line % 1 + line % 2 + b"nonsense\r\n\r\n")
        heard = b""
        while data := sock.recv(65536):
            heard += data
    assert heard.count(b"HTTP/1.1 404") == 2
    assert heard.rindex(b"HTTP/1.1 404") < heard.index(b"HTTP/1.1 400")


def test_chunked_bodies_and_those_that_wait_for_leave_are_taken(processor: StandIn) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", processor.port, timeout=5)
    connection.request("POST", "/v1/charges", iter([b'{"refer', b'ence": "c"}']), encode_chunked=True)
    assert json.loads(connection.getresponse().read())["reference"] == "c"
    connection.close()
    with socket.create_connection(("127.0.0.1", processor.port), timeout=5) as sock:
        sock.sendall(b"POST /v1/charges HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"{}")
        assert sock.recv(100).startswith(b"HTTP/1.1 201 ")


def test_it_tells_of_more_requests_than_fit_into_one_message(processor: StandIn) -> None:
    def send(count: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", processor.port, timeout=10)
        for number in range(count):
            connection.request(
                "POST", "/v1/charges", json.dumps({"reference": str(number), "pad": "x" * 3000})
            )
            assert connection.getresponse().read()
        connection.close()

    senders = [threading.Thread(target=send, args=(600,)) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    asked = processor.requests()
    assert len(asked) == 2400
    assert processor.untold == 0
    assert [each.at for each in asked] == sorted(each.at for each in asked)


def test_it_plays_what_an_openapi_document_describes(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "bank.json").write_text(json.dumps(DOCUMENT))
    own = StandInAnswer("GET /transfers", body=["declared"])
    bank = StandIn(
        lab, Dependency("bank", DependencyKind.HTTP, openapi="bank.json", answers=(own,)), tmp_path
    )
    try:
        made = ask("POST", url(bank, "/transfers"), json={"reference": "r1"})
        assert (made.status, made.json()["reference"], made.json()["state"]) == (201, "r1", "accepted")
        assert "secret" not in made.json()
        assert ask("GET", url(bank, f"/transfers/{made.json()['id']}")).json() == made.json()
        assert ask("GET", url(bank, "/transfers/none")).status == 404
        assert ask("GET", url(bank, "/transfers")).json() == ["declared"]
    finally:
        bank.end()


def test_examples_of_a_document_are_given_as_they_are(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "bank.json").write_text(json.dumps(DOCUMENT))
    bank = StandIn(lab, Dependency("examples", DependencyKind.HTTP, openapi="bank.json"), tmp_path)
    try:
        assert ask("GET", url(bank, "/transfers")).json() == {"items": [], "note": "{a}"}
    finally:
        bank.end()


def test_what_cannot_be_played_is_one_sentence(lab: Lab, tmp_path: Path) -> None:
    def dependency(name: str, on: str = "GET /", body: object = None, openapi: str = "") -> Dependency:
        return Dependency(name, DependencyKind.HTTP, answers=(StandInAnswer(on, body=body),), openapi=openapi)

    with pytest.raises(StandInError, match=r'^the dependency d1 cannot be played: "GET" is no request'):
        StandIn(lab, dependency("d1", on="GET"), tmp_path)
    with pytest.raises(StandInError, match=r"^the dependency d2 cannot be played: \{nobody\} in"):
        StandIn(lab, dependency("d2", body="{nobody}"), tmp_path)
    with pytest.raises(OpenApiError, match="cannot be read: No such file"):
        StandIn(lab, dependency("d3", openapi="none.json"), tmp_path)


def test_it_ends_when_its_channel_does(lab: Lab, tmp_path: Path) -> None:
    stand_in = StandIn(lab, Dependency("brief", DependencyKind.HTTP, answers=PROCESSOR.answers), tmp_path)
    stand_in._channel.close()
    assert stand_in._program.wait(10) == 0
    with pytest.raises(StandInError, match="the stand-in of brief is gone"):
        stand_in.forget()
    stand_in.end()
