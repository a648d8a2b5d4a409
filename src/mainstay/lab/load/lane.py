"""A libcurl handle that carries one request at a time and sends none of them twice.

libcurl sends a request again by itself when a connection that it had kept is closed before the first byte of
the answer.  Such a cut is what a load has to count, so the second sending is stopped, in two places: a
request may begin once, on whichever connection, and once it has begun no further socket is opened for it.
A kept connection that is found closed *before* anything was sent on it is replaced, as any caller would:
then `stale` is true, and `replace` gets the lane ready for a new one.
"""

import errno
from collections.abc import Sequence

import pycurl  # type: ignore[import-untyped]  # it comes without types

from mainstay.lab.load.call import OURS, Call, Outcome
from mainstay.lab.load.kept import Kept
from mainstay.model.record import Failure

MOST_READ = 1 << 20  # bytes of an answer that are kept

_CUT = {
    pycurl.E_PARTIAL_FILE,
    pycurl.E_GOT_NOTHING,
    pycurl.E_SEND_ERROR,
    pycurl.E_RECV_ERROR,
}
# The machine's limits, not the service's: too many descriptors, no port left on our side.
_OURS = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}


class Lane:
    """Takes a call with `load`; once libcurl has carried it, `outcome` tells how it ended."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._socket: int | None = None  # that was opened for this call
        self._begun = False
        self.stale = False
        self._heard: list[bytes] = []
        self._size = 0
        self.call: Call | None = None
        self.handle = handle = pycurl.Curl()
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.PROXY, "")  # whatever the environment says
        handle.setopt(pycurl.NOPROXY, "*")
        handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        handle.setopt(pycurl.PATH_AS_IS, 1)
        handle.setopt(pycurl.TCP_NODELAY, 1)
        handle.setopt(
            pycurl.MAXAGE_CONN, 1
        )  # servers close idle connections, some after 2 s: reusing one is a race
        handle.setopt(pycurl.BUFFERSIZE, 8192)
        handle.setopt(pycurl.USERAGENT, "mainstay")
        handle.setopt(pycurl.WRITEFUNCTION, self._hear)
        handle.setopt(pycurl.PREREQFUNCTION, self._begin)
        handle.setopt(pycurl.SOCKOPTFUNCTION, self._open)

    def load(self, call: Call, address: str) -> None:
        """Get ready to send `call` to `address` ("http://127.0.0.1:8000")."""
        self.call = call
        self._socket = None
        self._begun = self.stale = False
        self._heard = []
        self._size = 0
        prepared = call.prepared
        put = self.handle.setopt
        put(pycurl.HTTPGET, 1)  # forgets what the request before was
        if prepared.body is not None:
            put(pycurl.POSTFIELDS, prepared.body)
        elif prepared.method == "HEAD":
            put(pycurl.NOBODY, 1)
        put(pycurl.CUSTOMREQUEST, prepared.method)
        put(pycurl.URL, address + prepared.path)
        put(pycurl.HTTPHEADER, _headers(prepared.headers, prepared.body))
        put(pycurl.FRESH_CONNECT, call.fresh)
        put(pycurl.FORBID_REUSE, call.fresh)
        put(pycurl.TIMEOUT_MS, max(1, int(call.timeout * 1000)))

    def replace(self) -> None:
        """Get ready to send the call on a new connection, nothing of it having been sent."""
        self.stale = False
        self.handle.setopt(pycurl.FRESH_CONNECT, True)

    def outcome(self, done: float, code: int, said: str) -> Outcome:
        """How it ended, by libcurl's code (0: answered whole) and message."""
        body = b"".join(self._heard)
        if code == pycurl.E_OK:
            return Outcome(done, self.handle.getinfo(pycurl.RESPONSE_CODE), body=body)
        if not self._begun and self.handle.getinfo(pycurl.OS_ERRNO) in _OURS:
            return Outcome(done, failure=Failure.OTHER, ours=f"{OURS} could not connect: {said}.")
        failure = self._failure(code)
        return Outcome(
            done, failure=failure, body=body or (said.encode() if failure is Failure.OTHER else b"")
        )

    def close(self) -> None:
        self.handle.close()

    def _failure(self, code: int) -> Failure:
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return Failure.TIMED_OUT
        if code in _CUT:
            return Failure.CUT
        if code in (pycurl.E_COULDNT_CONNECT, pycurl.E_ABORTED_BY_CALLBACK):
            return Failure.CUT if self._begun else Failure.REFUSED
        return Failure.OTHER

    def _hear(self, data: bytes) -> None:
        if self._size < MOST_READ:
            self._heard.append(data)
            self._size += len(data)

    def _begin(self, *ends: object) -> int:
        """Called by libcurl when the connection stands and the request is about to be written."""
        if self._begun:
            return int(pycurl.PREREQFUNC_ABORT)
        if self._socket is not None:
            self._kept.remember(ends, self._socket)
        elif self._kept.closed(ends):
            self.stale = True
            return int(pycurl.PREREQFUNC_ABORT)
        self._begun = True
        return int(pycurl.PREREQFUNC_OK)

    def _open(self, socket: int, _purpose: int) -> int:
        """Called by libcurl when it has made a socket and not connected it yet."""
        self._socket = socket
        return int(pycurl.SOCKOPT_ERROR if self._begun else pycurl.SOCKOPT_OK)


def _headers(headers: Sequence[bytes], body: bytes | None) -> list[bytes]:
    """With what libcurl would add by itself taken out."""
    if body is None:
        return list(headers)
    quiet = [b"Expect:"]
    if not body or not any(header[:13].lower() == b"content-type:" for header in headers):
        quiet.append(b"Content-Type:")
    return [*headers, *quiet]
