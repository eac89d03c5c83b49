from dataclasses import replace

import pytest

from addons.cases import STORING, aged, error
from addons.conftest import Clock, MakeRig
from addons.flows import Rig, flow, flow_of, reply_of, response, status, word
from exchanges.openai import CHAT, HOST
from mitmcache.addons.calls import Calls
from mitmcache.addons.lookup import Lookup
from mitmcache.addons.trail import trail_of


async def test_offline_a_miss_names_the_field_that_differs(make_rig: MakeRig) -> None:
    live = make_rig()
    await live.call(flow_of(CHAT), reply_of(CHAT))
    await live.close()
    offline = make_rig(llm_mode="offline")
    assert word(await offline.call(flow_of(CHAT))) == "HIT"
    missed = await offline.call(flow_of(CHAT.saying("goodbye")))
    assert (word(missed), error(missed)["differs"]) == ("MISS", ["messages[0].content"])
    assert "messages[0].content" in str(error(missed)["message"])
    assert status(missed) == 'mitmcache; fwd=uri-miss; detail="messages[0].content"'
    assert b"goodbye" not in (missed.response.raw_content or b"" if missed.response else b"")
    stranger = await offline.call(flow_of(CHAT.bearing(authorization="Bearer other")))
    assert (error(stranger)["differs"], "nothing like it" in str(error(stranger)["message"])) == ([], True)


async def test_offline_what_has_expired_is_served(make_rig: MakeRig, clock: Clock) -> None:
    rig = make_rig()
    await aged(rig, clock, 1000)
    rig.options.update(llm_mode="offline")
    assert word(await rig.call(flow_of(CHAT))) == "STALE"


async def test_offline_a_call_that_is_never_cached_is_refused(make_rig: MakeRig) -> None:
    rig = make_rig(llm_mode="offline")
    refused = await rig.call(flow_of(STORING))
    assert (word(refused), str(error(refused)["message"]).endswith(": store")) == ("BYPASS", True)


async def test_offline_nothing_goes_to_a_provider_and_all_else_passes(make_rig: MakeRig) -> None:
    rig = make_rig(llm_mode="offline")
    assert word(await rig.call(flow("GET", f"https://{HOST}/v1/models"))) == "BYPASS"
    assert (await rig.ask(flow("GET", "https://plain.example/v1/models"))).response is None


async def test_refresh_always_goes_upstream_and_keeps(make_rig: MakeRig) -> None:
    rig = make_rig(llm_mode="refresh")
    assert await rig.repeat(CHAT) == ["MISS", "MISS"]
    rig.options.update(llm_mode="live")
    assert await rig.repeat(CHAT, 1) == ["HIT"]


async def test_off_neither_reads_nor_keeps(make_rig: MakeRig) -> None:
    rig = make_rig()
    await rig.repeat(CHAT)
    rig.options.update(llm_mode="off")
    off = await rig.call(flow_of(CHAT, cache_control="no-cache"), reply_of(CHAT))
    assert status(off) == "mitmcache; fwd=bypass; fwd-status=200; detail=off"
    assert "cache-control" not in off.request.headers
    assert (await rig.stored())["stored"] == 1


# when a lookup is not made, or fails


async def test_when_the_store_fails_the_call_goes_on(
    rig: Rig, broken: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert await rig.repeat(CHAT, 1) == ["BYPASS"]
    found = await rig.stored()
    assert (found["bypassed"], found["stored"]) == ({"store-error": 1}, 0)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "hello" not in caplog.text and "test-key" not in caplog.text


async def test_offline_a_store_that_fails_sends_nothing_upstream(make_rig: MakeRig, broken: None) -> None:
    rig = make_rig(llm_mode="offline")
    assert error(await rig.call(flow_of(CHAT)))["type"] == "mitmcache_miss"


async def test_a_replay_is_not_answered_from_the_cache_and_its_answer_is_kept(rig: Rig) -> None:
    await rig.repeat(CHAT)
    replayed = await rig.call(flow_of(CHAT))
    newer = replace(CHAT, reply=CHAT.reply.replace(b"there", b"again"))
    for _ in range(2):
        # as mitmproxy does it, on the very flow
        replayed.backup()
        replayed.is_replay, replayed.response, replayed.live = "request", None, True
        await rig.call(replayed, reply_of(newer))
        assert status(replayed) == "mitmcache; fwd=request; fwd-status=200; stored"
    hit = await rig.call(flow_of(CHAT))
    assert hit.response and hit.response.raw_content == newer.reply


async def test_a_request_that_is_answered_already_stays_so(rig: Rig) -> None:
    """What mitmproxy's proxyauth has refused must not be answered from the cache."""
    await rig.repeat(CHAT)
    asked = flow_of(CHAT)
    asked.response = refusal = response(b"who are you?", status=407)
    await rig.ask(asked)
    assert asked.response is refusal
    assert (trail_of(asked).outcome, (await rig.stored())["hits"]) == (None, 1)


async def test_what_an_addon_before_us_answers_stays_answered(rig: Rig) -> None:
    await rig.repeat(CHAT)
    asked = flow_of(CHAT)
    rig.get(Calls).requestheaders(asked)
    rig.get(Calls).request(asked)
    asked.response = theirs = response(b"mine")
    assert rig.get(Lookup).request(asked) is None
    assert asked.response is theirs and (await rig.stored())["hits"] == 1


async def test_a_body_over_the_limit_is_bypassed(make_rig: MakeRig) -> None:
    rig = make_rig(llm_max_body="100")
    large = CHAT.saying("x" * 100)
    assert await rig.repeat(large, 1) == ["BYPASS"]
    assert (await rig.stored())["bypassed"] == {"too-large": 1}


# what this run has stored


async def test_what_this_run_has_stored_is_not_served_to_it(make_rig: MakeRig) -> None:
    first = make_rig(llm_serve="earlier-runs")
    assert await first.repeat(CHAT) == ["MISS", "MISS"]
    retried = await first.call(flow_of(CHAT), reply_of(CHAT))
    assert status(retried) == "mitmcache; fwd=miss; fwd-status=200; stored; detail=this-run"
    await first.close()
    second = make_rig(llm_serve="earlier-runs")
    assert await second.repeat(CHAT) == ["HIT", "HIT"]


async def test_what_another_run_stores_meanwhile_is(make_rig: MakeRig) -> None:
    mine, theirs = make_rig(llm_serve="earlier-runs"), make_rig()
    await mine.repeat(CHAT.saying("goodbye"), 1)
    await theirs.repeat(CHAT, 1)
    await theirs.stored()
    assert await mine.repeat(CHAT, 1) == ["HIT"]
