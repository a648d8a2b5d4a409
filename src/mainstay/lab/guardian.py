"""The process that owns a run: its folder and every process below it.

There are two of it.  The keeper starts the programs, carries out orders and ends everything when
Mainstay is gone.  The warden above it only waits for the keeper to end, ends what that left, and removes
the folder.  Killing either of them leaves the other, and each orphan goes to the nearest of them
that lives, because both are subreapers (on Linux; elsewhere the groups of the programs are ended).

Run as `python -I -c ... FOLDER OWNER_PID SYS_PATH...` with one end of a socket pair as standard input.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mainstay.lab.channel import Unpacker, pack
from mainstay.lab.folder import make_folder, remove_folder
from mainstay.lab.kernel import become_subreaper, remove_segments
from mainstay.lab.launch import CannotStart, Launched, launch
from mainstay.lab.leftovers import clear_all, end_sessions
from mainstay.lab.orders import (
    Answer,
    List,
    Look,
    Members,
    Order,
    Reach,
    Ready,
    Refused,
    Send,
    Start,
    Started,
    State,
)
from mainstay.lab.processes import (
    Process,
    descendants,
    kill_descendants,
    mark,
    send,
    table,
)

GRACE = 2.0  # seconds that programs get after SIGTERM when Mainstay ends without having ended them
KILLING = 10.0  # seconds until we give up on a process that SIGKILL does not end
_SURVEY = 2.0  # seconds between two looks at who belongs to whom: an orphan's parent is not told any more
_PASSES = 5  # a signal to all goes to what was forked meanwhile, this many times


def main(place: str, process: str) -> None:
    """Be the guardian of that folder for that process; does not return."""
    folder, owner = Path(place), int(process)
    began = time.time()
    _stand_alone()
    channel = socket.socket(fileno=os.dup(0))
    _nothing_on_stdin()
    try:
        make_folder(folder)  # its lock is held until both of us have ended
    except OSError as error:
        _refuse(channel, f"no folder can be made below {folder.parent}: {error.strerror}")
    life, held = os.pipe()
    keeper = os.fork()
    if keeper:
        channel.close()
        os.close(life)
        _be_warden(keeper, folder, began)
    os.close(held)
    become_subreaper()
    seen = Keeper(channel, folder, owner, life).keep()
    seen |= kill_descendants(KILLING)
    remove_segments(seen, began)
    if _closed(life):
        remove_folder(folder)
    os._exit(0)


def _be_warden(keeper: int, folder: Path, began: float) -> None:
    """Wait for the keeper to end, and tidy up behind it."""
    clear_all(folder.parent)
    while True:
        pid, _ = os.waitpid(-1, 0)
        if pid == keeper:
            break
    remove_segments(kill_descendants(KILLING), began)
    remove_folder(folder)
    os._exit(0)


def _stand_alone() -> None:
    """What the terminal sends is for Mainstay, which tells us by closing the channel.

    Handlers that do nothing, unlike SIG_IGN, are not passed on to the programs.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, lambda _number, _frame: None)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    become_subreaper()
    os.chdir("/")


def _nothing_on_stdin() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)


def _refuse(channel: socket.socket, why: str) -> None:
    with contextlib.suppress(OSError):
        channel.sendall(pack(Refused(0, why)))
    os._exit(1)


def _closed(pipe: int) -> bool:
    os.set_blocking(pipe, False)
    try:
        return not os.read(pipe, 1)
    except OSError:
        return False


class Keeper:
    """Carries out orders until Mainstay is gone."""

    def __init__(self, channel: socket.socket, folder: Path, owner: int, life: int) -> None:
        self._channel = channel
        self._folder = folder
        self._owner = owner
        self._mask = os.umask(0o077)
        self._orders: Unpacker[Order] = Unpacker(Order)
        self._passed: list[int] = []  # descriptors that came along
        self._programs: dict[int, Launched] = {}
        self._belongs: dict[tuple[int, int], int] = {}  # pid and start of a process -> its program
        self._living: dict[int, list[int]] = {}  # the processes of each program, as of the last survey
        self._surveyed = 0.0
        self._waiting: list[tuple[float, Look]] = []
        self._resting: list[tuple[float, Launched]] = []
        self._seen: set[int] = set()
        self._over = False  # Mainstay is gone, or has closed the channel
        self._hurry = False  # it is gone: nobody waits for an orderly end
        self._selector = selectors.DefaultSelector()
        self._watch_signals()
        self._watch_owner()
        self._selector.register(channel, selectors.EVENT_READ, self._hear)
        self._selector.register(life, selectors.EVENT_READ, self._abandon)

    def keep(self) -> set[int]:
        """Serve; when it is over, ask the programs to end and give them a little time.

        The answer is the processes that were seen; whatever is left of them has to be killed.
        """
        self._reply(Ready())
        while not self._over:
            self._turn(self._next())
        if not self._hurry:
            self._ask_to_end()
        if sys.platform != "linux":
            end_sessions([program.pid for program in self._programs.values()])  # orphans do not come to us
        return self._seen

    def _ask_to_end(self) -> None:
        ends = time.monotonic() + GRACE
        for program in self._running():
            send(program.pid, signal.SIGTERM)
            send(program.pid, signal.SIGCONT)
        while self._running() and not self._hurry and time.monotonic() < ends:
            self._turn(0.05)

    def _running(self) -> list[Launched]:
        return [program for program in self._programs.values() if program.status is None]

    # --- the loop ----------------------------------------------------------------------------

    def _watch_signals(self) -> None:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

        def woken() -> None:
            with contextlib.suppress(BlockingIOError):
                os.read(reading, 4096)
            self._bury()

        self._selector.register(reading, selectors.EVENT_READ, woken)

    def _watch_owner(self) -> None:
        """A channel can be held open by a copy of Mainstay that has forked; its own end cannot be missed."""
        if sys.platform != "linux":
            return  # the channel has to do
        try:
            descriptor = os.pidfd_open(self._owner)
        except ProcessLookupError:
            self._abandon()
        except OSError:
            pass  # an old kernel: here, too
        else:
            self._selector.register(descriptor, selectors.EVENT_READ, self._abandon)

    def _abandon(self) -> None:
        self._over = self._hurry = True

    def _next(self) -> float:
        """Seconds until something is due even if nothing happens."""
        due = [when for when, _ in self._waiting] + [when for when, _ in self._resting]
        if self._running():
            due.append(self._surveyed + _SURVEY)
        return max(0.0, min(due) - time.monotonic()) if due else 3600.0

    def _turn(self, seconds: float) -> None:
        """Wait for something to happen, and see to it."""
        for ready, _ in self._selector.select(seconds):
            see: Callable[[], None] = ready.data
            see()
        now = time.monotonic()
        self._wake_streams(now)
        self._answer_waiting(now)
        if self._running() and now >= self._surveyed + _SURVEY:
            self._survey()

    def _wake_streams(self, now: float) -> None:
        due = [program for when, program in self._resting if when <= now]
        if due:
            self._resting = [(when, program) for when, program in self._resting if when > now]
            for program in due:
                self._listen_to(program)

    def _listen_to(self, program: Launched) -> None:
        for stream in program.streams:
            if not stream.ended and stream.fileno() not in self._selector.get_map():
                self._selector.register(stream, selectors.EVENT_READ, lambda: self._take(program))

    def _take(self, program: Launched) -> None:
        """Empty what a program has written, and let it gather for a while."""
        rest = 0.0
        for stream in program.streams:
            if stream.fileno() in self._selector.get_map():
                self._selector.unregister(stream)
            stream.drain()
            rest = stream.rest
        if program.streams and not self._closed_streams(program):
            self._resting = [entry for entry in self._resting if entry[1] is not program]
            self._resting.append((time.monotonic() + rest, program))

    def _closed_streams(self, program: Launched) -> bool:
        """Let go of the files of a program once nothing can come any more."""
        if not all(stream.ended for stream in program.streams):
            return False
        program.close()
        return True

    def _bury(self) -> None:
        """Note how programs ended; orphans that came to us are only buried."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for program in self._programs.values():
                if program.pid == pid and program.status is None:
                    self._take(program)
                    program.end(os.waitstatus_to_exitcode(status))

    def _answer_waiting(self, now: float) -> None:
        still: list[tuple[float, Look]] = []
        for until, order in self._waiting:
            if self._programs[order.program].status is not None or until <= now:
                self._reply(self._state(order))
            else:
                still.append((until, order))
        self._waiting = still

    # --- orders ------------------------------------------------------------------------------

    def _hear(self) -> None:
        try:
            data, passed, _, _ = socket.recv_fds(self._channel, 1 << 16, 8)
        except OSError:
            data, passed = b"", []
        self._passed += passed
        if not data:
            self._over = True
            self._selector.unregister(self._channel)
        for order in self._orders.feed(data):
            self._carry_out(order)

    def _carry_out(self, order: Order) -> None:
        if isinstance(order, Start):
            self._reply(self._start(order))
        elif order.program not in self._programs:
            self._reply(Refused(order.number, "there is no such program"))
        elif isinstance(order, Send):
            self._bury()
            self._send(self._programs[order.program], order)
            self._reply(State(order.number))
        elif isinstance(order, Look):
            self._bury()
            if self._programs[order.program].status is not None or order.seconds <= 0:
                self._reply(self._state(order))
            else:
                self._waiting.append((time.monotonic() + order.seconds, order))
        elif isinstance(order, List):
            self._bury()
            self._survey()
            self._reply(Members(order.number, self._members(self._programs[order.program])))

    def _start(self, order: Start) -> Answer:
        stdin = self._passed.pop(0) if order.channel and self._passed else None
        try:
            program = launch(order, f"{self._folder}:{order.number}", stdin, self._mask)
        except CannotStart as error:
            return Refused(order.number, str(error))
        finally:
            if stdin is not None:
                os.close(stdin)
        self._programs[order.number] = program
        self._seen.add(program.pid)
        self._listen_to(program)
        return Started(order.number, program.pid, program.unmet)

    def _state(self, order: Look) -> State:
        program = self._programs[order.program]
        if program.status is None:
            self._take(program)
        return State(order.number, program.status, program.ended, program.cut)

    def _send(self, program: Launched, order: Send) -> None:
        if order.reach is Reach.MAIN:
            if program.status is None:
                send(program.pid, order.signal)
            return
        told: set[int] = set()
        for _ in range(_PASSES):
            self._survey()
            new = [pid for pid in self._members(program) if pid not in told]
            if not new:
                break
            for pid in new:
                send(pid, order.signal)
            told.update(new)
            if order.signal not in (signal.SIGKILL, signal.SIGSTOP):
                break  # who is asked to end may well fork to do so

    def _reply(self, answer: Answer) -> None:
        try:
            self._channel.sendall(pack(answer))
        except OSError:
            self._over = True

    # --- who belongs to whom -----------------------------------------------------------------

    def _survey(self) -> None:
        """Note to which program each process below us belongs."""
        self._surveyed = time.monotonic()
        known = table()
        below = descendants(os.getpid(), known)
        belongs: dict[tuple[int, int], int] = {}
        by_pid: dict[int, int] = {}
        sessions = {program.pid: number for number, program in self._programs.items()}
        for process in below:  # parents before their children
            key = (process.pid, process.started)
            number = self._belongs.get(key) or by_pid.get(process.parent) or self._told(process, sessions)
            if number:
                belongs[key] = by_pid[process.pid] = number
        self._belongs = belongs
        self._seen.update(process.pid for process in below)
        self._living = {number: [] for number in self._programs}
        for process in below:
            owner = belongs.get((process.pid, process.started))
            if owner and not process.zombie:
                self._living[owner].append(process.pid)

    def _told(self, process: Process, sessions: dict[int, int]) -> int:
        """The program of a child of ours: by its session, or else by what its environment says."""
        if process.session in sessions:
            return sessions[process.session]
        run, _, number = mark(process.pid).rpartition(":")
        return int(number) if run == str(self._folder) and number.isdigit() else 0

    def _members(self, program: Launched) -> tuple[int, ...]:
        """Its living processes, as of the last survey; the first one first."""
        return tuple(sorted(self._living.get(program.number, ()), key=lambda pid: pid != program.pid))
