"""What a load can be made of when nobody has said: actions guessed from the API's description.

A guess is a request that the description allows, with values that it would accept.  Whether the service does
is for a trial to tell: call each guessed action once, and leave out those that do not succeed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct, structs

from mainstay.lab.links import Giver, Links, declared_for, links, shape, subject
from mainstay.lab.matching import fits
from mainstay.lab.values import NoExample, Values, flat, kind_of, words
from mainstay.model.api import Api, ApiOperation, Media, Parameter, Schema
from mainstay.model.service import Action

READS = 0.7  # of the requests, when there are writes too

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
    while True:
        before = len(made)
        for operation in [each for each in waiting if each.name not in made]:
            try:
                if operation.name in (refused or {}):
                    raise _Unfit((refused or {})[operation.name])
                made[operation.name] = _Guess(api, all_links, operation, given, public).action()
            except (_Unfit, NoExample) as error:
                why[operation.name] = str(error)
            else:
                given |= dict.fromkeys(made[operation.name].gives, made[operation.name].actor)
        if len(made) == before:
            break
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
    ) -> None:
        self._api = api
        self._links = all_links
        self._operation = operation
        self._given = given
        self._public = public
        self._used: dict[str, str] = {}  # pool -> actor
        self._marked = False
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
        giver = self._links.of(operation)
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
            takes=tuple(self._used) if operation.writes else (),
            gives={} if giver is None else {giver.pool: giver.place},
            key_header=key_header,
            reads=self._shown(),
            guessed=True,
        )

    # Where it goes

    def _in_path(self, name: str) -> str:
        giver = self._links.of_path(self._operation.path, name)
        if giver is not None and giver.source != self._operation.name:
            return self._from(giver, name)
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
                return None, {name: _text(value) for name, value in self._object(media).items()}, {}
        if not body.required:
            return None, {}, {}
        raise _Unfit(f"it takes {body.content[0].type}, which is not guessed")

    def _object(self, media: Media) -> Any:
        made = self._values.value(media.schema, "the body", *media.examples[:1])
        schema = flat(self._api, media.schema)
        if isinstance(made, dict) and not self._marked:
            self._mark_more(made, schema)
        return made

    def _mark_more(self, made: dict[str, Any], schema: Schema) -> None:
        """Let an optional text carry the marker, and let a change change something."""
        for name, inner in schema.properties.items():
            if name not in made and not flat(self._api, inner).read_only:
                wished = self._marked_text(name, _choice(self._api, inner))
                if wished is not UNSET:
                    made[name] = wished
                    return
        if not made and self._operation.method == "PATCH":
            for name, inner in schema.properties.items():
                try:
                    made[name] = self._values.value(inner, name, depth=1)
                    return
                except NoExample:
                    continue

    # Values

    def _wish(self, name: str, schema: Schema, marks: bool = True) -> Any:
        """What a property of that name should hold; UNSET for what its schema says."""
        if schema.enum is not None:
            return UNSET
        choice = _choice(self._api, schema)
        if kind_of(choice) in ("string", "integer", "array"):
            linked = self._linked(name, choice)
            if linked is not UNSET:
                return linked
        return self._marked_text(name, choice) if marks else UNSET

    def _linked(self, name: str, schema: Schema) -> Any:
        if name.lower() in ("id", "uuid"):
            return _fresh(schema)
        wanted = subject(name)
        if not wanted:
            return UNSET
        giver = self._links.of_field(name)
        if giver is not None and giver.source != self._operation.name:
            text = self._from(giver, name)
            return [text] if kind_of(schema) == "array" else text
        if _OF_CLIENT.intersection(words(wanted)):
            return _fresh(schema)
        if schema.examples:
            return UNSET
        raise NoExample(f"it needs `{name}`, which no operation gives")

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
        """The path that shows what it made or changed."""
        operation = self._operation
        if not operation.writes:
            return ""
        own = self._links.of(operation)
        for each in self._api.operations:
            names = re.findall(r"\{([^{}]+)\}", each.path)
            if each.method != "GET" or len(names) != 1 or not each.path.rstrip("/").endswith("}"):
                continue
            if any(_asked(parameter, "query") for parameter in each.parameters):
                continue
            same = operation.method != "POST" and shape(each.path) == shape(operation.path)
            if same or (own is not None and self._links.of_path(each.path, names[0]) == own):
                return re.sub(r"\{[^{}]+\}", "{made}", each.path)
        return ""


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
    if operation.writes and _OF_CALLER.intersection(word for part in parts for word in words(part)):
        return "it changes who the caller is; declare an action for it"
    if operation.writes and _open_to_all(api, operation, public):
        return (
            "anyone may call it, so it may log in, register or take signed messages; declare an action for it"
        )
    return ""


def _open_to_all(api: Api, operation: ApiOperation, public: Sequence[str]) -> bool:
    named = {" ".join((each.split()[0].upper(), shape(each.split()[-1]))) for each in public if each.split()}
    if f"{operation.method} {shape(operation.path)}" in named:
        return True
    return not operation.security and any(each.security for each in api.operations)


def _asked(parameter: Parameter, where: str) -> bool:
    return parameter.where == where and parameter.required


def _choice(api: Api, schema: Schema) -> Schema:
    """The first thing but null that a schema offers."""
    schema = flat(api, schema)
    for each in schema.any_of:
        choice = flat(api, each)
        if choice.types != ("null",):
            return choice
    return schema


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
        case _:
            return str(value)


def _renamed(guessed: list[Action], declared: Sequence[Action]) -> list[Action]:
    names = {action.name for action in declared}
    return [
        structs.replace(action, name=f"{action.name} (guessed)") if action.name in names else action
        for action in guessed
    ]


def _weighed(guessed: list[Action], declared: Sequence[Action]) -> list[Action]:
    """Reads get 70 %, writes 30 %, spread evenly; a guessed one weighs as much as a declared one does."""
    weights = [action.weight for action in declared if action.weight > 0]
    total = len(guessed) * (sum(weights) / len(weights) if weights else 1.0)
    writes = sum(action.writes for action in guessed)
    reads = len(guessed) - writes
    share = READS if reads and writes else 1.0 if reads else 0.0
    return [
        structs.replace(
            action,
            weight=round(total * ((1 - share) / writes if action.writes else share / reads), 6),
        )
        for action in guessed
    ]
