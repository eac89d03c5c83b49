import pytest

from journal.events import event
from mitmcache.journal.event import Event

LEDGERS = [
    ("a miss that went upstream", event(), "billed", True),
    ("a hit", event(word="HIT", reason="", tier="memory", dialled=False), "saved", True),
    ("a stale answer after a failure", event(word="STALE", reason="", dialled=False), "saved", True),
    ("a bypass", event(word="BYPASS", reason="store"), "billed", True),
    ("a miss offline", event(dialled=False, status=504), "", False),
    ("an upstream's refusal", event(status=429), "billed", False),
    ("a stream that broke off", event(error="connection lost", streamed=True), "billed", False),
]


@pytest.mark.parametrize(
    ("told", "ledger", "served"), [pytest.param(*case[1:], id=case[0]) for case in LEDGERS]
)
def test_what_a_call_counts_to(told: Event, ledger: str, served: bool) -> None:
    assert (told.ledger, told.served) == (ledger, served)
