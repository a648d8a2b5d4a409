"""What a load can be made of when nobody has said: actions guessed from the API's description.

A guess is a request that the description allows, with values that it would accept.  Whether the service does
is for a trial to tell: call each guessed action once, and leave out those that do not succeed.
"""

import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct, structs

from mainstay.lab.links import Giver, Links, declared_for, is_bare, is_id, links, shape, shows_id, subject
from mainstay.lab.matching import fits
from mainstay.lab.values import NoExample, Values, choice, flat, kind_of, words
from mainstay.model.api import Api, ApiOperation, Media, Parameter, Schema
from mainstay.model.service import Action

READS = 0.7  # of the requests, when there are writes too
CHANGE = 0.2  # of the weight of what makes a thing is that of a change which uses one up
CHANGES = 0.5  # is the most that all the changes of one kind of thing have together

_FORM = "application/x-www-form-urlencoded"
_MARKER = "p0a1b2m0001z"  # one like those of the load
_SHORTEST_MARKER = 7
_KEY = re.compile(r"(x-)?idempotency[-_]?(key|token|id)", re.IGNORECASE)
_PROBES = frozenset(
    "health healthz healthcheck live livez liveness alive ready readyz readiness startup startupz ping "
    "metrics status version info docs redoc openapi swagger favicon robots".split()
)
_OF_CALLER = frozenset(
    "me self password passwords login logout signin signout signup token auth oauth credentials".split()
)
_ACCOUNT = frozenset("user account profile viewer".split())  # the caller's own, when it is one of a kind
_OWN = _ACCOUNT | {"current", "my", "own"}
_IDENTITY = frozenset("email emails mail phone username mfa totp otp".split())
_LOGINS = frozenset(("email", "email_address", "username"))
_ENDS = frozenset("delete deletion deactivate deactivation close closure disable suspend".split())
_CHANGES = frozenset("change update reset verify confirm set".split())
_LEAVES = frozenset("logout signout logoff".split())
_NAMES = frozenset(("title", "name"))  # what a slug is made from: a new one may move the thing elsewhere
_OF_ACTOR = frozenset(
    "authorization auth token key tenant account user session cookie csrf accept content".split()
)
_SIGNED = frozenset(("signature", "hmac", "digest"))
_NOT_MARKED = frozenset(  # texts of such a name have to be what they say
    "password secret token url uri currency country language locale timezone tz status state type kind phone "
    "zip postcode color colour hash signature mime format sort order date time role gender scope mode unit "
    "method amount price total rate lat lng latitude longitude iban bic ip host version".split()
)
_OF_CLIENT = frozenset(
    "external client request correlation reference trace message event source remote".split()
)


class LeftOut(Struct, frozen=True):
    """An operation that no action was guessed for."""

    operation: str
    why: str  # one clause: "it needs `order_id`, which no operation gives"


class Derived(Struct, frozen=True):
    """What was guessed."""

    actions: tuple[Action, ...]
    left_out: tuple[LeftOut, ...]


class _Unfit(Exception):
    """No action can be guessed; the message says why."""


class _Waits(_Unfit):
    """Not yet: what it needs may still be given."""


def derive(
    api: Api,
    declared: Sequence[Action] = (),
    public: Sequence[str] = (),
    *,
    first: str = "",
    refused: Mapping[str, str] | None = None,
) -> Derived:
    """An action for each operation that no declared one calls, as far as one can be guessed.

    `public` are the operations ("GET /health") that anyone may call, and `first` is the actor of actions that
    name none.  `refused` are operations that did not succeed when they were tried, with what came of it: they
    and all that rests on them are left out.  The same arguments give the same actions, and none of them needs
    a pool that neither they nor `declared` fill for the same actor.
    """
    all_links = links(api, declared)
    given = {  # pool -> the actor who has it; "" for the first one
        pool: "" if action.actor == first else action.actor for action in declared for pool in action.gives
    }
    waiting = [each for each in api.operations if declared_for(api, each, declared) is None]
    made: dict[str, Action] = {}
    why: dict[str, str] = {}
    settled = False
    while True:
        before = len(made)
        for operation in [each for each in waiting if each.name not in made]:
            try:
                if operation.name in (refused or {}):
                    raise _Unfit((refused or {})[operation.name])
                made[operation.name] = _Guess(api, all_links, operation, given, public, settled).action()
            except (_Unfit, NoExample) as error:
                why[operation.name] = str(error)
            else:
                given |= dict.fromkeys(made[operation.name].gives, made[operation.name].actor)
        if len(made) == before and settled:
            break
        settled = settled or len(made) == before
    guessed = [made[operation.name] for operation in waiting if operation.name in made]
    left_out = [LeftOut(each.name, why[each.name]) for each in waiting if each.name not in made]
    return Derived(tuple(_weighed(_renamed(guessed, declared), declared)), tuple(left_out))


class _Guess:
    """The request of one operation."""

    def __init__(
        self,
        api: Api,
        all_links: Links,
        operation: ApiOperation,
        given: Mapping[str, str],
        public: Sequence[str],
        settled: bool,
    ) -> None:
        self._api = api
        self._links = all_links
        self._operation = operation
        self._given = given
        self._public = public
        self._settled = settled  # nothing more will be given: do without what is not certain to be needed
        self._used: dict[str, str] = {}  # pool -> actor
        self._marked = False
        self._addressed: dict[str, str] = {}  # what the thing is called in the path, as a field may call it
        self._values = Values(api, self._wish, doubled)

    def action(self) -> Action:
        """Raises _Unfit and NoExample."""
        operation = self._operation
        if reason := _unfit(self._api, operation, self._public):
            raise _Unfit(reason)
        path = re.sub(r"\{([^{}]+)\}", lambda found: self._in_path(found[1]), operation.path)
        query = {each.name: self._beside(each) for each in operation.parameters if _asked(each, "query")}
        headers, key_header = self._headers()
        body, form, kind = self._content()
        actors = set(self._used.values())
        if len(actors) > 1:
            pools = " and ".join(f"`{pool}`" for pool in self._used)
            raise _Unfit(f"different actors make what it needs: {pools}")
        return Action(
            operation.name,
            operation.method,
            path,
            actor=actors.pop() if actors else "",
            query=query,
            headers=headers | kind,
            body=body,
            form=form,
            takes=self._takes(),
            gives={giver.pool: giver.place for giver in self._links.of(operation)},
            key_header=key_header,
            reads=self._shown(),
            guessed=True,
        )

    def _takes(self) -> tuple[str, ...]:
        """What serves one such request only: of a change, the thing itself and not what it refers to."""
        if self._operation.method in ("PUT", "PATCH"):
            changed = set(self._addressed.values())
            return tuple(pool for pool in self._used if f"{{{pool}}}" in changed)
        return tuple(self._used) if self._operation.writes else ()

    # Where it goes

    def _in_path(self, name: str) -> str:
        giver = self._links.of_path(self._operation.path, name)
        if giver is not None and giver.source != self._operation.name:
            text = self._from(giver, name)
            self._addressed |= {_plain(name): text, _plain(giver.key): text}
            return text
        parameter = next(
            each for each in self._operation.parameters if each.name == name and each.where == "path"
        )
        schema = flat(self._api, parameter.schema)
        if schema.enum or parameter.examples or schema.examples or schema.format in ("date", "date-time"):
            return _text(self._values.value(parameter.schema, name, *parameter.examples[:1]))
        raise _Unfit(f"it needs `{name}`, which no operation gives")

    def _beside(self, parameter: Parameter) -> str:
        wished = self._wish(parameter.name, flat(self._api, parameter.schema), marks=False)
        if wished is UNSET:
            wished = self._values.value(parameter.schema, parameter.name, *parameter.examples[:1])
        return _text(wished)

    def _headers(self) -> tuple[dict[str, str], str]:
        headers, key_header = {}, ""
        for each in self._operation.parameters:
            if each.where == "header" and _KEY.fullmatch(each.name):
                key_header = each.name
                if flat(self._api, each.schema).format == "uuid":
                    headers[each.name] = "{uuid}"
            elif _asked(each, "header") and not _OF_ACTOR.intersection(words(each.name)):
                if _SIGNED.intersection(words(each.name)):
                    raise _Unfit(f"it needs `{each.name}`, and nobody can guess a signature")
                headers[each.name] = self._beside(each)
        return headers, key_header

    # What it carries

    def _content(self) -> tuple[Any, dict[str, str], dict[str, str]]:
        """The JSON, the form, and the header that tells a kind of JSON that is not the plain one."""
        body = self._operation.body
        if body is None or not body.content:
            return None, {}, {}
        for media in body.content:
            if "json" in media.type or media.type == "*/*":
                plain = media.type.startswith("application/json") or media.type == "*/*"
                return self._object(media), {}, {} if plain else {"Content-Type": media.type}
        for media in body.content:
            if media.type.startswith(_FORM):
                return None, self._form(media), {}
        if not body.required:
            return None, {}, {}
        raise _Unfit(f"it takes {body.content[0].type}, which is not guessed")

    def _form(self, media: Media) -> dict[str, str]:
        fields = self._object(media)
        if not isinstance(fields, dict) or any(isinstance(each, dict) for each in fields.values()):
            raise _Unfit("its form holds an object, which is not guessed")
        return {name: _text(value) for name, value in fields.items()}

    def _object(self, media: Media) -> Any:
        made = self._values.value(media.schema, "the body", *media.examples[:1])
        marked = self._marked or self._mark(made, media.schema)
        if not marked and self._operation.method in ("PUT", "PATCH"):
            self._change(made, media.schema)
        return made

    def _mark(self, made: Any, schema: Schema) -> bool:
        """Let an optional text carry the marker: the outermost one, and in an empty object one further in."""
        for held, of in _objects(self._api, made, schema):
            for name, inner in self._optional(held, of):
                wished = UNSET if _names_id(name) else self._marked_text(name, choice(self._api, inner))
                if wished is not UNSET:
                    held[name] = wished
                    return True
        for held, of in _objects(self._api, made, schema):
            for name, inner in () if held else self._optional(held, of):
                if kind_of(choice(self._api, inner)) == "object":
                    value = self._tried(inner, name)
                    if isinstance(value, dict) and (self._marked or self._mark(value, inner)):
                        held[name] = value
                        return True
        return False

    def _change(self, made: Any, schema: Schema) -> None:
        """Let a change change something in each object that would say nothing."""
        for held, of in _objects(self._api, made, schema):
            for name, inner in () if held else self._optional(held, of):
                value = UNSET if _names_id(name) else self._tried(inner, name)
                if value not in (UNSET, {}, []):
                    held[name] = value
                    break

    def _optional(self, held: Mapping[str, Any], schema: Schema) -> list[tuple[str, Schema]]:
        """What an object could hold too; last what needs another thing, or might rename this one."""
        parameters = re.findall(r"\{([^{}]+)\}", self._operation.path)
        by_name = bool(parameters) and not _names_id(parameters[-1])

        def late(name: str) -> tuple[bool, bool, bool]:
            return _plain(name) in self._addressed, by_name and name.lower() in _NAMES, bool(subject(name))

        free = [
            (name, inner)
            for name, inner in schema.properties.items()
            if name not in held and not flat(self._api, inner).read_only
        ]
        return sorted(free, key=lambda each: late(each[0]))

    def _tried(self, schema: Schema, name: str) -> Any:
        """A value, or UNSET and no trace of the attempt."""
        used, marked = dict(self._used), self._marked
        try:
            return self._values.value(schema, name, depth=1)
        except (NoExample, _Waits):
            self._used, self._marked = used, marked
            return UNSET

    # Values

    def _wish(self, name: str, schema: Schema, marks: bool = True) -> Any:
        """What a property of that name should hold; UNSET for what its schema says."""
        if schema.enum is not None:
            return UNSET
        offered = choice(self._api, schema)
        if kind_of(offered) in ("string", "integer", "array"):
            linked = self._linked(name, offered)
            if linked is not UNSET:
                return linked
        return self._marked_text(name, offered) if marks else UNSET

    def _linked(self, name: str, schema: Schema) -> Any:
        if self._operation.method in ("PUT", "PATCH") and _plain(name) in self._addressed:
            return self._addressed[_plain(name)]
        if name.lower() in ("id", "uuid"):
            return _fresh(schema)
        wanted = subject(name)
        if not wanted:
            return self._reference(name, schema)
        giver = self._links.of_field(name)
        if giver is not None and giver.source != self._operation.name:
            text = self._from(giver, name)
            return [text] if kind_of(schema) == "array" else text
        if _OF_CLIENT.intersection(words(wanted)):
            return _fresh(schema)
        if schema.examples:
            return UNSET
        raise NoExample(f"it needs `{name}`, which no operation gives")

    def _reference(self, name: str, schema: Schema) -> Any:
        """A thing made before, for a field that is called like it and asks for nothing but a key."""
        giver = self._links.of_thing(name) if is_bare(self._api, schema) else None
        if giver is None or giver.source == self._operation.name or not is_id(giver.key):
            return UNSET
        return UNSET if self._settled and giver.pool not in self._given else self._from(giver, name)

    def _from(self, giver: Giver, name: str) -> str:
        if giver.pool not in self._given:
            raise _Waits(f"it needs `{name}`, which only {giver.source} could give, and that is left out")
        self._used[giver.pool] = self._given[giver.pool]
        return f"{{{giver.pool}}}"

    def _marked_text(self, name: str, schema: Schema) -> Any:
        """A text that holds the marker, if the property can take one."""
        if kind_of(schema) != "string" or schema.enum is not None or _NOT_MARKED.intersection(words(name)):
            return UNSET
        if schema.format in ("email", "idn-email") or "email" in words(name):
            text, tried = "{email}", _MARKER + "@example.com"
        elif schema.format:
            return UNSET
        else:
            pad = "x" * max(0, schema.min_length - _SHORTEST_MARKER)
            text, tried = "{marker}" + pad, _MARKER + pad
        if schema.max_length is not None and schema.max_length < len(tried):
            return UNSET
        if not fits(tried, schema.pattern) or schema.min_length > 1000:
            return UNSET
        self._marked = True
        return text

    def _shown(self) -> str:
        """The path that shows what it made or changed, by what is taken for its id.

        That is the `id` of the answer, where it has one, and else what it gives or takes.
        """
        operation = self._operation
        makes = operation.method == "POST"
        given = self._links.of(operation)
        if not operation.writes or (makes and not given):
            return ""
        by_id = shows_id(self._api, operation)
        by = [each for each in given if each.place == ("id" if by_id else given[0].place)]
        for each in self._api.operations:
            names = re.findall(r"\{([^{}]+)\}", each.path)
            if each.method != "GET" or len(names) != 1 or not each.path.rstrip("/").endswith("}"):
                continue
            if any(_asked(parameter, "query") for parameter in each.parameters):
                continue
            if not makes and shape(each.path) != shape(operation.path):
                continue
            giver = self._links.of_path(each.path, names[0])
            if giver in by if makes else giver is None or is_id(giver.key) or not by_id:
                return re.sub(r"\{[^{}]+\}", "{made}", each.path)
        return ""


def _objects(api: Api, made: Any, schema: Schema) -> Iterator[tuple[dict[str, Any], Schema]]:
    """Every object of a body with what it may hold, the outer ones first."""
    waiting: deque[tuple[Any, Schema]] = deque([(made, schema)])
    while waiting:
        held, of = waiting.popleft()
        of = choice(api, of)
        if isinstance(held, dict):
            yield held, of
            waiting.extend(
                (each, of.properties[name]) for name, each in held.items() if name in of.properties
            )
        elif isinstance(held, list):
            waiting.extend((each, of.items or Schema()) for each in held)


def _unfit(api: Api, operation: ApiOperation, public: Sequence[str]) -> str:
    """Why no load should call an operation of its own accord; "" when it may."""
    parts = [part for part in operation.path.split("/") if part and "{" not in part]
    last = words(parts[-1]) if parts else []
    if operation.method in ("DELETE", "HEAD", "OPTIONS", "TRACE"):
        return "it deletes, and nobody says what" if operation.method == "DELETE" else "it shows nothing"
    if operation.deprecated:
        return "it is deprecated"
    if operation.method == "GET" and "{" not in operation.path and last[:1] and last[0] in _PROBES:
        return "it is a probe or a page for operators, which users do not ask for"
    if _LEAVES.intersection("".join(words(part)) for part in parts):
        return "it ends the caller's session"
    if operation.writes and (
        _OF_CALLER.intersection(word for part in parts for word in words(part))
        or _is_of_account(api, operation)
        or _sets_credentials(api, operation)
    ):
        return "it changes who the caller is; declare an action for it"
    if operation.writes and _open_to_all(api, operation, public):
        return (
            "anyone may call it, so it may log in, register or take signed messages; declare an action for it"
        )
    return ""


def _is_of_account(api: Api, operation: ApiOperation) -> bool:
    """Whether it changes the one account that the caller himself is: `PUT /user`, `POST /account/delete`."""
    parts = shape(operation.path).strip("/").split("/")
    for at, part in enumerate(parts[: parts.index("{}")] if "{}" in parts else parts):
        if _ACCOUNT.intersection(words(part)[-1:]) and _OWN.issuperset(words(part)):
            below = {word for each in parts[at + 1 :] for word in words(each)}
            if not parts[at + 1 :] or below & (_IDENTITY | _ENDS):
                return _is_single(api, operation, "/" + "/".join(parts[: at + 1]))
    last = words(parts[-1])
    return "{}" not in parts and bool(_CHANGES.intersection(last) and _IDENTITY.intersection(last))


def _is_single(api: Api, operation: ApiOperation, path: str) -> bool:
    """Whether there is one of it for each caller: it has no items, and is shown or replaced where it is."""
    shapes = {(each.method, shape(each.path)) for each in api.operations}
    if any(f"{each}/".startswith(f"{path}/{{}}/") for _, each in shapes):
        return False
    return shape(operation.path) != path or bool(
        shapes & {(method, path) for method in ("GET", "PUT", "PATCH")}
    )


def _sets_credentials(api: Api, operation: ApiOperation) -> bool:
    """Whether it says how the caller logs in: nothing else is named that it could be about."""
    if "{" in operation.path or operation.body is None:
        return False
    names = [
        words(name)
        for media in operation.body.content
        for schema in _wrapped(api, media.schema)
        for name in schema.properties
    ]
    known = {"current", "old", "new"}  # a POST that holds no such password makes somebody, or logs in
    if operation.method == "POST":
        return any("password" in name and known.intersection(name) for name in names)
    return any("password" in name or "_".join(name) in _LOGINS for name in names)


def _wrapped(api: Api, schema: Schema) -> Iterator[Schema]:
    """What a body holds, and what the objects in it hold."""
    schema = choice(api, schema)
    yield schema
    for each in schema.properties.values():
        yield choice(api, each)


def _open_to_all(api: Api, operation: ApiOperation, public: Sequence[str]) -> bool:
    named = {" ".join((each.split()[0].upper(), shape(each.split()[-1]))) for each in public if each.split()}
    if f"{operation.method} {shape(operation.path)}" in named:
        return True
    return not operation.security and any(each.security for each in api.operations)


def _plain(name: str) -> str:
    return "".join(words(name))


def _names_id(name: str) -> bool:
    """Whether a property of that name is an id, of the thing itself or of another that it names."""
    return is_id(name) or bool(subject(name) and not _OF_CLIENT.intersection(words(name)))


def _asked(parameter: Parameter, where: str) -> bool:
    return parameter.where == where and parameter.required


def _fresh(schema: Schema) -> Any:
    """An id of the caller's own making."""
    if kind_of(schema) == "integer":
        return "{number}"
    return "{uuid}" if schema.format == "uuid" else "{marker}" if not schema.format else UNSET


def doubled(value: Any) -> Any:
    """A value whose texts stand for themselves in an action: braces are doubled."""
    match value:
        case str():
            return value.replace("{", "{{").replace("}", "}}")
        case dict():
            return {key: doubled(each) for key, each in value.items()}
        case list():
            return [doubled(each) for each in value]
        case _:
            return value


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return ",".join(_text(each) for each in value)
        case None:
            return ""
        case dict():
            raise NoExample("it takes an object where a text stands, which is not guessed")
        case _:
            return str(value)


def _renamed(guessed: list[Action], declared: Sequence[Action]) -> list[Action]:
    names = {action.name for action in declared}
    return [
        structs.replace(action, name=f"{action.name} (guessed)") if action.name in names else action
        for action in guessed
    ]


def _weighed(guessed: list[Action], declared: Sequence[Action]) -> list[Action]:
    """Reads get 70 %, writes 30 %, spread evenly; a guessed one weighs as much as a declared one does.

    But a change that uses up what another action makes weighs less than that one: all it takes has to be made
    before the load begins.
    """
    weights = [action.weight for action in declared if action.weight > 0]
    total = len(guessed) * (sum(weights) / len(weights) if weights else 1.0)
    writes = sum(action.writes for action in guessed)
    reads = len(guessed) - writes
    share = READS if reads and writes else 1.0 if reads else 0.0
    parts = _parts(guessed)
    whole = sum(parts.values()) if any(part == 1.0 for part in parts.values()) else writes
    of_read = total * share / reads if reads else 0.0
    of_write = total * (1 - share) / whole if whole else 0.0
    made = {each.name: of_write * parts[each.name] if each.writes else of_read for each in guessed}
    known = {each.name: each.weight for each in declared} | made
    for action in guessed:
        if parts.get(action.name, 1.0) < 1.0:
            feeding = [
                known[each.name] for each in (*declared, *guessed) if set(each.gives) & set(action.takes)
            ]
            made[action.name] = min([made[action.name], *(CHANGE * each for each in feeding if each > 0)])
    return [structs.replace(action, weight=round(made[action.name], 6)) for action in guessed]


def _parts(guessed: Sequence[Action]) -> dict[str, float]:
    """The weight of each write, where that of one which makes something is 1."""
    changes = [each for each in guessed if each.method in ("PUT", "PATCH") and each.takes]
    of_pool = Counter(pool for each in changes for pool in each.takes)
    parts = {each.name: 1.0 for each in guessed if each.writes}
    for each in changes:
        parts[each.name] = min(CHANGE, *(CHANGES / of_pool[pool] for pool in each.takes))
    return parts
