"""Sends one request on a connection of its own, and fires Locust's event for it."""

from http.client import HTTPConnection, HTTPException
from http.cookiejar import CookieJar
from types import SimpleNamespace, TracebackType
from typing import Any
from urllib.parse import urlsplit

from locust.event import EventHook  # type: ignore[import-not-found]  # this stub


class Response:
    def __init__(self, status: int, content: bytes, error: Exception | None, fire: Any) -> None:
        self.status_code, self.content, self.error, self._fire = status, content, error, fire
        self.text = content.decode()
        self.problem: str | None = f"status {status}" if status >= 400 or status == 0 else None

    def __enter__(self) -> "Response":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._fire(self.problem)

    def success(self) -> None:
        self.problem = None

    def failure(self, problem: str) -> None:
        self.problem = problem


class FastHttpSession:
    def __init__(self, base_url: str, request_event: EventHook, user: object, **options: Any) -> None:
        self.base_url, self.event = base_url, request_event
        self.client = SimpleNamespace(cookiejar=CookieJar())

    def request(
        self,
        method: str,
        path: str,
        *,
        name: str,
        headers: dict[str, str],
        data: bytes | None,
        allow_redirects: bool,
        catch_response: bool,
    ) -> Response:
        assert catch_response
        assert not allow_redirects
        connection = HTTPConnection(urlsplit(self.base_url).netloc, timeout=10)
        status, content, problem = 0, b"", None
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            status, content = answer.status, answer.read()
        except (OSError, HTTPException) as error:
            problem = error
        finally:
            connection.close()
        return Response(
            status, content, problem, lambda said: self.event.fire(name=name, status=status, problem=said)
        )


class FastHttpUser:
    host = ""

    def __init__(self, environment: Any) -> None:
        self.client = FastHttpSession(self.host, environment.events.request, self)
