"""The proxy's process: `python -m mainstay.lab.proxy`, with its channel as standard input."""

from mainstay.lab.proxy.server import serve

serve()
