"""`python -m mainstay.lab.standin`: started by Mainstay, with a channel as its standard input."""

import asyncio
import os
import signal
import socket

from mainstay.lab.standin.server import serve

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started us
    asyncio.run(serve(socket.socket(fileno=os.dup(0))))
