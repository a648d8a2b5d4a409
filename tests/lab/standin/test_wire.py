"""The stand-in reads HTTP/1.1 strictly, in whatever pieces it comes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.lab.standin.wire import LARGEST_BODY, Request, RequestReader, Unheard

CHUNKED = (
    b"POST /a?b=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nTrailer: 1\r\n\r\n"
)
PLAIN = b"PUT /b HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a:  2 \r\nContent-Length: 3\r\n\r\nxyz"
BARE = b"GET / HTTP/1.0\r\n\r\n"


def read(content: bytes) -> list[Request]:
    return list(RequestReader().feed(content))


def test_requests_on_one_connection_are_told_apart() -> None:
    first, second, third = read(CHUNKED + b"\r\n" + PLAIN + BARE)
    assert (first.method, first.target, first.body, first.keeps) == ("POST", "/a?b=1", b"abcde", True)
    assert (second.method, second.body, second.headers["x-a"]) == ("PUT", b"xyz", "1, 2")
    assert (third.method, third.body, third.keeps) == ("GET", b"", False)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=40))
def test_pieces_make_no_difference(sizes: list[int]) -> None:
    content = CHUNKED + PLAIN + CHUNKED + BARE
    reader = RequestReader()
    found: list[Request] = []
    at = 0
    for size in sizes:
        found += reader.feed(content[at : at + size])
        at += size
    found += reader.feed(content[at:])
    assert found == read(content)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_no_request_or_refused(noise: bytes) -> None:
    try:
        found = read(noise + b"\r\n\r\n")
    except Unheard:
        return
    assert all(request.method and request.target for request in found)


def test_a_connection_that_is_to_close_does() -> None:
    assert not read(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")[0].keeps


def test_a_client_that_waits_for_leave_is_noticed() -> None:
    reader = RequestReader()
    assert not list(reader.feed(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"))
    assert reader.continues
    assert [request.body for request in reader.feed(b"x")] == [b"x"]
    assert not reader.continues


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413),
        (b"GET / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (LARGEST_BODY + 1), 413),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000, 431),
    ],
)
def test_what_can_be_misread_is_refused(content: bytes, status: int) -> None:
    with pytest.raises(Unheard) as caught:
        read(content)
    assert caught.value.status == status
