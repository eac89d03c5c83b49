import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.events import event
from mitmcache.alerts.window import SLOTS, Sums, Window, sums
from mitmcache.journal.event import Cost

HIT = {"word": "HIT", "tier": "memory", "dialled": False, "cost": Cost(1, 1, 2, 0)}
CALLS = [
    ("a miss", {}, Sums(upstream=1, asked=1)),
    ("a miss of known price", {"cost": Cost(1, 1, 2, 0)}, Sums(upstream=1, asked=1, dollars=2.0)),
    ("a hit costs nothing", HIT, Sums(asked=1, hits=1)),
    ("a stale answer", {**HIT, "word": "STALE"}, Sums(asked=1, hits=1)),
    ("a stale answer that covers a failure", {**HIT, "word": "STALE", "tier": ""}, Sums(1, 1, 1, 1)),
    ("a bypass", {"word": "BYPASS"}, Sums(upstream=1)),
    ("a failure", {"status": 500}, Sums(upstream=1, failed=1, asked=1)),
    ("too many calls", {"status": 429}, Sums(upstream=1, failed=1, asked=1)),
    ("a bad request", {"status": 400}, Sums(upstream=1, asked=1)),
    ("nobody there", {"status": 0, "dialled": False, "error": "no route"}, Sums(1, 1, 1)),
    ("a stream that broke off", {"error": "server closed connection"}, Sums(1, 1, 1)),
    ("a caller who left", {"status": 0, "error": "Client disconnected."}, Sums(1, 0, 1)),
    ("a miss offline is nobody's failure", {"status": 504, "dialled": False}, Sums(asked=1)),
]


@pytest.mark.parametrize(("changes", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CALLS])
def test_what_a_call_counts_as(changes: dict[str, object], expected: Sums) -> None:
    assert sums([event(**changes)]) == expected


def test_sums_add_up() -> None:
    made = Sums(1, 2, 3, 4, 5.0)
    made.add(Sums(10, 20, 30, 40, 50.0))
    assert made == Sums(11, 22, 33, 44, 55.0)


@given(st.lists(st.floats(0, 1000), max_size=50), st.floats(0, 2000))
def test_a_window_has_what_came_in_its_time_give_or_take_a_step(times: list[float], now: float) -> None:
    window, seconds = Window(60.0), 60.0
    times.sort()
    for at in times:
        window.add(at, Sums(upstream=1))
    now = max([now, *times])
    step = seconds / SLOTS
    surely = sum(at > now - seconds + step for at in times)
    perhaps = sum(at > now - seconds - step for at in times)
    assert surely <= window.total(now).upstream <= perhaps


def test_a_window_does_not_grow() -> None:
    window = Window(60.0)
    for at in range(10_000):
        window.add(at / 10, Sums(upstream=1))
    assert len(window._slots) <= SLOTS
