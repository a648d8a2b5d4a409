"""The API of a service, as an OpenAPI 3.1 document: what may be sent, what is answered, and when.

Field names are those of the columns, so that one name means one thing from the request to the disk.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct

from mainstay.model.specification import (
    Auth,
    Caller,
    Entity,
    Field,
    FieldKind,
    Grant,
    Operation,
    Specification,
    WhenDown,
)
from mainstay.plan.tables import EMAIL, URL, columns_of, pointed, schema, starts, table_name

VERSION = "v1"
PAGE = 100  # rows of a page at most
PAGE_USUAL = 50  # rows of a page, where nothing is asked
CURSOR = 2048  # characters: the values of the last row, encoded
KEY = (8, 200)  # characters of an idempotency key; a shorter one is hardly unique
SAFE = 2**53 - 1  # whole numbers that JSON carries everywhere: RFC 8259, section 6
CONFLICT = 409
PLACES = 20  # mistakes that one answer names, as the runtime does
TOKEN_URL = "https://auth.example.invalid/oauth2/token"  # noqa: S105 - an address, of nobody: it has to be told

Document = dict[str, Any]


class Status(Struct, frozen=True):
    """A status that an operation answers, and when."""

    code: int
    when: str


class Filter(Struct, frozen=True):
    """A parameter that narrows a list."""

    name: str
    column: str
    operator: str  # "=", ">=", "<"
    field: Field | None  # None: `created_at`


def openapi(specification: Specification) -> Document:
    """The document, as the data that JSON holds; its keys are in the order in which they are read."""
    return _Document(specification).whole()


def text(document: Document) -> str:
    """The document as YAML, the same for the same document."""
    return yaml.dump(
        document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100, default_flow_style=False
    )


class _Plain(yaml.SafeDumper):
    """Writes what stands there twice twice: an alias is hard to read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


# What requests hold


def path_fields(specification: Specification, operation: Operation) -> tuple[tuple[str, Field], ...]:
    """What the path says about the row to create, as parameter and reference.

    `{id}` in `/charges/{id}/refunds` is a refund's `charge`.
    """
    entity = specification.entity(operation.creates)
    if entity is None:
        return ()
    found = []
    for before, parameter in re.findall(r"/([a-z0-9_-]+)/\{([a-z0-9_]+)\}", operation.path):
        field = _pointing(entity, before.replace("-", "_"), parameter, operation.locks)
        if field is not None:
            found.append((parameter, field))
    return tuple(found)


def _pointing(entity: Entity, segment: str, parameter: str, locks: str) -> Field | None:
    """The reference that a parameter stands for: the locked one first, where several lead to one table."""
    references = [field for field in entity.fields if field.kind is FieldKind.REFERENCE]
    named = [field for field in references if parameter in columns_of(field)]
    led = [field for field in references if table_name(field.entity) == segment]
    return next(iter(named or sorted(led, key=lambda field: field.name != locks)), None)


def body_fields(specification: Specification, operation: Operation) -> tuple[Field, ...]:
    """The fields that the body of a request may hold.

    What the path says is left out, what the service sets itself, and a state: rows begin in the first one and
    go on by moves.
    """
    if operation.inputs:
        return operation.inputs
    entity = specification.entity(operation.creates or operation.changes)
    if entity is None:
        return ()
    if operation.takes:
        fields = (entity.field(name) for name in operation.takes)
        return tuple(field for field in fields if field is not None)
    if operation.changes and operation.moves:
        return ()
    given = {field.name for _, field in path_fields(specification, operation)}
    state = entity.state
    chosen = operation.creates and len(starts(entity)) > 1
    own = (f for f in entity.fields if not f.internal)
    return tuple(f for f in own if f.name not in given and (f is not state or chosen))


def shown_fields(entity: Entity) -> tuple[Field, ...]:
    """The fields that answers hold: nothing secret, hashed or internal."""
    return tuple(field for field in entity.fields if field.shown)


def shown(specification: Specification, operation: Operation) -> Entity | None:
    """The entity of which an operation answers a row or rows; None: it answers nothing."""
    if operation.removes:
        return None
    if operation.entity:
        return specification.entity(operation.entity)
    moved = (pointed(specification, operation, what) for what, _ in operation.moves)
    return next((entity for entity in moved if entity is not None), None)


def reading(specification: Specification, entity: str) -> Operation | None:
    """The operation that reads one row of an entity by its id: where `Location` leads."""
    return next((o for o in specification.operations if o.reads == entity and o.path.count("{") == 1), None)


def filters(specification: Specification, operation: Operation) -> tuple[Filter, ...]:
    """By what a list can be narrowed: equal values, and ranges of what has an order."""
    entity = specification.entity(operation.lists)
    found: list[Filter] = []
    for name in operation.list_by if entity is not None else ():
        field = entity.field(name) if entity is not None else None
        if name == "id":
            continue
        if name == "created_at" or (field is not None and field.kind in _ORDERED):
            column = columns_of(field)[0] if field is not None else name
            found.append(Filter(f"{column}_from", column, ">=", field))
            found.append(Filter(f"{column}_before", column, "<", field))
        elif field is not None:
            column = columns_of(field)[0]
            found.append(Filter(column, column, "=", field))
    return tuple(found)


_ORDERED = (FieldKind.TIME, FieldKind.DATE, FieldKind.INTEGER, FieldKind.MONEY)


def needs_key(operation: Operation) -> bool:
    """Whether each request bears an idempotency key."""
    return operation.critical and operation.method != "GET"


def needs_match(specification: Specification, operation: Operation) -> bool:
    """Whether a request has to say which version of the row it changes: it overwrites fields of it."""
    return bool(operation.changes and not operation.inputs and body_fields(specification, operation))


def settled_later(specification: Specification, operation: Operation) -> tuple[str, ...]:
    """The needs that a request does not wait for: they are asked once it has been answered."""
    return tuple(_down(specification, operation, WhenDown.SETTLE_LATER))


def _down(specification: Specification, operation: Operation, what: WhenDown) -> Iterator[str]:
    for name in operation.calls:
        need = specification.need(name)
        if need is not None and need.when_down is what:
            yield name


# What is answered


def statuses(specification: Specification, operation: Operation) -> tuple[Status, ...]:
    """What an operation answers, by number; beside these every failure is a problem, too (`default`)."""
    found = [*_good(specification, operation), *_refused(specification, operation)]
    return tuple(sorted(found, key=lambda status: status.code))


def _good(specification: Specification, operation: Operation) -> Iterator[Status]:
    later = settled_later(specification, operation)
    if later:
        yield Status(202, f"accepted; {_names(later)} is asked afterwards, and the row tells what came of it")
    elif operation.creates:
        yield Status(201, f"the {operation.creates} is there")
    elif shown(specification, operation) is not None:
        yield Status(200, "done" if operation.writes else "here it is")
    elif operation.writes or not operation.emits:
        yield Status(204, "done")
    else:
        yield Status(202, "the message is taken down and will be handed on")


def _refused(specification: Specification, operation: Operation) -> Iterator[Status]:
    callers = [specification.caller(grant.caller) for grant in operation.by]
    known = any(caller is not None and caller.auth is not Auth.NOBODY for caller in callers)
    if needs_key(operation) or operation.lists:
        what = "the idempotency key" if needs_key(operation) else "`after`"
        yield Status(400, f"{what} cannot be read")
    if known:
        yield Status(401, "nobody who is known calls")
        yield Status(403, "the caller may not do this")
    if "{" in operation.path or operation.reads:
        yield Status(404, "there is no such row, or not among the caller's")
    conflicts = tuple(_conflicts(specification, operation))
    if conflicts:
        yield Status(409, "; ".join(conflicts))
    if needs_match(specification, operation):
        yield Status(412, "the row was changed since `If-Match` was true")
    if _has_input(specification, operation):
        key = ", or the key was used with another request" if needs_key(operation) else ""
        yield Status(422, f"a value is missing or out of its bounds{key}")
    yield Status(429, "the caller asks too often")
    away = tuple(_down(specification, operation, WhenDown.REFUSE))
    also = f", or {_names(away)} is away" if away else ""
    yield Status(503, f"the service has too much to do{also}")


def _has_input(specification: Specification, operation: Operation) -> bool:
    return bool(
        "{" in operation.path
        or operation.lists
        or body_fields(specification, operation)
        or needs_key(operation)
    )


def _conflicts(specification: Specification, operation: Operation) -> Iterator[str]:
    """Which rule the rows that are there already can break, by the names of the rules."""
    entity = specification.entity(operation.creates or operation.changes)
    table = schema(specification).table(entity.name) if entity is not None else None
    if table is not None and (operation.creates or body_fields(specification, operation)):
        for kept in table.kept:
            if kept.status == CONFLICT and kept.by != "trigger":  # moves are told by their names below
                yield f"`{kept.rule}` would be broken"
    for what, state in operation.moves:
        yield f"`{what}` cannot become `{state}` now"
    if operation.removes:
        yield "other rows refer to it"
    if needs_key(operation):
        yield "a request with the same key is under way"


def _names(names: tuple[str, ...]) -> str:
    return " or ".join(f"`{name}`" for name in names)


_PHRASES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    412: "PreconditionFailed",
    422: "UnprocessableContent",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
}
_RESPONSES = {  # what the answer means, whoever gives it
    400: "The request cannot be read.",
    401: "Nobody who is known calls.",
    403: "The caller is known, and may not do this.",
    404: "There is no such row, or none that the caller may see.",
    409: "The rows that are there already do not allow it.",
    412: "The row was changed in the meantime; read it again.",
    422: "A value is missing or out of its bounds; `errors` says where.",
    429: "Too many requests; come again after `Retry-After`.",
    503: "The service cannot take this on now; come again after `Retry-After`.",
}
_SCHEMES: dict[Auth, tuple[str, Document]] = {
    Auth.API_KEY: (
        "apiKey",
        {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key for each caller."},
    ),
    Auth.SESSION: (
        "session",
        {"type": "apiKey", "in": "cookie", "name": "__Host-session", "description": "Set at login."},
    ),
    Auth.SIGNATURE: (
        "signature",
        {
            "type": "apiKey",
            "in": "header",
            "name": "X-Signature",
            "description": "HMAC-SHA-256 of the time and the body, with the caller's secret.",
        },
    ),
}


class _Document:
    """Writes the document of one specification."""

    def __init__(self, specification: Specification) -> None:
        self._whole = specification
        self._schema = schema(specification)

    def whole(self) -> Document:
        return {
            "openapi": "3.1.0",
            "info": {
                "title": self._whole.service,
                "version": "1.0.0",
                "description": self._whole.purpose,
                "contact": {"name": self._whole.owner},
            },
            "tags": [{"name": entity.name} for entity in self._used_entities()],
            "paths": self._paths(),
            "components": self._components(),
        }

    def _used_entities(self) -> list[Entity]:
        named = [shown(self._whole, one) for one in self._whole.operations]
        removed = {one.removes for one in self._whole.operations}
        return [e for e in self._whole.entities if e in named or e.name in removed]

    # Operations

    def _paths(self) -> Document:
        paths: Document = {}
        for operation in self._whole.operations:
            item = paths.setdefault(f"/{VERSION}{operation.path}", {})
            item[operation.method.lower()] = self._operation(operation)
        return paths

    def _operation(self, operation: Operation) -> Document:
        about = shown(self._whole, operation)
        tag = about.name if about is not None else operation.removes
        found: Document = {
            "operationId": operation.name,
            "summary": _summary(operation),
            "description": _who(operation),
            **({"tags": [tag]} if tag else {}),
            "security": self._security(operation),
        }
        parameters = [*self._path_parameters(operation), *self._query(operation), *self._headers(operation)]
        if parameters:
            found["parameters"] = parameters
        if body_fields(self._whole, operation):
            reference = {"$ref": f"#/components/schemas/{_body_name(operation)}"}
            found["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
        found["responses"] = self._responses(operation)
        return found

    def _security(self, operation: Operation) -> list[Document]:
        needs = [self._requirement(grant) for grant in operation.by]
        return [need for at, need in enumerate(needs) if need not in needs[:at]]

    def _requirement(self, grant: Grant) -> Document:
        caller = self._whole.caller(grant.caller)
        if caller is None or caller.auth is Auth.NOBODY:
            return {}
        return {_scheme_name(caller): [grant.scope] if grant.scope else []}

    def _path_parameters(self, operation: Operation) -> Iterator[Document]:
        given = dict(path_fields(self._whole, operation))
        about = self._whole.entity(operation.entity)
        for name in re.findall(r"\{([a-z0-9_]+)\}", operation.path):
            own = about.field(name) if about is not None else None
            kind = own if own is not None and name not in given and own.shown else None
            value = _value(kind) if kind is not None else {"type": "string", "format": "uuid"}
            yield {"name": name, "in": "path", "required": True, "schema": value}

    def _query(self, operation: Operation) -> Iterator[Document]:
        if not operation.lists:
            return
        for one in filters(self._whole, operation):
            value = _bare(one.field) if one.field is not None else {"type": "string", "format": "date-time"}
            yield {"name": one.name, "in": "query", "required": False, "schema": value}
        yield {"$ref": "#/components/parameters/After"}
        yield {"$ref": "#/components/parameters/Size"}

    def _headers(self, operation: Operation) -> Iterator[Document]:
        if needs_key(operation):
            yield {"$ref": "#/components/parameters/IdempotencyKey"}
        if needs_match(self._whole, operation):
            yield {"$ref": "#/components/parameters/IfMatch"}

    # Answers

    def _responses(self, operation: Operation) -> Document:
        found: Document = {}
        for status in statuses(self._whole, operation):
            if status.code >= 400:
                found[str(status.code)] = self._refusal(status)
            else:
                found[str(status.code)] = self._answer(operation, status)
        found["default"] = {"$ref": "#/components/responses/Unexpected"}
        return found

    def _refusal(self, status: Status) -> Document:
        if status.code == 409:  # the only one that differs from operation to operation
            said = status.when[:1].upper() + status.when[1:] + "."
            return {"description": said, "content": _problem("Problem")}
        return {"$ref": f"#/components/responses/{_PHRASES[status.code]}"}

    def _answer(self, operation: Operation, status: Status) -> Document:
        found: Document = {"description": status.when[:1].upper() + status.when[1:] + "."}
        about = shown(self._whole, operation)
        if about is None:
            return found
        headers = self._answer_headers(operation, about)
        if headers:
            found["headers"] = headers
        name = f"{about.name}Page" if operation.lists else about.name
        found["content"] = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        return found

    def _answer_headers(self, operation: Operation, about: Entity) -> Document:
        found: Document = {}
        if operation.creates and reading(self._whole, about.name) is not None:
            found["Location"] = {"$ref": "#/components/headers/Location"}
        table = self._schema.table(about.name)
        if not operation.lists and table is not None and table.version:
            found["ETag"] = {"$ref": "#/components/headers/ETag"}
        return found

    # Components

    def _components(self) -> Document:
        found: Document = {"schemas": self._schemas(), "responses": self._common_responses()}
        parameters = self._parameters()
        if parameters:
            found["parameters"] = parameters
        found["headers"] = _HEADERS
        schemes = self._schemes()
        if schemes:
            found["securitySchemes"] = schemes
        return found

    def _schemas(self) -> Document:
        found: Document = {}
        for operation in self._whole.operations:
            if body_fields(self._whole, operation):
                found[_body_name(operation)] = self._body(operation)
        listed = {operation.lists for operation in self._whole.operations}
        for entity in self._whole.entities:
            if any(shown(self._whole, one) == entity for one in self._whole.operations):
                found[entity.name] = self._row(entity)
            if entity.name in listed:
                found[f"{entity.name}Page"] = _page(entity)
        return found | {"Problem": _PROBLEM, "InvalidRequest": _INVALID}

    def _body(self, operation: Operation) -> Document:
        partial = bool(operation.changes) and operation.method != "PUT"
        properties: Document = {}
        required: list[str] = []
        for field in body_fields(self._whole, operation):
            properties |= _properties(field)
            if not (partial or field.optional):
                # An amount may have a default; the currency that it is in has none.
                required.extend(names_of(field) if field.default is None else names_of(field)[1:])
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": properties,
            **({"required": required} if required else {}),
            **({"minProperties": 1} if partial else {}),
        }

    def _row(self, entity: Entity) -> Document:
        table = self._schema.table(entity.name)
        properties: Document = {"id": {"type": "string", "format": "uuid"}}
        required = ["id"]
        for field in shown_fields(entity):
            properties |= _properties(field, erased=field.keep is not None)
            required.extend(names_of(field))
        if table is not None and table.version:
            properties[table.version] = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
            required.append(table.version)
        properties["created_at"] = {"type": "string", "format": "date-time"}
        return {"type": "object", "properties": properties, "required": [*required, "created_at"]}

    def _common_responses(self) -> Document:
        used = {s.code for one in self._whole.operations for s in statuses(self._whole, one)}
        found = {
            _PHRASES[code]: _common_response(code) for code in sorted(used) if code >= 400 and code != 409
        }
        said = "What nobody foresaw, such as 413, 500 or 504; the body tells no more than the status."
        return found | {"Unexpected": {"description": said, "content": _problem("Problem")}}

    def _parameters(self) -> Document:
        found: Document = {}
        operations = self._whole.operations
        if any(one.lists for one in operations):
            found["After"] = _AFTER
            found["Size"] = _SIZE
        if any(needs_key(one) for one in operations):
            found["IdempotencyKey"] = _IDEMPOTENCY_KEY
        if any(needs_match(self._whole, one) for one in operations):
            found["IfMatch"] = _IF_MATCH
        return found

    def _schemes(self) -> Document:
        found: Document = {}
        for caller in self._whole.callers:
            if caller.auth is Auth.OAUTH2:
                found[_scheme_name(caller)] = self._oauth2()
            elif caller.auth is not Auth.NOBODY:
                found[_scheme_name(caller)] = _SCHEMES[caller.auth][1]
        return found

    def _oauth2(self) -> Document:
        holders: dict[str, list[str]] = {}
        for caller in self._whole.callers:
            for scope in caller.scopes if caller.auth is Auth.OAUTH2 else ():
                holders.setdefault(scope, []).append(caller.name)
        scopes = {scope: f"Given to {', '.join(names)}." for scope, names in holders.items()}
        return {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": TOKEN_URL, "scopes": scopes}}}


def _scheme_name(caller: Caller) -> str:
    return "oauth2" if caller.auth is Auth.OAUTH2 else _SCHEMES[caller.auth][0]


def _summary(operation: Operation) -> str:
    words = operation.name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _who(operation: Operation) -> str:
    said = [f"`{g.caller}` with `{g.scope}`" if g.scope else f"`{g.caller}`" for g in operation.by]
    return f"For {', '.join(said)}."


def _body_name(operation: Operation) -> str:
    return "".join(part.capitalize() for part in operation.name.split("_")) + "Request"


# Values


def names_of(field: Field) -> tuple[str, ...]:
    """The properties that hold a field, named as its columns: money takes two, an amount and a currency."""
    if field.kind is FieldKind.MONEY:
        return (f"{field.name}_minor", f"{field.name}_currency")
    return columns_of(field)


def _properties(field: Field, erased: bool = False) -> Document:
    values = [_value(field)]
    if field.kind is FieldKind.MONEY:
        values.append({"type": "string", "pattern": "^[A-Z]{3}$", "minLength": 3, "maxLength": 3})
    if field.optional or erased:
        values = list(map(_or_nothing, values))
    return dict(zip(names_of(field), values, strict=True))


def _value(field: Field) -> Document:
    match field.kind:
        case FieldKind.TEXT:
            return {"type": "string", "minLength": 0 if field.optional else 1, "maxLength": field.length}
        case FieldKind.INTEGER | FieldKind.MONEY:
            return {"type": "integer", **_bounds(field)}
        case FieldKind.BOOLEAN:
            return {"type": "boolean"}
        case FieldKind.ENUM:
            return {"type": "string", "enum": list(field.values)}
        case FieldKind.EMAIL:
            return {"type": "string", "format": "email", "minLength": 3, "maxLength": EMAIL}
        case FieldKind.URL:
            return {"type": "string", "format": "uri", "minLength": 1, "maxLength": URL}
    return {"type": "string", "format": _FORMATS[field.kind]}


_FORMATS = {
    FieldKind.UUID: "uuid",
    FieldKind.REFERENCE: "uuid",
    FieldKind.TIME: "date-time",
    FieldKind.DATE: "date",
}


def _bare(field: Field) -> Document:
    """A value to compare with: an amount need not be one that a row may have."""
    if field.kind in (FieldKind.INTEGER, FieldKind.MONEY):
        return {"type": "integer", "minimum": -SAFE, "maximum": SAFE}
    return _value(field)


def _bounds(field: Field) -> Document:
    low, high = -SAFE, SAFE
    for limit in field.limits:
        value = int(limit.value)
        if limit.operator in (">", ">=", "="):
            low = max(low, value + (limit.operator == ">"))
        if limit.operator in ("<", "<=", "="):
            high = min(high, value - (limit.operator == "<"))
    return {"minimum": low, "maximum": high}


def _or_nothing(value: Document) -> Document:
    found = value | {"type": [value["type"], "null"]}
    return found | ({"enum": [*value["enum"], None]} if "enum" in value else {})


def _page(entity: Entity) -> Document:
    return {
        "type": "object",
        "properties": {
            "items": {
                "type": "array",
                "maxItems": PAGE,
                "items": {"$ref": f"#/components/schemas/{entity.name}"},
            },
            "next": {
                "type": ["string", "null"],
                "maxLength": CURSOR,
                "description": "The `after` of the next page; null on the last one.",
            },
        },
        "required": ["items", "next"],
    }


# What all documents share


def _problem(name: str) -> Document:
    return {"application/problem+json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _common_response(code: int) -> Document:
    found: Document = {"description": _RESPONSES[code]}
    if code == 401:
        found["headers"] = {"WWW-Authenticate": {"$ref": "#/components/headers/WwwAuthenticate"}}
    if code in (429, 503):
        found["headers"] = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
    return found | {"content": _problem("InvalidRequest" if code == 422 else "Problem")}


_AFTER: Document = {
    "name": "after",
    "in": "query",
    "required": False,
    "description": "`next` of the page before; it means nothing else and may change its form.",
    "schema": {"type": "string", "minLength": 1, "maxLength": CURSOR, "pattern": "^[A-Za-z0-9_-]+$"},
}
_SIZE: Document = {
    "name": "size",
    "in": "query",
    "required": False,
    "description": "Rows of the page at most.",
    "schema": {"type": "integer", "minimum": 1, "maximum": PAGE, "default": PAGE_USUAL},
}
_IDEMPOTENCY_KEY: Document = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Chosen anew for each deed and sent again with each repetition: it happens once.",
    "schema": {"type": "string", "minLength": KEY[0], "maxLength": KEY[1], "pattern": "^[!-~]+$"},
}
_IF_MATCH: Document = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The `ETag` of the row that was read: what was changed since is not overwritten.",
    "schema": {"type": "string", "minLength": 3, "maxLength": 12, "pattern": '^"[0-9]+"$'},
}
_HEADERS: Document = {
    "Location": {
        "description": "Where the new row is.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ETag": {"description": "The version of the row.", "schema": {"type": "string", "pattern": '^"[0-9]+"$'}},
    "RetryAfter": {
        "description": "Seconds to wait (RFC 9110, 10.2.3).",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WwwAuthenticate": {
        "description": "How to show who calls (RFC 9110, 11.6.1).",
        "schema": {"type": "string"},
    },
    "Deprecation": {
        "description": "Since when the operation is deprecated: `@` and seconds since 1970 (RFC 9745).",
        "schema": {"type": "string", "pattern": "^@[0-9]+$"},
    },
    "Sunset": {
        "description": "When the operation ends, as an HTTP date, never before `Deprecation` (RFC 8594).",
        "schema": {"type": "string"},
    },
}
_PROBLEM: Document = {
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status"],
}
_INVALID: Document = {
    "allOf": [
        {"$ref": "#/components/schemas/Problem"},
        {
            "type": "object",
            "properties": {
                "errors": {
                    "type": "array",
                    "maxItems": PLACES,
                    "items": {
                        "type": "object",
                        "properties": {
                            "in": {"type": "string", "enum": ["body", "query", "path", "header", "cookie"]},
                            "pointer": {"type": "string", "description": "In the body (RFC 6901)."},
                            "name": {"type": "string", "description": "Of the parameter."},
                            "position": {"type": "integer", "description": "Where the body is no JSON."},
                            "detail": {"type": "string"},
                            "code": {"type": "string"},
                        },
                        "required": ["in", "detail", "code"],
                    },
                }
            },
        },
    ]
}
