"""Which operation gives the ids that others need, told by their names and paths alone.

`order_id`, `orderId` and the parameter of `/orders/{id}` are what `POST /orders` answers as `id`.
"""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from mainstay.lab.values import flat, kind_of, words
from mainstay.model.api import Api, ApiOperation, Schema
from mainstay.model.service import Action

_RESERVED = frozenset(
    ("marker", "key", "number", "email", "uuid", "made")
)  # they mean something else in a text
_IDS = ("id", "uuid", "guid")


class Giver(Struct, frozen=True):
    """Where the values of a pool come from."""

    pool: str
    source: str  # the name of the operation, or of the declared action
    place: str  # of the value in the answer: "id", "data.id"
    collection: str  # the shape of the path it is made under: "/orders", "/charges/{}/refunds"


class Links(Struct, frozen=True):
    """Every giver there is or could be."""

    givers: tuple[Giver, ...]

    def of_path(self, path: str, name: str) -> Giver | None:
        """Who gives the parameter `name` of a path."""
        before = shape(path.partition(f"{{{name}}}")[0])
        for giver in self.givers:
            if giver.collection == before:
                return giver
        found = self.of_field(name)
        if found is not None or subject(name):
            return found
        return self._of_words(words(before.rpartition("/")[2]))

    def of_field(self, name: str) -> Giver | None:
        """Who gives a value of this name: None when the name is not that of an id, or nobody does."""
        wanted = subject(name)
        return self._of_words(words(wanted)) if wanted else None

    def of(self, operation: ApiOperation) -> Giver | None:
        return next((giver for giver in self.givers if giver.source == operation.name), None)

    def _of_words(self, wanted: list[str]) -> Giver | None:
        """The giver whose pool is called so, or else what the name ends in: `billing_customer_id`."""
        for start in range(len(wanted)):
            forms = _forms("_".join(wanted[start:]))
            for giver in self.givers:
                if forms & (_forms("_".join(words(giver.pool))) | _forms(_last(giver.collection))):
                    return giver
        return None


def links(api: Api, declared: Sequence[Action]) -> Links:
    """The givers: the declared actions first, then the operations that have none."""
    found = [giver for action in declared for giver in _declared(action)]
    names = {giver.pool for giver in found}
    for operation in api.operations:
        place = given_id(api, operation) if operation.method == "POST" else ""
        if place and declared_for(api, operation, declared) is None:
            pool = _pool(api, operation, names)
            if pool not in names:
                names.add(pool)
                found.append(Giver(pool, operation.name, place, shape(operation.path)))
    return Links(tuple(found))


def declared_for(api: Api, operation: ApiOperation, declared: Iterable[Action]) -> Action | None:
    """The declared action that calls an operation, and no other one more exactly."""
    return next((action for action in declared if _called(api, action) == operation), None)


def shape(path: str) -> str:
    """A path without its query, the names of its parameters and a slash at its end."""
    return re.sub(r"\{[^{}]*\}", "{}", path.partition("?")[0]).rstrip("/")


def subject(name: str) -> str:
    """What an id is the id of: "customer" of `customer_id` and `customerIds`; "" of what is no such id."""
    found = words(name)
    if len(found) > 1 and found[-1].removesuffix("s") in _IDS:
        return "_".join(found[:-1])
    return ""


def given_id(api: Api, operation: ApiOperation) -> str:
    """Where a success has the id of what was made; "" where it is not described."""
    for answer in operation.answers:
        for media in answer.content if answer.succeeds else ():
            place = _place(api, flat(api, media.schema), operation)
            if place:
                return place
    return ""


def _place(api: Api, schema: Schema, operation: ApiOperation, depth: int = 0) -> str:
    own = f"{_singular(_last(operation.path))}_id"
    for name, inner in schema.properties.items():
        if name in _IDS or "_".join(words(name)) == own:
            return name if kind_of(flat(api, inner)) in ("string", "integer") else ""
    for name in ("data", "result", _singular(_last(operation.path))):
        if depth == 0 and name in schema.properties:
            place = _place(api, flat(api, schema.properties[name]), operation, 1)
            return f"{name}.{place}" if place else ""
    return ""


def _declared(action: Action) -> Iterable[Giver]:
    for at, (pool, place) in enumerate(action.gives.items()):
        makes = action.method.upper() == "POST" and (at == 0 or place == "id")
        yield Giver(pool, action.name, place, shape(action.path) if makes else "")


def _called(api: Api, action: Action) -> ApiOperation | None:
    path = action.path.partition("?")[0].rstrip("/")
    fitting = [
        operation
        for operation in api.operations
        if operation.method == action.method.upper()
        and re.fullmatch(re.escape(shape(operation.path)).replace(r"\{\}", "[^/]+"), path)
    ]
    return min(fitting, key=lambda operation: operation.path.count("{"), default=None)


def _pool(api: Api, operation: ApiOperation, taken: set[str]) -> str:
    """A name for what an operation makes: that of the parameter which stands for it, or its path's."""
    item = next((each for each in api.operations if shape(each.path) == shape(operation.path) + "/{}"), None)
    named = subject(re.findall(r"\{([^{}]*)\}", item.path)[-1]) if item is not None else ""
    name = named or _singular(_last(operation.path)) or "thing"
    if name in taken or name in _RESERVED:
        parents = [part for part in operation.path.split("/") if part and "{" not in part][:-1]
        name = f"{_singular(parents[-1])}_{name}" if parents else f"{name}_id"
    return name


def _last(path: str) -> str:
    """The last part of a path that is no parameter."""
    parts = [part for part in path.split("/") if part and "{" not in part]
    return "_".join(words(parts[-1])) if parts else ""


def _singular(word: str) -> str:
    word = "_".join(words(word))
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(ss|sh|ch|x|z|[bnrt]us)es$", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _forms(word: str) -> set[str]:
    """What the singular of a word might be; two words are one when they share a form."""
    return {word, _singular(word), word.removesuffix("s"), word.removesuffix("es")} - {""}
