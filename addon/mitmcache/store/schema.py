"""The local database: its settings, and how it is opened, or given up and begun again.

Two processes may do any of this at the same time: all of `open_database` runs under a lock of its own.
"""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from mitmcache.store import tables
from mitmcache.store.base import StoreError

logger = logging.getLogger(__name__)

DATABASE = "cache.sqlite3"
BUSY_SECONDS = 5.0
JOURNAL_BYTES = 64 * 1024 * 1024


def connect(folder: Path, *, read_only: bool = False, name: str = DATABASE) -> sqlite3.Connection:
    """A connection in autocommit mode, which any thread may use, one at a time.

    No mmap: it saves 2 us of a read, and turns an I/O error into a SIGBUS, which kills the proxy.
    """
    uri = (folder / name).absolute().as_uri() + ("?mode=ro" if read_only else "?mode=rw")
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Takes the write lock at once: whatever happens inside happens in no other process meanwhile."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # a full disk makes SQLite roll back by itself; a failed rollback must not hide why it was wanted
        with contextlib.suppress(sqlite3.Error):
            if db.in_transaction:
                db.execute("ROLLBACK")
        raise


def open_database(folder: Path) -> tuple[sqlite3.Connection, bytes]:
    """The writer's connection, and the secret made when the database was.

    A corrupt database is set aside and an empty one begun. Raises StoreError for one that a newer version
    has made, and otherwise what sqlite3 and the file system raise.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(PermissionError):  # somebody else's folder: our files are private all the same
        folder.chmod(0o700)
    path = folder / DATABASE
    with opening(folder):
        try:
            return _open(folder, suspect=_damage_note(path).exists())
        except sqlite3.DatabaseError as error:
            if not is_corrupt(error):
                raise
        set_aside(path)
        return _open(folder, suspect=False)


def is_corrupt(error: BaseException) -> bool:
    return _primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_busy(error: BaseException) -> bool:
    return _primary_code(error) == sqlite3.SQLITE_BUSY


def cause(error: BaseException) -> str:
    """The error in words, without the file names that OSError adds: they hold keys."""
    if isinstance(error, sqlite3.Error):
        return f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def note_damage(folder: Path) -> None:
    """Lets the next `open_database` look for the damage that was met while running."""
    with contextlib.suppress(OSError):
        _damage_note(folder / DATABASE).touch(mode=0o600)


def _primary_code(error: BaseException) -> int:
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def _damage_note(path: Path) -> Path:
    return path.with_name(path.name + ".damaged")


@contextlib.contextmanager
def opening(folder: Path) -> Iterator[None]:
    """One process at a time. SQLite's own lock on an empty file: it works everywhere and dies with us."""
    lock = folder / "opening.lock"
    create_private(lock)
    if lock.stat().st_size:  # nobody writes to it; with rubbish in it, it would be no database to lock
        os.truncate(lock, 0)
    with contextlib.closing(sqlite3.connect(lock, timeout=BUSY_SECONDS, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield


def create_private(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def prepare(db: sqlite3.Connection, folder: Path) -> None:
    """Before the first table is made: a WAL, whose size is limited, and free pages that can be given back."""
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts only before the first table
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(f"the file system under {folder} cannot hold a WAL database")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")


def _open(folder: Path, *, suspect: bool) -> tuple[sqlite3.Connection, bytes]:
    path = folder / DATABASE
    create_private(path)
    db = connect(folder)
    try:
        _refuse_newer(db, folder)
        if suspect:
            _check(db)
            _damage_note(path).unlink(missing_ok=True)
        path.chmod(0o600)
        prepare(db, folder)
        with transaction(db):
            secret = tables.create(db)
        return db, secret
    except BaseException:
        db.close()
        raise


def _refuse_newer(db: sqlite3.Connection, folder: Path) -> None:
    version = tables.version(db)
    if version and version > tables.VERSION:
        made = f"its version is {version}, the newest known here {tables.VERSION}"
        raise StoreError(f"a newer mitmcache made the cache in {folder}: {made}")


def _check(db: sqlite3.Connection) -> None:
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        error = sqlite3.DatabaseError("quick_check found damage")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def set_aside(path: Path) -> None:
    """Renames a corrupt database, and keeps the one that was renamed last. Belongs inside `opening`."""
    newer, older = (path.with_name(f"{path.name}.corrupt-{n}") for n in (1, 2))
    if newer.exists():
        newer.replace(older)
    path.replace(newer)
    # a process that has the old one open would share its log with the new one
    for suffix in ("-wal", "-shm", ".damaged"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    what = path.name.partition(".")[0]
    logger.warning("the %s database was corrupt: it is now %s, and an empty one begins", what, newer)
