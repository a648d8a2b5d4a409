"""The pool is named and not used."""

from typing import Any


class HTTPClientPool:
    def __init__(self, **options: Any) -> None:
        self.options = options
