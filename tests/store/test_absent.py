"""What the filter says, beside what a connection that looks finds."""

import math

import pytest

from mitmcache.store import absent, walhead
from store.filtering import Start
from store.samples import key


@pytest.mark.parametrize("there", [0, 1, 2, 3, 4, 7, 9])
def test_until_all_is_loaded_nothing_is_absent(started: Start, there: int) -> None:
    other = started()
    for n in range(there):
        other.put(n)
    process = started()
    slices = there // 3
    for _ in range(slices):
        assert not process.absent("none")
        assert process.step() == 0
    assert not process.absent("none")
    assert process.step() == math.inf
    assert process.absent("none")
    assert not any(process.absent(n) for n in range(there))
    assert process.filter.spared == 1


def test_what_is_put_here_is_never_absent(started: Start) -> None:
    process = started()
    process.settle()
    process.filter.add(key("a"))
    assert not process.absent("a")
    process.put("a")
    assert not process.absent("b")
    process.settle()
    assert not process.absent("a") and process.absent("b")
    process.delete("a")
    process.settle()
    assert not process.absent("a")  # which is allowed


@pytest.mark.parametrize("before", [0, 1, 5])
@pytest.mark.parametrize("more", [1, 2, 3, 10])
def test_what_another_writes_is_never_absent(started: Start, before: int, more: int) -> None:
    process, other = started(), started()
    for n in range(before):
        process.put(n)
    process.settle()
    assert process.absent("none")
    for n in range(more):
        other.put(("other", n))
        assert not process.absent(("other", n))
    while process.step() != math.inf:
        assert not process.absent(("other", more - 1))
    assert process.absent("none")
    assert not any(process.absent(("other", n)) for n in range(more))


@pytest.mark.parametrize("gone", ["newest", "newest, by us", "all", "newest and back"])
def test_a_row_in_the_place_of_one_that_is_gone_is_never_absent(started: Start, gone: str) -> None:
    """The number of the newest row is given again."""
    process, other = started(), started()
    for n in range(2):
        process.put(n)
    process.settle()
    if gone == "newest, by us":
        process.delete_newest()
    elif gone == "newest and back":
        other.delete(1)
        other.delete(0)
        other.write("other")
        other.write(1)
    else:
        for _ in range(2 if gone == "all" else 1):
            other.delete_newest()
    if gone != "newest and back":
        other.write("other")
    process.settle()
    assert not process.absent("other") and process.absent("none")


def test_rows_that_come_while_it_loads_are_never_absent(started: Start) -> None:
    process, other = started(), started()
    for n in range(10):
        other.put(n)
    for n in range(10, 30):
        process.step()
        other.put(n)
        assert not process.absent(n)
    process.settle()
    assert not any(process.absent(n) for n in range(30))
    assert process.absent("none")


def test_it_asks_to_be_brought_up_to_date_but_not_all_the_time(started: Start) -> None:
    now = 100.0
    process, other = started(clock=lambda: now), started()
    assert not process.absent("none")
    process.settle()
    assert process.absent("none") and process.calls == 0
    other.put("a")
    for _ in range(3):
        assert not process.absent("none")
    assert process.calls == 1
    now += absent.WAKE_SECONDS
    assert not process.absent("none")
    assert process.calls == 2


def test_slices_are_apart_and_so_are_loadings(started: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absent, "PAUSE", 1.0)
    now = 100.0
    other = started()
    for n in range(7):
        other.put(n)
    process = started(clock=lambda: now)
    assert [process.step(), process.step()] == [1.0, 1.0]
    now += 0.75
    assert process.step() == 0.25
    now += 0.25
    assert process.step() == 1.0
    now += 1.0
    assert process.step() == math.inf
    other.delete_newest()
    assert process.step() == math.inf  # the one before it has stayed
    for _ in range(absent.KNOWN):
        other.delete_newest()
    assert process.step() == 2 * absent.REST
    now += 2 * absent.REST
    assert process.step() == 1.0


def test_what_is_deleted_here_makes_nothing_be_loaded_again(started: Start) -> None:
    process, other = started(), started()
    for n in range(7):
        process.put(n)
    process.settle()
    for _ in range(absent.KNOWN):
        process.delete_newest()
    process.settle()
    other.put("a")
    assert process.step() == math.inf


def test_it_catches_up_with_one_that_goes_on_writing(started: Start) -> None:
    process, other = started(), started()
    process.put("first")
    process.settle()
    for n in range(10):
        other.put(n)
    steps = 1
    while process.step() != math.inf:
        other.put(("then", steps))
        steps += 1
        assert steps < 8
    assert process.absent("none")


def test_what_comes_while_it_loads_is_read_and_no_more(started: Start) -> None:
    process, other = started(), started()
    for n in range(7):
        other.put(n)
    process.step()
    other.put("a")
    assert [process.step() for _ in range(3)] == [0, 0, math.inf]
    assert not process.absent("a") and process.absent("none")


def test_a_head_in_the_middle_of_a_commit_is_looked_at_again(
    started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = started()
    with monkeypatch.context() as patched:
        patched.setattr(walhead.WalHead, "read", lambda self: b"")
        assert process.step() == absent.PAUSE
        assert not process.absent("none")
    assert process.step() == math.inf
    assert process.absent("none")


def test_few_are_taken_for_another(started: Start) -> None:
    process = started()
    for n in range(50_000):
        process.filter.add(key(n))
    process.settle()
    assert sum(process.absent(("other", n)) for n in range(10_000)) > 9_990  # with a single bit, 9,970
