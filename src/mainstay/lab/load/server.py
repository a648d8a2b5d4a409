"""The process that sends the load; it ends when its standard input, one end of a socket pair, closes."""

import gc
import os
import random
import selectors
import signal
import socket
import sys
import time
from pathlib import Path

from msgspec import Struct

from mainstay.lab.channel import Unpacker, pack
from mainstay.lab.load.engine import Engine
from mainstay.lab.load.journeys import Journey, ScenarioError, journeys
from mainstay.lab.load.messages import (
    Batch,
    Began,
    Callers,
    Done,
    Ended,
    Once,
    Order,
    Ready,
    Refused,
    Report,
    Setup,
    Start,
    Stock,
    Stop,
    Target,
)
from mainstay.lab.load.once import Turns
from mainstay.lab.load.open_load import NothingToSend, OpenLoad
from mainstay.lab.load.stage import Stage
from mainstay.lab.load.stocking import CannotStock, Stocking
from mainstay.lab.load.templates import TemplateError
from mainstay.lab.load.tokens import Tokens

LEAD = 0.1  # seconds between the order for a load and its beginning
BURST = 16  # requests sent before answers are looked at again, when we are late
REPORT_EVERY = 0.05  # seconds
REPORT_LATEST = 0.25  # seconds, when there is hardly a gap between requests
GAP = 0.0004  # seconds until the next request, in which there is time for a report

_CHUNK = 1 << 16


class Server:
    """Does what the orders say, one load and one thing beside it at a time."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._unpacker: Unpacker[Order] = Unpacker(Order)
        self._out = bytearray()
        self._engine = Engine()
        self._engine.watch(sock.fileno(), selectors.EVENT_READ, self._talk)
        self._setup: Setup | None = None
        self._stage: Stage | None = None
        self._load: OpenLoad | None = None
        self._beside: Stocking | Turns | None = None
        self._loads = 0
        self._reported = 0.0
        self._open = True

    def run(self) -> None:
        """Until the other side has gone."""
        while self._open:
            self._send_due()
            self._report()
            self._engine.wait(self._until())
        self._engine.close()

    def _send_due(self) -> None:
        now = time.monotonic()
        for job in (self._load, self._beside):
            for _ in range(BURST if job else 0):
                call = job.take(now) if job else None
                if call is None:
                    break
                self._engine.send(call)

    def _until(self) -> float | None:
        times = [job.due for job in (self._load, self._beside) if job]
        if self._load and self._load.records:
            wait = REPORT_EVERY if time.monotonic() < self._reported + REPORT_EVERY else REPORT_LATEST
            times.append(self._reported + wait)
        return min((at for at in times if at is not None), default=None)

    def _report(self) -> None:
        beside, load = self._beside, self._load
        if beside and beside.over:
            self._beside = None
            self._say(Refused(beside.problem, beside.records) if beside.problem else Done(beside.records))
        if load is None:
            return
        now = time.monotonic()
        over = load.over
        since = now - self._reported
        if over or (since >= REPORT_EVERY and (since >= REPORT_LATEST or (load.due or now + 1) - now > GAP)):
            self._reported = now
            if load.records or over:
                records, load.records = load.records, []
                self._say(Batch(records, self._starved(), load.oldest))
        if over:
            self._load = None
            gc.enable()
            self._say(Ended(load.fault))

    def _starved(self) -> int:
        return self._stage.starved if self._stage else 0

    def _talk(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush()
        if not events & selectors.EVENT_READ:
            return
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._open = False
            return
        for order in self._unpacker.feed(data):
            self._obey(order)

    def _obey(self, order: Order) -> None:
        try:
            answer = self._answer(order)
        except (TemplateError, ScenarioError, NothingToSend, CannotStock, ValueError) as error:
            answer = Refused(str(error))
        if answer is not None:
            self._say(answer)

    def _answer(self, order: Order) -> Report | None:
        if isinstance(order, Setup):
            return self._set_up(order)
        if isinstance(order, Target):
            self._engine.target(order.addresses)
        elif isinstance(order, Callers):
            assert self._stage
            self._stage.call_as(order.actors)
        elif isinstance(order, Stop):
            if self._load:
                self._load.stop()
        elif isinstance(order, Start):
            return self._start(order)
        else:
            self._begin_beside(order)
        return None

    def _set_up(self, order: Setup) -> Ready:
        declared: tuple[Journey, ...] = ()
        if order.scenario:
            sys.path.insert(0, str(Path(order.scenario).parent))
            declared = journeys(Path(order.scenario))
        self._check(declared, order)
        self._stage = Stage(order.actions, order.actors, declared, Tokens(order.prefix), order.seed)
        self._setup = order
        self._engine.target(order.targets)
        return Ready({journey.name: journey.weight for journey in declared})

    def _check(self, declared: tuple[Journey, ...], order: Setup) -> None:
        names = {action.name for action in order.actions}
        for journey in declared:
            if journey.name in names:
                raise ScenarioError(f"The journey `{journey.name}` is called like an action.")
            if journey.actor and journey.actor not in order.actors:
                raise ScenarioError(
                    f"The journey `{journey.name}` is made by `{journey.actor}`, who is no actor."
                )

    def _start(self, order: Start) -> Began:
        assert self._stage
        assert self._setup
        self._loads += 1
        chance = random.Random(f"{self._setup.seed} load {self._loads}")  # noqa: S311  no secret
        scenario = Path(self._setup.scenario) if self._setup.scenario else None
        load = OpenLoad(self._stage, order, chance, scenario)
        gc.collect()
        gc.freeze()
        gc.disable()
        at = time.monotonic() + LEAD
        load.begin(at)
        self._load = load
        return Began(at)

    def _begin_beside(self, order: Stock | Once) -> None:
        assert self._stage
        assert self._setup
        if isinstance(order, Once):
            if unknown := [name for name in order.actions if name not in self._stage.templates]:
                raise NothingToSend(f"There is no action called `{unknown[0]}`.")
            self._beside = Turns(self._stage, order.actions, order.times, self._setup.timeout)
        else:
            ends = time.monotonic() + order.within
            self._beside = Stocking(self._stage, order.wanted, self._setup.timeout, ends)

    def _say(self, message: Struct) -> None:
        self._out += pack(message)
        self._flush()

    def _flush(self) -> None:
        """Write what fits; the load never waits for whoever asked for it."""
        try:
            while self._out:
                del self._out[: self._socket.send(self._out)]
        except BlockingIOError:
            pass
        except OSError:
            self._open = False
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        self._engine.watch(self._socket.fileno(), wanted, self._talk)


def _take_precedence() -> None:
    """Run before all else on this core when there is something to send: lateness would void the run.

    A real-time priority needs privileges; without them the niceness it was started with has to do.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, OSError):
        pass


def main() -> None:
    """Serve on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us; then our input closes
    sys.dont_write_bytecode = True  # a scenario lies in somebody's tree
    _take_precedence()
    with socket.socket(fileno=os.dup(0)) as sock:
        Server(sock).run()
    sys.stdout.flush()
    os._exit(0)  # a scenario's threads may not keep us
