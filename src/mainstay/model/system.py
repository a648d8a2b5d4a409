"""The system that was read: every artefact's facts joined into one model that all verbs share."""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from mainstay.model.code import Body, Call, Class, Module
from mainstay.model.effect import Effect, EffectKind, Enclosure, Occurrence, Step
from mainstay.model.finding import Hop
from mainstay.model.library import Callable
from mainstay.model.location import Basis, Location

LONGEST_WAY = 50  # calls between a function and an effect that are spelled out


class Role(StrEnum):
    """What a file is for.  Rules speak of SOURCE unless they say otherwise."""

    SOURCE = "source"
    TEST = "test"
    MIGRATION = "migration"
    SCRIPT = "script"
    GENERATED = "generated"


UNLINKED = frozenset({Role.TEST, Role.MIGRATION, Role.SCRIPT})  # read and named, never called in production


class File(Struct, frozen=True):
    """A Python file of the reviewed tree."""

    path: str
    name: str  # dotted module name
    role: Role
    module: Module


class Type(Struct, frozen=True):
    """The type of a value: a dotted class name of the project or a library, and its argument.

    `fresh`: the value was built here by its constructor, so no row of it is stored yet.
    `certain` is false when only the value's name tells its type.
    """

    name: str
    argument: str = ""
    fresh: bool = False
    certain: bool = True


class Target(Struct, frozen=True):
    """What a call resolves to: a dotted name of the project or of a library."""

    name: str
    receiver: Type | None = None
    library: Callable | None = None  # what is known of it, when it is a library's
    certain: bool = True


class Bound(StrEnum):
    """Whether a wait ends by itself."""

    BOUNDED = "bounded"
    UNBOUNDED = "unbounded"
    CALLER = "caller"  # a parameter of the function decides
    UNKNOWN = "unknown"


class Deadline(Struct, frozen=True):
    """How long one blocking or outbound call may wait, and what says so."""

    bound: Bound
    seconds: float | None = None
    why: str = ""  # "timeout=5 given", "requests has no default", "set where the client is built"
    location: Location | None = None  # where it is decided, when that is elsewhere
    parameter: str = ""  # for CALLER: the parameter that decides


class Edge(Struct, frozen=True):
    """A way from a call to a function of the project.

    how: `call` (runs now, in the caller's thread), `thread` (runs now, off the event loop),
    `retry` (runs now, again on failure), `gather` (many at once, awaited), `task`,
    `after-commit`, `after-response` (run later: their effects are not the caller's), or
    `coroutine` (called and not awaited here).
    """

    function: str
    how: str = "call"

    @property
    def now(self) -> bool:
        return self.how in ("call", "thread", "retry", "gather")


class Function(Struct, frozen=True, eq=False):
    """A function, class body or module body of the project, linked.

    `targets` maps the index of a call among `body.statements` to what it resolves to; calls that
    resolve to nothing known are absent.
    """

    name: str  # dotted: "payments.charges.create"
    file: File
    index: int  # of `body` in `file.module.bodies`
    body: Body
    owner: str  # dotted name of its class, "" when it is none's method
    targets: dict[int, Target]
    deadlines: dict[int, Deadline]
    enclosures: tuple[Enclosure, ...]
    direct: dict[int, tuple[Effect, ...]]  # what its own library calls do, by statement
    edges: dict[int, tuple[Edge, ...]]  # the project functions its calls lead to, by statement
    effects: dict[Effect, Occurrence]  # everything it does, directly or through calls
    kinds: frozenset[EffectKind]  # of `effects`
    places: tuple[int, ...]  # the statements with effects of their own or through a call, in order
    decorators: tuple[Target, ...]
    callers: tuple[tuple[str, int], ...]  # (function name, statement index) of each call of it
    types: dict[str, Type]  # of its local names and parameters, as far as known

    @property
    def location(self) -> Location:
        return Location(self.file.path, self.body.line, self.body.column)

    @property
    def is_async(self) -> bool:
        return self.body.is_async

    def call(self, statement: int) -> Call:
        """The call at that index; raises TypeError when another statement stands there."""
        found = self.body.statements[statement]
        if not isinstance(found, Call):
            raise TypeError(f"{self.name}: statement {statement} is no call")
        return found

    def calls(self) -> Iterator[tuple[int, Call, Target]]:
        """Every call that resolves, in order."""
        statements = self.body.statements
        for index, target in self.targets.items():
            found = statements[index]
            if isinstance(found, Call):
                yield index, found, target

    def at(self, statement: int) -> Location:
        """Where that statement stands."""
        found = self.body.statements[statement]
        if isinstance(found, Call):
            return Location(self.file.path, found.line, found.column, found.end_line, found.end_column)
        return Location(self.file.path, found.line, found.column)

    def around(self, statement: int) -> tuple[Enclosure, ...]:
        """The enclosures of a statement, outermost first."""
        return tuple(e for e in self.enclosures if e.holds(statement))


class ProjectClass(Struct, frozen=True, eq=False):
    """A class of the project.  `ancestry` lists dotted names of all its bases, nearest first."""

    name: str
    file: File
    fact: Class
    ancestry: tuple[str, ...]
    methods: dict[str, str]  # method name -> function name, inherited ones included
    attributes: dict[str, Type]
    table: bool  # its instances are rows

    @property
    def location(self) -> Location:
        return Location(self.file.path, self.fact.line)


class Guard(Struct, frozen=True):
    """Something that runs before an operation: a dependency, decorator, permission or middleware."""

    name: str  # dotted
    location: Location
    authenticates: bool
    public: bool = False
    why: str = ""  # what shows that it authenticates


class Operation(Struct, frozen=True):
    """One HTTP operation: method and path, and the function that serves it."""

    method: str
    path: str
    function: str
    location: Location  # of the `def`
    router: str  # dotted name of the router, blueprint, view class or URL list it belongs to
    framework: str
    guards: tuple[Guard, ...]
    inputs: tuple[str, ...] = ()  # parameters that the requester fills
    basis: Basis = Basis.READ

    @property
    def authenticated(self) -> bool:
        return any(guard.authenticates for guard in self.guards)

    @property
    def public(self) -> bool:
        return any(guard.public for guard in self.guards)


class Job(Struct, frozen=True):
    """Work that no requester waits for: a task, schedule, consumer, hook or thread."""

    name: str
    function: str
    trigger: str
    location: Location
    redelivers: bool = False


class Dependency(Struct, frozen=True):
    """A call out of the process, as `map` shows it."""

    target: str  # library or service
    function: str
    location: Location
    deadline: Deadline
    retried: bool
    in_transaction: bool


class Datastore(Struct, frozen=True):
    """A store the system reads or writes, and the tables seen."""

    kind: str
    tables: tuple[str, ...]
    location: Location


class Flow(Struct, frozen=True):
    """Data that a requester chose reaches a sink, unchanged in what matters."""

    sink: str  # sql, url, path, redirect, command, html
    source: Location
    what: str  # "query parameter `next` of GET /login"
    function: str  # the function that holds the sink
    statement: int  # the sink's call there
    location: Location
    path: tuple[Hop, ...]
    certain: bool


class Gap(Struct, frozen=True):
    """A file, or a part of one, that could not be read whole."""

    location: Location
    why: str


class System(Struct, frozen=True, eq=False):
    """Everything the rules may ask."""

    files: tuple[File, ...]
    functions: dict[str, Function]
    sources: tuple[Function, ...]  # those of the files that run in production
    classes: dict[str, ProjectClass]
    operations: tuple[Operation, ...]
    jobs: tuple[Job, ...]
    dependencies: tuple[Dependency, ...]
    datastores: tuple[Datastore, ...]
    flows: tuple[Flow, ...]
    gaps: tuple[Gap, ...]

    def source_functions(self) -> Iterator[Function]:
        """The functions of the files that run in production."""
        yield from self.sources

    def steps(self, function: Function, *kinds: EffectKind) -> Iterator[Step]:
        """Where in `function` these effects happen now, in order, directly and through calls."""
        wanted = frozenset(kinds) if kinds else frozenset(EffectKind)
        if function.kinds.isdisjoint(wanted):
            return
        for statement in function.places:
            own = [effect for effect in function.direct.get(statement, ()) if effect.kind in wanted]
            led = [
                (edge, callee)
                for edge in function.edges.get(statement, ())
                if edge.now
                and (callee := self.functions.get(edge.function)) is not None
                and not callee.kinds.isdisjoint(wanted)
            ]
            if own or led:
                yield from self._steps_at(function, statement, wanted, own, led)

    def _steps_at(
        self,
        function: Function,
        statement: int,
        wanted: frozenset[EffectKind],
        own: list[Effect],
        led: list[tuple[Edge, Function]],
    ) -> Iterator[Step]:
        target = function.targets.get(statement)
        certain = target is None or target.certain
        place, around = function.at(statement), function.around(statement)
        for effect in own:
            yield Step(effect, statement, place, around, certain=certain)
        for edge, callee in led:
            for effect, found in callee.effects.items():
                if effect.kind not in wanted:
                    continue
                yield Step(
                    as_seen(effect, edge, target, callee),
                    statement,
                    place,
                    around,
                    via=edge.function,
                    must=found.must,
                    certain=certain and found.certain,
                    depth=found.depth + 1,
                    precedes_commit=found.precedes_commit,
                    follows_commit=found.follows_commit,
                    below=effect,
                )

    def way(self, step: Step) -> Iterator[tuple[Function, Occurrence]]:
        """The functions below a step, from the one called to the one with the library's call in it."""
        name, effect = step.via, step.below or step.effect
        for _ in range(LONGEST_WAY):
            function = self.functions.get(name)
            found = function.effects.get(effect) if function else None
            if function is None or found is None:
                return
            yield function, found
            name, effect = found.via, found.below or effect

    def trace(self, function: Function, step: Step) -> tuple[Hop, ...]:
        """The way from `function` to the effect: one hop a call, the effect's own call last."""
        hops = []
        statement = step.statement
        for below, found in self.way(step):
            hops.append(Hop(function.at(statement), f"calls {below.name}"))
            function, statement = below, found.statement
        target = function.targets.get(statement)
        what = f"{target.name if target else ''}: {step.effect.kind} {step.effect.target}"
        return (*hops, Hop(function.at(statement), what.strip()))


def as_seen(effect: Effect, edge: Edge, target: Target | None, callee: Function) -> Effect:
    """A callee's effect as its caller has it.

    Work in a thread does not block the caller.  What a method does to its own class (`cls.query`)
    is done to the class it was called on.
    """
    return effect_through(effect, edge.how, target.receiver if target else None, callee.owner)


def effect_through(effect: Effect, how: str, receiver: Type | None, owner: str) -> Effect:
    """The effect of a method of `owner`, called on `receiver` in that way."""
    about = effect.target
    if receiver is not None and owner and receiver.name != owner and about == owner.rpartition(".")[2]:
        about = receiver.name.rpartition(".")[2]
    blocking = effect.blocking and how != "thread"
    if about == effect.target and blocking == effect.blocking:
        return effect
    return Effect(effect.kind, about, blocking, effect.repeatable)
