"""Requests are sent once, to this machine only, and end in time."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mainstay.lab.client import CannotSend, NoAnswer, ask
from mainstay.model.record import Failure


@contextmanager
def peer(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a listener that serves each connection with `serve`, one after the other."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    serve(connection)
                except OSError:
                    pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def head(connection: socket.socket) -> bytes:
    """What the client sends up to the end of its headers, and what follows at once."""
    heard = b""
    while b"\r\n\r\n" not in heard:
        data = connection.recv(65536)
        if not data:
            break
        heard += data
    return heard


def request(connection: socket.socket) -> bytes:
    heard = head(connection)
    start, _, body = heard.partition(b"\r\n\r\n")
    for line in start.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            while len(body) < int(line.split(b":")[1]):
                body += connection.recv(65536)
    return start + b"\r\n\r\n" + body


def answering(content: bytes, heard: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        sent = request(connection)
        if heard is not None:
            heard.append(sent)
        connection.sendall(content)

    return serve


def test_an_answer_has_its_status_headers_body_and_time() -> None:
    content = b'HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 8\r\n\r\n{"a": 1}'
    with peer(answering(content)) as url:
        reply = ask("GET", url + "/x")
    assert (reply.status, reply.ok, reply.headers["x-a"], reply.whole) == (201, True, "1, 2", True)
    assert reply.json() == {"a": 1}
    assert 0 < reply.seconds < 5


def test_json_and_forms_carry_their_type_and_bytes_go_as_they_are() -> None:
    heard: list[bytes] = []
    with peer(answering(b"HTTP/1.1 204 No\r\n\r\n", heard)) as url:
        ask("post", url + "/a?b=c d", json={"x": "ü"})
        ask("POST", url, form={"user": "a b"})
        ask("PUT", url, body=b"\xff\x00", headers={"content-type": "text/x"})
        ask("POST", url, json={}, headers={"CONTENT-TYPE": "application/merge-patch+json", "X-N": "ü"})
    assert heard[0].startswith(b"POST /a?b=c%20d HTTP/1.1\r\n")
    assert json.loads(heard[0].partition(b"\r\n\r\n")[2]) == {"x": "ü"}
    assert b"Content-Type: application/json\r\n" in heard[0]
    assert heard[1].endswith(b"\r\n\r\nuser=a+b")
    assert b"Content-Type: application/x-www-form-urlencoded\r\n" in heard[1]
    assert heard[2].endswith(b"\r\n\r\n\xff\x00")
    assert heard[2].lower().count(b"content-type") == heard[3].lower().count(b"content-type") == 1
    assert "X-N: ü\r\n".encode() in heard[3]


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    heard: list[bytes] = []
    moved = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    with peer(answering(moved, heard)) as url:
        assert ask("GET", url).status == 302
    assert len(heard) == 1


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with peer(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as url:
        assert ask("GET", url).status == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://example.test/",
        "http://127.0.0.1@example.test/",
        "http://127.0.0.1.example.test/",
        "http://10.0.0.1/",
        "http://0x7f000001/",
        "https://127.0.0.1/",
        "ftp://localhost/",
        "//localhost/",
        "",
        "http://[::1/",
        "http://localhost:99999/",
        "http://localhost:x/",
    ],
)
def test_nothing_is_sent_off_this_machine_or_to_what_is_no_address(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object) -> None:
        pytest.fail("it connected")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(CannotSend, match=r"this machine|is no address"):
        ask("GET", url)


@pytest.mark.parametrize(
    ("method", "headers"),
    [("GET /", {}), ("GET", {"X-A": "1\r\nHost: b"}), ("GET", {"X A": "1"}), ("G\r\nET", {})],
)
def test_what_no_request_can_carry_is_one_sentence(method: str, headers: dict[str, str]) -> None:
    with (
        peer(answering(b"HTTP/1.1 200 OK\r\n\r\n")) as url,
        pytest.raises(CannotSend, match="cannot be sent"),
    ):
        ask(method, url, headers=headers)


def test_a_request_has_one_body_that_can_be_written() -> None:
    with pytest.raises(CannotSend, match="one body"):
        ask("POST", "http://localhost:1/", json={}, body=b"")
    with pytest.raises(CannotSend, match="no JSON"):
        ask("POST", "http://localhost:1/", json={"a": object()})


def test_a_closed_port_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NoAnswer) as caught:
        ask("GET", f"http://localhost:{port}/")
    assert caught.value.failure is Failure.REFUSED
    assert "was refused a connection" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "failure"),
    [
        (b"", Failure.CUT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", Failure.CUT),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc", Failure.CUT),
        (b"SMTP ready\r\n\r\n", Failure.OTHER),
    ],
)
def test_half_an_answer_is_none(content: bytes, failure: Failure) -> None:
    with peer(answering(content)) as url, pytest.raises(NoAnswer) as caught:
        ask("POST", url, json={})
    assert caught.value.failure is failure


def test_a_reset_is_told_from_silence() -> None:
    def reset(connection: socket.socket) -> None:
        head(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with peer(reset) as url, pytest.raises(NoAnswer) as caught:
        ask("GET", url)
    assert caught.value.failure is Failure.CUT


def test_silence_ends_in_time() -> None:
    def wait(connection: socket.socket) -> None:
        while connection.recv(65536):  # until the client leaves
            pass

    with peer(wait) as url, pytest.raises(NoAnswer) as caught:
        ask("GET", url, timeout=0.2)
    assert caught.value.failure is Failure.TIMED_OUT
    assert 0.15 < caught.value.seconds < 3


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
def test_dripping_ends_in_time_too(start: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(start)
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    with peer(drip) as url, pytest.raises(NoAnswer) as caught:
        ask("GET", url, timeout=0.4)
    assert caught.value.failure is Failure.TIMED_OUT
    assert caught.value.seconds < 4


def test_an_answer_before_the_body_was_read_still_counts() -> None:
    def refuse(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(2)
        while connection.recv(65536):
            pass

    with peer(refuse) as url:
        assert ask("POST", url, body=b"x" * (8 << 20)).status == 413


def test_json_that_is_none_is_a_value_error() -> None:
    deep = b"[" * 100_000
    with peer(answering(b"HTTP/1.1 200 OK\r\n\r\n" + deep)) as url:
        reply = ask("GET", url)
    with pytest.raises(ValueError):
        reply.json()
