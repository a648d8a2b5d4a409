"""Connections that are kept for a further request, looked at before they are used again.

libcurl looks at most once a second (since curl/curl#22169), and relies on sending again what it sent on a
connection that the other side had closed long before.  We send nothing twice, so we look each time.
"""

import select

Ends = tuple[object, ...]  # addresses and ports of a connection


class Kept:
    """The sockets by the ends of their connections."""

    def __init__(self) -> None:
        self._sockets: dict[Ends, int] = {}

    def remember(self, ends: Ends, socket: int) -> None:
        """A connection was made; one with the same ends before it is gone."""
        self._sockets[ends] = socket

    def closed(self, ends: Ends) -> bool:
        """Whether the other side has closed it, or said something that nobody asked for."""
        socket = self._sockets.get(ends)
        if socket is None:
            return False
        poll = select.poll()
        poll.register(socket, select.POLLIN)
        return bool(poll.poll(0))
