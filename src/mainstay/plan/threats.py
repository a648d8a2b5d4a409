"""What somebody could do at each boundary of the service, by STRIDE, and what stands against it.

STRIDE: L. Kohnfelder and P. Garg, "The threats to our products", Microsoft 1999.
"""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from mainstay.model.specification import Auth, Need, NeedKind, Specification


class Stride(StrEnum):
    """The six kinds."""

    SPOOFING = "spoofing"
    TAMPERING = "tampering"
    REPUDIATION = "repudiation"
    DISCLOSURE = "information disclosure"
    DENIAL = "denial of service"
    ELEVATION = "elevation of privilege"


class Side(StrEnum):
    """What is on the other side of a boundary."""

    CALLER = "caller"
    NEED = "need"
    DATABASE = "database"
    OPERATOR = "operator"


class Boundary(Struct, frozen=True):
    """Where trust changes."""

    start: str
    end: str
    side: Side


class Mitigation(StrEnum):
    """What a generated service has; each is a thing that can be tested."""

    CREDENTIALS = "credentials are checked on each request"
    SCOPE_CHECK = "each operation asks for its scope"
    OWNER_FILTER = "each query names the tenant"
    STRICT_INPUT = "bodies are checked against bounds, and unknown fields refused"
    BODY_LIMIT = "bodies have a largest size"
    RULES_IN_DATABASE = "the rules are constraints of the database"
    IDEMPOTENCY = "keys are kept for each caller, and bodies compared"
    AUDIT = "each critical write leaves a row that says who and when"
    REDACTION = "secret and personal fields never reach a log"
    NO_ECHO = "errors say no value and nothing of how it is built"
    ENCRYPTED_COLUMN = "secret columns are encrypted by the service"
    RETENTION = "personal data is deleted when its time is over"
    RATE_LIMIT = "requests of one caller are limited"
    SHEDDING = "what is too much is refused at once"
    PAGES = "lists come in pages of a bounded size"
    DEADLINE = "each request and each call has a deadline"
    BREAKER = "a breaker and a bulkhead stand around the need"
    TLS = "connections are encrypted, and the name in the certificate is checked"
    FROM_SETTINGS = "credentials come from the environment and are in no image"
    FIXED_URL = "its address is a setting, never a part of a request"
    ANSWER_CHECK = "answers are checked before they are believed"
    OUTBOX_ID = "each message has a stable id"
    LEAST_ROLE = "the service's role may not change the schema"
    PARAMETERS = "statements have parameters, never pasted text"
    STATEMENT_TIMEOUT = "statements and idle transactions have a time limit"
    NON_ROOT = "the process is not root, and its file system is read-only"
    PINNED = "packages and images are pinned"
    NO_ADMIN = "there is no operation for operators: no back door"


class Unresolved(StrEnum):
    """What no specification of this form says."""

    ISSUER = "who issues the tokens, and how one is withdrawn"
    KEY_ROTATION = "how often keys are changed, and by whom"
    REQUEST_SIGNATURE = "whether a caller signs what he sends"
    AUDIT_READER = "who reads the audit rows, and how long they are kept"
    RATE = "how many requests one caller may make"
    PUBLIC = "whether anyone may really do this"
    NEED_CREDENTIALS = "how the service shows the need who it is"
    NEED_KEEPS = "what the need keeps of what it is told, and under which contract"
    ENCRYPTION_AT_REST = "whether disks and backups are encrypted"
    KEYS_KEPT = "where the key of the secret columns is kept, and who can read it"
    OPERATORS = "who may deploy, and who may read the production database"
    TWO_PEOPLE = "whether a change needs a second person"


class Threat(Struct, frozen=True):
    """One kind of threat at one boundary."""

    boundary: Boundary
    stride: Stride
    concerns: tuple[str, ...]  # callers, operations and `Entity.field`s of the specification
    mitigations: tuple[Mitigation, ...]
    unresolved: tuple[Unresolved, ...] = ()


def threats(specification: Specification) -> tuple[Threat, ...]:
    """Six for each boundary: callers, each need, the database, operators."""
    return (
        *_callers(specification),
        *(threat for need in specification.needs for threat in _need(specification, need)),
        *_database(specification),
        *_operators(specification),
    )


def secret_fields(specification: Specification) -> tuple[str, ...]:
    """`Charge.card_token`."""
    return tuple(f"{e.name}.{f.name}" for e in specification.entities for f in e.fields if f.sealed)


def personal_fields(specification: Specification) -> tuple[str, ...]:
    """`Charge.payer_email`."""
    return tuple(f"{e.name}.{f.name}" for e in specification.entities for f in e.fields if f.personal)


def _callers(specification: Specification) -> Iterator[Threat]:
    place = Boundary("callers", specification.service, Side.CALLER)
    names = tuple(caller.name for caller in specification.callers)
    public = tuple(caller.name for caller in specification.callers if caller.auth is Auth.NOBODY)
    writes = tuple(o.name for o in specification.operations if o.method != "GET")
    critical = tuple(o.name for o in specification.operations if o.critical)
    lists = tuple(o.name for o in specification.operations if o.lists)
    kept = (*secret_fields(specification), *personal_fields(specification))
    keys = (Unresolved.KEY_ROTATION,) if _has(specification, Auth.API_KEY, Auth.SIGNATURE) else ()
    tokens = (Unresolved.ISSUER,) if _has(specification, Auth.OAUTH2, Auth.SESSION) else ()
    anyone = (Unresolved.PUBLIC,) if public else ()
    unsigned = () if _has(specification, Auth.SIGNATURE) else (Unresolved.REQUEST_SIGNATURE,)
    yield Threat(
        place, Stride.SPOOFING, names, (Mitigation.CREDENTIALS, Mitigation.TLS), (*tokens, *keys, *anyone)
    )
    yield Threat(
        place,
        Stride.TAMPERING,
        writes,
        (
            Mitigation.STRICT_INPUT,
            Mitigation.RULES_IN_DATABASE,
            *((Mitigation.IDEMPOTENCY,) if critical else ()),
        ),
        unsigned if critical else (),
    )
    yield Threat(
        place,
        Stride.REPUDIATION,
        critical or writes,
        (Mitigation.AUDIT,) if critical else (),
        (Unresolved.AUDIT_READER,),
    )
    yield Threat(
        place,
        Stride.DISCLOSURE,
        kept or tuple(entity.name for entity in specification.entities),
        (
            Mitigation.OWNER_FILTER,
            Mitigation.NO_ECHO,
            *((Mitigation.REDACTION,) if kept else ()),
            Mitigation.TLS,
        ),
    )
    yield Threat(
        place,
        Stride.DENIAL,
        lists or writes,
        (
            Mitigation.RATE_LIMIT,
            Mitigation.SHEDDING,
            Mitigation.BODY_LIMIT,
            Mitigation.DEADLINE,
            *((Mitigation.PAGES,) if lists else ()),
        ),
        (Unresolved.RATE,),
    )
    yield Threat(place, Stride.ELEVATION, names, (Mitigation.SCOPE_CHECK, Mitigation.OWNER_FILTER), anyone)


def _need(specification: Specification, need: Need) -> Iterator[Threat]:
    place = Boundary(specification.service, need.name, Side.NEED)
    users = tuple(o.name for o in specification.operations if need.name in (*o.calls, *o.emits))
    credentials = () if need.secret else (Unresolved.NEED_CREDENTIALS,)
    setting = tuple(name for name in (need.url, need.secret) if name)
    told = _told(specification, users)
    once: tuple[Mitigation, ...] = (Mitigation.OUTBOX_ID,) if need.kind is not NeedKind.HTTP else ()
    if need.idempotency_header:
        once = (*once, Mitigation.IDEMPOTENCY)
    held = (Mitigation.FROM_SETTINGS,) if need.secret else ()
    yield Threat(
        place,
        Stride.SPOOFING,
        setting or (need.name,),
        (Mitigation.TLS, Mitigation.FIXED_URL, *held),
        credentials,
    )
    yield Threat(place, Stride.TAMPERING, users, (Mitigation.TLS, Mitigation.ANSWER_CHECK))
    yield Threat(place, Stride.REPUDIATION, users, (Mitigation.AUDIT, *once))
    yield Threat(
        place,
        Stride.DISCLOSURE,
        told or users,
        (Mitigation.TLS, *((Mitigation.REDACTION,) if told else ())),
        (Unresolved.NEED_KEEPS,) if told else (),
    )
    yield Threat(place, Stride.DENIAL, users, (Mitigation.BREAKER, Mitigation.DEADLINE))
    yield Threat(place, Stride.ELEVATION, setting or (need.name,), (Mitigation.FIXED_URL, *held))


def _told(specification: Specification, users: tuple[str, ...]) -> tuple[str, ...]:
    """Secret and personal fields of what the operations are about: these may reach the need."""
    about = {o.entity for o in specification.operations if o.name in users}
    kept = (*secret_fields(specification), *personal_fields(specification))
    return tuple(field for field in kept if field.partition(".")[0] in about)


def _database(specification: Specification) -> Iterator[Threat]:
    place = Boundary(specification.service, "database", Side.DATABASE)
    entities = tuple(entity.name for entity in specification.entities)
    secret, personal = secret_fields(specification), personal_fields(specification)
    ruled = tuple(entity.name for entity in specification.entities if entity.rules or entity.moves)
    yield Threat(place, Stride.SPOOFING, ("DATABASE_URL",), (Mitigation.FROM_SETTINGS, Mitigation.TLS))
    yield Threat(
        place, Stride.TAMPERING, ruled or entities, (Mitigation.PARAMETERS, Mitigation.RULES_IN_DATABASE)
    )
    yield Threat(place, Stride.REPUDIATION, entities, (Mitigation.AUDIT,), (Unresolved.AUDIT_READER,))
    yield Threat(
        place,
        Stride.DISCLOSURE,
        (*secret, *personal) or entities,
        (
            *((Mitigation.ENCRYPTED_COLUMN,) if secret else ()),
            *((Mitigation.RETENTION,) if personal else ()),
            Mitigation.TLS,
        ),
        (Unresolved.ENCRYPTION_AT_REST, *((Unresolved.KEYS_KEPT,) if secret else ())),
    )
    yield Threat(
        place, Stride.DENIAL, entities, (Mitigation.STATEMENT_TIMEOUT, Mitigation.SHEDDING, Mitigation.PAGES)
    )
    yield Threat(place, Stride.ELEVATION, ("DATABASE_URL",), (Mitigation.LEAST_ROLE, Mitigation.PARAMETERS))


def _operators(specification: Specification) -> Iterator[Threat]:
    place = Boundary("operators", specification.service, Side.OPERATOR)
    secrets = tuple(s for need in specification.needs for s in (need.secret,) if s)
    kept = (*secret_fields(specification), *personal_fields(specification))
    settings = ("DATABASE_URL", *secrets)
    yield Threat(place, Stride.SPOOFING, settings, (Mitigation.NO_ADMIN,), (Unresolved.OPERATORS,))
    yield Threat(
        place,
        Stride.TAMPERING,
        ("image",),
        (Mitigation.PINNED, Mitigation.NON_ROOT),
        (Unresolved.TWO_PEOPLE,),
    )
    yield Threat(place, Stride.REPUDIATION, settings, (), (Unresolved.OPERATORS,))
    yield Threat(
        place,
        Stride.DISCLOSURE,
        kept or settings,
        (
            Mitigation.FROM_SETTINGS,
            *((Mitigation.REDACTION,) if kept else ()),
            *((Mitigation.ENCRYPTED_COLUMN,) if secret_fields(specification) else ()),
        ),
        (Unresolved.KEYS_KEPT,) if secret_fields(specification) else (),
    )
    yield Threat(place, Stride.DENIAL, ("deployment",), (Mitigation.DEADLINE, Mitigation.SHEDDING))
    yield Threat(
        place,
        Stride.ELEVATION,
        settings,
        (Mitigation.NON_ROOT, Mitigation.LEAST_ROLE),
        (Unresolved.OPERATORS,),
    )


def _has(specification: Specification, *kinds: Auth) -> bool:
    return any(caller.auth in kinds for caller in specification.callers)
