from pathlib import Path

import pytest

from mitmcache.selection import Selection
from mitmcache.store import lately as lately_module
from mitmcache.store.base import Entry
from mitmcache.store.disk import DiskStore
from mitmcache.store.lately import BYTES, FRESH_SECONDS, GROUPS, PUTS, Lately


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def entry(key: str, group: str = "g", shape: bytes = b"s") -> Entry:
    return Entry(key, b"blob", group=group, shape=shape)


def lately() -> tuple[Lately, Clock]:
    clock = Clock()
    return Lately(clock), clock


def test_what_the_disk_told_counts_for_a_second() -> None:
    known, clock = lately()
    assert known.get("g", 2) is None
    told = [("a", b"1"), ("b", b"2")]
    assert known.keep("g", 2, told, known.number) == told
    clock.now += FRESH_SECONDS
    assert known.get("g", 2) == told and known.get("g", 1) == told[:1]
    assert known.get("other", 2) is None
    clock.now += 0.01
    assert known.get("g", 2) is None


def test_more_than_was_asked_for_has_to_be_asked() -> None:
    known, _ = lately()
    known.keep("g", 2, [("a", b"1")], 0)
    assert known.get("g", 3) is None


def test_what_is_put_comes_first_and_once() -> None:
    known, _ = lately()
    known.keep("g", 2, [("a", b"1"), ("b", b"2")], 0)
    known.put(entry("b", shape=b"new"))
    assert known.get("g", 2) == [("b", b"new"), ("a", b"1")]
    known.put(entry("c"))
    known.put(entry("d", group="other"))
    known.put(entry("e", shape=b""))
    assert known.get("g", 2) == [("c", b"s"), ("b", b"new")]


def test_what_is_put_while_the_disk_is_asked_is_not_missed() -> None:
    known, _ = lately()
    known.put(entry("before"))
    number = known.number
    known.put(entry("meanwhile"))
    known.put(entry("elsewhere", group="other"))
    told = [("a", b"1"), ("b", b"2")]
    assert known.keep("g", 2, told, number) == [("meanwhile", b"s"), ("a", b"1")] == known.get("g", 2)


def test_what_is_gone_is_forgotten() -> None:
    known, _ = lately()
    known.keep("g", 2, [("a", b"1")], 0)
    known.put(entry("b"))
    known.clear()
    assert known.get("g", 2) is None
    assert known.keep("g", 2, [], 0) == []


def test_it_does_not_grow_without_bound() -> None:
    known, _ = lately()
    for number in range(GROUPS + 2):
        known.keep(f"g{number}", 1, [("a", b"1")], 0)
    assert [known.get(f"g{n}", 1) is None for n in (0, 1, 2, GROUPS + 1)] == [True, True, False, False]
    large = b"x" * (BYTES // 2 + 1)
    two = [("a", large), ("b", large)]
    assert known.keep("large", 2, two, 0) == two
    assert known.get("large", 2) is None
    known.keep("grows", 2, two[:1], 0)
    known.put(entry("c", "grows", large))
    assert known.get("grows", 2) is None
    for number in range(PUTS * 2):
        known.put(entry(f"{number}", "many"))
    assert len(known.keep("many", PUTS * 2, [], 0)) == PUTS


def test_a_group_that_is_asked_for_stays() -> None:
    known, _ = lately()
    for number in range(GROUPS):
        known.keep(f"g{number}", 1, [("a", b"1")], 0)
    known.get("g0", 1)
    known.keep("new", 1, [("a", b"1")], 0)
    assert known.get("g0", 1) and not known.get("g1", 1)


async def test_the_disk_is_not_asked_again_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lately_module, "FRESH_SECONDS", 3600.0)
    store = DiskStore(tmp_path, 1 << 30, now=lambda: 1.0)
    store.open()
    try:
        key = [f"{number:064x}" for number in range(3)]
        store.put(entry(key[0]))
        await store.flush(60)
        assert await store.nearest("g", 2, lately=True) == [(key[0], b"s")]
        with monkeypatch.context() as patched:
            patched.setattr(store, "_read", None)
            store.put(entry(key[1]))
            assert await store.nearest("g", 2, lately=True) == [(key[1], b"s"), (key[0], b"s")]
        await store.delete(key[0])
        assert await store.nearest("g", 2, lately=True) == [(key[1], b"s")]
        await store.remove(Selection())
        assert await store.nearest("g", 2, lately=True) == []
    finally:
        await store.close(60)
