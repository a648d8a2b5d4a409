"""A file that cannot fill the disk."""

import os
from pathlib import Path

import pytest

from mainstay.lab.capped import CappedFile


def test_what_fits_is_kept_as_it_is(tmp_path: Path) -> None:
    file = CappedFile(bytes(tmp_path / "log"), most=4000)
    for number in range(100):
        file.write(f"line {number}\n".encode())
    file.close()
    assert (tmp_path / "log").read_text().splitlines() == [f"line {number}" for number in range(100)]
    assert file.cut == 0


def test_of_too_much_the_first_half_and_the_end_are_kept(tmp_path: Path) -> None:
    file = CappedFile(bytes(tmp_path / "log"), most=4000)
    written = 0
    for number in range(5000):
        line = f"line {number}\n".encode()
        file.write(line)
        written += len(line)
        assert (tmp_path / "log").stat().st_size <= 4000
    file.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[:150] == [f"line {number}" for number in range(150)]
    assert lines[-20:] == [f"line {number}" for number in range(4980, 5000)]
    notices = [line for line in lines if line.startswith("[mainstay: ")]
    assert len(notices) == 1
    assert notices[0].endswith(" bytes of this log were left out here]")
    told = int(notices[0].split()[1])
    kept = (tmp_path / "log").stat().st_size - len(f"\n{notices[0]}\n")
    assert told == file.cut == written - kept


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_what_the_disk_has_no_room_for_is_counted(tmp_path: Path) -> None:
    file = CappedFile(bytes(tmp_path / "log"))
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, file._file)
    os.close(full)
    file.write(b"x" * 1000)
    assert file.cut == 1000
    file.close()
