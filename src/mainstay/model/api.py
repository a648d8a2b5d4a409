"""An API as its OpenAPI document describes it."""

from typing import Any

from msgspec import Struct


class Schema(Struct, frozen=True):
    """What a value may be.  Nothing said is anything allowed."""

    ref: str = ""  # the name of another one in `Api.schemas`, and then nothing else here
    types: tuple[str, ...] = ()  # "object", "array", "string", "integer", "number", "boolean", "null"
    format: str = ""  # "uuid", "date-time", "email"
    enum: tuple[Any, ...] | None = None
    examples: tuple[Any, ...] = ()  # given by its author, a default included
    properties: dict[str, "Schema"] = {}
    required: tuple[str, ...] = ()
    closed: bool = False  # no other properties than those
    additional: "Schema | None" = None  # what other properties hold
    items: "Schema | None" = None
    any_of: tuple["Schema", ...] = ()  # `oneOf` too
    all_of: tuple["Schema", ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    multiple_of: float | None = None
    min_length: int = 0
    max_length: int | None = None
    pattern: str = ""
    min_items: int = 0
    max_items: int | None = None
    read_only: bool = False
    write_only: bool = False


class Media(Struct, frozen=True):
    """A body in one format."""

    type: str  # "application/json"
    schema: Schema = Schema()
    examples: tuple[Any, ...] = ()


class Parameter(Struct, frozen=True):
    """A value beside the body."""

    name: str
    where: str  # "path", "query", "header", "cookie"
    required: bool = False
    schema: Schema = Schema()
    examples: tuple[Any, ...] = ()


class Body(Struct, frozen=True):
    """What a request carries."""

    content: tuple[Media, ...] = ()
    required: bool = False


class Answer(Struct, frozen=True):
    """What an operation may answer."""

    status: str  # "201", "2XX", "default"
    content: tuple[Media, ...] = ()
    headers: tuple[str, ...] = ()

    @property
    def succeeds(self) -> bool:
        return self.status.startswith("2")


class ApiOperation(Struct, frozen=True):
    """One method of one path."""

    method: str  # "POST"
    path: str  # "/orders/{order_id}", with the path of the server before it
    id: str = ""
    tags: tuple[str, ...] = ()
    security: tuple[str, ...] = ()  # the schemes of which one is needed; none: anyone may call
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    answers: tuple[Answer, ...] = ()
    deprecated: bool = False

    @property
    def name(self) -> str:
        """ "POST /orders" """
        return f"{self.method} {self.path}"

    @property
    def writes(self) -> bool:
        """Whether it changes something, by its method."""
        return self.method not in ("GET", "HEAD", "OPTIONS", "TRACE")


class Api(Struct, frozen=True):
    """A whole document."""

    title: str
    version: str  # of OpenAPI: "3.1.0"
    operations: tuple[ApiOperation, ...] = ()
    schemas: dict[str, Schema] = {}  # those that are referred to, by the reference

    def resolved(self, schema: Schema) -> Schema:
        """The schema that references lead to; nowhere, or round in a circle, is one that allows anything."""
        for _ in range(50):
            if not schema.ref:
                return schema
            schema = self.schemas.get(schema.ref, Schema())
        return Schema()
