"""Copies, and files on their way in, in the queue."""

from pathlib import Path

import pytest

from mitmcache.store.base import Entry, Staged
from mitmcache.store.pending import CHANGE_OVERHEAD, Change, Pending
from store.samples import entry, key


def pending(
    max_bytes: int = 10_000_000, max_staged: int = 1 << 30, dropped: list[Path] | None = None
) -> Pending:
    return Pending(max_bytes, 10_000, max_staged, (dropped if dropped is not None else []).append)


def put(queue: Pending, name: object, variant: int = 0) -> bool:
    return queue.add(key(name), entry(name, variant=variant), 1.0)


def staged(name: object, size: int = 1000, **more: object) -> Entry:
    return Entry(key(name), Staged(Path(f"staged {name} {size}"), size), **more)  # type: ignore[arg-type]


def cycle(queue: Pending) -> list[Change]:
    batch = queue.take(0)
    queue.done()
    queue.settle()
    return batch


def test_a_copy_takes_no_puts_place_whether_it_is_queued_or_being_written() -> None:
    queue = pending()
    put(queue, 0)
    for _ in range(2):
        assert queue.add(key(0), entry(0, variant=9, copy=True), 2.0)
        found = queue.find(key(0))
        assert found and found.entry == entry(0)
        queue.take(0)
    queue.done()
    assert cycle(queue) == []


def test_a_put_takes_a_copys_place() -> None:
    queue = pending()
    queue.add(key(0), entry(0, copy=True), 1.0)
    put(queue, 0, variant=2)
    (change,) = cycle(queue)
    assert (change.entry, change.over) == (entry(0, variant=2), True)


def test_a_copy_is_not_written_over_a_row_but_where_a_delete_was_queued_it_takes_its_place() -> None:
    """Or the row that was to be deleted would stay."""
    queue = pending()
    queue.add(key(0), entry(0, copy=True), 1.0)
    queue.add(key(1), None, 1.0)
    queue.add(key(1), entry(1, copy=True), 1.0)
    assert [(change.key, change.over) for change in cycle(queue)] == [(key(0), False), (key(1), True)]


@pytest.mark.parametrize("copy", [False, True])
def test_the_file_of_a_put_that_is_not_to_be_written_any_more_is_dropped(copy: bool) -> None:
    dropped: list[Path] = []
    queue = pending(dropped=dropped)
    queue.add(key(0), staged(0, 1), 1.0)
    queue.add(key(0), staged(0, 2, copy=copy), 1.0)
    assert dropped == [Path("staged 0 2" if copy else "staged 0 1")]
    queue.add(key(0), None, 1.0)
    assert dropped == [
        Path("staged 0 2" if copy else "staged 0 1"),
        Path("staged 0 1" if copy else "staged 0 2"),
    ]


def test_the_file_of_a_put_that_is_being_written_is_not_dropped() -> None:
    dropped: list[Path] = []
    queue = pending(dropped=dropped)
    queue.add(key(0), staged(0), 1.0)
    queue.take(0)
    put(queue, 0)
    assert dropped == []


def test_staged_files_take_no_memory_and_have_a_bound_of_their_own() -> None:
    queue = pending(max_bytes=3 * CHANGE_OVERHEAD + 1000, max_staged=2_000_000)
    assert queue.add(key(0), staged(0, 1_500_000), 1.0)
    assert not queue.add(key(1), staged(1, 500_001), 1.0)
    assert queue.add(key(1), staged(1, 500_000), 1.0)
    assert put(queue, 2)
    assert queue.add(key(0), staged(0, 1_400_000), 1.0)
    cycle(queue)
    assert queue.add(key(0), staged(0, 2_000_000), 1.0)
