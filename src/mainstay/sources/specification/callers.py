"""`callers`: who calls, and how they show who they are."""

from mainstay.model.specification import Auth, Caller
from mainstay.sources.specification.faults import Faults
from mainstay.sources.specification.fields import NAME
from mainstay.sources.specification.nodes import Node, Text
from mainstay.sources.specification.tables import Keys

KEYS = ("auth", "scopes", "sees", "why")
SEES = ("own", "all")


def caller(name: Text, node: Node, faults: Faults) -> Caller:
    """The caller of that name."""
    keys = Keys(node, f"the caller `{name.value}`", KEYS, faults)
    if not NAME.fullmatch(name.value):
        faults.add(name.location, f"`{name.value}` is no name for a caller; write small letters: `shop`.")
    if not keys.has("auth") and keys.table.items:
        faults.add(name.location, f"`{name.value}` does not show who he is; add `auth: api key`.")
    auth = Auth(keys.word("auth", tuple(Auth), Auth.API_KEY))
    why = keys.text("why", like="anyone may look at the price list")
    if auth is Auth.NOBODY and why is None:
        said = f"`{name.value}` is anyone at all, and nothing says why that is right; add `why: ...`."
        faults.add(name.location, said)
    scopes = tuple(scope.value for scope in keys.texts("scopes"))
    sees = keys.word("sees", SEES, "own")
    return Caller(name.value, name.location, auth, scopes, sees == "all", why.value if why else "")
