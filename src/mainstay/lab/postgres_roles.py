"""The three roles of a PostgreSQL of ours, and how their passwords are stored."""

import base64
import hashlib
import hmac
import secrets

from msgspec import Struct

SUPERUSER = "mainstay"  # ours: it gets in when every slot is taken
SERVICE = "app"  # the service's, and the name of its database
HOLDER = "mainstay_holder"  # takes slots away from the service

# The service pays for its password what it pays in production: the server's own default.  (Fewer are also
# refused by the drivers of Java, whose least is this.)  Ours is random, and one iteration guards it as well.
SERVICE_ITERATIONS = 4096
OUR_ITERATIONS = 1


class Password(Struct, frozen=True):
    """A random password; its text shows nothing of it."""

    text: str
    iterations: int

    @classmethod
    def random(cls, iterations: int) -> "Password":
        return cls(secrets.token_urlsafe(24), iterations)  # nothing in it needs escaping in an URL

    def stored(self) -> str:
        """As PostgreSQL keeps it: RFC 5803, with the keys of RFC 5802, section 3."""
        salt = secrets.token_bytes(16)
        salted = hashlib.pbkdf2_hmac("sha256", self.text.encode(), salt, self.iterations)
        client = hmac.digest(salted, b"Client Key", "sha256")
        keys = hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")
        parts = [base64.b64encode(part).decode() for part in (salt, *keys)]
        return f"SCRAM-SHA-256${self.iterations}:{parts[0]}${parts[1]}:{parts[2]}"

    def __repr__(self) -> str:
        return "Password(...)"
