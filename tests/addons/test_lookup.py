import asyncio
import threading
from dataclasses import replace

import pytest

import made
from addons.cases import STORING, aged, error, made_host
from addons.conftest import Clock, MakeRig
from addons.flows import Rig, flow, flow_of, reply_of, status, word
from exchanges.openai import CHAT, CHAT_STREAM
from mitmcache.addons.trail import trail_of
from mitmcache.cache import key as keys
from mitmcache.providers.base import Json
from mitmcache.threads import INLINE


async def test_a_repeated_call_is_answered_from_the_cache(rig: Rig, clock: Clock) -> None:
    missed = await rig.call(flow_of(CHAT), reply_of(CHAT))
    assert (word(missed), status(missed)) == (
        "MISS",
        "mitmcache; fwd=uri-miss; fwd-status=200; stored",
    )
    await rig.stored()
    clock.now += 12
    hit = await rig.call(flow_of(CHAT))
    assert hit.response and hit.response.raw_content == CHAT.reply
    assert dict(hit.response.headers) == {
        "content-type": "application/json",
        "x-cache": "HIT",
        "cf-aig-cache-status": "HIT",
        "cache-status": "mitmcache; hit; ttl=86388",
        "age": "12",
        "content-length": str(len(CHAT.reply)),
    }
    assert (hit.response.status_code, hit.response.reason) == (200, "OK")


async def test_an_answer_is_found_in_memory_and_after_a_restart_on_disk(make_rig: MakeRig) -> None:
    first = make_rig()
    await first.repeat(CHAT)
    assert trail_of(await first.call(flow_of(CHAT))).tier == "memory"
    await first.close()
    second = make_rig()
    assert [trail_of(await second.call(flow_of(CHAT))).tier for _ in range(2)] == ["disk", "memory"]


async def test_who_asks_at_once_waits_for_the_answer_that_has_just_gone_by(rig: Rig) -> None:
    assert await rig.repeat(CHAT) == ["MISS", "HIT"]


AGED = [
    ("fresh", 60, "", "HIT", "hit; ttl=40"),
    ("fresh, and accepted if stale", 60, "max-stale=10", "HIT", "hit; ttl=40"),
    ("expired", 150, "", "MISS", "fwd=stale"),
    ("expired, any staleness accepted", 150, "max-stale", "STALE", "hit; ttl=-50"),
    ("expired within the accepted staleness", 150, "max-stale=50", "STALE", "hit; ttl=-50"),
    ("expired beyond the accepted staleness", 150, "max-stale=49", "MISS", "fwd=stale"),
    ("young enough", 60, "max-age=60", "HIT", "hit; ttl=40"),
    ("too old for this caller", 60, "max-age=59", "MISS", "fwd=request"),
    (
        "too old for this caller, though stale is accepted",
        150,
        "max-age=149, max-stale",
        "MISS",
        "fwd=request",
    ),
    ("fresh for long enough", 60, "min-fresh=40", "HIT", "hit; ttl=40"),
    ("not fresh for long enough", 60, "min-fresh=41", "MISS", "fwd=request"),
    ("not wanted", 60, "no-cache", "MISS", "fwd=request"),
    ("not to be kept again", 60, "no-store", "HIT", "hit; ttl=40"),
    ("from before the clock was set back", -400, "", "MISS", "fwd=uri-miss"),
    ("from a clock a little ahead", -100, "", "HIT", "hit; ttl=200"),
]


@pytest.mark.parametrize(
    ("seconds", "control", "told", "member"), [pytest.param(*case[1:], id=case[0]) for case in AGED]
)
async def test_age_and_the_callers_words_decide(
    rig: Rig, clock: Clock, seconds: float, control: str, told: str, member: str
) -> None:
    await aged(rig, clock, seconds)
    asked = await rig.call(flow_of(CHAT, cache_control=control), reply_of(CHAT))
    assert (word(asked), status(asked).startswith(f"mitmcache; {member}")) == (told, True), status(asked)


@pytest.mark.parametrize(
    ("headers", "times"), [({"cache_control": "no-store"}, 2), ({"cf_aig_cache_ttl": "0"}, 2)]
)
async def test_what_is_not_to_be_kept_is_not(rig: Rig, headers: dict[str, str], times: int) -> None:
    assert await rig.repeat(CHAT, times, **headers) == ["MISS"] * times
    assert (await rig.stored())["stored"] == 0


async def test_a_newer_answer_takes_the_place_of_the_older(rig: Rig, clock: Clock) -> None:
    await aged(rig, clock, 60)
    newer = replace(CHAT, reply=CHAT.reply.replace(b"there", b"again"))
    assert word(await rig.call(flow_of(newer, cache_control="no-cache"), reply_of(newer))) == "MISS"
    hit = await rig.call(flow_of(CHAT))
    assert hit.response and hit.response.raw_content == newer.reply


async def test_a_caller_may_want_no_answer_but_from_the_cache(rig: Rig) -> None:
    missed = await rig.call(flow_of(CHAT, cache_control="only-if-cached"))
    assert (word(missed), error(missed)["type"]) == ("MISS", "mitmcache_miss")
    assert missed.response and missed.response.headers["x-should-retry"] == "false"
    await rig.call(flow_of(CHAT), reply_of(CHAT))
    assert word(await rig.call(flow_of(CHAT, cache_control="only-if-cached"))) == "HIT"


@pytest.mark.parametrize("name", ["cf_aig_skip_cache", "cf_skip_cache"])
async def test_a_caller_may_want_neither_lookup_nor_storage(rig: Rig, name: str) -> None:
    assert await rig.repeat(CHAT, 1, **{name: "true"}) == ["BYPASS"]
    assert await rig.repeat(CHAT) == ["MISS", "HIT"]
    skipped = await rig.call(flow_of(CHAT, **{name: "true"}), reply_of(CHAT))
    assert status(skipped) == "mitmcache; fwd=bypass; fwd-status=200; detail=skip"
    assert (await rig.stored())["bypassed"] == {"skip": 2}


async def test_a_call_that_asks_for_a_side_effect_is_bypassed(rig: Rig) -> None:
    assert await rig.repeat(STORING) == ["BYPASS", "BYPASS"]
    assert (await rig.stored())["bypassed"] == {"store": 2}


# what is told of a miss


async def test_a_miss_tells_what_differs_from_the_nearest_request(rig: Rig) -> None:
    await rig.repeat(CHAT_STREAM)
    other = CHAT_STREAM.saying("goodbye")
    asked = await rig.ask(flow_of(other))
    explaining = trail_of(asked).explaining
    near = await explaining if explaining else None
    assert near and near.places == ["messages[0].content"]
    await rig.reply(asked, reply_of(other))
    assert status(asked).endswith('; detail="messages[0].content"')


# off the loop


def threads_of(rig: Rig) -> list[threading.Thread]:
    """Where the body of a call will have been parsed: the made provider's prune notes it."""
    noted: list[threading.Thread] = []

    def prune(body: Json) -> None:
        noted.append(threading.current_thread())

    rig.hosts(made_host(prune=prune))
    return noted


@pytest.mark.parametrize(("size", "inline"), [(INLINE, True), (INLINE + 1, False)])
async def test_a_large_body_is_parsed_and_digested_off_the_loop(
    rig: Rig, size: int, inline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = threads_of(rig)
    digest = keys.digest

    def spy(parts: keys.Ingredients) -> str:
        threads.append(threading.current_thread())
        return digest(parts)

    monkeypatch.setattr(keys, "digest", spy)
    body = b'{"a":"' + b"1" * (size - 8) + b'"}'
    asked = await rig.ask(flow(url="https://api.made.example/v1/chat", body=body, headers=made.JSON))
    assert len(trail_of(asked).key) == 64
    assert [thread is threading.main_thread() for thread in threads] == [inline, inline]


async def test_the_loop_goes_on_while_a_large_body_is_parsed(rig: Rig) -> None:
    reached, opened = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def prune(body: Json) -> None:
        loop.call_soon_threadsafe(reached.set)
        assert opened.wait(60)

    rig.hosts(made_host(prune=prune))
    body = b'{"a":"' + b"1" * INLINE + b'"}'
    asking = asyncio.create_task(
        rig.ask(flow(url="https://api.made.example/v1/chat", body=body, headers=made.JSON))
    )
    await asyncio.wait_for(reached.wait(), 60)
    assert await rig.repeat(CHAT) == ["MISS", "HIT"]
    opened.set()
    assert trail_of(await asking).outcome
