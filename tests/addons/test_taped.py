"""What is said of a call that was missed or lost."""

import pytest

from mitmcache.addons.taped import Noted
from mitmcache.addons.trail import Trail
from mitmcache.cache.status import Outcome

MISSED = [
    (None, "X: not recorded"),
    (Outcome("MISS", fwd="uri-miss"), "X: not recorded"),
    (Outcome("MISS", fwd="uri-miss", detail="a, b"), "X: differs from the nearest recorded call in: a, b"),
    (Outcome("BYPASS", fwd="bypass", detail="store"), "X: is never answered from a recording: store"),
]
LOST = [
    (None, "X: had not come to its end"),
    (Outcome("MISS", fwd="uri-miss"), "X: had not come to its end"),
    (Outcome("MISS", fwd="uri-miss", fwd_status=429, detail="status"), "X: could not be kept: status 429"),
    (
        Outcome("MISS", fwd="uri-miss", fwd_status=200, detail="incomplete"),
        "X: could not be kept: incomplete",
    ),
    (Outcome("MISS", fwd="uri-miss", fwd_status=200), "X: could not be kept: no whole answer"),
    (Outcome("BYPASS", fwd="bypass", fwd_status=200, detail="store"), "X: could not be kept: store"),
]


@pytest.mark.parametrize(("outcome", "expected"), MISSED)
def test_why_it_was_missed(outcome: Outcome | None, expected: str) -> None:
    assert Noted(Trail(outcome=outcome), "X", inference=True).missed == expected


@pytest.mark.parametrize(("outcome", "expected"), LOST)
def test_why_it_was_lost(outcome: Outcome | None, expected: str) -> None:
    assert Noted(Trail(outcome=outcome), "X", inference=True).lost == expected
