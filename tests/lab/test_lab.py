"""A lab runs programs, tells how they are, and leaves nothing."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from mainstay.lab.lab import Lab, LabError, Program
from mainstay.lab.processes import table

SOON = 10.0  # seconds, on a machine that has other things to do

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def python(code: str) -> list[str]:
    return [sys.executable, "-c", dedent(code)]


def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    ends = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    found = table().get(pid)
    return found is not None and not found.zombie


# --- a program that runs to its end ----------------------------------------------------------


def test_run_gives_the_output_as_text_and_the_log_holds_both(lab: Lab) -> None:
    done = lab.run("hello", ["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=SOON)
    assert (done.status, done.output) == (3, "out\n")
    assert sorted(done.log.read_text().split()) == ["err", "out"]


def test_output_that_is_no_text_is_read_all_the_same(lab: Lab) -> None:
    done = lab.run("bytes", ["printf", r"caf\351"], timeout=SOON)
    assert done.output == "caf\ufffd"


def test_run_that_takes_too_long_is_ended_with_all_it_started(lab: Lab) -> None:
    began = time.monotonic()
    with pytest.raises(LabError) as caught:
        lab.run("slow", ["sh", "-c", "echo working; sleep 60 & sleep 60"], timeout=0.3)
    assert str(caught.value) == ("`slow` has not ended within 0.3 s\nThe last lines of its log:\n  working")
    assert time.monotonic() - began < SOON


def test_what_a_run_leaves_in_the_background_is_ended(lab: Lab) -> None:
    done = lab.run("leaves", ["sh", "-c", "sleep 60 & echo $!"], timeout=SOON)
    assert not alive(int(done.output))


def test_terminal_escapes_in_a_log_are_shown_and_not_obeyed(lab: Lab) -> None:
    with pytest.raises(LabError) as caught:
        lab.run("rude", ["sh", "-c", r"printf '\033[2Jgone\n'; sleep 60"], timeout=0.3)
    assert caught.value.lines == (r"\x1b[2Jgone",)


# --- what cannot be started ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["no-such-program"], "`it` cannot be started: there is no program `no-such-program` on its PATH"),
        (["/no/such"], "`it` cannot be started: there is no program `/no/such`"),
        (["/etc/passwd"], "`it` cannot be started: `/etc/passwd` may not be executed"),
        (["a\0b"], "`it` cannot be started: embedded null byte"),
        ([], "`it` cannot be started: there is no command"),
    ],
)
def test_what_cannot_be_started_is_said_in_a_sentence(lab: Lab, command: list[str], sentence: str) -> None:
    with pytest.raises(LabError) as caught:
        lab.start("it", command)
    assert str(caught.value) == sentence


def test_a_script_without_a_first_line_is_no_program(lab: Lab, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo hello\n")
    script.chmod(0o755)
    with pytest.raises(LabError, match="is no program \\(a script needs a first line"):
        lab.start("it", [str(script)])


def test_a_folder_that_is_not_there_is_named(lab: Lab) -> None:
    with pytest.raises(LabError, match="`it` cannot be started: there is no folder /no/such"):
        lab.start("it", ["true"], cwd=Path("/no/such"))


def test_after_a_refusal_the_lab_goes_on(lab: Lab) -> None:
    with pytest.raises(LabError):
        lab.start("it", ["no-such-program"], channel=True)
    assert lab.run("it", ["echo", "fine"], timeout=SOON).output == "fine\n"


def test_a_run_without_a_place_to_be_says_so() -> None:
    with pytest.raises(LabError) as caught, Lab(Path("/no/such")):
        pass
    assert str(caught.value) == (
        "the run has no place to be: no folder can be made below /no/such: No such file or directory"
    )


# --- how a program is started ----------------------------------------------------------------


def test_a_program_gets_its_environment_and_folder(lab: Lab, tmp_path: Path) -> None:
    done = lab.run(
        "env",
        ["sh", "-c", "pwd; echo $ONE; env | wc -l"],
        environment={"ONE": "1"},
        cwd=tmp_path,
        timeout=SOON,
    )
    folder, one, variables = done.output.split()
    assert (Path(folder), one) == (tmp_path.resolve(), "1")
    assert int(variables) <= 5  # the mark of the run, and PWD, SHLVL, _ of the shell


def test_without_an_environment_it_gets_ours(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "caf\udce9")  # not every variable is text
    done = lab.run("env", python("import os; print(ascii(os.environ['OURS']))"), timeout=SOON)
    assert done.output == "'caf\\udce9'\n"


def test_a_program_of_its_environment_s_path_is_found(lab: Lab, tmp_path: Path) -> None:
    program = tmp_path / "mine"
    program.write_text("#!/bin/sh\necho mine\n")
    program.chmod(0o755)
    assert lab.run("it", ["mine"], environment={"PATH": str(tmp_path)}, timeout=SOON).output == "mine\n"


@on_linux
def test_a_program_starts_with_no_signal_ignored_or_blocked(lab: Lab) -> None:
    done = lab.run("signals", ["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"], timeout=SOON)
    ours = sum(1 << (number - 1) for number in signal.valid_signals())  # 32 and 33 are the C library's own
    assert {int(line.split()[1], 16) & ours for line in done.output.splitlines()} == {0}


@on_linux
def test_a_program_holds_no_file_of_ours(lab: Lab) -> None:
    lab.start("other", ["sleep", "60"], channel=True)
    done = lab.run(
        "files", python("import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])"), timeout=SOON
    )
    assert done.output == "[0, 1, 2]\n"  # and the one that it lists them with


def test_its_standard_input_is_empty(lab: Lab) -> None:
    assert lab.run("reads", ["cat"], timeout=SOON).output == ""


def test_with_a_channel_its_standard_input_is_a_socket_to_us(lab: Lab) -> None:
    program = lab.start(
        "echo",
        python(
            """
            import socket
            sock = socket.socket(fileno=0)
            while data := sock.recv(100):
                sock.sendall(data.upper())
            """
        ),
        channel=True,
    )
    assert program.channel is not None
    program.channel.settimeout(SOON)
    program.channel.sendall(b"hello")
    assert program.channel.recv(100) == b"HELLO"
    program.channel.close()  # nobody else holds our end: it ends
    assert program.wait(SOON) == 0


@on_linux
def test_priority_and_cores_are_given(lab: Lab) -> None:
    core = min(os.sched_getaffinity(0))
    program = lab.start("nice", ["sleep", "60"], nice=3, cores=[core])
    assert os.getpriority(os.PRIO_PROCESS, program.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 3
    assert os.sched_getaffinity(program.pid) == {core}
    assert program.unmet == ()


@on_linux
def test_cores_that_are_not_there_are_not_pretended(lab: Lab) -> None:
    assert lab.start("nice", ["sleep", "60"], cores=[4000]).unmet == ("cores 4000 alone",)


@as_root
def test_a_program_runs_as_another_user_and_has_a_folder_of_its_own(lab: Lab) -> None:
    folder = lab.subfolder("theirs", user=65534)
    done = lab.run(
        "id",
        ["sh", "-c", "id -u; id -G; echo x > file; echo y > /dev/stderr"],
        user=65534,
        cwd=folder,
        timeout=SOON,
    )
    assert done.output.split()[:2] == ["65534", "65534"]
    assert (folder / "file").stat().st_uid == 65534
    assert done.log.read_text().split()[-1] == "y"


@as_root
def test_another_user_reaches_neither_the_logs_nor_the_list_of_the_run(lab: Lab) -> None:
    log = lab.start("secret", ["echo", "secret"]).log
    done = lab.run(
        "spy", ["sh", "-c", f"ls {lab.folder}; cat {log}; true"], user=65534, cwd=Path("/"), timeout=SOON
    )
    assert done.output == ""
    assert done.log.read_text().count("Permission denied") == 2


# --- how a program is ------------------------------------------------------------------------


def test_status_is_none_then_what_it_ended_with(lab: Lab) -> None:
    program = lab.start("short", ["sh", "-c", "read line; exit 7"], channel=True)
    assert program.status() is None
    assert program.wait(0.05) is None
    began = time.monotonic()
    assert program.channel is not None
    program.channel.sendall(b"\n")
    assert program.wait(SOON) == 7
    ended = program.ended()
    assert ended is not None
    assert began <= ended <= time.monotonic()


def test_a_signal_is_a_negative_status(lab: Lab) -> None:
    program = lab.start("killed", ["sleep", "60"])
    program.signal(signal.SIGKILL)
    assert program.wait(SOON) == -signal.SIGKILL


def test_when_the_end_is_told_the_log_is_whole(lab: Lab) -> None:
    for count in range(5):
        program = lab.start("writes", ["sh", "-c", "seq 20000"])
        assert program.wait(SOON) == 0
        assert program.log.read_text().splitlines()[-1] == "20000", count


def test_the_same_name_again_is_another_log(lab: Lab) -> None:
    logs = [lab.run("web", ["echo", str(number)], timeout=SOON).log for number in range(2)]
    assert [log.read_text() for log in logs] == ["0\n", "1\n"]


def test_all_its_processes_are_listed_the_main_one_first(lab: Lab) -> None:
    program = lab.start("tree", ["sh", "-c", "sh -c 'setsid sleep 61 & sleep 62' & sleep 63"])
    until(lambda: len(program.pids()) == 5)
    assert program.pids()[0] == program.pid


def test_a_program_that_forks_away_is_told(lab: Lab) -> None:
    program = lab.start("daemon", ["sh", "-c", "setsid sleep 60 & exit 0"])
    stays = lab.start("stays", ["sleep", "60"])
    assert program.wait(SOON) == 0
    assert program.forked_away()
    assert len(program.pids()) == 1
    assert not stays.forked_away()
    program.end()
    assert not program.forked_away()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@on_linux
def test_pause_stops_all_of_it_even_in_other_sessions(lab: Lab) -> None:
    program = lab.start("busy", ["sh", "-c", "setsid sleep 60 & sleep 61"])
    until(lambda: len(program.pids()) == 3)
    program.pause()
    until(lambda: {state(pid) for pid in program.pids()} == {"T"})
    program.resume()
    until(lambda: {state(pid) for pid in program.pids()} == {"S"})
    assert program.status() is None


def test_ports_are_those_on_which_any_of_its_processes_listens(lab: Lab) -> None:
    here, everywhere = lab.port(), lab.port()
    code = f"""
        import os, socket, time
        socks = [socket.create_server(("127.0.0.1", {here}))]
        if os.fork() == 0:
            socks.append(socket.create_server(("", {everywhere})))
        time.sleep(60)
    """
    program = lab.start("listens", python(code))
    until(lambda: program.listens() == {here, everywhere})
    assert lab.start("silent", ["sleep", "60"]).listens() == set()


# --- how a program ends ----------------------------------------------------------------------

POLITE = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.02; done"
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.02; done"


def test_end_asks_first(lab: Lab) -> None:
    program = lab.start("polite", ["sh", "-c", POLITE])
    until(lambda: bool(program.tail()))
    assert program.end() == 5


def test_end_kills_what_does_not_listen(lab: Lab) -> None:
    program = lab.start("stubborn", ["sh", "-c", STUBBORN])
    until(lambda: bool(program.tail()))
    assert program.end(grace=0.1) == -signal.SIGKILL


def test_end_asks_a_paused_program_too(lab: Lab) -> None:
    program = lab.start("polite", ["sh", "-c", POLITE])
    until(lambda: bool(program.tail()))
    program.pause()
    assert program.end() == 5


def test_end_leaves_none_of_its_processes(lab: Lab) -> None:
    program = lab.start("tree", ["sh", "-c", "trap '' TERM; setsid sleep 61 & sleep 62 & exec sleep 63"])
    until(lambda: len(program.pids()) == 3)
    pids = program.pids()
    program.end(grace=0.05)
    assert [pid for pid in pids if alive(pid)] == []


def test_a_signal_to_what_has_ended_does_nothing(lab: Lab) -> None:
    program = lab.start("short", ["true"])
    assert program.wait(SOON) == 0
    program.signal(signal.SIGTERM)
    program.signal(signal.SIGTERM, group=False)
    assert program.end() == 0


# --- a log cannot fill the disk --------------------------------------------------------------


def test_a_flood_of_log_keeps_its_beginning_and_its_end(lab: Lab) -> None:
    lines, width = 1_200_000, 70  # 84 MB
    program = lab.start("flood", ["sh", "-c", f"yes '{'x' * (width - 1)}' | head -{lines}; echo the end"])
    assert program.wait(60) == 0
    size = program.log.stat().st_size
    assert size <= 64 << 20
    with program.log.open("rb") as log:
        assert log.read(width) == b"x" * (width - 1) + b"\n"
    assert program.tail(1) == ("the end",)
    notice = len(f"\n[mainstay: {program.cut()} bytes of this log were left out here]\n")
    assert size - notice + program.cut() == lines * width + len("the end\n")


# --- the end of a lab ------------------------------------------------------------------------


def test_when_it_is_left_nothing_remains() -> None:
    with Lab() as lab:
        folder = lab.folder
        port = lab.port()
        program = lab.start("serves", [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"])
        until(lambda: program.listens() == {port})
        stubborn = lab.start("stubborn", ["sh", "-c", STUBBORN])
        daemon = lab.start("daemon", ["sh", "-c", "setsid sleep 60 & exit 0"])
        until(daemon.forked_away)
        pids = [*program.pids(), *stubborn.pids(), *daemon.pids()]
        (lab.subfolder("data") / "file").write_text("x")
    assert not folder.exists()
    assert [pid for pid in pids if alive(pid)] == []
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_programs_are_asked_to_end_when_the_lab_is_left(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with Lab() as lab:
        program = lab.start("polite", ["sh", "-c", f"trap 'echo bye > {said}; exit 0' TERM; {POLITE[21:]}"])
        until(lambda: bool(program.tail()))
    assert said.read_text() == "bye\n"


@on_linux
def test_the_folder_is_closed_to_others() -> None:
    with Lab() as lab:
        assert oct(lab.folder.stat().st_mode & 0o777) == ("0o711" if os.geteuid() == 0 else "0o700")
        assert oct(lab.subfolder("inner").stat().st_mode & 0o777) == "0o700"


def ask_for_ever(program: Program, timer: threading.Timer) -> None:
    timer.start()
    while True:
        program.wait(0.003)
        program.pids()


def test_ctrl_c_in_the_midst_of_an_order_leaves_the_lab_usable(lab: Lab) -> None:
    program = lab.start("waits", ["sleep", "60"])
    for delay in (0.001, 0.005, 0.02, 0.1):
        timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            ask_for_ever(program, timer)
        timer.join()
        assert program.status() is None
        assert program.pids() == [program.pid]


def test_two_labs_do_not_know_each_other() -> None:
    with Lab() as one:
        outer = one.start("stays", ["sleep", "60"])
        with Lab() as other:
            other.start("goes", ["sleep", "60"])
            assert one.port() != other.port()
        assert outer.status() is None
        assert one.folder.exists()
