"""Single requests to what runs on this machine: sent once, to nowhere else, and given up in time."""

import http.client
import json as json_text
import re
import socket
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

from mainstay.lab.error import LabError
from mainstay.model.record import Failure

_LOCAL = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}
_LEFT_ALONE = "%/:?&=+,;@!$'()*~[]"  # of a target; anything else that is no letter or digit is quoted
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CHUNK = 1 << 16
_MOST = 64 << 20  # bytes of an answer


class CannotSend(LabError):
    """The request is none that may or can be sent; the message says why."""


class NoAnswer(Exception):
    """No whole answer came."""

    def __init__(self, failure: Failure, said: str, seconds: float) -> None:
        super().__init__(said)
        self.failure = failure
        self.seconds = seconds  # until that was known


class Reply(Struct, frozen=True):
    """An answer.  The names of its headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float  # from the start of the request to the end of the answer
    whole: bool = True  # False: there was more than 64 MiB, and the rest was left

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON; raises ValueError when it is none."""
        try:
            return json_text.loads(self.body)
        except RecursionError as error:
            raise ValueError("the JSON is nested too deeply") from error


def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    json: Any = None,
    form: Mapping[str, str] | None = None,
    timeout: float = 10.0,
) -> Reply:
    """Send one request on a connection of its own and wait for the whole answer.

    `body`, `json` and `form` exclude one another; the latter two set the content type unless `headers` do.
    Redirects are not followed, proxies of the environment are not asked, and nothing is sent twice.
    `timeout` is in seconds and holds for all of it.  Raises NoAnswer, and CannotSend for an address that is
    not on this machine and for what no HTTP request can carry.
    """
    host, port, target = _local(url)
    sent = _with_type(headers or {}, json is not None, form is not None)
    content = _content(body, json, form)
    begun = time.monotonic()
    connection = _Connection(host, port, begun + timeout)
    try:
        return _exchange(connection, method.upper(), target, sent, content, begun)
    except (OSError, http.client.HTTPException) as error:
        raise _no_answer(error, method.upper(), url, time.monotonic() - begun) from error
    except ValueError as error:
        raise CannotSend(f"{method} {url} cannot be sent: {error}") from error
    finally:
        connection.close()


def _exchange(
    connection: "_Connection",
    method: str,
    target: str,
    headers: Mapping[str, str],
    content: bytes | None,
    begun: float,
) -> Reply:
    for word in (method, *headers):
        if not _TOKEN.fullmatch(word):
            raise ValueError(f"{word!r} is no method and no name of a header")
    raw = {name: value.encode("utf-8", "surrogateescape") for name, value in headers.items()}
    try:
        connection.request(method, target, content, {"Connection": "close", **raw})
    except http.client.InvalidURL as error:
        raise ValueError(str(error)) from error
    except (BrokenPipeError, ConnectionResetError):
        if connection.sock is None:
            raise
        # It may have answered before it had read all, as with 413: look before giving up.
    with connection.getresponse() as answer:
        read = bytearray()
        while len(read) < _MOST and (chunk := answer.read(_CHUNK)):
            read += chunk
        whole = len(read) < _MOST or not answer.read(1)
        if whole and answer.length:  # a read of a given size does not tell that there should be more
            raise http.client.IncompleteRead(bytes(read), answer.length)
        names = _joined(answer.getheaders())
        return Reply(answer.status, names, bytes(read), time.monotonic() - begun, whole)


def _joined(headers: list[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        before = joined.get(name.lower())
        joined[name.lower()] = value if before is None else f"{before}, {value}"
    return joined


def _local(url: str) -> tuple[str, int, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", 80 if parts.port is None else parts.port
    except ValueError as error:
        raise CannotSend(f"{url} is no address: {error}") from error
    if parts.scheme != "http" or host not in _LOCAL:
        raise CannotSend(f"{url} is not http://127.0.0.1 or localhost: requests stay on this machine")
    query = f"?{quote(parts.query, safe=_LEFT_ALONE)}" if parts.query else ""
    return _LOCAL[host], port, quote(parts.path or "/", safe=_LEFT_ALONE) + query


def _with_type(headers: Mapping[str, str], json: bool, form: bool) -> dict[str, str]:
    if not (json or form) or any(name.lower() == "content-type" for name in headers):
        return dict(headers)
    return {**headers, "Content-Type": "application/json" if json else "application/x-www-form-urlencoded"}


def _content(body: bytes | None, json: Any, form: Mapping[str, str] | None) -> bytes | None:
    if sum(given is not None for given in (body, json, form)) > 1:
        raise CannotSend("a request has one body: bytes, JSON or a form")
    if json is not None:
        try:
            return json_text.dumps(json).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise CannotSend(f"the body is no JSON: {error}") from error
    return body if form is None else urlencode(form).encode()


def _no_answer(error: Exception, method: str, url: str, seconds: float) -> NoAnswer:
    failure, what = _failure(error)
    return NoAnswer(failure, f"{method} {url} {what} after {seconds:.2f} s", seconds)


def _failure(error: Exception) -> tuple[Failure, str]:
    match error:
        case TimeoutError():
            return Failure.TIMED_OUT, "got no whole answer"
        case ConnectionRefusedError():
            return Failure.REFUSED, "was refused a connection"
        # RemoteDisconnected is both a ConnectionResetError and a BadStatusLine.
        case ConnectionError() | http.client.IncompleteRead():
            return Failure.CUT, "was cut off"
        case http.client.HTTPException():
            return Failure.OTHER, f"got what is no HTTP answer ({type(error).__name__})"
        case _:
            return Failure.OTHER, f"failed ({error})"


class _Connection(http.client.HTTPConnection):
    """A connection that is given up at one moment, however slowly the other side drips."""

    def __init__(self, host: str, port: int, ends: float) -> None:
        super().__init__(host, port)
        self._ends = ends

    def connect(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = _Socket(family, socket.SOCK_STREAM)
        sock.ends = self._ends
        self.sock = sock
        sock.settimeout(sock.left())
        sock.connect((self.host, self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Socket(socket.socket):
    """A socket whose timeout is what is left until `ends`."""

    ends: float

    def left(self) -> float:
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.left())
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.left())
        super().sendall(*args, **kwargs)
