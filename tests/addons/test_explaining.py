"""Misses are remembered with what the nearest stored request had otherwise."""

from mitmproxy import http

from addons.conftest import MakeRig
from addons.flows import Rig, flow_of, reply_of
from exchanges.openai import CHAT
from mitmcache.addons.trail import trail_of
from mitmcache.selection import About


async def explained(rig: Rig, asked: http.HTTPFlow) -> http.HTTPFlow:
    """A miss, whose explanation is there before its answer."""
    explaining = trail_of(await rig.ask(asked)).explaining
    assert explaining
    await explaining
    await rig.reply(asked, reply_of(CHAT))
    return asked


async def test_misses_can_be_explained_later(make_rig: MakeRig) -> None:
    rig = make_rig()
    stored = await explained(rig, flow_of(CHAT))
    await rig.stored()
    missed = await rig.call(flow_of(CHAT.saying("goodbye"), cache_control="only-if-cached"))
    await rig.close()
    disk = make_rig().storage.stores.disk
    assert disk
    last, first = await disk.missed("", 10)
    assert (last.key, last.nearest) == (trail_of(missed).key, trail_of(stored).key)
    assert (last.host, last.model, last.why) == ("api.openai.com", trail_of(missed).model, "uri-miss")
    assert last.places == ("messages[0].content",)
    assert (first.key, first.nearest, first.places) == (trail_of(stored).key, "", ())


async def test_a_call_is_not_explained_by_its_own_answer(rig: Rig) -> None:
    """A fast upstream answers before the disk does."""
    asked = await rig.ask(flow_of(CHAT))
    trail = trail_of(asked)
    likeness = trail.likeness
    await rig.reply(asked, reply_of(CHAT))
    await rig.stored()
    assert likeness
    about = About("openai", "api.openai.com", trail.model)
    assert await rig.storage.explain(trail.key, about, "uri-miss", likeness, 8) is None
    found = await rig.storage.explain(trail.key, about, "stale", likeness, 8)
    assert found and (found.key, found.places) == (trail.key, [])


async def test_who_asks_for_a_new_answer_is_told_of_the_stored_one(rig: Rig) -> None:
    stored = await explained(rig, flow_of(CHAT))
    await rig.stored()
    again = await explained(rig, flow_of(CHAT, cache_control="no-cache"))
    near = trail_of(again).near
    assert near and (near.key, near.places) == (trail_of(stored).key, [])


async def test_a_miss_is_explained_by_the_answer_of_just_now(rig: Rig) -> None:
    for word in ("one", "two", "three"):
        asked = await explained(rig, flow_of(CHAT.saying(word)))
        await rig.storage.keeper.drain(60)
    near = trail_of(asked).near
    assert near and near.places == ["messages[0].content"]
    again = await explained(rig, flow_of(CHAT.saying("four")))
    near = trail_of(again).near
    assert near and near.key == trail_of(asked).key


async def test_a_field_that_is_new_on_every_call_is_a_suspect(rig: Rig) -> None:
    for number in range(7):
        asked = flow_of(CHAT.saying(f"n{number}"))
        body = asked.request.content or b""
        asked.request.content = body.replace(b"{", b'{"trace":{"run":%d},' % number, 1)
        await explained(rig, asked)
        await rig.stored()
    [suspect] = (await rig.stored())["suspects"]
    assert (suspect["host"], suspect["path"]) == ("api.openai.com", "trace.run")
