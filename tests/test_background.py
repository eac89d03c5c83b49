import threading
from collections.abc import Callable, Sequence

import pytest

from mitmcache.background import Background

DEADLINE = 60.0


class Work:
    """Notes what it is given; waits at the gate before that."""

    def __init__(self, error: Exception | None = None) -> None:
        self.done: list[int] = []
        self.gate, self.at_gate = threading.Event(), threading.Event()
        self.ended = 0
        self._error = error

    def __call__(self, items: Sequence[int]) -> None:
        self.at_gate.set()
        assert self.gate.wait(DEADLINE)
        if self._error:
            raise self._error
        self.done += items

    def end(self) -> None:
        self.ended += 1


def background(work: Callable[[Sequence[int]], None], ended: Callable[[], None]) -> Background[int]:
    return Background("the work", work, most=4, most_bytes=100, step=2, ended=ended)


def test_all_that_was_handed_over_is_done_in_order_and_then_it_ends() -> None:
    work = Work()
    behind = background(work, work.end)
    assert behind.put([1, 2], 10) and behind.put([3], 10)
    assert not behind.close(0)
    work.gate.set()
    assert behind.close(DEADLINE)
    assert (work.done, work.ended, behind.lost) == ([1, 2, 3], 1, 0)


def test_it_works_in_small_steps_and_an_empty_one_is_a_step_too() -> None:
    steps: list[Sequence[int]] = []
    behind = background(steps.append, lambda: None)
    for items in ([], [1, 2, 3]):
        behind.put(items, 1)
    assert behind.close(DEADLINE)
    assert steps == [[], [1, 2], [3]]


def test_one_that_had_nothing_to_do_ends_too() -> None:
    work = Work()
    assert background(work, work.end).close(DEADLINE)
    assert work.ended == 1


TOO_MUCH = [("too many", [4, 5], 1), ("too many bytes", [4], 81), ("more than ever may wait", [1] * 5, 1)]


@pytest.mark.parametrize(("items", "size"), [pytest.param(*case[1:], id=case[0]) for case in TOO_MUCH])
def test_what_is_too_much_is_lost_counted_and_said(
    items: list[int], size: int, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work()
    behind = background(work, work.end)
    assert behind.put([1, 2, 3], 20)
    assert not behind.put(items, size)
    work.gate.set()
    assert behind.close(DEADLINE)
    assert (work.done, behind.lost) == ([1, 2, 3], len(items))
    assert [record.message for record in caplog.records] == [
        f"mitmcache: the work: {len(items)} lost so far: too many waited"
    ]


def test_there_is_room_again_once_work_is_done() -> None:
    work = Work()
    behind = background(work, work.end)
    work.gate.set()
    for number in range(50):
        while not behind.put([number], 60):
            assert work.at_gate.wait(DEADLINE)
    assert behind.close(DEADLINE)
    assert work.done == list(range(50))


def test_after_its_end_nothing_is_taken() -> None:
    work = Work()
    behind = background(work, work.end)
    behind.close(DEADLINE)
    assert not behind.put([1], 1) and behind.lost == 1


FAILURES = [(OSError(28, "No space left"), "No space left"), (ValueError("the prompt"), "ValueError")]


@pytest.mark.parametrize(("error", "why"), FAILURES)
def test_work_that_fails_is_counted_and_said_once_without_what_it_was(
    error: Exception, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(error)
    behind = background(work, work.end)
    work.gate.set()
    for _ in range(3):
        work.at_gate.clear()
        assert behind.put([1], 1) and work.at_gate.wait(DEADLINE)
    assert behind.close(DEADLINE)
    assert behind.lost == 3
    # the first one at once, the others together at the end
    said = [record.message for record in caplog.records]
    assert len(said) == 2 and said[-1] == f"mitmcache: the work: 3 lost so far: {why}"
    assert "prompt" not in caplog.text
