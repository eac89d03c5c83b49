"""Run by test_crash.py as a process that is killed: puts, gets and deletes without end, and says a line
for every 100 operations, with the number of values read that were wrong."""

import asyncio
import random
import sys
import time
from pathlib import Path

from mitmcache.store.base import StoreError
from mitmcache.store.disk import DiskStore
from patience import be_patient
from store.samples import belongs, entry, key

KEYS = 300


async def hammer(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    store = DiskStore(folder, 40_000_000, now=time.time)
    store.open()
    wrong = failed = count = 0
    while True:
        count += 1
        name = chance.randrange(KEYS)
        what = chance.random()
        if what < 0.6:
            store.put(entry(name, int(500 * 1800 ** chance.random()), count))
        elif what < 0.95:
            try:
                blob = await store.get(key(name))
                wrong += blob is not None and not belongs(key(name), blob)
            except StoreError:
                failed += 1
        else:
            await store.delete(key(name))
        if count % 100 == 0:
            await store.flush(60)
            sys.stdout.write(f"{wrong} {failed} {(await store.stats()).write_failed}\n")
            sys.stdout.flush()


be_patient()
asyncio.run(hammer(Path(sys.argv[1]), int(sys.argv[2])))
