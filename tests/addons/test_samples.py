import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from addons.conftest import Clock, MakeRig
from addons.flows import Rig, flow_of, reply_of, response, status, word
from exchanges.base import Exchange
from exchanges.openai import CHAT
from mitmcache.addons.samples import GAPS
from mitmcache.addons.storage import Storage
from mitmcache.addons.trail import trail_of
from mitmcache.finder import Found


def saying(number: int) -> Exchange:
    """CHAT's call, and another answer to it."""
    return replace(CHAT, reply=CHAT.reply.replace(b"there", b"there %d" % number))


async def ask(rig: Rig, number: int, variants: str = "3", **headers: str) -> tuple[str, bytes]:
    """What becomes of CHAT, of an upstream that would answer with this number: word and body."""
    upstream = saying(number)
    flow = await rig.call(flow_of(CHAT, x_mitmcache_variants=variants, **headers), reply_of(upstream))
    assert flow.response
    return word(flow), flow.response.raw_content or b""


async def collected(rig: Rig, count: int = 3) -> None:
    for number in range(count):
        assert await ask(rig, number) == ("MISS", saying(number).reply)


def given(*numbers: int) -> list[tuple[str, bytes]]:
    return [("HIT", saying(number).reply) for number in numbers]


async def test_as_many_are_collected_then_they_take_turns(rig: Rig) -> None:
    await collected(rig)
    assert [await ask(rig, 9) for _ in range(5)] == given(0, 1, 2, 0, 1)


async def test_it_is_told_which_of_them_it_is(rig: Rig) -> None:
    told = []
    for number in range(3):
        call = flow_of(CHAT, x_mitmcache_variants="2")
        told.append(status(await rig.call(call, reply_of(saying(number)))))
        assert "x-mitmcache-variants" not in call.request.headers
    assert told == [
        "mitmcache; fwd=uri-miss; fwd-status=200; stored; detail=variant-1-of-2",
        "mitmcache; fwd=uri-miss; fwd-status=200; stored; detail=variant-2-of-2",
        "mitmcache; hit; ttl=86400; detail=variant-1-of-2",
    ]


async def test_the_first_is_that_of_callers_without_variants(rig: Rig) -> None:
    await rig.call(flow_of(CHAT), reply_of(saying(7)))
    assert await ask(rig, 8, "2") == ("MISS", saying(8).reply)
    assert [await ask(rig, 9, "2") for _ in range(2)] == given(7, 8)
    plain = await rig.call(flow_of(CHAT))
    assert plain.response and plain.response.raw_content == saying(7).reply


async def test_more_of_them_are_collected_when_more_are_wanted(rig: Rig) -> None:
    await collected(rig, 2)
    assert [await ask(rig, 9, "2") for _ in range(2)] == given(0, 1)
    assert (await ask(rig, 2, "3"))[0] == "MISS"
    assert (await ask(rig, 3, "3"))[0] == "HIT"


async def test_a_rule_asks_for_them_too(make_rig: MakeRig, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("rules: [{host: api.openai.com, variants: 2}]")
    rig = make_rig(llm_policy=str(tmp_path / "policy.yaml"))
    assert await rig.repeat(CHAT, 3) == ["MISS", "MISS", "HIT"]


@pytest.mark.parametrize("header", ["0", "101", "x"])
async def test_a_header_that_cannot_be_is_as_none(rig: Rig, header: str) -> None:
    assert [(await ask(rig, number, header))[0] for number in range(2)] == ["MISS", "HIT"]


async def test_calls_at_the_same_time_make_different_ones(rig: Rig) -> None:
    flows = [flow_of(CHAT, x_mitmcache_variants="3") for _ in range(4)]
    await asyncio.gather(*(rig.ask(flow) for flow in flows))
    keys = [trail_of(flow).key for flow in flows]
    assert (len(set(keys[:3])), keys[3]) == (3, keys[0])
    for number, flow in enumerate(flows):
        await rig.reply(flow, reply_of(saying(number)))
    assert {await ask(rig, 9) for _ in range(3)} == set(given(1, 2, 3))


async def test_one_that_failed_is_made_again(rig: Rig) -> None:
    failed = await rig.ask(flow_of(CHAT, x_mitmcache_variants="2"))
    await rig.fail(failed)
    refused = flow_of(CHAT, x_mitmcache_variants="2")
    await rig.call(refused, response(b"{}", status=429))
    assert trail_of(failed).key == trail_of(refused).key
    assert [(await ask(rig, n, "2"))[0] for n in range(3)] == ["MISS", "MISS", "HIT"]


async def test_a_restart_finds_what_was_collected(make_rig: MakeRig) -> None:
    first = make_rig()
    await collected(first, 2)
    await first.close()
    second = make_rig()
    assert (await ask(second, 2))[0] == "MISS"
    assert [await ask(second, 9) for _ in range(3)] == given(0, 1, 2)


async def test_what_has_expired_is_collected_again_and_none_is_served_before(rig: Rig, clock: Clock) -> None:
    for number in range(2):
        await ask(rig, number, "2", cf_aig_cache_ttl="100")
    assert (await ask(rig, 9, "2"))[0] == "HIT"
    clock.now += 200
    assert [(await ask(rig, number, "2"))[0] for number in (4, 5, 6)] == ["MISS", "MISS", "HIT"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_has_expired_is_collected_by_different_calls_at_the_same_time(
    make_rig: MakeRig, clock: Clock, restarted: bool
) -> None:
    rig = make_rig()
    for number in range(3):
        await ask(rig, number, cf_aig_cache_ttl="100")
    assert (await ask(rig, 9))[0] == "HIT"
    if restarted:
        await rig.close()
        rig = make_rig()
    clock.now += 200
    flows = [flow_of(CHAT, x_mitmcache_variants="3") for _ in range(3)]
    await asyncio.gather(*(rig.ask(flow) for flow in flows))
    assert len({trail_of(flow).key for flow in flows}) == 3
    assert not any(flow.response for flow in flows)


async def test_where_there_is_no_upstream_few_are_looked_for(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(llm_mode="offline")
    looked: list[str] = []
    find = Storage.find

    async def spy(self: Storage, key: str, *arguments: Any) -> Found | None:
        looked.append(key)
        return await find(self, key, *arguments)

    monkeypatch.setattr(Storage, "find", spy)
    await rig.call(flow_of(CHAT, x_mitmcache_variants="100"))
    assert len(looked) == GAPS + 1


async def test_who_wants_a_new_answer_replaces_one_after_another(rig: Rig) -> None:
    await collected(rig, 2)
    for number in (5, 6):
        assert (await ask(rig, number, "2", cache_control="no-cache"))[0] == "MISS"
    assert {await ask(rig, 9, "2") for _ in range(2)} == set(given(5, 6))


async def test_offline_those_that_there_are_take_turns(make_rig: MakeRig) -> None:
    live = make_rig()
    await collected(live, 2)
    await live.close()
    offline = make_rig(llm_mode="offline")
    assert [await ask(offline, 9, "50") for _ in range(3)] == given(0, 1, 0)
    other = flow_of(CHAT.saying("goodbye"), x_mitmcache_variants="3")
    missed = await offline.call(other)
    assert missed.response and missed.response.status_code == 504


async def test_so_many_calls_are_remembered_and_no_more(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitmcache.addons.samples.MOST", 1)
    await collected(rig)
    await rig.call(flow_of(CHAT.saying("goodbye"), x_mitmcache_variants="3"), reply_of(CHAT))
    assert [await ask(rig, 9) for _ in range(2)] == given(0, 1)
