import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mitmcache.cache.tap import Budget, Spool, Tap

CHUNKS = st.lists(st.binary(min_size=1, max_size=9), max_size=12)


def test_a_chunk_goes_through_as_the_very_object_it_is() -> None:
    chunk = b"data"
    assert Tap(100, Budget(100))(chunk) is chunk


def test_the_end_gives_nothing_to_send() -> None:
    assert Tap(100, Budget(100))(b"") == []


@given(CHUNKS, st.integers(0, 60), st.integers(0, 60))
def test_what_goes_through_is_what_came_whatever_is_lost(chunks: list[bytes], limit: int, room: int) -> None:
    tap: Tap[Spool] = Tap(limit, Budget(room))
    assert [tap(chunk) for chunk in chunks] == chunks
    assert tap(b"") == []
    assert tap.take() == (b"" if tap.lost else b"".join(chunks))


@pytest.mark.parametrize(
    ("limit", "room", "lost", "too_large"),
    [
        pytest.param(6, 6, False, False, id="just enough"),
        pytest.param(5, 100, True, True, id="over the tap's own limit"),
        pytest.param(100, 5, True, False, id="over the shared budget"),
        pytest.param(5, 5, True, True, id="over both"),
    ],
)
def test_too_much_is_lost_and_said(limit: int, room: int, lost: bool, too_large: bool) -> None:
    tap: Tap[Spool] = Tap(limit, budget := Budget(room))
    tap(b"abc"), tap(b"def"), tap(b"")
    assert (tap.lost, tap.too_large, budget.used) == (lost, too_large, 0 if lost else 6)


def test_a_tap_that_heard_nothing_has_lost_nothing() -> None:
    tap: Tap[Spool] = Tap(0, Budget(0))
    assert (tap.lost, tap.too_large, tap.take()) == (False, False, b"")


def test_nothing_is_kept_after_a_loss_even_where_there_is_room_again() -> None:
    """The middle of a stream is no answer."""
    budget = Budget(10)
    tap: Tap[Spool] = Tap(100, budget)
    budget.take(8)
    tap(b"abc")
    budget.give(8)
    tap(b"def")
    assert (tap.lost, tap.take(), budget.used) == (True, b"", 0)


def test_what_was_taken_is_owed_by_the_taker_and_what_comes_later_is_not_kept() -> None:
    tap: Tap[Spool] = Tap(100, budget := Budget(100))
    tap(b"abc")
    body = tap.take()
    assert (body, budget.used) == (b"abc", 3)
    assert tap(b"late") == b"late"
    assert (tap.take(), budget.used) == (b"", 3)


class Shelf:
    """A spool that pays the budget at once, and loses what comes after so many bytes."""

    def __init__(self, budget: Budget, room: int) -> None:
        self.chunks: list[bytes] = []
        self.drops = 0
        self._budget = budget
        self._room = room

    def write(self, chunks: list[bytes]) -> bool:
        self._budget.give(sum(map(len, chunks)))
        self.chunks += chunks
        return sum(map(len, self.chunks)) <= self._room

    def drop(self) -> None:
        self.drops += 1


@given(CHUNKS, st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_what_is_too_much_for_memory_goes_to_a_spool_and_is_whole_there_or_dropped(
    chunks: list[bytes], limit: int, budget_room: int, memory: int, spool_room: int
) -> None:
    budget, spools = Budget(budget_room), list[Shelf]()

    def spool() -> Shelf:
        spools.append(Shelf(budget, spool_room))
        return spools[-1]

    tap = Tap(limit, budget, memory=memory, spool=spool)
    assert [tap(chunk) for chunk in chunks] == chunks
    whole, heard = b"".join(chunks), tap.take()
    assert len(spools) <= 1 and budget.used == (len(heard) if isinstance(heard, bytes) else 0)
    if tap.lost:
        assert heard == b"" and all(made.drops == 1 for made in spools)
    elif len(whole) <= memory:
        assert heard == whole and not spools
    else:
        assert heard is spools[0] and b"".join(spools[0].chunks) == whole and not spools[0].drops


def test_without_a_spool_what_is_too_much_for_memory_is_lost() -> None:
    tap: Tap[Spool] = Tap(100, budget := Budget(100), memory=5)
    tap(b"abc"), tap(b"def")
    assert (tap.lost, tap.too_large, budget.used, tap.take()) == (True, True, 0, b"")


class Sharing(RuleBasedStateMachine):
    """Many streams share one budget: it always holds what they hold and what was taken, exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = Budget(40)
        self.taps: list[Tap[Spool]] = []
        self.heard: list[bytes] = []
        self.owed: list[bytes] = []

    @rule(limit=st.integers(0, 30))
    def begins(self, limit: int) -> None:
        self.taps.append(Tap(limit, self.budget))
        self.heard.append(b"")

    @precondition(lambda self: self.taps)
    @rule(data=st.data(), chunk=st.binary(max_size=20))
    def goes_on(self, data: st.DataObject, chunk: bytes) -> None:
        at = data.draw(st.integers(0, len(self.taps) - 1))
        assert self.taps[at](chunk) == (chunk or [])
        self.heard[at] += chunk

    @precondition(lambda self: self.taps)
    @rule(data=st.data())
    def ends(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.taps) - 1))
        tap, heard = self.taps.pop(at), self.heard.pop(at)
        body = tap.take()
        assert body == (b"" if tap.lost else heard)
        self.owed.append(body)

    @precondition(lambda self: self.owed)
    @rule()
    def is_stored(self) -> None:
        self.budget.give(len(self.owed.pop()))

    @invariant()
    def the_budget_is_exact_and_kept_to(self) -> None:
        held = sum(len(heard) for tap, heard in zip(self.taps, self.heard, strict=True) if not tap.lost)
        assert self.budget.used == held + sum(map(len, self.owed)) <= self.budget.limit


test_a_shared_budget = Sharing.TestCase
