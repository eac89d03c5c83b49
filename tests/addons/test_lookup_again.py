"""A request that was here before, to the byte: answered at once, as if it had been looked at."""

import time
from dataclasses import replace

import pytest
from mitmproxy import http

from addons.conftest import MakeRig
from addons.flows import Rig, flow_of, reply_of, status, word
from exchanges.openai import CHAT
from mitmcache.addons.calls import Calls
from mitmcache.addons.lookup import Lookup
from mitmcache.addons.options import Options
from mitmcache.addons.storage import Storage
from mitmcache.addons.trail import trail_of
from mitmcache.cache import body, record
from mitmcache.finder import Found
from mitmcache.selection import Selection
from mitmcache.store.base import Entry


@pytest.fixture
async def hit(rig: Rig) -> Rig:
    """Asked twice: what it is, is known, and its answer is at hand."""
    assert await rig.repeat(CHAT) == ["MISS", "HIT"]
    await rig.storage.keeper.drain(60)
    return rig


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that is read is a failure."""
    monkeypatch.setattr(body, "read", None)


def at_once(rig: Rig, asked: http.HTTPFlow) -> bool:
    """Whether the request is answered without anybody waiting."""
    rig.get(Calls).requestheaders(asked)
    assert rig.get(Calls).request(asked) is None
    going_on = rig.get(Lookup).request(asked)
    if going_on:
        going_on.close()
    return going_on is None and asked.response is not None


async def test_it_is_not_read_again(hit: Rig, unread: None) -> None:
    before = await hit.call(flow_of(CHAT))
    assert (word(before), status(before)) == ("HIT", "mitmcache; hit; ttl=86400")
    trail = trail_of(before)
    assert trail.event and (trail.event.word, trail.event.tier, trail.event.model) == (
        "HIT",
        "memory",
        trail.model,
    )
    assert trail.key and trail.model and trail.decided >= trail.created > 0
    assert (await hit.stored())["hits"] == 2
    assert hit.storage.tiers.memory.hits == 2


async def test_its_answer_is_the_same_as_of_one_that_is_read(hit: Rig) -> None:
    again, read = flow_of(CHAT), flow_of(CHAT, x_other="yes")
    assert at_once(hit, again) and not at_once(hit, flow_of(CHAT, x_other="yes"))
    await hit.call(read)
    assert again.response and read.response
    assert again.response.raw_content == read.response.raw_content
    assert again.response.headers.fields == read.response.headers.fields


async def test_its_use_is_noted_on_the_disk(hit: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[str] = []
    assert hit.storage.stores.disk
    monkeypatch.setattr(hit.storage.stores.disk, "touch", touched.append)
    assert at_once(hit, asked := flow_of(CHAT))
    assert touched == [trail_of(asked).key]


async def test_what_is_addressed_to_us_is_taken_off(rig: Rig) -> None:
    assert await rig.repeat(CHAT, cf_aig_cache_ttl="60") == ["MISS", "HIT"]
    asked = flow_of(CHAT, cf_aig_cache_ttl="60")
    assert at_once(rig, asked) and "cf-aig-cache-ttl" not in asked.request.headers


@pytest.mark.parametrize("header", ["cf_aig_skip_cache", "range", "x_mitmcache_variants"])
async def test_what_is_not_to_be_known_is_looked_at_each_time(rig: Rig, header: str) -> None:
    value = {"cf_aig_skip_cache": "true", "range": "bytes=0-1", "x_mitmcache_variants": "2"}[header]
    await rig.repeat(CHAT, 3, **{header: value})
    assert not at_once(rig, flow_of(CHAT, **{header: value}))


async def test_a_purge_holds_for_it(hit: Rig) -> None:
    await hit.storage.stores.purge(Selection())
    assert not at_once(hit, flow_of(CHAT))
    assert await hit.repeat(CHAT, 1) == ["MISS"]


async def test_an_end_of_its_answer_holds_for_it(hit: Rig) -> None:
    key = trail_of(await hit.call(flow_of(CHAT))).key
    found = await hit.storage.tiers.get(key)
    assert isinstance(found, bytes)
    old = replace(record.decode(found, key), expires=time.time() - 1)
    hit.storage.tiers.put(Entry(key, record.encode(old)))
    assert not at_once(hit, flow_of(CHAT))
    assert await hit.repeat(CHAT, 1) == ["MISS"]


async def test_other_settings_hold_for_it(hit: Rig) -> None:
    assert at_once(hit, flow_of(CHAT))
    hit.options.update(llm_mode="off")
    hit.get(Options).configure({"llm_mode"})
    assert await hit.repeat(CHAT, 1) == ["BYPASS"]


async def test_a_newer_answer_that_is_being_stored_is_waited_for(hit: Rig) -> None:
    await hit.call(flow_of(CHAT, cache_control="no-cache"), reply_of(CHAT))
    assert not at_once(hit, flow_of(CHAT))
    await hit.storage.keeper.drain(60)


async def test_a_replay_asks_the_upstream(hit: Rig) -> None:
    asked = flow_of(CHAT)
    asked.is_replay = "request"
    assert not at_once(hit, asked)


async def test_what_this_run_has_stored_is_not_served_to_it(make_rig: MakeRig) -> None:
    rig = make_rig(llm_serve="earlier-runs")
    await rig.repeat(CHAT, 2)
    assert not at_once(rig, flow_of(CHAT))


async def test_a_failure_falls_open(
    hit: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole, failures = Storage.at_hand, [OSError("no")]

    def fail(self: Storage, key: str) -> Found | None:
        if failures:
            raise failures.pop()
        return whole(self, key)

    monkeypatch.setattr(Storage, "at_hand", fail)
    assert word(await hit.call(flow_of(CHAT))) == "HIT"
    assert "what is known of a request could not be used" in caplog.text
