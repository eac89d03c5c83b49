from mitmcache.store.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, WINDOW, Breaker


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    assert breaker.trip(now)
    return breaker


def test_it_opens_with_the_fifth_failure_within_ten_seconds_and_says_so_once() -> None:
    breaker = Breaker()
    said = [breaker.failed(now) for now in (0.0, 2.0, 4.0, 6.0, 10.0, 10.0, 10.0)]
    assert said == [False, False, False, False, True, False, False]
    assert breaker.is_open


def test_failures_that_are_longer_apart_do_not_open_it() -> None:
    breaker = Breaker()
    apart = WINDOW / (FAILURES - 1) + 0.01
    assert not any(breaker.failed(number * apart) for number in range(100))
    assert not breaker.is_open


def test_old_failures_are_forgotten() -> None:
    breaker = Breaker()
    said = [breaker.failed(now) for now in (0.0, 1.0, 2.0, 3.0, 20.0, 21.0, 22.0, 23.0, 24.0)]
    assert said == [False] * 8 + [True]


def test_it_is_probed_after_five_seconds_and_then_after_twice_as_long_up_to_thirty() -> None:
    breaker = opened()
    pauses = []
    for _ in range(5):
        now = breaker.probe_at
        assert now is not None
        assert not breaker.probed(now, ok=False)
        assert breaker.probe_at is not None
        pauses.append(breaker.probe_at - now)
    assert pauses == [10.0, 20.0, 30.0, 30.0, 30.0]
    assert (FIRST_PAUSE, LONGEST_PAUSE) == (5.0, 30.0)


def test_a_probe_that_works_closes_it_and_it_says_so_once() -> None:
    breaker = opened()
    assert breaker.probe_at == FIRST_PAUSE
    assert breaker.probed(5.0, ok=True)
    assert not breaker.probed(6.0, ok=True)
    assert not breaker.is_open
    assert breaker.probe_at is None


def test_after_it_was_closed_it_takes_five_new_failures_and_the_shortest_pause() -> None:
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.failed(0.0)
    breaker.probed(5.0, ok=False)
    breaker.probed(15.0, ok=True)
    assert [breaker.failed(15.0) for _ in range(FAILURES)] == [False] * (FAILURES - 1) + [True]
    assert breaker.probe_at == 15.0 + FIRST_PAUSE


def test_what_fails_while_it_is_open_does_not_put_the_probe_off() -> None:
    breaker = opened()
    for _ in range(FAILURES):
        assert not breaker.failed(4.0)
    assert not breaker.trip(4.0)
    assert breaker.probe_at == FIRST_PAUSE


def test_one_failure_that_does_not_pass_by_itself_opens_it() -> None:
    assert opened(7.0).probe_at == 7.0 + FIRST_PAUSE
