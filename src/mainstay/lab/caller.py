"""One request at a time, by whom and with what an experiment wants: beside the load, never part of it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import msgspec

from mainstay.lab.client import NoAnswer, Reply, ask
from mainstay.lab.lab import LabError
from mainstay.lab.load.templates import Prepared, Template, Value
from mainstay.lab.load.tokens import Tokens
from mainstay.model.record import Failure
from mainstay.model.service import Action

DEPTH = 8  # actions that need one another


class Told(msgspec.Struct, frozen=True):
    """What came back: an answer, or why there is none."""

    status: int = 0
    reply: Reply | None = None
    failure: Failure = Failure.NONE

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def said(self) -> str:
        """`201`, `timed out`."""
        return str(self.failure) or str(self.status)

    def value(self, path: str) -> str:
        """The value at a dotted path in a JSON answer, as text; empty when there is none."""
        found: Any = None
        if self.reply is not None:
            try:
                found = self.reply.json()
            except ValueError:
                return ""
        for part in path.split(".") if path else ():
            if isinstance(found, list) and part.isdigit() and int(part) < len(found):
                found = found[int(part)]
            else:
                found = found.get(part) if isinstance(found, dict) else None
        return "" if found is None or isinstance(found, dict | list) else str(found)

    @property
    def text(self) -> str:
        return "" if self.reply is None else self.reply.text


class Caller:
    """Sends the actions of a service one by one, and first makes what each of them needs."""

    def __init__(
        self,
        addresses: Sequence[str],
        actions: Sequence[Action],
        headers: Mapping[str, Mapping[str, str]],
        prefix: str,
        timeout: float,
    ) -> None:
        self.addresses = tuple(addresses)
        self._givers = {pool: action for action in reversed(actions) for pool in action.gives}
        self._pools = frozenset(self._givers)
        self._headers = headers
        self.prefix = prefix  # of all markers and keys that it sends
        self._tokens = Tokens(prefix)
        self._serials = count(1)
        self._timeout = timeout

    def learn(self, actions: Sequence[Action]) -> None:
        """Know further actions, which give what was not to be had before."""
        for action in actions:
            for pool in action.gives:
                self._givers.setdefault(pool, action)
        self._pools = frozenset(self._givers)

    def needs(self, action: Action) -> tuple[str, ...]:
        """The pools that a request of the action has a value of."""
        template = Template(action, "", {}, self._pools)
        return (*template.takes, *template.uses)

    def make(self, pool: str, actor: str) -> str:
        """A new value of a pool, made by that actor; raises LabError."""
        if pool not in self._givers:
            raise LabError(f"no action gives {{{pool}}}")
        return self._make(pool, actor, DEPTH)

    def fresh_key(self) -> str:
        """An idempotency key, or any other text that no other request holds."""
        return self._tokens.key(next(self._serials))

    def headers(self, actor: str) -> dict[str, str]:
        """What an actor sends to say who he is."""
        return dict(self._headers.get(actor, {}))

    def prepare(self, action: Action, actor: str, **given: str) -> Prepared:
        """The action as that actor sends it, filled; `given` are values of pools that need not be made.

        What it takes and uses is made first, by the same actor; raises LabError when that fails.
        """
        return self._prepare(action, actor, given, DEPTH)

    def send(
        self,
        request: Prepared,
        *,
        actor: str | None = None,
        credentials: Mapping[str, str] | None = None,
        timeout: float | None = None,
        address: int = 0,
    ) -> Told:
        """Send it; with `actor`, in another one's name; with `credentials`, with these instead of his."""
        headers = dict(line.decode().split(": ", 1) for line in request.headers)
        if actor is not None or credentials is not None:
            for name in self._headers.get(request.actor, {}):
                headers.pop(name, None)
            headers |= self._headers.get(actor or "", {}) if credentials is None else credentials
        try:
            reply = ask(
                request.method,
                f"{self.addresses[address % len(self.addresses)]}{request.path}",
                headers=headers,
                body=request.body,
                timeout=self._timeout if timeout is None else timeout,
            )
        except NoAnswer as error:
            return Told(failure=error.failure)
        return Told(reply.status, reply)

    def at_once(self, request: Prepared, times: int) -> list[Told]:
        """The same request several times at the same moment."""
        return self.all_at_once([request] * times)

    def all_at_once(self, requests: Sequence[Prepared], timeout: float | None = None) -> list[Told]:
        """Different requests at the same moment; the answers in their order."""
        with ThreadPoolExecutor(max(1, len(requests))) as pool:
            return list(pool.map(lambda request: self.send(request, timeout=timeout), requests))

    def made(self, request: Prepared, told: Told) -> str:
        """The id of what the request made."""
        found = told.value("id")
        return found or next(filter(None, (told.value(path) for path in request.gives.values())), "")

    def _prepare(self, action: Action, actor: str, given: Mapping[str, str], depth: int) -> Prepared:
        template = Template(action, actor, self._headers.get(actor, {}), self._pools)
        values: dict[str, Value] = {}
        for pool in (*template.takes, *template.uses):
            values[pool] = given[pool] if pool in given else self._make(pool, actor, depth)
        return template.prepare(self._tokens, next(self._serials), values)

    def _make(self, pool: str, actor: str, depth: int) -> str:
        giver = self._givers[pool]
        if depth == 0:
            raise LabError(f"the actions that give {{{pool}}} need one another in a circle")
        request = self._prepare(giver, actor, {}, depth - 1)
        told = self.send(request)
        value = told.value(giver.gives[pool])
        if not value:
            raise LabError(f"{giver.name!r} gave no {{{pool}}} to {actor or 'the first actor'}: {told.said}")
        return value
