from dataclasses import replace

import pytest

from addons.flows import Rig, flow_of, reply_of, status, word
from exchanges.openai import CHAT
from mitmcache.addons.trail import trail_of
from mitmcache.cache import record
from mitmcache.relay.server import Relay, RelayError
from mitmcache.store.base import LARGE, Entry

FORMAT = 4
"""Where the version stands in a record."""
LONG = b'{"text": "' + b"word " * (LARGE // 4) + b'"}'


async def test_a_large_answer_is_given_from_memory_where_the_relay_cannot_be_reached(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(self: Relay) -> int:
        raise RelayError("what is dialled goes elsewhere")

    monkeypatch.setattr(Relay, "port", fail)
    asked = await rig.call(flow_of(CHAT), reply_of(CHAT))
    key = trail_of(asked).key
    await rig.storage.keeper.drain(60)
    found = await rig.storage.tiers.get(key)
    assert isinstance(found, bytes)
    stored = record.decode(found, key)
    rig.storage.tiers.put(Entry(key, record.encode(replace(stored, body=LONG))))
    hit = await rig.call(flow_of(CHAT))
    assert word(hit) == "HIT" and hit.response and hit.response.raw_content == LONG
    assert "large answers are given from memory" in caplog.text


async def test_a_record_of_a_newer_version_is_a_miss_and_is_not_replaced(rig: Rig) -> None:
    asked = await rig.call(flow_of(CHAT), reply_of(CHAT))
    key = trail_of(asked).key
    await rig.storage.keeper.drain(60)
    found = await rig.storage.tiers.get(key)
    assert isinstance(found, bytes)
    newer = found[:FORMAT] + bytes([found[FORMAT] + 1]) + found[FORMAT + 1 :]
    rig.storage.tiers.put(Entry(key, newer))
    for _ in range(2):
        missed = await rig.call(flow_of(CHAT), reply_of(CHAT))
        assert (word(missed), status(missed)) == (
            "MISS",
            "mitmcache; fwd=uri-miss; fwd-status=200; detail=version",
        )
    await rig.storage.keeper.drain(60)
    assert await rig.storage.tiers.get(key) == newer
