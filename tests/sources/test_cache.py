import sqlite3
import threading
from pathlib import Path

import pytest

from mainstay.sources import cache as module
from mainstay.sources.cache import Cache, folder_of, key_of, open_cache

KEY = key_of(b"x = 1", "1")


def kept(file: Path, key: bytes = KEY) -> bytes | None:
    with Cache(file) as cache:
        return cache.get(key)


def keep(file: Path, facts: bytes, key: bytes = KEY) -> None:
    with Cache(file) as cache:
        cache.keep(key, facts)


def test_what_one_review_keeps_the_next_one_finds(tmp_path: Path) -> None:
    keep(tmp_path / "deep" / "facts", b"facts")
    assert kept(tmp_path / "deep" / "facts") == b"facts"
    assert kept(tmp_path / "deep" / "facts", key_of(b"x = 2", "1")) is None


def test_the_key_changes_with_the_content_and_the_reader() -> None:
    assert len({key_of(b"x", "1"), key_of(b"y", "1"), key_of(b"x", "2"), key_of(b"", "1x")}) == 4


def test_a_damaged_file_is_rebuilt(tmp_path: Path) -> None:
    file = tmp_path / "facts"
    file.write_bytes(b"this is no database" * 100)
    keep(file, b"facts")
    assert kept(file) == b"facts"


def test_damage_that_shows_only_when_reading_is_survived(tmp_path: Path) -> None:
    file = tmp_path / "facts"
    for number in range(200):
        keep(file, b"facts" * 500, key_of(b"%d" % number, "1"))
    pages = bytearray(file.read_bytes())
    pages[4096:] = b"\xff" * (len(pages) - 4096)
    file.write_bytes(pages)
    assert kept(file, key_of(b"7", "1")) is None
    keep(file, b"facts")
    assert kept(file) == b"facts"


def test_a_table_of_another_shape_is_rebuilt(tmp_path: Path) -> None:
    file = tmp_path / "facts"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE facts (id INTEGER)")
    database.close()
    assert kept(file) is None
    keep(file, b"facts")
    assert kept(file) == b"facts"


def test_an_unusable_folder_means_no_cache(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file")
    keep(tmp_path / "occupied" / "facts", b"facts")
    assert kept(tmp_path / "occupied" / "facts") is None


def test_a_locked_file_means_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "facts"
    keep(file, b"facts")
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    blocker = sqlite3.connect(file, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    keep(file, b"newer")
    blocker.execute("ROLLBACK")
    blocker.close()
    assert kept(file) == b"facts"


def test_many_reviews_at_once_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstay.sources.cache.PATIENCE", 30.0)  # the machine may be busy
    file = tmp_path / "facts"
    keys = [key_of(b"%d" % number, "1") for number in range(8)]
    threads = [threading.Thread(target=keep, args=(file, b"facts", key)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [kept(file, key) for key in keys] == [b"facts"] * 8


def test_what_was_used_longest_ago_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "facts"
    days = iter(range(1, 100))
    monkeypatch.setattr("time.time", lambda: next(days) * 86_400)
    keys = [key_of(b"%d" % number, "1") for number in range(6)]
    for key in keys:
        keep(file, bytes(40_000), key)
    assert kept(file, keys[0]) is not None  # used again, on a later day
    with Cache(file, limit=200_000) as cache:
        cache.keep(KEY, bytes(40_000))
    assert kept(file) is not None
    assert kept(file, keys[0]) is not None
    assert kept(file, keys[1]) is None
    assert file.stat().st_size < 200_000


@pytest.mark.parametrize(
    ("environ", "platform", "folder"),
    [
        ({"MAINSTAY_CACHE_DIR": "/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "linux", "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "linux", "/x/mainstay"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "linux", "/h/.cache/mainstay"),
        ({"HOME": "/h"}, "linux", "/h/.cache/mainstay"),
        ({"HOME": "/h"}, "darwin", "/h/Library/Caches/mainstay"),
    ],
)
def test_where_the_cache_belongs(environ: dict[str, str], platform: str, folder: str) -> None:
    assert folder_of(environ, platform) == Path(folder)


def test_without_a_home_there_is_no_cache(tmp_path: Path) -> None:
    assert folder_of({}, "linux") is None
    with open_cache(tmp_path, {}) as cache:
        assert cache.get(KEY) is None


def test_nothing_is_kept_inside_the_reviewed_tree(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "project")
    for home in ("project", "link", "project/home"):
        with open_cache(tmp_path / "project", {"HOME": str(tmp_path / home)}) as cache:
            cache.keep(KEY, b"facts")
    assert not (tmp_path / "project").exists()
