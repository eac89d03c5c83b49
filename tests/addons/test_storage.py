import asyncio
import secrets
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from mitmproxy import exceptions

from addons.conftest import Clock, MakeRig
from addons.flows import Rig, flow_of, reply_of, word
from exchanges.openai import CHAT
from made import RECORD
from mitmcache.addons import storage
from mitmcache.addons.options import Options
from mitmcache.addons.storage import Storage
from mitmcache.addons.trail import trail_of
from mitmcache.cache import record, shape
from mitmcache.cache.body import Body
from mitmcache.finder import Found
from mitmcache.selection import About
from mitmcache.store.base import Entry, StoreError
from mitmcache.store.disk import DiskStore
from mitmcache.store.tiers import Tier, Tiers
from mitmcache.tally import Tally
from mitmcache.threads import INLINE


def stored(rig: Rig, blob: bytes, key: str = RECORD.key) -> str:
    rig.storage.tiers.memory.put(Entry(key, blob))
    return key


async def find(rig: Rig, key: str) -> Found | None:
    return await rig.storage.find(key, RECORD.about, rig.storage.likeness((), Body("raw", b"", None, None)))


async def test_a_stored_record_is_found_with_its_tier(rig: Rig) -> None:
    found = await find(rig, stored(rig, record.encode(RECORD)))
    assert found == (RECORD, "memory")
    assert await find(rig, "f" * 64) is None


async def test_the_store_is_in_the_folder_and_outlives_the_proxy(make_rig: MakeRig, tmp_path: Path) -> None:
    first = make_rig()
    await first.repeat(CHAT)
    await first.close()
    assert any((tmp_path / "data").iterdir())
    second = make_rig()
    assert (await second.repeat(CHAT, 1), trail_of(await second.call(flow_of(CHAT))).tier) == (
        ["HIT"],
        "memory",
    )


@pytest.mark.parametrize(
    "damage", [b"", b"LLMC", record.encode(RECORD)[:-1], record.encode(RECORD)[:40] + b"x" * 200]
)
async def test_a_damaged_record_is_a_miss_counted_told_and_removed(
    rig: Rig, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    key = stored(rig, damage)
    assert await find(rig, key) is None
    assert (await rig.stored())["corrupt"] == 1
    assert [line.levelname for line in caplog.records] == ["WARNING"] and key not in caplog.text
    assert await rig.storage.tiers.get(key) is None
    assert await find(rig, key) is None and (await rig.stored())["corrupt"] == 1


async def test_the_record_of_another_key_is_a_damaged_one(rig: Rig) -> None:
    assert await find(rig, stored(rig, record.encode(RECORD), "f" * 64)) is None
    assert (await rig.stored())["corrupt"] == 1


async def test_a_record_of_another_version_is_a_miss_and_left_alone(rig: Rig) -> None:
    blob = bytearray(record.encode(RECORD))
    blob[4] += 1
    key = RECORD.key
    rig.storage.tiers.put(Entry(key, bytes(blob)))
    with pytest.raises(record.ForeignVersion):
        await find(rig, key)
    assert (await rig.storage.tiers.get(key), (await rig.stored())["corrupt"]) == (bytes(blob), 0)


async def test_a_damaged_record_that_cannot_be_removed_is_a_miss_all_the_same(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def discard(self: Tiers, key: str, about: About, tier: Tier) -> NoReturn:
        raise StoreError("full")

    monkeypatch.setattr(Tiers, "discard", discard)
    assert await find(rig, stored(rig, b"no record")) is None


@pytest.mark.parametrize("size", [1000, INLINE + 1000])
async def test_a_large_record_is_decoded_off_the_loop(
    rig: Rig, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    decode = record.decode_body

    def spy(head: record.Head, blob: bytes, key: str) -> record.Record:
        threads.append(threading.current_thread())
        return decode(head, blob, key)

    monkeypatch.setattr(record, "decode_body", spy)
    blob = record.encode(replace(RECORD, body=secrets.token_bytes(size)))
    assert await find(rig, stored(rig, blob))
    assert [thread is threading.main_thread() for thread in threads] == [size < INLINE]


# without a disk


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A folder in which none can be made, for root neither."""
    (tmp_path / "file").write_bytes(b"")
    return tmp_path / "file"


async def test_a_folder_that_cannot_be_written_leaves_memory_and_says_so(
    make_rig: MakeRig, unwritable: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = make_rig(unwritable)
    told = [line for line in caplog.records if line.levelname == "WARNING"]
    assert (
        len(told) == 1 and "memory alone" in told[0].getMessage() and str(unwritable) in told[0].getMessage()
    )
    assert await rig.repeat(CHAT) == ["MISS", "HIT"]
    missed = await rig.ask(flow_of(CHAT.saying("goodbye"), cache_control="only-if-cached"))
    assert missed.response and missed.response.status_code == 504
    found = await rig.stored()
    assert (
        (found["entries"], found["stored"]) == (1, 1)
        and isinstance(found["bytes"], int)
        and found["bytes"] > 0
    )


# options


@pytest.mark.parametrize(
    ("name", "value"),
    [("llm_data_dir", "elsewhere"), ("llm_memory", "1m"), ("llm_disk", "1g"), ("llm_max_body", "1m")],
)
async def test_what_is_read_at_the_start_cannot_be_changed_later(
    rig: Rig, tmp_path: Path, name: str, value: str
) -> None:
    before = getattr(rig.options, name)
    with pytest.raises(exceptions.OptionsError, match=f"^{name}: .*restart"):
        rig.options.update(**{name: str(tmp_path / value) if name == "llm_data_dir" else value})
    assert getattr(rig.options, name) == before
    assert await rig.repeat(CHAT) == ["MISS", "HIT"]


async def test_other_options_change_while_the_store_is_open(rig: Rig) -> None:
    tiers = rig.storage.tiers
    rig.options.update(llm_ttl="1h", llm_mode="refresh")
    assert rig.storage.tiers is tiers


# the end


async def test_the_end_waits_until_all_is_written(make_rig: MakeRig) -> None:
    rig = make_rig()
    for number in range(20):
        exchange = CHAT.saying(f"n{number}")
        await rig.call(flow_of(exchange), reply_of(exchange))
    await rig.close()
    again = make_rig()
    assert [word(await again.call(flow_of(CHAT.saying(f"n{number}")))) for number in range(20)] == [
        "HIT"
    ] * 20


async def test_the_end_of_what_never_began_is_nothing(make_rig: MakeRig) -> None:
    rig = make_rig()
    assert Storage(rig.get(Options), Tally()).done() is None


async def test_after_a_hot_reload_the_old_store_ends_beside_the_new(make_rig: MakeRig) -> None:
    """mitmproxy does not wait then: the new script opens the folder while the old one still writes."""
    first = make_rig()
    await first.call(flow_of(CHAT), reply_of(CHAT))
    closing = first.storage.done()
    second = make_rig()
    assert closing
    await asyncio.wait_for(closing, 60)
    assert await second.repeat(CHAT, 1) == ["HIT"]


# what differs


async def test_a_disk_that_cannot_say_explains_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nearest(self: DiskStore, group: str, limit: int = 64, **_: object) -> NoReturn:
        raise StoreError("slow")

    monkeypatch.setattr(DiskStore, "nearest", nearest)
    asked = await rig.ask(flow_of(CHAT, cache_control="only-if-cached"))
    assert asked.response and asked.response.status_code == 504


@pytest.mark.parametrize("inline", [True, False])
async def test_much_is_compared_off_the_loop(rig: Rig, inline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    nearest = shape.nearest

    def spy(mine: shape.Shape, others: Iterable[tuple[str, shape.Shape]]) -> shape.Near | None:
        threads.append(threading.current_thread())
        return nearest(mine, others)

    await rig.repeat(CHAT)
    monkeypatch.setattr(shape, "nearest", spy)
    if not inline:
        monkeypatch.setattr(storage, "COMPARED_INLINE", 1)
    await rig.ask(flow_of(CHAT.saying("goodbye"), cache_control="only-if-cached"))
    assert [thread is threading.main_thread() for thread in threads] == [inline]


async def test_statistics_count_what_was_accepted_before(rig: Rig, clock: Clock) -> None:
    await rig.repeat(CHAT)
    found = await rig.storage.statistics()
    assert (found["hits"], found["misses"], found["stored"], found["entries"]) == (1, 1, 1, 1)
