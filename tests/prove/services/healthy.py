"""A service that does its work: it keeps things in memory, and says so in an OpenAPI document.

`python healthy.py PORT`.
"""

import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread

THING = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
CONTENT = {"application/json": {"schema": THING}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Things", "version": "1"},
    "paths": {
        "/things": {
            "get": {"responses": {"200": {"description": "Some things"}}},
            "post": {
                "requestBody": {"content": CONTENT, "required": True},
                "responses": {"201": {"description": "Made", "content": CONTENT}},
            },
        }
    },
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    things: list[object] = []  # noqa: RUF012 - one list for all requests is what is meant
    numbers = count(1)

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/ready":
                self.answer(200, {"ready": True})
            case "/openapi.json":
                self.answer(200, DOCUMENT)
            case "/things":
                self.answer(200, self.things[-20:])
            case _:
                self.answer(404, {"error": "there is no such thing"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/login":
            self.answer(401, {"error": "nobody knows you"})
            return
        if self.path != "/things":
            self.answer(404, {"error": "there is no such thing"})
            return
        try:
            name = json.loads(body)["name"]
        except (ValueError, TypeError, KeyError):
            self.answer(422, {"error": "a thing has a name"})
            return
        thing = {"id": next(self.numbers), "name": name}
        self.things.append(thing)
        self.answer(201, thing)

    def answer(self, status: int, content: object) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing: that would be a line for each request."""


def serve(port: int, handler: type[Handler] = Handler) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.block_on_close = False  # connections that callers keep open hold nobody up
    signal.signal(signal.SIGTERM, lambda *_: Thread(target=server.shutdown).start())
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
