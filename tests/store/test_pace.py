import pytest

from mitmcache.store.pace import AT_ONCE, HEALTHY, LONGEST, MAX_HELD, SHORTEST, Holds, Pace
from store.helpers import Clock


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock, lambda: 1.0)


@pytest.fixture
def holds(clock: Clock) -> Holds:
    return Holds(clock)


def pause_of(pace: Pace, clock: Clock) -> float:
    assert pace.until is not None
    return pace.until - clock()


def test_without_failures_so_many_may_run_at_once(pace: Pace) -> None:
    assert [pace.room(running) for running in range(AT_ONCE + 1)] == [4, 3, 2, 1, 0]
    assert not pace.paused


def test_a_pause_lets_nothing_begin_and_then_one_alone(pace: Pace, clock: Clock) -> None:
    pace.failed()
    assert (pace.paused, pace.room(0)) == (True, 0)
    clock.time += SHORTEST
    assert (pace.room(0), pace.room(1)) == (1, 0)


def test_pauses_grow_with_each_failed_try_up_to_the_longest(pace: Pace, clock: Clock) -> None:
    pauses = []
    for _ in range(9):
        pace.failed()
        pauses.append(pause_of(pace, clock))
        clock.time += pauses[-1]
    assert pauses == [0.5, 1, 2, 4, 8, 16, LONGEST, LONGEST, LONGEST]


def test_chance_takes_off_up_to_half_of_a_pause(clock: Clock) -> None:
    pace = Pace(clock, lambda: 0.0)
    pace.failed()
    assert pause_of(pace, clock) == SHORTEST / 2


def test_what_fails_during_a_pause_does_not_make_it_longer(pace: Pace, clock: Clock) -> None:
    for _ in range(AT_ONCE):
        pace.failed()
    assert pause_of(pace, clock) == SHORTEST


def test_only_what_works_after_a_pause_ends_it(pace: Pace, clock: Clock) -> None:
    pace.failed()
    pace.worked()
    assert pace.paused
    clock.time += SHORTEST
    pace.worked()
    assert not pace.paused


def test_a_failure_soon_after_a_pause_makes_the_next_one_no_shorter(pace: Pace, clock: Clock) -> None:
    for _ in range(3):
        pace.failed()
        clock.time += pause_of(pace, clock)
    pace.worked()
    pace.failed()
    assert pause_of(pace, clock) == 2
    clock.time += 2
    for _ in range(HEALTHY):
        assert not pace.well
        pace.worked()
    assert pace.well
    pace.failed()
    assert (pause_of(pace, clock), pace.well) == (SHORTEST, False)


def test_a_held_key_is_held_longer_each_time_until_it_works(holds: Holds, clock: Clock) -> None:
    held = []
    for _ in range(8):
        assert holds.hold("a")
        assert holds.held() == {"a"}
        end = holds.next_end(clock())
        assert end is not None
        held.append(end - clock())
        clock.time = end
        assert (holds.held(), holds.next_end(clock())) == (set(), None)
    assert held == [1, 2, 4, 8, 16, 32, 60, 60]
    holds.worked("a")
    holds.hold("a")
    assert holds.next_end(clock()) == clock() + 1


def test_a_suspect_is_taken_last_until_the_bucket_works_again(holds: Holds) -> None:
    assert not holds.suspect("a")
    assert (holds.last(), holds.held()) == ({"a"}, set())
    holds.resumed()
    assert holds.last() == set()


def test_a_suspect_that_fails_again_while_others_work_is_held(holds: Holds) -> None:
    assert not holds.suspect("a")
    assert not holds.suspect("a")
    holds.worked("b")
    assert holds.suspect("a")
    assert holds.held() == {"a"}
    assert not holds.suspect("a")


def test_no_more_than_so_many_keys_are_held(holds: Holds, clock: Clock) -> None:
    assert all(holds.hold(str(number)) for number in range(MAX_HELD))
    assert not holds.hold("one more")
    assert not holds.suspect("one more")
    assert holds.hold("0")
    clock.time += 1
    assert holds.hold("one more")
    assert len(holds.held()) == 2
