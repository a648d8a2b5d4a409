"""Refuse early what cannot be served in time.

Work that its caller has given up on is the worst kind: it keeps the service from what others still
wait for. A queue that has once grown longer than callers wait serves nobody any more.
"""

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

NEVER_REFUSED = ("/livez", "/readyz", "/metrics")


class Shedding:
    """At most `limit` requests are in the process at once, those waiting for a thread included."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in NEVER_REFUSED:
            await self._app(scope, receive, send)
        elif self._inside >= self._limit:
            refused = JSONResponse({"detail": "try again soon"}, 503, headers={"Retry-After": "2"})
            await refused(scope, receive, send)
        else:
            self._inside += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._inside -= 1
