"""What a function does to the world, and where in it."""

from enum import StrEnum

from msgspec import Struct

from mainstay.model.location import Location


class EffectKind(StrEnum):
    """The finite vocabulary of effects."""

    READ = "read"  # a query that reads rows
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    LOCK = "lock"  # rows, an advisory lock or a mutex are locked
    COMMIT = "commit"
    ROLLBACK = "rollback"
    CALL_OUT = "call-out"  # a request leaves the process for another service
    SEND = "send"  # a message, task or mail is handed to a broker
    SLEEP = "sleep"
    WAIT = "wait"  # waits for another thread, process, lock or future
    SPAWN = "spawn"  # starts a task, thread or process that runs beside the caller
    RUN = "run"  # runs another program
    RAISE = "raise"
    LOG = "log"


WRITES = frozenset({EffectKind.INSERT, EffectKind.UPDATE, EffectKind.DELETE})
DATABASE = WRITES | {EffectKind.READ, EffectKind.LOCK}
OUTSIDE = frozenset({EffectKind.CALL_OUT, EffectKind.SEND, EffectKind.RUN})


class Effect(Struct, frozen=True, gc=False):
    """One effect.  `target` is the table, library, queue or exception it is about ("" if unknown).

    `blocking`: the calling thread stands still meanwhile.  `repeatable`: done twice, it does no
    more than done once.
    """

    kind: EffectKind
    target: str = ""
    blocking: bool = False
    repeatable: bool = True


class EnclosureKind(StrEnum):
    """What surrounds a stretch of code."""

    TRANSACTION = "transaction"
    LOCK = "lock"  # a mutex, advisory or distributed lock is held
    LOOP = "loop"
    RETRY = "retry"
    HANDLER = "handler"  # exceptions raised here are caught here
    DEADLINE = "deadline"
    LIMIT = "limit"  # a semaphore bounds how many run here at once
    SAVEPOINT = "savepoint"


class Enclosure(Struct, frozen=True):
    """A stretch of one body, `first <= statement < last`, and what surrounds it."""

    kind: EnclosureKind
    first: int
    last: int
    location: Location
    what: str = ""  # in words: "with transaction.atomic()", "for row in rows"
    target: str = ""  # the library callable that opened it
    statement: int = -1  # the call that opened it, if one did
    scope: int = -1  # the scope it comes from, if one
    implied: bool = False  # a transaction that began by itself at the first statement
    caught: tuple[str, ...] = ()  # HANDLER: dotted names of exceptions; none: all

    def holds(self, statement: int) -> bool:
        return self.first <= statement < self.last


class Occurrence(Struct, frozen=True):
    """How one effect comes about in one function: the first and shortest way found."""

    effect: Effect
    statement: int  # the call in this body
    via: str = ""  # the project function called there; "" when the call itself has the effect
    must: bool = False  # it happens on every way through the function that returns normally
    certain: bool = True  # false when a receiver on the way is typed by its name alone
    precedes_commit: bool = False  # a commit of the same function, or of one it calls, may follow
    follows_commit: bool = False  # such a commit has surely gone before
    depth: int = 0  # calls between this function and the effect
    below: Effect | None = None  # the same effect as the called function knows it, when that differs


class Step(Struct, frozen=True):
    """An effect at one place of a function, directly or through the function called there."""

    effect: Effect
    statement: int
    location: Location
    enclosures: tuple[Enclosure, ...]  # outermost first, of this function alone
    via: str = ""
    must: bool = False
    certain: bool = True
    depth: int = 0
    precedes_commit: bool = False
    follows_commit: bool = False
    below: Effect | None = None

    def within(self, kind: EnclosureKind) -> Enclosure | None:
        """The innermost enclosure of that kind, or None."""
        for enclosure in reversed(self.enclosures):
            if enclosure.kind is kind:
                return enclosure
        return None
