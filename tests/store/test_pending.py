import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from mitmcache.store import pending as pendings
from mitmcache.store.pending import BATCH, CHANGE_OVERHEAD, MAX_TOUCHED, Change, Pending
from store.samples import entry, key


def pending(
    max_bytes: int = 10_000_000,
    max_count: int = 10_000,
    puts: int = 0,
) -> Pending:
    dropped: list[Path] = []
    queue = Pending(max_bytes, max_count, 1 << 30, dropped.append)
    for n in range(puts):
        assert put(queue, n)
    return queue


def put(queue: Pending, name: object, size: int = 1000, variant: int = 0) -> bool:
    return queue.add(key(name), entry(name, size, variant), 1.0)


def cycle(queue: Pending) -> list[Change]:
    batch = queue.take(0)
    queue.done()
    queue.settle()
    return batch


def test_a_change_can_be_found_until_it_is_done() -> None:
    queue = pending(puts=1)
    assert queue.find(key(0))
    queue.take(0)
    assert queue.find(key(0))
    queue.done()
    assert queue.find(key(0)) is None


def test_a_change_made_while_its_key_is_being_written_is_the_one_found_and_the_next_to_be_written() -> None:
    queue = pending(puts=1)
    queue.take(0)
    queue.add(key(0), None, 2.0)
    found = queue.find(key(0))
    assert found and found.entry is None
    queue.done()
    assert [change.entry for change in cycle(queue)] == [None]


def test_the_changes_are_the_latest_of_each_key() -> None:
    queue = pending(puts=2)
    queue.take(0)
    put(queue, 0, 2000, 9)
    put(queue, 2)
    found = {key: change.entry for key, change in queue.changes().items()}
    assert found == {key(0): entry(0, 2000, 9), key(1): entry(1), key(2): entry(2)}


def test_a_second_change_of_a_queued_key_replaces_the_first_in_its_place() -> None:
    queue = pending(puts=3)
    put(queue, 0, 2000, 9)
    batch = cycle(queue)
    assert [change.key for change in batch] == [key(0), key(1), key(2)]
    assert batch[0].entry == entry(0, 2000, 9)


def test_batches_are_of_64_in_order() -> None:
    queue = pending(puts=BATCH + 2)
    assert [change.key for change in cycle(queue)] == [key(n) for n in range(BATCH)]
    assert [change.key for change in cycle(queue)] == [key(BATCH), key(BATCH + 1)]
    assert cycle(queue) == []


@pytest.mark.parametrize(
    ("max_bytes", "max_count"), [(10 * (1000 + CHANGE_OVERHEAD), 99), (1_000_000, 10)], ids=["bytes", "count"]
)
def test_what_is_being_written_still_takes_room(max_bytes: int, max_count: int) -> None:
    queue = pending(max_bytes, max_count, puts=10)
    assert not put(queue, 10)
    queue.take(0)
    assert not put(queue, 10)
    queue.done()
    assert put(queue, 10)


def test_a_replacement_is_charged_the_difference() -> None:
    queue = pending(2 * (1000 + CHANGE_OVERHEAD), 2, puts=2)
    assert not put(queue, 0, 1001)
    assert put(queue, 0, 900)
    assert put(queue, 1, 1100)
    cycle(queue)
    assert put(queue, 2, 2 * 1000 + CHANGE_OVERHEAD)


def test_a_delete_finds_room_where_a_put_does_not_but_not_without_end() -> None:
    queue = pending(10 * (1000 + CHANGE_OVERHEAD), 10, puts=10)
    assert not put(queue, "more")
    assert [queue.add(key(n), None, 1.0) for n in range(100, 112)] == [True] * 10 + [False] * 2
    assert queue.add(key(0), None, 1.0)  # in the place of the put


def test_a_closed_queue_takes_nothing_and_is_finished_when_empty() -> None:
    queue = pending(puts=1)
    queue.close()
    assert not put(queue, 1)
    assert not queue.add(key(0), None, 1.0)
    assert not queue.finished
    cycle(queue)
    assert queue.finished


def flushed(flush: "Future[None]") -> bool:
    return flush.done()


def test_a_flush_is_done_when_all_that_was_queued_before_it_is() -> None:
    queue = pending(puts=BATCH + 1)
    flush = queue.flush()
    put(queue, "later")
    cycle(queue)
    assert not flushed(flush)
    cycle(queue)
    assert flushed(flush)


def test_a_flush_asked_for_in_the_middle_of_a_cycle_waits_for_the_next() -> None:
    """So that whoever flushes sees figures that are younger than the call."""
    queue = pending(puts=1)
    queue.take(0)
    flush = queue.flush()
    queue.done()
    queue.settle()
    assert not flushed(flush)
    cycle(queue)
    assert flushed(flush)


def test_a_flush_is_not_held_up_by_a_key_that_is_put_over_and_over() -> None:
    queue = pending(puts=1)
    flush = queue.flush()
    put(queue, 0, 1000, 1)
    queue.take(0)
    put(queue, 0, 1000, 2)
    queue.done()
    queue.settle()
    assert flushed(flush)


def test_a_flush_is_not_done_early_because_a_queued_key_was_put_again() -> None:
    queue = pending(puts=BATCH + 2)
    flush = queue.flush()
    put(queue, BATCH, 1000, 1)
    cycle(queue)
    assert not flushed(flush)


def test_a_flush_that_nobody_waits_for_any_more_is_dropped() -> None:
    queue = pending()
    flush = queue.flush()
    flush.cancel()
    cycle(queue)
    assert not queue.flushing


def test_touches_are_bounded_and_the_latest_counts() -> None:
    queue = pending()
    for n in range(MAX_TOUCHED + 10):
        queue.touch(str(n), 1.0)
    queue.touch("0", 2.0)
    assert queue.touched == MAX_TOUCHED
    assert queue.take_touched(2) == {"0": 2.0, "1": 1.0}
    assert queue.touched == MAX_TOUCHED - 2


def test_the_first_change_is_taken_at_once_and_what_comes_meanwhile_is_the_next_batch() -> None:
    queue = pending()
    taken: list[int] = []
    writer = threading.Thread(target=lambda: taken.append(len(queue.take(60))))
    writer.start()
    put(queue, 0)
    writer.join(60)
    assert taken == [1]
    for n in range(1, 4):
        put(queue, n)
    queue.done()
    assert len(cycle(queue)) == 3


def test_waking_ends_the_wait_once() -> None:
    queue = pending()
    queue.wake()
    assert queue.take(3600) == []
    assert queue.take(0) == []


def test_every_put_has_a_version_of_its_own() -> None:
    queue = pending(puts=1)
    versions = {cycle(queue)[0].version}
    for n in range(9):
        put(queue, 0, variant=n)
        versions |= {change.version for change in cycle(queue)}
    assert len(versions) == 10


@pytest.mark.parametrize("ends", ["full", "flush", "wake", "close", "bytes"])
def test_in_a_burst_a_batch_waits_until_it_is_full_or_somebody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(pendings, "PACE", 3600.0)
    queue = pending(max_bytes=400_000)
    put(queue, "alone")
    assert len(cycle(queue)) == 1
    put(queue, 0)
    taken: list[int] = []
    writer = threading.Thread(target=lambda: taken.append(len(queue.take(0))))
    writer.start()
    expected = {"full": BATCH, "bytes": 2}.get(ends, 1)
    for n in range(1, expected):
        put(queue, n, 250_000 if ends == "bytes" else 1000)
    match ends:
        case "flush":
            queue.flush()
        case "wake":
            queue.wake()
        case "close":
            queue.close()
    writer.join(60)
    assert taken == [expected]


def test_what_waits_is_counted_until_it_is_written() -> None:
    queue = pending(puts=2)
    count, size = queue.waiting
    assert count == 2 and size > 2000
    queue.take(0)
    assert queue.waiting == (count, size)
    queue.done()
    assert queue.waiting == (0, 0)
