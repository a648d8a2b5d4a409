import gc
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from mainstay.model.system import Role
from mainstay.sources import reading as module
from mainstay.sources.cache import Cache, key_of
from mainstay.sources.discovery import discover
from mainstay.sources.python import READER_VERSION
from mainstay.sources.reading import (
    Reading,
    Unreadable,
    collector_paused,
    content_of,
    default_jobs,
    read_files,
)
from mainstay.sources.workers import Answer, Task, Workers

Tree = Callable[[Mapping[str, str | bytes]], Path]

NO_CACHE = Cache(None)


def read(root: Path, cache: Cache = NO_CACHE, reader: str = module.READER) -> Reading:
    return read_files(discover([root]).files, jobs=2, cache=cache, reader=reader, seconds=30)


def gaps(found: Reading) -> dict[str, str]:
    return {str(gap.location): gap.why for gap in found.gaps}


def test_files_come_in_order_with_their_role_and_their_facts(tree: Tree) -> None:
    root = tree({"b.py": "def pay(): ...\n", "a.py": "import b\n", "tests/test_b.py": "import b\n\n"})
    found = read(root)
    assert [(file.path, file.role, file.module.lines) for file in found.files] == [
        ("a.py", Role.SOURCE, 1),
        ("b.py", Role.SOURCE, 1),
        ("tests/test_b.py", Role.TEST, 2),
    ]
    assert [body.name for body in found.files[1].module.bodies] == ["<module>", "pay"]
    assert found.gaps == ()


def test_a_second_review_starts_no_reader(tree: Tree, tmp_path: Path) -> None:
    root = tree({"a.py": "x = 1\n", "b.py": "y = 2\n"})
    with Cache(tmp_path / "facts") as cache:
        first = read(root, cache)
    with Cache(tmp_path / "facts") as cache:
        assert read(root, cache, reader="no_such_module:read") == first


def test_only_what_changed_is_read_again(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({"a.py": "x = 1\n", "b.py": "y = 2\n"})
    with Cache(tmp_path / "facts") as cache:
        read(root, cache)
    tree({"b.py": "y = 3\n"})
    asked: list[bytes] = []
    submit = Workers.submit

    def noted(self: Workers, task: Task) -> Iterator[Answer]:
        asked.append(task.content)
        return submit(self, task)

    monkeypatch.setattr(Workers, "submit", noted)
    with Cache(tmp_path / "facts") as cache:
        read(root, cache)
    assert asked == [b"y = 3\n"]


def test_facts_of_another_reader_are_not_used(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree({"a.py": "x = 1\n"})
    with Cache(tmp_path / "facts") as cache:
        read(root, cache)
    monkeypatch.setattr(module, "READER_VERSION", "another")
    with Cache(tmp_path / "facts") as cache:
        assert cache.get(key_of(b"x = 1\n", "python another")) is None
        read(root, cache)
    with Cache(tmp_path / "facts") as cache:
        assert cache.get(key_of(b"x = 1\n", "python another")) is not None


def test_kept_facts_that_do_not_decode_are_read_again(tree: Tree, tmp_path: Path) -> None:
    root = tree({"a.py": "x = 1\n"})
    with Cache(tmp_path / "facts") as cache:
        cache.keep(key_of(b"x = 1\n", f"python {READER_VERSION}"), b"\xc1 nonsense")
    with Cache(tmp_path / "facts") as cache:
        found = read(root, cache)
    assert [file.module.lines for file in found.files] == [1]
    with Cache(tmp_path / "facts") as cache:
        assert read(root, cache, reader="no_such_module:read") == found


def test_equal_files_are_read_once(tree: Tree) -> None:
    found = read(tree({f"p{number}/__init__.py": "" for number in range(50)}))
    assert len(found.files) == 50
    assert len({id(file.module) for file in found.files}) == 1


def test_a_part_that_was_not_understood_is_a_gap_and_the_rest_is_read(tree: Tree) -> None:
    found = read(tree({"a.py": "def good(): ...\n\ndef bad(:\n    pass\n"}))
    assert [gap.location.path for gap in found.gaps] == ["a.py"]
    assert "good" in [body.name for body in found.files[0].module.bodies]


def test_what_cannot_be_opened_is_a_gap(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({"a.py": "", "gone.py": "", "large.py": "x = 1\n"})
    found = discover([root]).files
    (root / "gone.py").unlink()
    monkeypatch.setattr(module, "LARGEST", 3)
    assert gaps(read_files(found, jobs=1, cache=NO_CACHE)) == {
        "gone.py:1": "it could not be opened: No such file or directory",
        "large.py:1": "it is larger than 0 MiB",
    }


def test_a_file_that_crashes_the_reader_is_a_gap(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "moody.py").write_text(
        "import os\n"
        "from mainstay.sources.python import read_python\n"
        "def read(content): return read_python(content) if b'bad' not in content else os.abort()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    root = tree({"a.py": "x = 1\n", "bad.py": "bad = 1\n", "c.py": "y = 1\n"})
    found = read(root, reader="moody:read")
    assert gaps(found) == {"bad.py:1": "it crashed the reader (SIGABRT)"}
    assert [file.path for file in found.files] == ["a.py", "c.py"]


def test_progress_counts_every_file(tree: Tree) -> None:
    seen: list[tuple[int, int]] = []
    root = tree({"a.py": "", "b.py": "", "c.py": "x = 1\n"})
    found = discover([root]).files
    read_files(found, jobs=1, cache=NO_CACHE, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)
    assert seen == sorted(seen)


def test_a_pipe_put_in_the_place_of_a_file_does_not_hold_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.py")
    with pytest.raises(Unreadable, match="no longer a file"):
        content_of(str(tmp_path / "a.py"))


def test_the_collector_is_as_it_was_afterwards() -> None:
    assert gc.isenabled()
    with collector_paused(), collector_paused():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_there_is_at_least_one_process() -> None:
    assert 1 <= default_jobs() <= 8
