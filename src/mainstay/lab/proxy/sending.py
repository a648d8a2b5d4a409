"""What a socket's kernel buffer still has to send."""

import fcntl
import socket
import struct
import sys

_SIOCOUTQNSD = 0x894B  # Linux: bytes that were not sent yet, the ones not acknowledged left out
_SO_NWRITE = 0x1024  # macOS: bytes in the send buffer


def unsent(sock: socket.socket) -> int:
    """Bytes that an RST would lose; 0 where the kernel does not say."""
    try:
        if sys.platform == "linux":
            answer = fcntl.ioctl(sock, _SIOCOUTQNSD, bytes(4))
            return int(struct.unpack("i", answer)[0])
        if sys.platform == "darwin":
            return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
    except OSError:
        pass
    return 0
