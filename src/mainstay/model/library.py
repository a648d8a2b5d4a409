"""What a library's callables and types do, as read from a knowledge file.

`docs/knowledge.md` is printed from these docstrings.  Names are dotted and full:
"requests.Session.get" is the method `get` of the type "requests.Session".

Where a field speaks of a *place*, it is a position (`0`), a keyword (`"timeout"`), both
(`[0, "timeout"]`), or `"self"`: the receiver.  Where it speaks of a *type*, it is a dotted name or one of

- `self`: the receiver's own type
- `item`: the receiver's type argument (`QuerySet[Order]` -> `Order`)
- `new:0`: an instance of the class given at position 0 (or at a keyword: `new:entity`)
- `same:0`: the type of the value given at position 0
- `item:0`: the type argument of the type of the value given at position 0
- `owner`: the class the attribute was read off

and may carry one of these as its argument: `django.db.models.QuerySet[owner]`.
"""

from typing import Literal as Choice

from msgspec import Struct, field

from mainstay.model.effect import EffectKind, EnclosureKind

Place = int | str | tuple[int, str]


class VersionDefault(Struct, frozen=True, forbid_unknown_fields=True):
    """A default that held in versions `below` the one given."""

    below: str
    default: float | None = None


class Timeout(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a call may wait.

    `default` is in seconds; absent means it waits without bound.  `inherits`: an argument of the
    constructor of the receiver (its own `timeout` entry) decides when the call has none.  `off`
    lists literal values that switch the bound off beside None.  `per_read`: it bounds each wait
    for bytes, not the whole call.
    """

    at: Place | None = None
    default: float | None = None
    inherits: bool = False
    unit: Choice["s", "ms"] = "s"
    off: tuple[float, ...] = ()
    also: tuple[str, ...] = ()  # further keywords that bound the wait
    versions: tuple[VersionDefault, ...] = ()  # recorded; a review does not read versions yet
    per_read: bool = True
    inside: str = ""  # recorded, not read yet: it lies in this keyword's value, e.g. `config`


class Runs(Struct, frozen=True, forbid_unknown_fields=True):
    """A function given as an argument runs because of the call.

    how: `now` (before the call returns), `thread` (awaited or joined, off the event loop),
    `task` (beside the caller), `gather` (many beside each other, awaited), `after-commit`,
    `after-response`, `retry` (now, and again on failure).
    """

    at: Place
    how: Choice["now", "thread", "task", "gather", "after-commit", "after-response", "retry"]


class Retry(Struct, frozen=True, forbid_unknown_fields=True):
    """A retry policy given by decorating with, calling or iterating the callable.

    Each of `limit`, `wait`, `jitter` and `on` names the keyword that sets it; `has` lists what
    holds without any argument (`limit`, `backoff`, `jitter`).
    """

    limit: str = ""
    wait: str = ""
    jitter: str = ""
    on: str = ""
    has: tuple[Choice["limit", "backoff", "jitter"], ...] = ()


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    """Decorating or calling with it publishes an operation.

    `methods` fixes the HTTP methods; `methods_at` is the keyword that lists them; `handler` is
    the place of the function when it is an argument instead of being decorated; `guards` is the
    keyword with dependencies that run before it.
    """

    path: Place = 0
    methods: tuple[str, ...] = ()
    methods_at: str = ""
    handler: Place | None = None
    guards: str = ""


class Job(Struct, frozen=True, forbid_unknown_fields=True):
    """Decorating with it publishes work that runs later: a task, a schedule, a consumer or a hook.

    `becomes` is the type that the decorated name then has (its `.delay` sends).  `redelivers`:
    the same message can arrive twice.
    """

    trigger: Choice["task", "schedule", "consumer", "startup", "shutdown", "signal"]
    becomes: str = ""
    redelivers: bool = False


class Callable(Struct, frozen=True, forbid_unknown_fields=True):
    """What the callables `names` do."""

    names: tuple[str, ...]
    effects: tuple[EffectKind, ...] = ()
    target: str = ""  # what the effects are about: a type, a place ("0", "name:queue"), or text after "="
    blocking: bool | None = None  # the calling thread stands still; absent: the file's default
    coroutine: bool = False  # calling it gives an awaitable that does nothing until awaited
    repeatable: bool | None = None  # done twice it does no more than once; absent: reads are, writes are not
    key: tuple[str, ...] = ()  # keywords (or header names) that make it repeatable
    timeout: Timeout | None = None
    returns: str = ""  # a type
    returns_for: dict[str, str] = field(default_factory=dict)  # class given as an argument -> type returned
    returns_class: str = ""  # it returns a class that derives from this type
    raises: tuple[str, ...] = ()
    encloses: EnclosureKind | None = None  # entered by `with` or as a decorator
    catches: Place | None = None  # it swallows the exceptions named there (contextlib.suppress)
    runs: Runs | None = None
    retry: Retry | None = None
    provides: tuple[Choice["limit", "backoff", "jitter"], ...] = ()  # as an argument of a retry policy
    route: Route | None = None
    mounts: Place | None = None  # it mounts a router or a list of routes, given there
    job: Job | None = None
    injects: Place | None = None  # a parameter default: the framework calls what is given there
    authenticates: bool = False  # as a decorator, dependency or permission: refuses unknown callers
    public: bool = False  # declares on purpose that anyone may call
    untrusted: bool = False  # returns data that the requester chose
    sinks: dict[str, Place] = field(default_factory=dict)  # sql, url, path, redirect, command, html -> place
    cleans: tuple[str, ...] = ()  # its result is harmless for these sinks; "*": for all
    upserts: bool = False  # the write settles a conflict by itself
    locks: bool = False  # the query it belongs to locks its rows
    executes: Place | None = None  # it runs the statement given there: a Type with `executes`, or SQL text
    note: str = ""  # where the fact is documented


class Type(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a library's type."""

    name: str
    bases: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)  # attribute -> type
    untrusted_attributes: tuple[str, ...] = ()  # "*": all
    iterates: str = ""  # the type of what a loop over it gives
    loads: bool = False  # looping over it runs its query (effect read on its type argument)
    executes: EffectKind | None = None  # the effect of running an instance: `read` for a Select
    table: bool = False  # classes deriving from it are tables
    table_if: str = ""  # ... when this class keyword is True
    handler_methods: tuple[str, ...] = ()  # classes deriving from it serve HTTP by these methods
    awaitable: bool = False
    encloses: EnclosureKind | None = None  # entering an instance by `with`
    enters: str = ""  # the type that `with ... as x` gives x; absent: the instance itself


class Library(Struct, frozen=True, forbid_unknown_fields=True):
    """One knowledge file."""

    library: str
    modules: tuple[str, ...]  # top-level import names
    packages: tuple[str, ...] = ()  # distributions whose version decides the defaults
    checked: str = ""  # the versions its facts were checked against
    blocking: bool = False  # the default of `Callable.blocking`
    service: bool = False  # each process-external dependency it talks to is another service
    datastore: str = ""  # the kind of store it talks to: "postgresql", "redis", "sql"
    aliases: dict[str, str] = field(default_factory=dict)  # other dotted names of the same thing
    hints: dict[str, str] = field(default_factory=dict)  # names that, untyped, likely hold this type
    exceptions: dict[str, tuple[str, ...]] = field(default_factory=dict)  # class -> its bases
    type: tuple[Type, ...] = ()
    call: tuple[Callable, ...] = ()
