"""Processes with a filter each, in one."""

import math
from collections.abc import Callable
from pathlib import Path

from mitmcache.store import rows, schema
from mitmcache.store.absent import Absent
from mitmcache.store.base import Entry
from store.samples import key


class Process:
    """As good as one, for the database: a connection of its own, and a filter of its own."""

    def __init__(self, folder: Path, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.db, _ = schema.open_database(folder)
        self.db.execute("PRAGMA synchronous = OFF")
        self.calls = 0
        self.filter = Absent(self.called, clock)
        self.filter.open(self.db)

    def called(self) -> None:
        self.calls += 1

    def put(self, name: object) -> None:
        self.filter.add(key(name))
        self.write(name)

    def write(self, name: object) -> None:
        with schema.transaction(self.db):
            rows.put(self.db, Entry(key(name), b"x"), rows.new_version(1.0), 1.0, b"x")

    def delete(self, name: object) -> None:
        rows.delete(self.db, key(name))

    def delete_newest(self) -> None:
        self.db.execute("DELETE FROM entries WHERE rowid = (SELECT max(rowid) FROM entries)")

    def step(self) -> float:
        return self.filter.step(self.db)

    def settle(self) -> None:
        while self.step() != math.inf:
            pass

    def absent(self, name: object) -> bool:
        return self.filter.is_absent(key(name))

    def close(self) -> None:
        self.db.close()
        self.filter.close(connected=False)


type Start = Callable[..., Process]
