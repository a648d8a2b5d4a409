"""A guard around a call: as `with`, as `async with`, and as a decorator of `def` and of `async def`."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ClassVar, Generic, ParamSpec, Self, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")
Call = TypeVar("Call")  # what a guard has to remember of one call from its beginning to its end
_Entered = tuple[Call, "_Entered[Call] | None"]  # a call that has begun, and the one around it


class Around(Generic[Call]):
    """A guard says what `begin` and `end` of a call are; the forms in which it is used follow from that."""

    __slots__ = ()
    waits: ClassVar[bool] = False  # whether beginning may take a while, so that tasks use `begin_async`

    def begin(self) -> Call:
        """Begin a call, where `with` does not fit.  Raises Refused."""
        raise NotImplementedError

    def end(self, call: Call, error: BaseException | None) -> None:
        """End the call that `begin` has begun, once, with what it raised."""
        raise NotImplementedError

    def lost(self) -> Call:
        """What to give to `end` where nobody knows what `begin` returned."""
        raise NotImplementedError

    async def begin_async(self) -> Call:
        """Begin a call in a task."""
        return self.begin()

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(self.lost(), error)

    async def __aenter__(self) -> Self:
        await self.begin_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Guard each call of a function; that of an `async def` from when it is awaited to its result.

        Raises TypeError for generators, which are no single call.
        """
        if is_async(function):
            asynchronous = cast(Callable[P, Awaitable[Any]], function)

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                call = await self.begin_async() if self.waits else self.begin()
                try:
                    result = await asynchronous(*args, **kwargs)
                except BaseException as error:
                    self.end(call, error)
                    raise
                self.end(call, None)
                return result

            return cast(Callable[P, T], awaited)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> T:
            call = self.begin()
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self.end(call, error)
                raise
            self.end(call, None)
            return result

        return called


class Remembering(Around[Call]):
    """A guard whose `end` needs what `begin` returned.  Made once for the process, as each has a variable."""

    __slots__ = ("_entered",)

    def __init__(self, name: str) -> None:
        # One object is entered by many at once, so what belongs to one call is kept in the caller's context.
        self._entered: ContextVar[_Entered[Call] | None] = ContextVar(name, default=None)

    def __enter__(self) -> Self:
        call = self.begin()
        self._entered.set((call, self._entered.get()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        entered = self._entered.get()
        if entered is None:  # some frameworks enter and leave a dependency with `yield` in different threads
            self.end(self.lost(), error)
            return
        call, before = entered
        self._entered.set(before)
        self.end(call, error)

    async def __aenter__(self) -> Self:
        return self.__enter__()


def is_async(function: Callable[..., object]) -> bool:
    """Whether calling it gives a coroutine, through partials and objects with an `async def __call__` too.

    Raises TypeError for generators: they run after the call has returned, where no guard sees them.
    """
    inner: Any = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    if not inspect.isroutine(inner):
        inner = getattr(inner, "__call__", inner)  # noqa: B004 - the method itself is wanted
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        raise TypeError(f"{function!r} is a generator; guard the calls that it makes")
    return inspect.iscoroutinefunction(inner)
