"""A service as its specification describes it: what there is before any code.

Amounts are seconds, requests a second and fractions of 1.  Everything knows the line that says it.
"""

from enum import StrEnum

from msgspec import Struct

from mainstay.model.budget import Budgets
from mainstay.model.location import Location


class FieldKind(StrEnum):
    """What a field holds."""

    UUID = "uuid"
    TEXT = "text"
    INTEGER = "integer"
    MONEY = "money"  # whole minor units and a currency
    BOOLEAN = "boolean"
    TIME = "time"  # a moment, with its zone
    DATE = "date"
    EMAIL = "email"
    URL = "url"
    ENUM = "enum"
    REFERENCE = "reference"  # a row of another entity


class Limit(Struct, frozen=True):
    """`> 0`: what a field's value is compared with."""

    operator: str  # "<", "<=", ">", ">=", "="
    value: str


class Field(Struct, frozen=True):
    """One value of an entity."""

    name: str
    kind: FieldKind
    location: Location
    length: int | None = None  # characters at most, of a text
    values: tuple[str, ...] = ()  # of an enum
    entity: str = ""  # that a reference points to
    unique: bool = False
    optional: bool = False
    secret: bool = False  # never logged nor shown, stored encrypted
    hashed: bool = False  # never logged nor shown, stored as a slow hash: nobody can read it back
    internal: bool = False  # the service sets it, and shows it to nobody
    personal: bool = False  # of a person: never logged, deleted when its time is over
    keep: float | None = None  # seconds; None: for ever
    limits: tuple[Limit, ...] = ()
    default: str | None = None

    @property
    def sealed(self) -> bool:
        """Whether the database cannot read what it holds."""
        return self.secret or self.hashed

    @property
    def shown(self) -> bool:
        """Whether answers hold it."""
        return not (self.sealed or self.internal)


class Move(Struct, frozen=True):
    """A state that may follow another."""

    before: str
    after: str


class TotalRule(Struct, frozen=True, tag="total"):
    """`sum(amount) by charge <= charge.amount`: over the rows that share a reference."""

    text: str
    location: Location
    field: str  # that is summed; empty where rows are counted
    by: str  # the reference that they share
    operator: str
    limit: str  # a number, or a field of what the reference points to


class UniqueRule(Struct, frozen=True, tag="unique"):
    """`unique room, starts_at`: no two rows agree in all of them."""

    text: str
    location: Location
    fields: tuple[str, ...]


class ApartRule(Struct, frozen=True, tag="apart"):
    """`no overlap of starts_at to ends_at by room`: intervals of rows that share a field do not meet."""

    text: str
    location: Location
    start: str
    end: str
    by: tuple[str, ...]
    states: tuple[str, ...] = ()  # of the rows that count; none: all


class OrderRule(Struct, frozen=True, tag="order"):
    """`starts_at < ends_at`: two fields of one row."""

    text: str
    location: Location
    left: str
    operator: str
    right: str


Rule = TotalRule | UniqueRule | ApartRule | OrderRule


class Entity(Struct, frozen=True):
    """A kind of thing that is stored."""

    name: str
    location: Location
    fields: tuple[Field, ...]
    moves: tuple[Move, ...] = ()
    rules: tuple[Rule, ...] = ()

    def field(self, name: str) -> Field | None:
        """The field of that name."""
        return next((field for field in self.fields if field.name == name), None)

    @property
    def state(self) -> Field | None:
        """The enum whose values follow one another by `moves`."""
        states = {state for move in self.moves for state in (move.before, move.after)}
        return next((field for field in self.fields if states and states <= set(field.values)), None)


class Auth(StrEnum):
    """How a caller shows who he is."""

    API_KEY = "api key"
    OAUTH2 = "oauth2"
    SESSION = "session"
    SIGNATURE = "signature"
    NOBODY = "nobody"  # anyone at all; only for operations that say why


class Caller(Struct, frozen=True):
    """Who calls the service."""

    name: str
    location: Location
    auth: Auth
    scopes: tuple[str, ...] = ()
    sees_all: bool = False  # rows of everyone, not only his own
    why: str = ""  # of a caller who shows nothing


class NeedKind(StrEnum):
    """What the service needs beside its database."""

    HTTP = "http"
    QUEUE = "queue"  # messages that others take
    MAIL = "mail"


class WhenDown(StrEnum):
    """What the service does while a need is away."""

    REFUSE = "refuse"  # those operations answer 503
    DEGRADE = "degrade"  # they answer without it
    SETTLE_LATER = "settle later"  # they accept, and the rest is done when it is back


class Need(Struct, frozen=True):
    """Something outside the service that it calls or hands messages to."""

    name: str
    location: Location
    kind: NeedKind
    when_down: WhenDown
    degraded: str = ""  # what is left, where it degrades
    url: str = ""  # the setting that holds it
    secret: str = ""  # the setting that holds its credentials
    timeout: float = 2.0
    idempotency_header: str = ""  # it may be asked again only because of this
    availability: float | None = None  # that it promises


class Grant(Struct, frozen=True):
    """A caller who may call an operation, with the scope that he needs."""

    caller: str
    scope: str = ""


class Operation(Struct, frozen=True):
    """What can be asked of the service."""

    name: str
    location: Location
    method: str
    path: str
    by: tuple[Grant, ...]
    creates: str = ""
    reads: str = ""
    lists: str = ""
    changes: str = ""
    removes: str = ""
    list_by: tuple[str, ...] = ()  # the fields by which a list can be narrowed and is sorted
    locks: str = ""  # the reference or entity whose row is held meanwhile
    moves: tuple[tuple[str, str], ...] = ()  # (reference or entity, new state)
    takes: tuple[str, ...] = ()  # fields of the body; none: those that follow from `creates` or `changes`
    inputs: tuple[Field, ...] = ()  # what the body has beside the entity's fields
    limit: float | None = None  # requests a second that one caller may send
    calls: tuple[str, ...] = ()
    emits: tuple[str, ...] = ()
    critical: bool = False
    p95: float | None = None
    expected: float | None = None
    peak: float | None = None

    @property
    def writes(self) -> bool:
        return bool(self.creates or self.changes or self.removes or self.moves)

    @property
    def entity(self) -> str:
        """What it is about."""
        return self.creates or self.reads or self.lists or self.changes or self.removes


class Load(Struct, frozen=True):
    """Requests a second."""

    expected: float
    peak: float


class Assumption(Struct, frozen=True):
    """What the specification does not say and was taken instead."""

    key: str  # "budgets.p95"
    value: str  # as it would be written
    why: str


class Specification(Struct, frozen=True):
    """The whole of it."""

    service: str
    purpose: str
    owner: str
    location: Location
    budgets: Budgets
    data_loss: float  # seconds of acknowledged writes that may be lost in a disaster
    load: Load
    callers: tuple[Caller, ...]
    entities: tuple[Entity, ...]
    needs: tuple[Need, ...]
    operations: tuple[Operation, ...]
    assumptions: tuple[Assumption, ...] = ()

    def entity(self, name: str) -> Entity | None:
        """The entity of that name."""
        return next((entity for entity in self.entities if entity.name == name), None)

    def need(self, name: str) -> Need | None:
        """The need of that name."""
        return next((need for need in self.needs if need.name == name), None)

    def caller(self, name: str) -> Caller | None:
        """The caller of that name."""
        return next((caller for caller in self.callers if caller.name == name), None)
