"""Run by test_crash.py as a process that is killed: puts one new entry after another, says how many the store
counts as stored, and takes every third for uploaded."""

import asyncio
import random
import sys
import time
from pathlib import Path

from mitmcache.selection import About
from mitmcache.store.disk import DiskStore
from patience import be_patient
from store.samples import entry, stage

UPLOADED = About(tags=("uploaded",))


async def fill(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    store = DiskStore(folder, 1 << 32, now=time.time, destination="bucket")
    store.open()
    count = 0
    while True:
        name = f"{seed} {count}"
        size = chance.choice((100, 2000, 2000, 70_000))
        about = About() if count % 3 else UPLOADED
        staged = chance.random() < 0.2
        one = stage(store, name, size, about=about) if staged else entry(name, size, about=about)
        if not store.put(one):
            await store.flush(60)
            continue
        count += 1
        await asyncio.sleep(0)
        if count % 7 == 0:
            for due in await store.due(1000):
                if due.about == UPLOADED:
                    store.uploaded(due.key, due.version)
            stats = await store.stats()
            sys.stdout.write(f"{stats.stored} {stats.write_failed}\n")
            sys.stdout.flush()


be_patient()
asyncio.run(fill(Path(sys.argv[1]), int(sys.argv[2])))
