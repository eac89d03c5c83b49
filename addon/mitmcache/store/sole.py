"""One process of all that use a folder does a thing: SQLite's lock on an empty file ends with its holder."""

import asyncio
import contextlib
import hashlib
import os
import sqlite3
from pathlib import Path

from mitmcache.store.base import StoreError
from mitmcache.store.schema import cause, is_busy, is_corrupt


class Sole:
    """The right to do `what` in `folder`. Only for the event loop's thread."""

    def __init__(self, folder: Path, what: str) -> None:
        self._path = folder / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.lock"
        self._db: sqlite3.Connection | None = None

    async def take(self) -> bool:
        """True: it is ours until `release`. False: another has it. StoreError: the file cannot be locked.

        Not to be cancelled: what a thread then takes, nobody would let go of.
        """
        if self._db is None:
            self._db = await asyncio.to_thread(self._take)
        return self._db is not None

    def release(self) -> None:
        if self._db:
            self._db.close()
            self._db = None

    def _take(self) -> sqlite3.Connection | None:
        try:
            # we never open it ourselves once it is there: to close any descriptor of a file ends the locks
            # that this process has on it
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            return self._locked()
        except (OSError, sqlite3.Error) as error:
            if is_busy(error):
                return None
            if is_corrupt(error):  # nobody writes to it; with rubbish in it, it is no database to lock
                with contextlib.suppress(OSError):
                    os.truncate(self._path, 0)
            raise StoreError(f"cannot lock a file in {self._path.parent}: {cause(error)}") from error

    def _locked(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            db.execute("BEGIN EXCLUSIVE")
        except BaseException:
            db.close()
            raise
        return db
