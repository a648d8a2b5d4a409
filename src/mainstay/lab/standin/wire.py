"""A small strict reader of HTTP/1.1 requests, as they come in over a connection."""

import re
from collections.abc import Iterator

from msgspec import Struct

LONGEST_HEAD = 64 << 10  # bytes of the request line and the headers
LARGEST_BODY = 16 << 20  # bytes

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}) ([!-~\x80-\xff]+) HTTP/1\.([01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*?)[ \t]*")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")


class Unheard(Exception):
    """What came is no request that we take; it is answered with `status`, and the connection closed."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Request(Struct, frozen=True):
    """A whole request.  The names of its headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    keeps: bool  # the connection stays open after the answer


class _Head(Struct, frozen=True):
    method: str
    target: str
    headers: dict[str, str]
    keeps: bool
    length: int  # of the body
    chunked: bool


class RequestReader:
    """Takes the bytes of one connection and gives the requests that are whole."""

    def __init__(self) -> None:
        self._heard = bytearray()
        self._head: _Head | None = None
        self._chunks = bytearray()
        self._trailing = False  # behind the last chunk
        self.continues = False  # the client waits for `100 Continue`

    def feed(self, data: bytes) -> Iterator[Request]:
        """The requests that are whole with `data`; raises Unheard."""
        self._heard += data
        while (request := self._next()) is not None:
            yield request

    def _next(self) -> Request | None:
        if self._head is None:
            self._head = self._read_head()
            if self._head is None:
                return None
        head = self._head
        body = self._read_chunks() if head.chunked else self._take(head.length)
        if body is None:
            return None
        self._head, self.continues = None, False
        return Request(head.method, head.target, head.headers, body, head.keeps)

    def _read_head(self) -> _Head | None:
        while self._heard.startswith(b"\r\n"):  # a client may send some between its requests
            del self._heard[:2]
        end = self._heard.find(b"\r\n\r\n", 0, LONGEST_HEAD)
        if end < 0:
            if len(self._heard) >= LONGEST_HEAD:
                raise Unheard(431, "the headers are too long")
            return None
        lines = bytes(self._heard[:end]).split(b"\r\n")
        del self._heard[: end + 4]
        head = _parse(lines)
        self.continues = head.headers.get("expect", "").lower() == "100-continue"
        return head

    def _take(self, length: int) -> bytes | None:
        if len(self._heard) < length:
            return None
        body = bytes(self._heard[:length])
        del self._heard[:length]
        return body

    def _read_chunks(self) -> bytes | None:
        while not self._trailing:
            end = self._heard.find(b"\r\n", 0, 200)
            if end < 0:
                if len(self._heard) >= 200:
                    raise Unheard(400, "this is no size of a chunk")
                return None
            found = _SIZE.fullmatch(self._heard, 0, end)
            if found is None:
                raise Unheard(400, "this is no size of a chunk")
            size = int(found[1], 16)
            if len(self._chunks) + size > LARGEST_BODY:
                raise Unheard(413, "the body is too large")
            if size == 0:
                del self._heard[: end + 2]
                self._trailing = True
                break
            if len(self._heard) < end + 2 + size + 2:
                return None
            if self._heard[end + 2 + size : end + 4 + size] != b"\r\n":
                raise Unheard(400, "a chunk does not end where it should")
            self._chunks += self._heard[end + 2 : end + 2 + size]
            del self._heard[: end + 4 + size]
        return self._read_trailers()

    def _read_trailers(self) -> bytes | None:
        """Pass over the headers behind the last chunk."""
        while (end := self._heard.find(b"\r\n", 0, LONGEST_HEAD)) >= 0:
            del self._heard[: end + 2]
            if end == 0:
                body = bytes(self._chunks)
                self._chunks.clear()
                self._trailing = False
                return body
        if len(self._heard) >= LONGEST_HEAD:
            raise Unheard(431, "the trailers are too long")
        return None


def _parse(lines: list[bytes]) -> _Head:
    line = _LINE.fullmatch(lines[0])
    if line is None:
        raise Unheard(400, "this is no request line of HTTP/1.1")
    headers: dict[str, str] = {}
    for raw in lines[1:]:
        found = _HEADER.fullmatch(raw)
        if found is None:
            raise Unheard(400, "this is no header")
        name, value = found[1].decode().lower(), found[2].decode("utf-8", "surrogateescape")
        if name in headers and name in ("content-length", "transfer-encoding", "host"):
            raise Unheard(400, f"{name} is there twice")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    keeps = line[3] == b"1" and "close" not in headers.get("connection", "").lower()
    length, chunked = _framing(headers)
    method, target = line[1].decode(), line[2].decode("utf-8", "surrogateescape")
    return _Head(method, target, headers, keeps, length, chunked)


def _framing(headers: dict[str, str]) -> tuple[int, bool]:
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if coding is not None:
        if length is not None or coding.lower() != "chunked":
            raise Unheard(400, "the length of the body is told in a way that can be misread")
        return 0, True
    if length is None:
        return 0, False
    if not re.fullmatch(r"[0-9]{1,18}", length):
        raise Unheard(400, "Content-Length is no number")
    if int(length) > LARGEST_BODY:
        raise Unheard(413, "the body is too large")
    return int(length), False
