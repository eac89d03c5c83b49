import pytest

from mitmcache.providers import llamacpp
from mitmcache.providers.base import Json
from mitmcache.reasons import Reason
from mitmcache.wire.events import Event
from providers.hearing import play


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        ({"content": "a", "stop": True}, None),
        ({"content": "a", "stop": False}, Reason.INCOMPLETE),
        ({"error": {"code": 500}}, Reason.ERROR),
        ([{"stop": True}, {"stop": True}], None),
        ([{"stop": True}, {"stop": False}], Reason.INCOMPLETE),
        ([{"stop": True}, {"error": {"code": 500}}], Reason.ERROR),
        ([], Reason.INCOMPLETE),
        (None, Reason.INCOMPLETE),
    ],
)
def test_a_reply_is_kept_when_it_stopped(document: Json, verdict: Reason | None) -> None:
    assert llamacpp.judge(document) is verdict


def test_a_stream_is_kept_when_it_stopped() -> None:
    more: Json = {"content": "a", "stop": False}
    last: Json = {"content": "", "stop": True}
    assert play(llamacpp.COMPLETION, more, last, clean_end=False) is None
    assert play(llamacpp.COMPLETION, more) is Reason.INCOMPLETE
    assert play(llamacpp.COMPLETION, more, Event("", b'{"code":500}', error=True)) is Reason.ERROR
