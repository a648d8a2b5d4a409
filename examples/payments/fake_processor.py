"""A stand-in for the card processor and the event bus, for trying the service out.

    python fake_processor.py PORT

It answers a repeated Idempotency-Key with its first answer, as a real one does.
A token of "declined" is declined, and one of "broken" answers 500.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

Answer = tuple[int, dict[str, Any]]


class Books:
    """All that the processor remembers."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answers: dict[str, Answer] = {}
        self.charges: list[dict[str, Any]] = []
        self.refunds: list[dict[str, Any]] = []
        self.events: dict[str, dict[str, Any]] = {}
        self.numbers = count(1)

    def once(self, key: str | None, path: str, body: dict[str, Any]) -> Answer:
        with self.lock:
            if key is None:
                return self._answer(path, body)
            if key not in self.answers:
                answer = self._answer(path, body)
                if answer[0] >= 500:
                    return answer
                self.answers[key] = answer
            return self.answers[key]

    def _answer(self, path: str, body: dict[str, Any]) -> Answer:
        if path == "/events":
            self.events[str(body["id"])] = body
            return 202, {}
        kept = {"/v1/charges": self.charges, "/v1/refunds": self.refunds}.get(path)
        if kept is None:
            return 404, {}
        if body.get("token") == "broken":
            return 500, {}
        if body.get("token") == "declined":
            return 402, {"error": "declined"}
        kept.append({"id": f"pr_{next(self.numbers)}", **body})
        return 201, kept[-1]

    def found(self, reference: str) -> Answer:
        with self.lock:
            for charge in self.charges:
                if charge["reference"] == reference:
                    return 200, charge
        return 404, {}

    def summary(self) -> dict[str, Any]:
        with self.lock:
            return {
                "charges": self.charges,
                "refunds": self.refunds,
                "events": list(self.events.values()),
            }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    books = Books()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
        self._send(*self.books.once(self.headers.get("Idempotency-Key"), self.path, body))

    def do_GET(self) -> None:
        if self.path == "/books":
            self._send(200, self.books.summary())
        elif self.path.startswith("/v1/charges/"):
            self._send(*self.books.found(self.path.rpartition("/")[2]))
        elif self.path.startswith("/documents/"):
            self._send(200, {"document": self.path})
        else:
            self._send(404, {})

    def _send(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the service under trial has logs of its own."""


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.serve_forever()


if __name__ == "__main__":
    main()
