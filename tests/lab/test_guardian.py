"""Whatever happens to Mainstay or to the guardian of its run: no process, port or folder is left."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from mainstay.lab.lab import Lab, LabError, Program
from mainstay.lab.own_program import own_program
from mainstay.lab.processes import table
from tests.lab.household import guardians

SOON = 20.0  # seconds, on a machine that has other things to do

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans can be found on Linux only")


class Told(msgspec.Struct):
    """What a household says of itself."""

    folder: str
    port: int
    keeper: int
    warden: int


class Household:
    """A running Mainstay with programs of every kind."""

    def __init__(self, folder: Path) -> None:
        self.token = uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(Path(__file__).with_name("household.py")), self.token],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"TMPDIR": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1].decode())
        self.told = msgspec.json.decode(line, type=Told)

    def processes(self) -> list[int]:
        """Its own that live: the programs', by their arguments, and the guardian's."""
        own = (self.told.keeper, self.told.warden)
        return [
            pid
            for pid, found in table().items()
            if not found.zombie and pid != self.process.pid and (pid in own or self.token in _arguments(pid))
        ]

    def left(self) -> list[str]:
        """What is left of it."""
        left = [f"process {pid}: {_arguments(pid)[:80]}" for pid in self.processes()]
        if Path(self.told.folder).exists():
            left.append(f"folder {self.told.folder}")
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", self.told.port)) == 0:
                left.append(f"port {self.told.port}")
        return left

    def kill(self, *pids: int) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def _arguments(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def nothing_left_of(household: Household) -> None:
    ends = time.monotonic() + SOON
    while left := household.left():
        assert time.monotonic() < ends, left
        time.sleep(0.02)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for temporary files that is open to all, like /tmp; pytest's own are not."""
    folder = Path(f"/tmp/mainstay-test-{uuid4().hex[:8]}")
    folder.mkdir()
    folder.chmod(0o777)
    yield folder
    folder.rmdir()  # and so it is empty


@pytest.fixture
def household(place: Path) -> Iterator[Household]:
    household = Household(place)
    assert len(household.processes()) >= 12  # it does hold what is going to be killed
    yield household
    with contextlib.suppress(ProcessLookupError):
        household.process.kill()
    household.process.communicate()
    nothing_left_of(household)


def test_mainstay_is_killed(household: Household) -> None:
    household.process.kill()
    nothing_left_of(household)


def test_ctrl_c(household: Household) -> None:
    began = time.monotonic()
    os.killpg(household.process.pid, signal.SIGINT)  # as a terminal does, to all in the foreground
    _, errors = household.process.communicate(timeout=SOON)
    assert time.monotonic() - began < SOON
    assert household.left() == []  # at once: Mainstay waits until all has gone
    assert errors.decode().rstrip().endswith("KeyboardInterrupt")
    assert "ResourceWarning" not in errors.decode()


def test_ctrl_c_again_and_again(household: Household) -> None:
    for _ in range(4):
        os.kill(household.process.pid, signal.SIGINT)
        time.sleep(0.1)
    household.process.communicate(timeout=SOON)
    nothing_left_of(household)


def test_mainstay_is_asked_to_end(household: Household) -> None:
    household.process.terminate()
    nothing_left_of(household)


def test_mainstay_is_killed_while_it_leaves(household: Household) -> None:
    os.kill(household.process.pid, signal.SIGINT)
    time.sleep(0.1)
    household.process.kill()
    nothing_left_of(household)


def test_the_guardian_hears_nothing_that_the_terminal_sends(household: Household) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGQUIT):
        os.kill(household.told.keeper, number)
        os.kill(household.told.warden, number)
    time.sleep(0.2)
    assert household.told.keeper in household.processes()
    assert household.told.warden in household.processes()


def test_the_keeper_is_killed(household: Household) -> None:
    household.kill(household.told.keeper)
    nothing_left_of(household)


def test_the_warden_is_killed(household: Household) -> None:
    household.kill(household.told.warden)
    nothing_left_of(household)


def test_mainstay_and_the_keeper_are_killed(household: Household) -> None:
    household.kill(household.process.pid, household.told.keeper)
    nothing_left_of(household)


def test_mainstay_and_the_warden_are_killed(household: Household) -> None:
    household.kill(household.process.pid, household.told.warden)
    nothing_left_of(household)


def test_a_stopped_mainstay_that_is_killed_leaves_nothing(household: Household) -> None:
    os.kill(household.process.pid, signal.SIGSTOP)
    household.process.kill()
    nothing_left_of(household)


def ask_for_long(program: Program) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        program.pids()


def test_when_the_guardian_is_killed_the_lab_says_so() -> None:
    with Lab() as lab:
        program = lab.start("it", ["sleep", "60"])
        keeper, _ = guardians(lab)
        os.kill(keeper, signal.SIGKILL)
        with pytest.raises(LabError, match="the guardian of this run has ended"):
            ask_for_long(program)
    assert not lab.folder.exists()


def both_killed(lab: Lab) -> None:
    keeper, warden = guardians(lab)
    os.kill(warden, signal.SIGSTOP)  # or it would have the time to tidy up
    os.kill(keeper, signal.SIGKILL)
    os.kill(warden, signal.SIGKILL)


def lives(pid: int) -> bool:
    return pid in table() and not table()[pid].zombie


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.01)


def test_when_keeper_and_warden_are_killed_mainstay_tidies_up() -> None:
    with Lab() as lab:
        program = lab.start("it", ["sh", "-c", "setsid sleep 60 & sleep 60"])
        until(lambda: len(program.pids()) == 3)
        pids = program.pids()
        both_killed(lab)
        until(lambda: not lives(program.pid))  # the kernel saw to it
    assert [pid for pid in pids if lives(pid)] == []
    assert not lab.folder.exists()


def test_what_a_run_left_whose_all_were_killed_the_next_one_removes(place: Path) -> None:
    household = Household(place)
    told = household.told
    os.kill(told.warden, signal.SIGSTOP)
    household.kill(household.process.pid, told.keeper, told.warden)
    household.process.communicate()
    until(lambda: not lives(told.warden))
    assert Path(told.folder).exists()
    with Lab(place):
        until(lambda: not Path(told.folder).exists())
    for pid in household.processes():  # its environment was empty: nothing tells whose it was
        assert "trap" in _arguments(pid)
        os.kill(pid, signal.SIGKILL)


def test_the_folder_of_a_run_that_lives_is_not_touched(place: Path) -> None:
    with Lab(place) as one:
        program = one.start("it", ["sleep", "60"])
        with Lab(place):
            pass
        assert one.folder.exists()
        assert program.status() is None


def test_a_daemon_s_shared_memory_goes_with_it(place: Path) -> None:
    """PostgreSQL, killed, leaves a segment of System V shared memory behind."""
    code = (
        "import ctypes, time; libc = ctypes.CDLL(None); i = libc.shmget(0, 4096, 0o1600);"
        "libc.shmat.restype = ctypes.c_void_p; libc.shmat(i, None, 0); print(i, flush=True); time.sleep(60)"
    )
    with Lab(place) as lab:
        program = lab.start("it", [sys.executable, "-c", code])
        until(lambda: bool(program.tail()))
        segment = program.tail()[0]
        assert segment in _segments()
    assert segment not in _segments()


def _segments() -> set[str]:
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


def test_a_guardian_that_is_killed_while_it_starts_leaves_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment at which it is still alone, and its folder is just made."""

    def killed(*told: str) -> list[str]:
        command = own_program(*told)
        at = command.index("-c") + 1
        command[at] = f"import os; os.fork = lambda: os.kill(os.getpid(), 9); {command[at]}"
        return command

    monkeypatch.setattr("mainstay.lab.lab.own_program", killed)
    with pytest.raises(LabError, match="the guardian of the run did not start"), Lab(place):
        pass
    assert list(place.iterdir()) == []
