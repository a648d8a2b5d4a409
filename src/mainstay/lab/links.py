"""Which operation gives the ids that others need, told by their names and paths alone.

`order_id`, `orderId` and the parameter of `/orders/{id}` are what `POST /orders` answers as `id`; the
parameter of `/articles/{slug}` is what `POST /articles` answers as `slug`, where it does.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import lru_cache

from msgspec import Struct, structs

from mainstay.lab.values import choice, kind_of, words
from mainstay.model.api import Api, ApiOperation, Schema
from mainstay.model.service import Action

_RESERVED = frozenset(
    ("marker", "key", "number", "email", "uuid", "made")
)  # they mean something else in a text
_IDS = ("id", "uuid", "guid", "pk")
_WRAPPERS = frozenset(  # what holds what was made is often called so; in the singular
    "data datum result item attribute object record entity resource payload content".split()
)
_IRREGULAR = {
    "children": "child",
    "people": "person",
    "men": "man",
    "women": "woman",
    "mice": "mouse",
    "indices": "index",
    "matrices": "matrix",
    "vertices": "vertex",
    "movies": "movie",
    "cookies": "cookie",
    "series": "series",
}
_WRAPPED = 3  # objects and lists around what was made
_NO_NEARNESS = 9
_REMEMBERED = 8192  # names and paths: each is looked at again for every operation
_BARE = (Schema(types=("integer",)), Schema(types=("string",), format="uuid"))


class Giver(Struct, frozen=True):
    """Where the values of a pool come from."""

    pool: str
    source: str  # the name of the operation, or of the declared action
    place: str  # of the value in the answer: "id", "data.id"
    collection: str  # the shape of the path it is made under: "/orders", "/charges/{}/refunds"

    @property
    def key(self) -> str:
        """The property of the answer that the value is: "id", "slug"."""
        return self.place.rpartition(".")[2]


class Links(Struct, frozen=True):
    """Every giver there is or could be."""

    givers: tuple[Giver, ...]

    def of_path(self, path: str, name: str) -> Giver | None:
        """Who gives the parameter `name` of a path."""
        before = shape(path.partition(f"{{{name}}}")[0])
        here = [giver for giver in self.givers if giver.collection == before]
        if here:
            return _nearest(here, name)
        found = self.of_field(name) or self._of_whole(name)
        if found is not None or subject(name):
            return found
        return self._of_words(words(before.rpartition("/")[2]), name)

    def of_field(self, name: str) -> Giver | None:
        """Who gives a value of this name: None when the name is not that of an id, or nobody does."""
        wanted = subject(name)
        return self._of_words(words(wanted), name) if wanted else None

    def of_thing(self, name: str) -> Giver | None:
        """Who gives the id of what is called exactly so: `author`, where others say `author_id`."""
        found = [giver for giver in self.givers if _forms("_".join(words(name))) & _called(giver)]
        return _nearest(found, f"{name}_id") if found else None

    def of(self, operation: ApiOperation) -> tuple[Giver, ...]:
        """What an operation gives, first what its own path has in `/orders/{...}`."""
        name = operation.name
        return tuple(giver for giver in self.givers if giver.source == name)

    def _of_whole(self, name: str) -> Giver | None:
        """Whose name and property are both in this one: `article_slug`, `username`."""
        wanted = _plain(name)
        for giver in self.givers:
            thing, key = _plain(_thing(giver.collection)), _plain(giver.key)
            if thing and (wanted == thing + key or (wanted == key and key.startswith(thing))):
                return giver
        return None

    def _of_words(self, wanted: list[str], name: str) -> Giver | None:
        """The giver whose pool is called so, or else what the name ends in: `billing_customer_id`."""
        for start in range(len(wanted)):
            forms = _forms("_".join(wanted[start:]))
            found = [giver for giver in self.givers if forms & _called(giver)]
            if found:
                return _nearest(found, name)
        return None


def links(api: Api, declared: Sequence[Action]) -> Links:
    """The givers: the declared actions first, then the operations that have none."""
    keys = _keys(api)
    found = [giver for action in declared for giver in _declared(action, keys)]
    taken = {giver.pool for giver in found}
    asked = [words(each) for each in _subjects(api)]
    for operation in api.operations:
        if operation.method == "POST" and declared_for(api, operation, declared) is None:
            for giver in _givers(api, operation, keys.get(shape(operation.path), ()), taken, asked):
                taken.add(giver.pool)
                found.append(giver)
    return Links(tuple(found))


def declared_for(api: Api, operation: ApiOperation, declared: Iterable[Action]) -> Action | None:
    """The declared action that calls an operation, and no other one more exactly."""
    return next((action for action in declared if _operation(api, action) == operation), None)


@lru_cache(_REMEMBERED)
def shape(path: str) -> str:
    """A path without its query, the names of its parameters and a slash at its end."""
    return re.sub(r"\{[^{}]*\}", "{}", path.partition("?")[0]).rstrip("/")


def subject(name: str) -> str:
    """What an id is the id of: "customer" of `customer_id` and `customerIds`; "" of what is no such id."""
    found = words(name)
    if len(found) > 1 and found[-1].removesuffix("s") in _IDS:
        return "_".join(found[:-1])
    return ""


def is_id(name: str) -> bool:
    """Whether a property of that name is the id of the thing itself."""
    return _plain(name) in _IDS


def is_bare(api: Api, schema: Schema) -> bool:
    """Whether a value is asked to be an integer or a UUID and nothing else, as keys of other things are."""
    schema = choice(api, schema)
    types = tuple(kind for kind in schema.types if kind != "null")
    return structs.replace(schema, types=types, read_only=False, write_only=False) in _BARE


def shows_id(api: Api, operation: ApiOperation) -> bool:
    """Whether a success has a plain `id`, which is what callers take for the id of what was made."""
    schemas = [choice(api, each) for each in _successes(operation)]
    return any(_is_key(api, each.properties["id"]) for each in schemas if "id" in each.properties)


def _givers(
    api: Api, operation: ApiOperation, keys: Sequence[str], taken: set[str], asked: Sequence[list[str]]
) -> Iterator[Giver]:
    """What an operation gives for each name that its things go by in paths, and their id for fields."""
    collection = shape(operation.path)
    places = [place for key in keys or ("",) if (place := _place(api, operation, key))]
    if not places:
        return
    first = Giver(_pool(api, operation, taken), operation.name, places[0], collection)
    if first.pool in taken:
        return
    yield first
    by_id = _place(api, operation, "")
    if by_id and not is_id(first.key) and any(_ends_in(each, _called(first)) for each in asked):
        places.append(by_id)
    for place in dict.fromkeys(places):
        pool = f"{first.pool}_{'_'.join(words(place.rpartition('.')[2]))}"
        if place != first.place and pool not in taken:
            yield Giver(pool, operation.name, place, collection)


def _place(api: Api, operation: ApiOperation, name: str) -> str:
    """Where a success has what `name` stands for in the path of the thing made; "" where it says nothing.

    A property of that name is nearer than an id; without a name, only an id will do.
    """
    thing = _thing(operation.path)
    near = [
        (nearness, f"{above}{held}")
        for answer in _successes(operation)
        for above, schema in _levels(api, answer, thing)
        for held, inner in schema.properties.items()
        if (nearness := _nearness(name, held, thing)) < _NO_NEARNESS
        and _is_key(api, inner)
        and "." not in held
    ]
    return min(near, key=lambda each: each[0], default=(0, ""))[1]


def _levels(api: Api, answer: Schema, thing: str) -> Iterator[tuple[str, Schema]]:
    """The objects of an answer that may be the thing made, the outer ones first, and how to get there."""
    waiting = deque([("", answer, 0)])
    while waiting:
        above, schema, depth = waiting.popleft()
        schema = choice(api, schema)
        inner = [(f"{name}.", each) for name, each in schema.properties.items() if _wraps(name, thing)]
        if kind_of(schema) == "array":
            inner = [("0.", schema.items)] if schema.items is not None else []
        else:
            yield above, schema
        if depth < _WRAPPED:
            waiting.extend((above + step, each, depth + 1) for step, each in inner)


def _wraps(name: str, thing: str) -> bool:
    """Whether a property of that name holds what was made: `data`, `article`, `new_article`."""
    plain = _singular(name)
    if "." in name or not thing:
        return False
    return plain in _WRAPPERS or plain == thing or plain.endswith(f"_{thing}")


def _nearness(name: str, held: str, thing: str) -> int:
    """How near a property is to what a path or a field calls `name`: the less, the nearer."""
    name, held, thing = _plain(name), _plain(held), _plain(thing)
    if held == name:
        return 0
    if name and (name == thing + held or held == thing + name):
        return 1
    return 2 if held in _IDS or held == f"{thing}id" else _NO_NEARNESS


def _nearest(givers: Sequence[Giver], name: str) -> Giver:
    """Of several, the one whose property is nearest to the name, and that is called like its collection."""

    def distance(giver: Giver) -> tuple[int, bool]:
        thing = _thing(giver.collection)
        return _nearness(name, giver.key, thing), not _forms(giver.pool) & _forms(thing)

    return givers[0] if len(givers) == 1 else min(givers, key=distance)


def _is_key(api: Api, schema: Schema) -> bool:
    """Whether an answer shows it, and a path can hold it."""
    return not api.resolved(schema).write_only and kind_of(choice(api, schema)) in ("string", "integer")


def _successes(operation: ApiOperation) -> Iterator[Schema]:
    for answer in operation.answers:
        for media in answer.content if answer.succeeds else ():
            yield media.schema


def _keys(api: Api) -> dict[str, tuple[str, ...]]:
    """The names of the parameters that follow each collection: "slug" and "id" after "/articles"."""
    found: dict[str, tuple[str, ...]] = {}
    for operation in api.operations:
        for parameter in re.finditer(r"\{([^{}]+)\}", operation.path):
            before = shape(operation.path[: parameter.start()])
            found[before] = tuple(dict.fromkeys((*found.get(before, ()), parameter[1])))
    return found


def _subjects(api: Api) -> set[str]:
    """All that the fields and parameters of the requests want an id of."""
    found = {subject(each.name) for operation in api.operations for each in operation.parameters}
    waiting = deque(
        media.schema
        for operation in api.operations
        if operation.body is not None
        for media in operation.body.content
    )
    seen = set()
    while waiting:
        schema = waiting.popleft()
        if schema.ref and schema.ref in seen:
            continue
        seen.add(schema.ref)
        schema = api.resolved(schema)
        found.update(subject(name) or name * is_bare(api, each) for name, each in schema.properties.items())
        waiting.extend((*schema.properties.values(), *schema.any_of, *schema.all_of))
        waiting.extend(each for each in (schema.items, schema.additional) if each is not None)
    return found - {""}


def _ends_in(wanted: list[str], called: Set[str]) -> bool:
    return any(_forms("_".join(wanted[start:])) & called for start in range(len(wanted)))


def _called(giver: Giver) -> Set[str]:
    """What a value of the giver may be called, where an id of it is wanted."""
    return _forms("_".join(words(giver.pool))) | _forms(_last(giver.collection))


def _declared(action: Action, keys: Mapping[str, Sequence[str]]) -> Iterator[Giver]:
    collection = shape(action.path)
    after = {_plain(key) for key in keys.get(collection, ())}
    for at, (pool, place) in enumerate(action.gives.items()):
        key = _plain(place.rpartition(".")[2])
        makes = action.method.upper() == "POST" and (at == 0 or key in _IDS or key in after)
        yield Giver(pool, action.name, place, collection if makes else "")


def _operation(api: Api, action: Action) -> ApiOperation | None:
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
    name = named or _thing(operation.path) or "thing"
    if name in taken or name in _RESERVED:
        parents = [part for part in operation.path.split("/") if part and "{" not in part][:-1]
        name = f"{_singular(parents[-1])}_{name}" if parents else f"{name}_id"
    return name


@lru_cache(_REMEMBERED)
def _plain(name: str) -> str:
    """A name in lower case without what joins its words: `user_name` is `username`."""
    return "".join(words(name))


@lru_cache(_REMEMBERED)
def _thing(path: str) -> str:
    """What is made under a path: "article" of "/articles"."""
    return _singular(_last(path))


@lru_cache(_REMEMBERED)
def _last(path: str) -> str:
    """The last part of a path that is no parameter."""
    parts = [part for part in path.split("/") if part and "{" not in part]
    return "_".join(words(parts[-1])) if parts else ""


@lru_cache(_REMEMBERED)
def _singular(word: str) -> str:
    word = "_".join(words(word))
    before, _, last = word.rpartition("_")
    if last in _IRREGULAR:
        return f"{before}_{_IRREGULAR[last]}".lstrip("_")
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(ss|sh|ch|x|z|[bnrt]us)es$", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


@lru_cache(_REMEMBERED)
def _forms(word: str) -> frozenset[str]:
    """What the singular of a word might be; two words are one when they share a form."""
    return frozenset((word, _singular(word), word.removesuffix("s"), word.removesuffix("es"))) - {""}
