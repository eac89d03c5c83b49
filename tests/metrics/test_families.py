import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmcache.metrics.families import Histogram, Sample, single

BOUNDS = (0.1, 0.5, 1.0)


@pytest.mark.parametrize(
    ("value", "at"), [(0.0, 0), (0.1, 0), (0.2, 1), (0.5, 1), (1.0, 2), (1.1, 3), (1e9, 3), (-5.0, 0)]
)
def test_a_value_is_counted_under_the_first_bound_that_it_does_not_exceed(value: float, at: int) -> None:
    made = Histogram(BOUNDS)
    made.observe(value)
    assert made.counts.index(1) == at and sum(made.counts) == 1
    assert made.sum == max(value, 0.0)


@given(st.lists(st.floats(0, 10)))
def test_every_observation_is_in_one_place(values: list[float]) -> None:
    made = Histogram(BOUNDS)
    for value in values:
        made.observe(value)
    assert sum(made.counts) == len(values) and made.sum == pytest.approx(sum(values))


def test_a_copy_does_not_go_on() -> None:
    made = Histogram(BOUNDS)
    made.observe(0.2)
    copy = made.copy()
    made.observe(0.2)
    assert (copy.counts, copy.sum) == ([0, 1, 0, 0], 0.2)


def test_what_has_no_labels_is_one_sample() -> None:
    made = single("mitmcache_x", "gauge", "Help.", True)
    assert (made.labels, made.samples) == ((), (Sample((), 1.0),))
