"""The one way in which guards refuse, so that the edge of a service maps all of them to one answer."""


class Refused(Exception):
    """A guard refused the call before it was made; nothing has happened.

    `name` is that of the guard ("processor"). `after` is when to try again, in seconds, where that is known.
    """

    def __init__(self, name: str, after: float | None = None) -> None:
        super().__init__(name, after)  # the same arguments, so that it survives pickling
        self.name = name
        self.after = after

    def __str__(self) -> str:
        later = "" if self.after is None else f"; try again in {self.after:.3g} s"
        return f"{self.name}: {self._reason()}{later}"

    def _reason(self) -> str:
        """The class in words: `StillOpen` reads "still open"."""
        return "".join(f" {c.lower()}" if c.isupper() else c for c in type(self).__name__).strip()


class Full(Refused):
    """As many calls are under way as a bulkhead or a limiter allows."""
