"""What a rule of the policy file says of the key."""

from dataclasses import replace
from pathlib import Path

import pytest

from addons.conftest import MakeRig
from addons.flows import Rig, flow_of, reply_of, word
from exchanges.base import Exchange
from exchanges.openai import CHAT, TRANSCRIPTION
from mitmcache.addons.trail import trail_of
from mitmcache.cache import body
from mitmcache.cache.body import Body


def bearing(number: int, exchange: Exchange = CHAT) -> Exchange:
    """Its call with an id in the first message, and a run in a field of our own."""
    body = exchange.body.replace(b'"role"', b'"id":"m%d","role"' % number, 1)
    return replace(exchange, body=body.replace(b"{", b'{"trace":{"run":%d},' % number, 1))


def ruled(make_rig: MakeRig, folder: Path, rule: str) -> Rig:
    (folder / "policy.yaml").write_text(f"rules: [{rule}]")
    return make_rig(llm_policy=str(folder / "policy.yaml"))


VOLATILE = 'volatile: ["messages[*].id", trace.run]'


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (f"{{host: api.openai.com, {VOLATILE}}}", "HIT"),
        (f"{{host: api.openai.com, model: gpt-4o*, path: /v1/chat/*, {VOLATILE}}}", "HIT"),
        (f"{{host: other.example, {VOLATILE}}}", "MISS"),
        (f"{{model: claude-*, {VOLATILE}}}", "MISS"),
        (f"{{user: alice, {VOLATILE}}}", "MISS"),
        ("{host: api.openai.com, volatile: [trace]}", "MISS"),
        ("{host: api.openai.com, ttl: 7d}", "MISS"),
    ],
)
async def test_volatile_fields_do_not_count_where_the_rule_matches(
    make_rig: MakeRig, tmp_path: Path, rule: str, expected: str
) -> None:
    rig = ruled(make_rig, tmp_path, rule)
    await rig.call(flow_of(bearing(1)), reply_of(CHAT))
    again = await rig.call(flow_of(bearing(2)), reply_of(CHAT))
    assert word(again) == expected
    # upstream gets what was sent
    assert again.request.raw_content == bearing(2).body


async def test_without_volatile_fields_in_it_a_call_keeps_its_key(make_rig: MakeRig, tmp_path: Path) -> None:
    plain, other = make_rig(), ruled(make_rig, tmp_path, VOLATILE.join("{}"))
    keys = [trail_of(await rig.ask(flow_of(CHAT))).key for rig in (plain, other)]
    assert keys[0] == keys[1]


async def test_a_part_of_a_form_can_be_volatile_too(make_rig: MakeRig, tmp_path: Path) -> None:
    rig = ruled(make_rig, tmp_path, "{volatile: [prompt]}")
    other = TRANSCRIPTION.saying("goodbye")
    assert other.body != TRANSCRIPTION.body
    await rig.call(flow_of(TRANSCRIPTION), reply_of(TRANSCRIPTION))
    assert word(await rig.call(flow_of(other), reply_of(other))) == "HIT"


async def test_what_is_volatile_still_decides_what_is_never_cached(make_rig: MakeRig, tmp_path: Path) -> None:
    rig = ruled(make_rig, tmp_path, "{volatile: [store]}")
    storing = flow_of(CHAT)
    storing.request.content = CHAT.body.replace(b"{", b'{"store":true,', 1)
    assert word(await rig.call(storing, reply_of(CHAT))) == "BYPASS"


async def test_a_call_without_such_a_rule_is_read_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    whole = body.read

    def spy(data: bytes, content_type: str, dialect: object) -> Body:
        read.append(content_type)
        return whole(data, content_type, dialect)  # type: ignore[arg-type]

    monkeypatch.setattr(body, "read", spy)
    await rig.ask(flow_of(CHAT))
    assert len(read) == 1
