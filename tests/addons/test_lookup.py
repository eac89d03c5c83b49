import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from mitmproxy import http

import made
from addons.conftest import Clock, MakeRig
from addons.flows import Rig, flow, flow_of, reply_of, response, status, word
from addons.listening import listening
from exchanges import bedrock
from exchanges.openai import CHAT, CHAT_STREAM, HOST
from mitmcache.addons import lookup
from mitmcache.addons.trail import trail_of
from mitmcache.cache.directives import CONTROL_HEADERS
from mitmcache.providers.base import Dialect, Json, Provider
from mitmcache.store.base import StoreError
from mitmcache.store.tiers import Tiers

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=cache-control;host;x-amz-date, Signature=0123456789abcdef"
)


async def aged(rig: Rig, clock: Clock, seconds: float) -> None:
    """CHAT's answer is in the cache, was fresh for 100 seconds, and is this old."""
    await rig.call(flow_of(CHAT, cf_aig_cache_ttl="100"), reply_of(CHAT))
    await rig.stored()
    clock.now += seconds


def error(answered: http.HTTPFlow) -> dict[str, object]:
    """What our own refusal says."""
    assert answered.response and answered.response.status_code == 504
    document: dict[str, dict[str, object]] = orjson.loads(answered.response.content or b"")
    return document["error"]


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


STORING = replace(CHAT, body=CHAT.body.replace(b"{", b'{"store":true,', 1))


async def test_a_call_that_asks_for_a_side_effect_is_bypassed(rig: Rig) -> None:
    assert await rig.repeat(STORING) == ["BYPASS", "BYPASS"]
    assert (await rig.stored())["bypassed"] == {"store": 2}


async def test_a_rule_decides_for_who_cannot_send_headers(make_rig: MakeRig, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: [{match: {user: alice}, skip: true}, {skip: false, ttl: 5}]")
    rig = make_rig(llm_policy=str(policy))
    await rig.call(flow_of(STORING), reply_of(STORING))
    assert "hit; ttl=5" in status(await rig.call(flow_of(STORING)))
    assert word(await rig.call(by_user("alice"), reply_of(CHAT))) == "BYPASS"


# offline, refresh, off


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


# what goes upstream


async def test_what_is_addressed_to_us_does_not_go_upstream(rig: Rig) -> None:
    asked = flow_of(CHAT, x_own="1")
    for name in CONTROL_HEADERS:
        asked.request.headers[name] = "1"
    await rig.ask(asked)
    assert not [name for name in CONTROL_HEADERS if name in asked.request.headers]
    assert asked.request.headers["x-own"] == "1"
    assert asked.request.raw_content == CHAT.body


async def test_what_is_addressed_to_us_does_not_go_upstream_when_we_fail(rig: Rig, broken: None) -> None:
    asked = await rig.ask(flow_of(CHAT, cf_aig_cache_ttl="5"))
    assert "cf-aig-cache-ttl" not in asked.request.headers


async def test_a_header_that_a_signature_covers_is_left_in_place(rig: Rig) -> None:
    signed = bedrock.CONVERSE.bearing(authorization=SIGNED)
    asked = await rig.ask(flow_of(signed, cache_control="no-cache", cf_aig_cache_ttl="5"))
    assert asked.request.headers["cache-control"] == "no-cache"
    assert "cf-aig-cache-ttl" not in asked.request.headers


async def test_another_call_to_the_same_host_keeps_its_headers(rig: Rig) -> None:
    asked = await rig.ask(flow("GET", f"https://{HOST}/v1/models", headers=(("cache-control", "no-cache"),)))
    assert asked.request.headers["cache-control"] == "no-cache"


# whose answers


def by_user(name: str, key: str = "test-key-one") -> http.HTTPFlow:
    asked = flow_of(CHAT.bearing(authorization=f"Bearer {key}"))
    asked.metadata["proxyauth"] = (name, "secret")
    return asked


SCOPES = [
    ("credential", ("alice", "one"), ("bob", "one"), "HIT"),
    ("credential", ("alice", "one"), ("alice", "two"), "MISS"),
    ("user", ("alice", "one"), ("alice", "two"), "HIT"),
    ("user", ("alice", "one"), ("bob", "one"), "MISS"),
    ("shared", ("alice", "one"), ("bob", "two"), "HIT"),
]


@pytest.mark.parametrize(("scope", "first", "second", "told"), SCOPES)
async def test_the_scope_says_who_shares_an_answer(
    make_rig: MakeRig, scope: str, first: tuple[str, str], second: tuple[str, str], told: str
) -> None:
    rig = make_rig(llm_scope=scope)
    await rig.call(by_user(*first), reply_of(CHAT))
    assert word(await rig.call(by_user(*second), reply_of(CHAT))) == told


@pytest.mark.parametrize(
    ("host", "scope", "told"),
    [
        ("127.0.0.1", "credential", ["MISS", "HIT"]),
        ("0.0.0.0", "credential", ["BYPASS", "BYPASS"]),
        ("0.0.0.0", "user", ["MISS", "HIT"]),
    ],
)
async def test_a_signed_call_is_cached_where_only_this_machine_can_ask(
    make_rig: MakeRig, host: str, scope: str, told: list[str]
) -> None:
    rig = make_rig(llm_scope=scope)
    async with listening(rig, host):
        assert await rig.repeat(bedrock.CONVERSE.bearing(authorization=SIGNED)) == told


# when a lookup is not made, or fails


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def find(self: Tiers, key: str) -> None:
        raise StoreError("no such thing")

    monkeypatch.setattr(Tiers, "find", find)


async def test_when_the_store_fails_the_call_goes_on(
    rig: Rig, broken: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert await rig.repeat(CHAT, 1) == ["BYPASS"]
    assert (await rig.stored())["bypassed"] == {"store-error": 1}
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


async def test_a_body_over_the_limit_is_bypassed(make_rig: MakeRig) -> None:
    rig = make_rig(llm_max_body="100")
    large = CHAT.saying("x" * 100)
    assert await rig.repeat(large, 1) == ["BYPASS"]
    assert (await rig.stored())["bypassed"] == {"too-large": 1}


# what is told of a miss


async def test_a_miss_tells_what_differs_from_the_nearest_request(rig: Rig) -> None:
    await rig.repeat(CHAT_STREAM)
    other = CHAT_STREAM.saying("goodbye")
    asked = await rig.ask(flow_of(other))
    explaining = trail_of(asked).differs
    assert explaining and await explaining == ["messages[0].content"]
    await rig.reply(asked, reply_of(other))
    assert status(asked).endswith('; detail="messages[0].content"')


# off the loop


def threads_of(rig: Rig) -> list[threading.Thread]:
    """Where the body of a call will have been parsed: the made provider's prune notes it."""
    noted: list[threading.Thread] = []

    def prune(body: Json) -> None:
        noted.append(threading.current_thread())

    rig.hosts(made_host(replace(made.DIALECT, prune=prune)))
    return noted


def made_host(dialect: Dialect) -> tuple[str, Provider]:
    [(method, pattern, _)] = made.PROVIDER.operations
    return "api.made.example", replace(made.PROVIDER, operations=((method, pattern, dialect),))


@pytest.mark.parametrize(("size", "inline"), [(lookup.INLINE, True), (lookup.INLINE + 1, False)])
async def test_a_large_body_is_parsed_and_digested_off_the_loop(
    rig: Rig, size: int, inline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = threads_of(rig)
    digest = lookup.key.digest

    def spy(parts: lookup.key.Ingredients) -> str:
        threads.append(threading.current_thread())
        return digest(parts)

    monkeypatch.setattr(lookup.key, "digest", spy)
    body = b'{"a":"' + b"1" * (size - 8) + b'"}'
    asked = await rig.ask(flow(url="https://api.made.example/v1/chat", body=body, headers=made.JSON))
    assert len(trail_of(asked).key) == 64
    assert [thread is threading.main_thread() for thread in threads] == [inline, inline]


async def test_the_loop_goes_on_while_a_large_body_is_parsed(rig: Rig) -> None:
    reached, opened = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def prune(body: Json) -> None:
        loop.call_soon_threadsafe(reached.set)
        assert opened.wait(5)

    rig.hosts(made_host(replace(made.DIALECT, prune=prune)))
    body = b'{"a":"' + b"1" * lookup.INLINE + b'"}'
    asking = asyncio.create_task(
        rig.ask(flow(url="https://api.made.example/v1/chat", body=body, headers=made.JSON))
    )
    await asyncio.wait_for(reached.wait(), 5)
    assert await rig.repeat(CHAT) == ["MISS", "HIT"]
    opened.set()
    assert trail_of(await asking).outcome
