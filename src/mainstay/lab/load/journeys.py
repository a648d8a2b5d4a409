"""Journeys: callers who do one thing after another, written as Python generators in a scenario file.

    from mainstay.scenario import get, journey, post

    @journey(weight=3)
    def buy():
        order = yield post("/orders", {"note": "{marker}"}, name="add order")
        yield get(f"/orders/{order.json['id']}", name="read order")

The first step is due when the load says so, each further one when the answer before it has come.  The texts
of a step may hold `{marker}`, `{key}`, `{number}`, `{email}` and `{uuid}`; other braces are sent as they are.
"""

import inspect
import runpy
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mainstay.model.record import Failure
from mainstay.model.service import Action


class ScenarioError(Exception):
    """A scenario file that cannot be used, in one sentence with the file and the line."""


class Step(Struct, frozen=True):
    """A request of a journey."""

    action: Action
    writes: bool


class Answer:
    """What came of a step."""

    def __init__(self, status: int, failure: Failure, ok: bool, body: bytes, marker: str, key: str) -> None:
        self.status = status  # 0: no answer
        self.failure = failure
        self.ok = ok  # a status that the step expects
        self.body = body
        self.marker = marker
        self.key = key

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        """The answer as JSON; None when it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


Steps = Generator[Step, Answer, None]


class Journey(Struct, frozen=True):
    """A way through the service, and its share of the arrivals."""

    name: str
    walk: Callable[[], Steps]
    weight: float = 1.0
    actor: str = ""


def journey(weight: float = 1.0, actor: str = "", name: str = "") -> Callable[[Callable[[], Steps]], Journey]:
    """Declare a generator function to be a journey.  Without an `actor`, the first one there is makes it.

    Raises TypeError for a function that is no generator or asks for arguments, ValueError for a bad weight.
    """

    def declare(function: Callable[[], Steps]) -> Journey:
        called = getattr(function, "__name__", "journey")
        if not inspect.isgeneratorfunction(function):
            raise TypeError(f"`{called}` is no journey: it yields nothing")
        if inspect.signature(function).parameters:
            raise TypeError(f"`{called}` is no journey: it asks for arguments")
        if not 0 <= weight < float("inf"):
            raise ValueError(f"the weight of `{called}` is {weight!r}")
        return Journey(name or called, function, weight, actor)

    return declare


def request(
    method: str,
    path: str,
    body: Any = None,
    *,
    name: str = "",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    expects: Sequence[int] = (),
    key_header: str = "",
    writes: bool | None = None,
) -> Step:
    """A step.  `name` groups requests in the reports: give one when the path holds an id.

    `writes` says whether it changes something; None: what its method says.  `expects` are the statuses that
    are success; none: every 2xx.
    """
    action = Action(
        name=name or f"{method.upper()} {path}",
        method=method,
        path=path,
        query=dict(query or {}),
        headers=dict(headers or {}),
        body=body,
        form=dict(form or {}),
        expects=tuple(expects),
        key_header=key_header,
    )
    return Step(action, action.writes if writes is None else writes)


def get(path: str, **options: Any) -> Step:
    """A GET; the options are those of `request`."""
    return request("GET", path, **options)


def post(path: str, body: Any = None, **options: Any) -> Step:
    """A POST; the options are those of `request`."""
    return request("POST", path, body, **options)


def put(path: str, body: Any = None, **options: Any) -> Step:
    """A PUT; the options are those of `request`."""
    return request("PUT", path, body, **options)


def patch(path: str, body: Any = None, **options: Any) -> Step:
    """A PATCH; the options are those of `request`."""
    return request("PATCH", path, body, **options)


def delete(path: str, **options: Any) -> Step:
    """A DELETE; the options are those of `request`."""
    return request("DELETE", path, **options)


def journeys(file: Path) -> tuple[Journey, ...]:
    """The journeys that a scenario file declares.  It is run for it.  Raises ScenarioError."""
    try:
        found = runpy.run_path(str(file), run_name="scenario")
    except OSError as error:
        raise ScenarioError(f"The scenario {file} cannot be read: {error.strerror or error}.") from error
    except (Exception, SystemExit) as error:  # anything may go wrong in somebody's file
        raise ScenarioError(fault(file, error)) from error
    declared = tuple(value for value in found.values() if isinstance(value, Journey))
    if not declared:
        raise ScenarioError(
            f"The scenario {file} declares no journey: decorate a generator with `@journey()`."
        )
    names = [one.name for one in declared]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ScenarioError(f"The scenario {file} declares two journeys called `{twice}`.")
    return declared


def fault(file: Path, error: BaseException) -> str:
    """One sentence: the file, the line in it that failed last, and why."""
    said = " ".join(str(error).split()) or "no reason given"
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f"{file}:{error.lineno}: {type(error).__name__}: {error.msg}."
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)
    ]
    place = f"{file}:{lines[-1]}" if lines else str(file)
    return f"{place}: {type(error).__name__}: {said.rstrip('.')}."
