import asyncio

import pytest

from mitmcache.selection import About
from mitmcache.store.pace import AT_ONCE
from store.uploading import Bench, bench
from store.virtual import START, virtual


@virtual
async def test_what_is_dirty_is_uploaded_the_oldest_first_and_is_clean_then() -> None:
    async with bench() as it:
        names = [f"k{number:03}" for number in range(100)]
        it.add(*names)
        assert await it.uploads.flush(60)
        assert it.keys_put() == names
        assert it.is_copied()
        assert it.bucket.most_at_once == AT_ONCE
        assert it.counts() == (100, 0, 0, False)


@virtual
async def test_what_is_new_is_uploaded_at_once() -> None:
    async with bench() as it:
        await asyncio.sleep(100.5)
        it.add("a")
        await asyncio.sleep(0.1)
        assert it.is_copied()


@virtual
async def test_what_is_there_at_the_start_is_uploaded() -> None:
    it = Bench()
    it.disk.add("left from before")
    it.uploads.start()
    assert await it.uploads.flush(60)
    await it.uploads.close(1)
    assert it.is_copied()


@virtual
async def test_rows_of_other_processes_are_found_without_being_woken() -> None:
    async with bench() as it:
        await asyncio.sleep(1)
        it.disk.on_dirty = None
        it.disk.add("of another")
        await asyncio.sleep(10)
        assert it.is_copied()


@virtual
async def test_a_row_that_is_overwritten_while_it_is_uploaded_is_uploaded_again() -> None:
    async with bench() as it:
        it.bucket.seconds = 1
        it.add("a")
        await asyncio.sleep(0.5)
        it.add("a")
        assert await it.uploads.flush(60)
        assert it.keys_put() == ["a", "a"]
        assert it.is_copied()


@pytest.mark.parametrize("why", ["expired", "purged", "vanished"])
@virtual
async def test_a_row_that_needs_no_upload_is_passed_over_and_counted(why: str) -> None:
    async with bench() as it:
        it.purged = {"purged"}
        it.disk.add(why, START - 1 if why == "expired" else 0, blob=None if why == "vanished" else b"")
        it.add("good")
        assert await it.uploads.flush(60)
        assert it.keys_put() == ["good"]
        assert it.disk.dirty_ours == 0
        assert it.counts() == (1, 0, 1, False)


@virtual
async def test_what_is_known_of_a_row_goes_with_it() -> None:
    async with bench() as it:
        about = About("openai", model="m", generation=7)
        it.disk.add("a", START + 100, about)
        assert await it.uploads.flush(60)
        assert it.asked == [("a", about)]
        [entry] = it.bucket.entries
        assert (entry.key, entry.expires, entry.about) == ("a", START + 100, about)


@virtual
async def test_an_idle_uploader_hardly_asks() -> None:
    async with bench() as it:
        await asyncio.sleep(3600)
        assert it.disk.queries <= 3600 / 5 + 1


@virtual
async def test_one_process_uploads_and_another_takes_over_when_it_ends() -> None:
    async with bench() as it:
        other = it.uploader()
        await asyncio.sleep(1)
        other.start()
        it.add(*map(str, range(50)))
        assert await other.flush(60)
        assert other.statistics()["uploaded"] == 0
        assert len(it.bucket.puts) == 50
        await it.uploads.close(1)
        it.add("late")
        assert await other.flush(60)
        assert other.statistics()["uploaded"] == 1
        await other.close(1)


@virtual
async def test_closing_uploads_what_waits_if_there_is_time() -> None:
    it = Bench()
    it.uploads.start()
    it.bucket.seconds = 0.1
    it.add(*map(str, range(10)))
    await it.uploads.close(60)
    assert it.is_copied()
    assert it.lock.holder is None


@virtual
async def test_closing_ends_at_the_deadline_and_leaves_the_rest_dirty() -> None:
    it = Bench()
    it.bucket.seconds = 1000
    it.uploads.start()
    it.add(*map(str, range(10)))
    await asyncio.sleep(1)
    await it.uploads.close(5)
    assert asyncio.get_running_loop().time() < 7
    assert (it.disk.dirty_ours, it.bucket.at_once) == (10, 0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_closing_begins_nothing_more_at_its_deadline() -> None:
    it = Bench()
    it.bucket.seconds = 1
    it.uploads.start()
    it.add(*map(str, range(100)))
    await it.uploads.close(2.5)
    begun = len(it.bucket.puts)
    await asyncio.sleep(10)
    assert (len(it.bucket.puts), it.bucket.at_once) == (begun, 0)


@virtual
async def test_flush_says_when_something_still_waits() -> None:
    async with bench() as it:
        it.bucket.fails("denied")
        it.add("a")
        assert not await it.uploads.flush(3)
