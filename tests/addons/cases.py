"""What several test modules of the addons ask about."""

from dataclasses import replace

import orjson
from mitmproxy import http

import made
from addons.conftest import Clock
from addons.flows import Rig, flow_of, reply_of, word
from exchanges import Exchange
from exchanges.openai import CHAT
from mitmcache.providers.base import Provider

STORING = replace(CHAT, body=CHAT.body.replace(b"{", b'{"store":true,', 1))


async def aged(rig: Rig, clock: Clock, seconds: float) -> None:
    """CHAT's answer is in the cache, was fresh for 100 seconds, and is this old."""
    await rig.call(flow_of(CHAT, cf_aig_cache_ttl="100"), reply_of(CHAT))
    await rig.stored()
    clock.now += seconds


async def hits(rig: Rig, exchange: Exchange) -> bool:
    """Its answer is in the cache now."""
    await rig.stored()
    asked = await rig.ask(flow_of(exchange, cache_control="only-if-cached"))
    return word(asked) == "HIT"


async def dropped(rig: Rig) -> object:
    """What was not kept, by reason. Nothing that waited for a judgement may still be paid for."""
    found = await rig.stored()
    assert rig.storage.budget.used == 0
    return found["dropped"]


def error(answered: http.HTTPFlow) -> dict[str, object]:
    """What our own refusal says."""
    assert answered.response and answered.response.status_code == 504
    document: dict[str, dict[str, object]] = orjson.loads(answered.response.content or b"")
    return document["error"]


def made_host(**changes: object) -> tuple[str, Provider]:
    """A provider whose dialect is made up for the test."""
    [(method, pattern, dialect)] = made.PROVIDER.operations
    other = replace(dialect, **changes)  # type: ignore[arg-type]
    return "api.made.example", replace(made.PROVIDER, operations=((method, pattern, other),))
