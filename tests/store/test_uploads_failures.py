import asyncio
import logging
from io import BytesIO
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitmcache.store.base import Large
from mitmcache.store.pace import AT_ONCE
from store.uploading import Bench, bench
from store.virtual import BucketError, now, virtual

OF_THE_BUCKET = ("unreachable", "timeout", "denied", "no-bucket", "no-credentials", "failed", "garbage")
OF_THE_KEY = ("throttled", "conflict")


@pytest.mark.parametrize("kind", OF_THE_BUCKET)
@virtual
async def test_a_failing_bucket_is_tried_less_and_less_often_by_one_upload_at_a_time(kind: str) -> None:
    async with bench() as it:
        it.bucket.fails(kind)
        it.bucket.seconds = 0
        it.add(*map(str, range(10)))
        await asyncio.sleep(300)
        times = [at for at, _ in it.bucket.puts]
        assert it.uploads.statistics()["failed"] == len(times)
        gaps = [round(later - at, 1) for at, later in pairwise(times[AT_ONCE - 1 :])]
        assert gaps[:8] == [0.5, 1, 2, 4, 8, 16, 30, 30]
        assert it.uploads.statistics()["paused"]
        assert it.disk.dirty_ours == 10
        it.bucket.works()
        assert await it.uploads.flush(31)
        assert it.is_copied()
        assert not it.uploads.statistics()["paused"]


@virtual
async def test_a_pause_and_its_end_are_each_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with bench() as it:
        it.bucket.fails("unreachable")
        it.add(*map(str, range(7)))
        await asyncio.sleep(100)
        it.bucket.works()
        assert await it.uploads.flush(60)
        await asyncio.sleep(10)
    assert caplog.messages == [
        "mitmcache: uploads to the bucket pause: the bucket is unreachable; 7 answers wait on this disk",
        "mitmcache: uploads to the bucket go on",
    ]


@virtual
async def test_a_bucket_that_fails_every_other_time_gets_all_and_is_not_talked_of_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with bench() as it:
        it.bucket.fails_by_turns()
        it.add(*map(str, range(200)))
        assert await it.uploads.flush(3600)
        assert it.is_copied()
        await asyncio.sleep(10)
    assert len(caplog.messages) <= 4


@pytest.mark.parametrize("kind", OF_THE_KEY)
@virtual
async def test_a_failure_of_one_key_holds_back_that_key_alone(kind: str) -> None:
    async with bench() as it:
        it.bucket.fails(kind, "bad")
        it.add("bad", *map(str, range(20)))
        await asyncio.sleep(100)
        assert sorted(it.bucket.objects) == sorted(map(str, range(20)))
        assert not it.uploads.statistics()["paused"]
        times = [at for at, key in it.bucket.puts if key == "bad"]
        gaps = [later - at for at, later in pairwise(times)]
        assert [round(gap) for gap in gaps] == [1, 2, 4, 8, 16, 32]
        it.bucket.works()
        assert await it.uploads.flush(61)


@pytest.mark.parametrize("kind", OF_THE_BUCKET)
@virtual
async def test_a_row_that_can_never_be_uploaded_does_not_keep_the_others_from_it(kind: str) -> None:
    """For all we know its failure is the bucket's; until others work."""
    async with bench() as it:
        it.bucket.fails(kind, "bad")
        it.add("bad", *map(str, range(200)))
        await asyncio.sleep(10)
        assert len(it.bucket.objects) == 200
        await asyncio.sleep(3600)
        assert it.keys_put().count("bad") < 150
        it.add("another")
        await asyncio.sleep(31)
        assert "another" in it.bucket.objects


@virtual
async def test_a_bucket_that_throttles_every_key_is_soon_left_alone() -> None:
    async with bench() as it:
        it.bucket.fails("throttled")
        it.add(*map(str, range(1000)))
        await asyncio.sleep(600)
        assert len(it.bucket.puts) < 150
        assert it.uploads.statistics()["paused"]
        it.bucket.works()
        assert await it.uploads.flush(120)
        assert it.is_copied()


@pytest.mark.parametrize("error", [BucketError("failed"), ValueError("a fault of ours")])
@virtual
async def test_a_failing_disk_is_no_end_and_no_flood(error: Exception) -> None:
    async with bench() as it:
        it.disk.error = error
        it.add(*map(str, range(1000)))
        await asyncio.sleep(600)
        assert it.bucket.puts == []
        assert it.disk.queries < 50
        it.disk.error = None
        assert await it.uploads.flush(120)
        assert it.is_copied()


@virtual
async def test_closing_lets_what_runs_finish_even_if_others_have_failed() -> None:
    async with bench() as it:
        it.bucket.fails("failed", "bad")
        it.bucket.seconds = 1
        it.add("bad")
        await asyncio.sleep(0.5)
        it.add("slow")
        await asyncio.sleep(0.6)
        assert it.uploads.statistics()["paused"]
        await it.uploads.close(5)
        assert set(it.bucket.objects) == {"slow"}


@virtual
async def test_a_disk_that_hangs_ends_the_upload_and_not_the_row() -> None:
    async with bench() as it:
        it.disk.seconds = 1e6
        it.add("a")
        await asyncio.sleep(60)
        assert it.uploads.statistics()["failed"] > 1
        it.disk.seconds = 0
        assert await it.uploads.flush(60)
        assert it.is_copied()


@virtual
async def test_rows_that_were_tried_while_the_bucket_failed_are_not_put_off_when_it_works() -> None:
    async with bench() as it:
        it.bucket.fails("failed")
        it.add("first", "second")
        await asyncio.sleep(1)
        it.add(*map(str, range(1000)))
        it.bucket.works()
        await asyncio.sleep(1.5)
        assert {"first", "second"} <= it.bucket.objects.keys()
        assert it.disk.dirty_ours > 100


@virtual
async def test_a_paused_uploader_whose_rows_have_gone_hardly_asks() -> None:
    async with bench() as it:
        it.bucket.fails("failed")
        it.add("a")
        await asyncio.sleep(5)
        it.disk.rows.clear()
        before = it.disk.queries
        await asyncio.sleep(1000)
        assert it.disk.queries - before <= 2 * 1000 / 5 + 2


@virtual
async def test_closing_does_not_wait_for_a_bucket_that_fails() -> None:
    it = Bench()
    it.bucket.fails("denied")
    it.uploads.start()
    it.add("a")
    await asyncio.sleep(1)
    before = asyncio.get_running_loop().time()
    await it.uploads.close(60)
    assert asyncio.get_running_loop().time() - before < 1
    assert it.disk.dirty_ours == 1


@pytest.mark.parametrize("kind", ["", "failed"])
@virtual
async def test_the_file_of_a_large_blob_is_closed_whatever_happens(kind: str) -> None:
    async with bench() as it:
        if kind:
            it.bucket.fails(kind)
        files = [BytesIO(b"large") for _ in range(2)]
        for number, file in enumerate(files):
            it.disk.add(str(number), blob=Large(file, 5))
        await asyncio.sleep(0.1)
        assert [file.closed for file in files] == [True, True]
        assert set(it.bucket.objects.values()) == (set() if kind else {b"large"})


type Change = tuple[int, str]
"""The number of a key, and what is put there: something that is to be uploaded, or not."""
CHANGES = st.tuples(st.integers(0, 12), st.sampled_from(["good", "purged", "expired", "vanished"]))
PERIODS = st.lists(
    st.tuples(
        st.sampled_from(["works", "by turns", "hangs", *OF_THE_BUCKET, *OF_THE_KEY]),
        st.lists(CHANGES, max_size=8),
        st.floats(0.01, 60),
    ),
    max_size=8,
)


def behave(it: Bench, state: str) -> None:
    it.bucket.seconds = 20 if state == "hangs" else 0.01
    if state in ("works", "hangs"):
        it.bucket.works()
    elif state == "by turns":
        it.bucket.fails_by_turns()
    else:
        it.bucket.fails(state)


@given(PERIODS)
@settings(max_examples=150)
@virtual
async def test_after_any_failures_all_that_is_valid_has_arrived_and_is_clean(
    periods: list[tuple[str, list[Change], float]],
) -> None:
    async with bench() as it:
        last: dict[str, str] = {}
        for state, changes, seconds in periods:
            behave(it, state)
            for number, what in changes:
                key = f"k{number}"
                last[key] = what
                (it.purged.add if what == "purged" else it.purged.discard)(key)
                it.disk.add(key, now() if what == "expired" else 0, blob=None if what == "vanished" else b"")
            await asyncio.sleep(seconds)
        behave(it, "works")
        assert await it.uploads.flush(200)
        assert [row for row in it.disk.rows.values() if row.dirty] == []
        wanted = {key: it.disk.rows[key].blob for key, what in last.items() if what == "good"}
        assert {key: it.bucket.objects.get(key) for key in wanted} == wanted
        assert it.bucket.most_at_once <= AT_ONCE
