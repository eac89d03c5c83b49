from collections.abc import Sequence

import pytest
from mitmproxy import http
from mitmproxy.utils.emoji import emoji

from addons.conftest import Clock
from addons.flows import Rig, flow, flow_of, reply_of, response
from exchanges import Exchange
from exchanges.openai import CHAT, CHAT_STREAM, HOST
from mitmcache.addons.marks import MARKERS, Marks
from mitmcache.addons.trail import trail_of

MODEL = "gpt-4o-mini-2024-07-18"


def marks(ended: http.HTTPFlow) -> tuple[str, str]:
    return ended.marked, ended.comment


@pytest.mark.parametrize(("exchange", "kept"), [(CHAT, ", kept"), (CHAT_STREAM, "")])
async def test_hits_and_misses_are_told_apart(rig: Rig, clock: Clock, exchange: Exchange, kept: str) -> None:
    missed = await rig.call(flow_of(exchange), reply_of(exchange))
    assert marks(missed) == (":large_blue_circle:", f"MISS (uri-miss){kept} · {MODEL}")
    await rig.stored()
    clock.now += 12
    hit = await rig.call(flow_of(exchange))
    assert marks(hit) == (MARKERS["HIT"], f"HIT from memory, 12 s old · {MODEL}")


async def test_a_bypass_says_why(rig: Rig) -> None:
    skipped = await rig.call(flow_of(CHAT, cf_aig_skip_cache="true"), reply_of(CHAT))
    assert marks(skipped) == (MARKERS["BYPASS"], f"BYPASS: skip · {MODEL}")


async def test_what_was_not_kept_says_why(rig: Rig) -> None:
    refused = await rig.call(flow_of(CHAT), response(b"{}", status=429))
    assert marks(refused) == (":large_blue_circle:", f"MISS (uri-miss): status · {MODEL}")


async def test_an_expired_answer_is_another_colour(rig: Rig, clock: Clock) -> None:
    await rig.call(flow_of(CHAT, cf_aig_cache_ttl="10"), reply_of(CHAT))
    await rig.stored()
    clock.now += 12
    stale = await rig.call(flow_of(CHAT, cache_control="max-stale"))
    assert marks(stale) == (MARKERS["STALE"], f"STALE from memory, 12 s old · {MODEL}")


async def test_a_call_that_failed_is_marked_too(rig: Rig) -> None:
    failed = await rig.ask(flow_of(CHAT))
    await rig.fail(failed)
    assert marks(failed) == (":large_blue_circle:", f"MISS (uri-miss) · {MODEL}")


async def test_another_flow_has_no_mark(rig: Rig) -> None:
    passed = await rig.call(flow("GET", f"https://{HOST}/v1/models"), response(b"{}"))
    assert marks(passed) == ("", "")


async def test_a_miss_names_the_nearest_request_and_where_it_differs(rig: Rig) -> None:
    first = await rig.call(flow_of(CHAT), reply_of(CHAT))
    await rig.stored()
    other = CHAT.saying("goodbye")
    asked = await rig.ask(flow_of(other))
    explaining = trail_of(asked).explaining
    assert explaining and await explaining
    await rig.reply(asked, reply_of(other))
    near = f"nearest {trail_of(first).key[:12]} differs in messages[0].content"
    assert asked.comment == f"MISS (uri-miss), kept; {near} · {MODEL}"


async def test_what_somebody_else_has_written_stays(rig: Rig) -> None:
    asked = flow_of(CHAT)
    asked.marked, asked.comment = ":star:", "look here"
    assert marks(await rig.call(asked, reply_of(CHAT))) == (":star:", "look here")


async def test_a_replay_has_marks_of_its_own_and_still_the_users(rig: Rig) -> None:
    asked = await rig.call(flow_of(CHAT, cf_aig_skip_cache="true"), reply_of(CHAT))
    asked.marked = ":star:"
    asked.is_replay, asked.response, asked.live = "request", None, True
    await rig.call(asked, reply_of(CHAT))
    assert marks(asked) == (":star:", f"MISS (request), kept · {MODEL}")


def test_every_marker_is_another_and_one_that_mitmproxy_knows() -> None:
    assert len(set(MARKERS.values())) == len(MARKERS)
    assert set(MARKERS.values()) <= set(emoji)


async def test_mitmweb_shows_the_comment(rig: Rig) -> None:
    rig.options.add_option("web_columns", Sequence[str], ["path", "size"], "")
    for _ in range(2):
        rig.get(Marks).running()
        assert rig.options.web_columns == ["path", "size", "comment"]


async def test_mitmdump_has_no_columns(rig: Rig) -> None:
    rig.get(Marks).running()
    assert "web_columns" not in rig.options
