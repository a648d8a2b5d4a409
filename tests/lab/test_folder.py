"""The folder of a run goes with all that is in it, and nothing else."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mainstay.lab.folder import PREFIX, claimed, make_folder, name_folder, remove_folder
from mainstay.lab.leftovers import clear, clear_all

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that is over."""
    folder = name_folder(tmp_path)
    os.close(make_folder(folder))
    return folder


def test_it_goes_with_files_folders_and_links(run: Path) -> None:
    (run / "a/b/c").mkdir(parents=True)
    (run / "a/b/file").write_text("x")
    (run / "a/dangling").symlink_to("nowhere")
    os.mkfifo(run / "a/pipe")
    assert remove_folder(run)
    assert not run.exists()


def test_links_out_are_not_followed(run: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep me")
    (run / "link").symlink_to(precious)
    (run / "inner").mkdir()
    (run / "inner/link").symlink_to(precious, target_is_directory=True)
    os.link(precious / "file", run / "hard")
    assert remove_folder(run)
    assert (precious / "file").read_text() == "keep me"


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    link = tmp_path / f"{PREFIX}link"
    link.symlink_to(precious)
    assert not remove_folder(link)
    assert not clear(link)
    assert precious.exists()


def test_folders_that_may_not_be_written_to_go_too(run: Path) -> None:
    inner = run / "shut/inner"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    inner.chmod(0o000)
    inner.parent.chmod(0o500)
    assert remove_folder(run)


@as_root
def test_files_of_another_user_go_too(run: Path) -> None:
    (run / "theirs").mkdir(mode=0o700)
    (run / "theirs/file").touch(mode=0o600)
    for path in (run / "theirs/file", run / "theirs"):
        os.chown(path, 65534, 65534)
    assert remove_folder(run)


def test_depth_is_no_matter(run: Path) -> None:
    here = os.open(run, os.O_RDONLY)
    for _ in range(1200):  # deeper than a path may be long, and than calls may be nested
        os.mkdir("four", dir_fd=here)
        below = os.open("four", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT, dir_fd=here))
    os.close(here)
    assert remove_folder(run)


_BOUND = """
import ctypes, sys
from pathlib import Path
from mainstay.lab.folder import remove_folder
libc = ctypes.CDLL(None)
precious, run = sys.argv[1:]
assert libc.unshare(0x00020000) == 0  # mounts of our own
assert libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None) == 0  # which nobody else sees
for name in ("bound", "inner/bound"):
    (Path(run) / name).mkdir(parents=True)
    assert libc.mount(precious.encode(), f"{run}/{name}".encode(), None, 0x1000, None) == 0
print(remove_folder(Path(run)))
"""


@as_root
@pytest.mark.skipif(sys.platform != "linux", reason="bind mounts")
def test_what_is_mounted_inside_is_let_go_of_and_never_emptied(run: Path, tmp_path: Path) -> None:
    if ctypes.CDLL(None).unshare(0) != 0:
        pytest.skip("no namespaces here")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep me")
    done = subprocess.run(
        [sys.executable, "-c", _BOUND, str(precious), str(run)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if "unshare" in done.stderr:
        pytest.skip("no namespaces here")
    assert done.stdout == "True\n", done.stderr
    assert (precious / "file").read_text() == "keep me"


def test_what_has_gone_already_is_gone(run: Path) -> None:
    assert remove_folder(run)
    assert remove_folder(run)


def test_the_folder_of_a_dead_run_is_cleared(run: Path) -> None:
    (run / "data").mkdir()
    clear_all(run.parent)
    assert not run.exists()


def test_the_folder_of_a_run_that_lives_is_not(tmp_path: Path) -> None:
    folder = name_folder(tmp_path)
    lock = make_folder(folder)
    clear_all(tmp_path)
    assert folder.exists()
    os.close(lock)
    clear_all(tmp_path)
    assert not folder.exists()


def test_a_folder_that_is_just_being_made_is_not(tmp_path: Path) -> None:
    young = tmp_path / f"{PREFIX}young"
    young.mkdir()
    clear_all(tmp_path)
    assert young.exists()
    hour_ago = time.time() - 3600
    os.utime(young, (hour_ago, hour_ago))
    clear_all(tmp_path)
    assert not young.exists()


def test_what_is_only_called_like_it_is_not(tmp_path: Path) -> None:
    file = tmp_path / f"{PREFIX}file"
    file.touch()
    other = tmp_path / "mainstay-other"
    other.mkdir()
    clear_all(tmp_path)
    assert file.exists()
    assert other.exists()


@as_root
def test_the_folder_of_another_user_is_not(run: Path) -> None:
    os.chown(run, 65534, 65534)
    clear_all(run.parent)
    assert run.exists()


def test_only_one_can_claim_a_folder(run: Path) -> None:
    with claimed(run) as first, claimed(run) as second:
        assert (first, second) == (True, False)
