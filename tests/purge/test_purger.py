import asyncio
import logging

import pytest

from mitmcache.cache.generations import Generations
from mitmcache.purge.purger import KNOWN
from mitmcache.selection import About, Selection
from mitmcache.store.base import StoreError
from mitmcache.store.seal import Seal
from purge.purging import KEY, Note, Open, invalid, until

NONE = Generations()
M, T = Selection(model="m"), Selection(tag="t")
SEAL = Seal(b"a secret of the tests", "bucket/prefix")


async def test_a_purge_is_obeyed_before_anything_is_waited_for(make: Open) -> None:
    purger = make(None)
    assert not invalid(purger, model="m")
    task = asyncio.create_task(purger.purge(M))
    await asyncio.sleep(0)
    assert invalid(purger, model="m")
    assert not invalid(purger, model="other")
    assert purger.purged(KEY, About(model="m"))
    assert not purger.purged(KEY, About(model="other"))
    assert await task == 1000
    assert not invalid(purger, model="m", generation=1000)


async def test_a_purge_outlasts_the_process(make: Open) -> None:
    note = Note()
    assert await make(note).purge(M) == 1000
    again = make(note)
    assert not again.valid(KEY, About())  # nothing is known yet of what was purged
    assert not again.purged(KEY, About(model="m"))
    again.start()
    await again.loaded()
    assert again.valid(KEY, About())
    assert invalid(again, model="m")
    assert again.purged(KEY, About(model="m"))


async def test_what_was_read_from_the_disk_beforehand_is_obeyed_from_the_start(make: Open) -> None:
    note = Note()
    await make(note).purge(M)
    again = make(note)
    again.begin(note.values[KNOWN])
    assert again.valid(KEY, About())
    assert invalid(again, model="m")
    fresh = make(Note())
    fresh.begin(None)
    assert fresh.valid(KEY, About(model="m"))
    with pytest.raises(StoreError, match="cannot be read"):
        (unread := make(note)).begin(b"{")
    assert not unread.valid(KEY, About())


async def test_the_first_purge_of_a_process_is_above_all_on_the_disk(make: Open) -> None:
    note = Note()
    await make(note, at=9.0).purge(M)
    assert await make(note, at=1.0).purge(T) == 9001


async def test_processes_on_one_disk_learn_from_each_other(make: Open) -> None:
    note = Note()
    one, two = make(note), make(note)
    one.start()
    two.start()
    await asyncio.gather(one.purge(M), two.purge(T))
    await until(lambda: one.current == two.current == note.known)
    assert one.current.purges.keys() == {M, T}


async def test_another_writer_who_knew_less_does_not_undo_a_purge(make: Open) -> None:
    note = Note()
    purger = make(note)
    purger.start()
    await purger.purge(M)
    note.values[KNOWN] = Generations({T: 5}).to_json()
    await until(lambda: note.known == Generations({T: 5, M: 1000}))
    assert purger.current == note.known


async def test_nothing_is_served_until_the_disk_has_told_what_was_purged(
    make: Open, caplog: pytest.LogCaptureFixture
) -> None:
    note = Note()
    await make(note).purge(M)
    note.broken = True
    purger = make(note)
    purger.start()
    with caplog.at_level(logging.WARNING):
        await until(lambda: bool(caplog.messages))
    assert not purger.valid(KEY, About())
    note.broken = False
    await purger.loaded()
    assert purger.valid(KEY, About())
    assert invalid(purger, model="m")
    await until(lambda: len(caplog.messages) > 1)
    assert caplog.messages == [
        "mitmcache: purges are not exchanged for now: the disk is broken",
        "mitmcache: purges are exchanged again",
    ]


async def test_what_is_not_understood_on_the_disk_is_left_alone(make: Open) -> None:
    note = Note()
    note.values[KNOWN] = b'{"version":2}'
    with pytest.raises(StoreError, match="cannot be read"):
        await make(note).purge(M)
    assert note.values[KNOWN] == b'{"version":2}'
