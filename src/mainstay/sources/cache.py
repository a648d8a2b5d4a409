"""Facts kept between reviews, by the content they were read from, in one file outside the tree.

The cache only ever saves time.  Whatever is wrong with it (unwritable, locked, full, damaged),
a review goes on without it and says nothing.
"""

import sqlite3
import sys
import time
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

LAYOUT = 1  # of the table; part of the file's name
LIMIT = 512 * 1024 * 1024  # bytes; beyond it the half that was used longest ago goes
POLL = 0.02
PATIENCE = 2.0  # seconds to wait for another review that writes

_DAY = 86_400


def key_of(content: bytes, version: str) -> bytes:
    """The key under which the facts of `content`, read by the reader `version`, are kept."""
    digest = blake2b(version.encode(), digest_size=20)
    digest.update(b"\0")
    digest.update(content)
    return digest.digest()


def folder_of(environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """Where the cache belongs on this system, None where there is no home."""
    if named := environ.get("MAINSTAY_CACHE_DIR"):
        return Path(named)
    if (xdg := environ.get("XDG_CACHE_HOME", "")).startswith("/"):
        return Path(xdg) / "mainstay"
    home = environ.get("HOME")
    if not home:
        return None
    return Path(home, "Library/Caches" if platform == "darwin" else ".cache", "mainstay")


def open_cache(root: Path, environ: Mapping[str, str]) -> "Cache":
    """The cache for a review of `root`; one that keeps nothing when it would lie inside `root`."""
    folder = folder_of(environ)
    if folder is None:
        return Cache(None)
    try:
        inside = folder.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # RuntimeError: a loop of links, before Python 3.13
        inside = True
    return Cache(None if inside else folder / f"facts-{LAYOUT}.sqlite3")


class Cache:
    """Facts by key.  Reads see what earlier reviews kept; `keep` is written when it is closed."""

    def __init__(self, file: Path | None, limit: int = LIMIT) -> None:
        self._file = file
        self._limit = limit
        self._today = int(time.time()) // _DAY
        self._new: list[tuple[bytes, int, bytes]] = []
        self._stale: list[bytes] = []
        self._database = self._open()

    @property
    def works(self) -> bool:
        """Whether anything is kept at all."""
        return self._database is not None

    def get(self, key: bytes) -> bytes | None:
        """The facts kept under `key`, if any."""
        if self._database is None:
            return None
        try:
            row = self._database.execute("SELECT facts, used FROM facts WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        if row is None:
            return None
        if row[1] != self._today:
            self._stale.append(key)
        return row[0] if isinstance(row[0], bytes) else None

    def keep(self, key: bytes, facts: bytes) -> None:
        """Keep `facts`; they are written in one go at the end."""
        if self._database is not None:
            self._new.append((key, self._today, facts))

    def close(self) -> None:
        """Write what is new, drop what is too old, and let go of the file."""
        if self._database is None:
            return
        try:
            self._write(self._database)
            self._database.close()
        except sqlite3.Error as error:
            self._give_up(error)
        self._database = None

    def __enter__(self) -> "Cache":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> sqlite3.Connection | None:
        if self._file is None:
            return None
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                return _connect(self._file)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                _remove(self._file)
                return _connect(self._file)
        except (OSError, ValueError, sqlite3.Error):
            return None

    def _write(self, database: sqlite3.Connection) -> None:
        if self._new or self._stale:
            with database:
                database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", self._new)
                database.executemany(
                    "UPDATE facts SET used = ? WHERE key = ?", ((self._today, key) for key in self._stale)
                )
        if self._new and _size(database) > self._limit:
            _shrink(database, self._limit // 2)

    def _give_up(self, error: sqlite3.Error) -> None:
        """Go on without the cache; a damaged file is removed, so that the next review starts afresh."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._file is not None and _is_damage(error):
            try:
                _remove(self._file)
            except OSError:
                pass


def _connect(file: Path) -> sqlite3.Connection:
    """Open the file; reviews that make it at the same moment wait for one another."""
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return _opened(file)
        except sqlite3.OperationalError as error:
            # Going over to a write-ahead log does not wait for a lock, as all else does.
            if "locked" not in str(error) or time.monotonic() >= ends:
                raise
            time.sleep(POLL)


def _opened(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=PATIENCE)
    try:
        # A write-ahead log lets reviews read while another one writes.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("CREATE TABLE IF NOT EXISTS facts (key BLOB PRIMARY KEY, used INTEGER, facts BLOB)")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _size(database: sqlite3.Connection) -> int:
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    (size,) = database.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(size)


def _shrink(database: sqlite3.Connection, goal: int) -> None:
    """Drop what was used longest ago until `goal` bytes are left."""
    kept = 0
    doomed: list[tuple[bytes]] = []
    rows: Iterable[tuple[bytes, int]] = database.execute(
        "SELECT key, length(facts) FROM facts ORDER BY used DESC, rowid DESC"
    )
    for key, length in rows:
        kept += length
        if kept > goal:
            doomed.append((key,))
    with database:
        database.executemany("DELETE FROM facts WHERE key = ?", doomed)
    database.execute("VACUUM")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is at fault, rather than a lock, a full disk or a missing permission."""
    ours = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
    return ours or "no such column" in str(error) or "values were supplied" in str(error)


def _remove(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
