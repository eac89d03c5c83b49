import asyncio
import gc

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from addons.conftest import MakeRig
from addons.flows import Rig, dialled, flow, flow_of, reply_of, response
from boards import board_queries, rule_queries
from exchanges.openai import CHAT, CHAT_STREAM
from metrics.figures import count
from mitmcache.addons.metrics import Metrics
from queries import labels_of, names_of

IN_FLIGHT = "mitmcache_in_flight_requests"


async def scraped(rig: Rig, **headers: str) -> tuple[dict[str, str], str]:
    asked = flow(
        "GET", "http://llm.cache/metrics", b"", [(k.replace("_", "-"), v) for k, v in headers.items()]
    )
    answer = (await rig.call(asked)).response
    assert answer and answer.status_code == 200
    return dict(answer.headers), answer.text or ""


async def in_flight(rig: Rig) -> float | None:
    return count(await rig.get(Metrics).families(), IN_FLIGHT)


async def test_what_has_just_finished_is_in_the_next_scrape(rig: Rig) -> None:
    await rig.repeat(CHAT, 3)
    await rig.repeat(CHAT, 1, cf_aig_skip_cache="true")
    headers, text = await scraped(rig)
    assert headers["content-type"].startswith("text/plain") and headers["cache-control"] == "no-store"
    told = {
        (sample.labels["cache"], sample.labels["reason"]): sample.value
        for family in parse(text)
        for sample in family.samples
        if sample.name == "mitmcache_requests_total"
    }
    assert told == {("MISS", "uri-miss"): 1, ("HIT", ""): 2, ("BYPASS", "skip"): 1}
    assert 'mitmcache_build_info{mitmproxy_version="' in text


async def test_a_scraper_gets_the_form_and_the_coding_that_it_accepts(rig: Rig) -> None:
    headers, text = await scraped(
        rig, accept="application/openmetrics-text;version=1.0.0", accept_encoding="gzip"
    )
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert headers["content-encoding"] == "gzip" and text.endswith("# EOF\n")


async def test_scrapes_at_the_same_time_are_all_answered(rig: Rig) -> None:
    found = await asyncio.gather(*(scraped(rig) for _ in range(5)))
    assert all("mitmcache_build_info" in text for _, text in found)


async def test_a_call_is_in_flight_until_its_answer_is_whole(rig: Rig) -> None:
    asked = await rig.ask(flow_of(CHAT))
    assert await in_flight(rig) == 1
    await rig.reply(asked, reply_of(CHAT))
    assert await in_flight(rig) == 0


async def test_a_hit_is_in_flight_no_more_than_others(rig: Rig) -> None:
    await rig.repeat(CHAT, 2)
    assert await in_flight(rig) == 0


async def test_what_is_no_llm_call_is_not_counted(rig: Rig) -> None:
    asked = await rig.ask(flow("GET", "http://plain.example/"))
    assert asked.live and await in_flight(rig) == 0


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_call_whose_client_leaves_is_in_flight_no_more(rig: Rig, streaming: bool) -> None:
    asked = await rig.ask(flow_of(CHAT_STREAM))
    if streaming:
        await rig.headers(asked, reply_of(CHAT_STREAM))
    assert await in_flight(rig) == 1
    await rig.fail(asked)
    assert await in_flight(rig) == 0
    asked.error, asked.live = None, True  # as mitmproxy does it before it replays a flow
    assert await in_flight(rig) == 0


async def test_a_call_that_is_killed_is_in_flight_no_more_even_if_nobody_says_so(rig: Rig) -> None:
    asked = await rig.ask(flow_of(CHAT))
    asked.server_conn = dialled(asked)
    asked.kill()
    assert await in_flight(rig) == 0


async def test_a_flow_that_mitmproxy_forgets_is_not_held(rig: Rig) -> None:
    await rig.ask(flow_of(CHAT))
    gc.collect()
    assert await in_flight(rig) == 0


async def test_a_flow_that_is_replayed_is_counted_again(rig: Rig) -> None:
    asked = await rig.call(flow_of(CHAT), reply_of(CHAT))
    asked.response, asked.live = None, True
    await rig.ask(asked)
    assert await in_flight(rig) == 1


async def test_a_hostile_caller_makes_no_series(rig: Rig) -> None:
    for number in range(50):
        body = CHAT.body.replace(b"gpt-4o-mini", b"made-up-%d" % number)
        await rig.call(flow(CHAT.method, CHAT.url, body, CHAT.headers), response(b"{}", status=404))
    _, text = await scraped(rig)
    assert "made-up" not in text and 'model="other"' in text


async def test_every_name_and_label_that_board_and_rules_ask_for_is_exported(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    rig = make_rig(llm_store="s3://bucket/prefix")
    exported = {family.name: set(family.labels) for family in await rig.get(Metrics).families()}
    _, text = await scraped(rig)
    exported |= {family.name: set[str]() for family in parse(text) if not family.name.startswith("mitmcache")}
    for name, query in (board_queries() | rule_queries()).items():
        asked = names_of(query)
        assert asked and asked <= known(exported), (name, asked - known(exported))
        of_query = {label for family in asked for label in exported.get(base(family), ())}
        assert labels_of(query) <= of_query | {"instance", "job", "le"}, name


def base(name: str) -> str:
    return name.removesuffix("_bucket")


def known(exported: dict[str, set[str]]) -> set[str]:
    """With the names of what the rules record, and of the parser, which takes `_total` off."""
    names = {name for family in exported for name in (family, f"{family}_total", f"{family}_bucket")}
    return names | {name for name in rule_queries() if ":" in name}
