"""Refuse early what cannot be served in time.

Work that its caller has given up on is the worst kind: it keeps the service from what others still
wait for. A queue that has once grown longer than callers wait serves nobody any more.
"""

import logging
import time

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

TOLD_EVERY_S = 1.0
NEVER_REFUSED = ("/livez", "/readyz", "/metrics")


class Shedding:
    """At most `limit` requests are in the process at once, those waiting for a thread included."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._inside = 0
        self._told = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in NEVER_REFUSED:
            await self._app(scope, receive, send)
        elif self._inside >= self._limit:
            self._tell()
            refused = JSONResponse({"detail": "try again soon"}, 503, headers={"Retry-After": "2"})
            await refused(scope, receive, send)
        else:
            self._inside += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._inside -= 1

    def _tell(self) -> None:
        """Once a second: a line for each refusal would be more work than serving the request."""
        now = time.monotonic()
        if now - self._told >= TOLD_EVERY_S:
            self._told = now
            log.error(
                "requests are refused: those inside wait, for the database or for the processor",
                extra={"count": self._inside},
            )
