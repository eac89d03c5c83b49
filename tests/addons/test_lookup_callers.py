"""What goes upstream of what a caller says, and who is given whose answer."""

from pathlib import Path
from typing import NoReturn

import pytest
from mitmproxy import http

from addons.cases import STORING, made_host
from addons.conftest import MakeRig
from addons.flows import Rig, flow, flow_of, reply_of, status, word
from addons.listening import listening
from exchanges import bedrock
from exchanges.openai import CHAT, HOST
from made import JSON
from mitmcache.addons import listeners
from mitmcache.cache.directives import CONTROL_HEADERS
from mitmcache.providers.base import Json

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=cache-control;host;x-amz-date, Signature=0123456789abcdef"
)


def by_user(name: str, key: str = "test-key-one") -> http.HTTPFlow:
    asked = flow_of(CHAT.bearing(authorization=f"Bearer {key}"))
    if name:
        asked.metadata["proxyauth"] = (name, "secret")
    return asked


async def test_a_rule_decides_for_who_cannot_send_headers(make_rig: MakeRig, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: [{match: {user: alice}, skip: true}, {skip: false, ttl: 5}]")
    rig = make_rig(llm_policy=str(policy))
    await rig.call(flow_of(STORING), reply_of(STORING))
    assert "hit; ttl=5" in status(await rig.call(flow_of(STORING)))
    assert word(await rig.call(by_user("alice"), reply_of(CHAT))) == "BYPASS"


# what goes upstream


async def test_what_is_addressed_to_us_does_not_go_upstream(rig: Rig) -> None:
    asked = flow_of(CHAT, x_own="1")
    for name in CONTROL_HEADERS:
        asked.request.headers[name] = "1"
    await rig.ask(asked)
    assert not [name for name in CONTROL_HEADERS if name in asked.request.headers]
    assert asked.request.headers["x-own"] == "1"
    assert asked.request.raw_content == CHAT.body


async def test_what_is_addressed_to_us_does_not_go_upstream_when_we_fail(rig: Rig) -> None:
    def prune(body: Json) -> NoReturn:
        raise RuntimeError("no such thing")

    rig.hosts(made_host(prune=prune))
    headers = (("cf-aig-cache-ttl", "5"), *JSON)
    asked = await rig.ask(flow(url="https://api.made.example/v1/chat", headers=headers))
    assert "cf-aig-cache-ttl" not in asked.request.headers and asked.response is None


async def test_a_header_that_a_signature_covers_is_left_in_place(rig: Rig) -> None:
    signed = bedrock.CONVERSE.bearing(authorization=SIGNED)
    asked = await rig.ask(flow_of(signed, cache_control="no-cache", cf_aig_cache_ttl="5"))
    assert asked.request.headers["cache-control"] == "no-cache"
    assert "cf-aig-cache-ttl" not in asked.request.headers


async def test_another_call_to_the_same_host_keeps_its_headers(rig: Rig) -> None:
    asked = await rig.ask(flow("GET", f"https://{HOST}/v1/models", headers=(("cache-control", "no-cache"),)))
    assert asked.request.headers["cache-control"] == "no-cache"


# whose answers

SCOPES = [
    ("credential", ("alice", "one"), ("bob", "one"), "HIT"),
    ("credential", ("alice", "one"), ("alice", "two"), "MISS"),
    ("user", ("alice", "one"), ("alice", "two"), "HIT"),
    ("user", ("alice", "one"), ("bob", "one"), "MISS"),
    ("user", ("", "one"), ("", "two"), "MISS"),
    ("user", ("", "one"), ("", "one"), "HIT"),
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
    ("host", "scope", "user", "told"),
    [
        ("127.0.0.1", "credential", "", ["MISS", "HIT"]),
        ("0.0.0.0", "credential", "alice", ["BYPASS", "BYPASS"]),
        ("0.0.0.0", "user", "", ["BYPASS", "BYPASS"]),
        ("0.0.0.0", "user", "alice", ["MISS", "HIT"]),
        ("0.0.0.0", "shared", "", ["MISS", "HIT"]),
    ],
)
async def test_a_signed_call_is_cached_where_its_caller_is_known(
    make_rig: MakeRig, host: str, scope: str, user: str, told: list[str]
) -> None:
    """A signature shows no secret. On loopback all who ask are of one machine."""
    rig = make_rig(llm_scope=scope)
    exchange = bedrock.CONVERSE.bearing(authorization=SIGNED)
    async with listening(rig, host):
        for expected in told:
            asked = flow_of(exchange)
            if user:
                asked.metadata["proxyauth"] = (user, "secret")
            assert word(await rig.call(asked, reply_of(exchange))) == expected
            await rig.stored()


async def test_what_a_signature_asks_for_is_not_known_once_others_can_reach_the_proxy(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = bedrock.CONVERSE.bearing(authorization=SIGNED)
    async with listening(rig, "127.0.0.1"):
        assert await rig.repeat(exchange, 3) == ["MISS", "HIT", "HIT"]
        monkeypatch.setattr(listeners, "on_loopback", lambda: False)
        assert await rig.repeat(exchange, 1) == ["BYPASS"]
