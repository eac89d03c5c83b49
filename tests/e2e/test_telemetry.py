"""What a real proxy tells of its calls: to the log, to a file of bodies, and to a collector by OTLP."""

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import exchanges
from e2e.answers import Answer
from e2e.client import calls, client, outcome, register, send, store
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange
from otel.collector import Collector, attributes

CHAT, STREAM = exchanges.openai.CHAT, exchanges.anthropic.MESSAGES_STREAM
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@dataclass
class Told:
    """All that was said of a few calls; the proxy has ended. Lines and spans are by the call's word."""

    asked: list[httpx.Response]
    lines: list[dict[str, Any]]
    bodies: list[dict[str, Any]]
    spans: list[Any]
    collector: Collector
    proxy: ProxyProcess
    word: str
    code: int
    """With which the proxy ended: negative, had it not done so by itself."""

    def span(self, identity: str) -> Any:
        [found] = [each for each in self.spans if attributes(each.attributes)["mitmcache.id"] == identity]
        return found


def ask(proxy: ProxyProcess, upstream: ScriptedUpstream, chat: Exchange, stream: Exchange) -> list[Any]:
    register(upstream, chat)
    register(upstream, stream)
    with client(proxy) as through:
        replies = [
            store(through, proxy, chat, traceparent=PARENT, tracestate="a=1,b=2"),
            send(through, chat),
            send(through, chat, cf_aig_skip_cache="true"),
            send(through, stream),
        ]
        register(upstream, chat, Answer(status=429, body=b'{"error":{}}'))
        replies.append(send(through, chat, cache_control="no-cache"))
        register(upstream, chat, Answer(drop="close"))
        replies.append(send(through, chat, cache_control="no-cache"))
    return replies


@pytest.fixture(scope="module")
def told(
    upstream_session: ScriptedUpstream, confdir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("telemetry")
    options = {
        "llm_log_file": str(folder / "calls.jsonl"),
        "llm_log_bodies": str(folder / "bodies.jsonl"),
    }
    word = "wtelemetry"
    chat, stream = CHAT.saying(word), STREAM.saying(word)
    with Collector() as collector, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-secret=sk-collector")
        patch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
        proxy = ProxyProcess(upstream_session, folder / "proxy", confdir, options)
        with proxy:
            replies = ask(proxy, upstream_session, chat, stream)
            code = proxy.stop()
        lines = [json.loads(each) for each in (folder / "calls.jsonl").read_text().splitlines()]
        bodies = [json.loads(each) for each in (folder / "bodies.jsonl").read_text().splitlines()]
        assert {stat.S_IMODE(each.stat().st_mode) for each in folder.glob("*.jsonl")} == {0o600}
        yield Told(replies, lines, bodies, collector.spans, collector, proxy, word, code)


def test_each_call_has_one_line_and_one_span_and_its_bodies(told: Told) -> None:
    words = [outcome(reply) for reply in told.asked]
    assert words == ["MISS", "HIT", "BYPASS", "MISS", "MISS", ""]
    assert [line["word"] for line in told.lines] == [*words[:-1], "MISS"]
    ids = [line["id"] for line in told.lines]
    assert len(set(ids)) == len(ids) == 6
    assert [attributes(span.attributes)["mitmcache.id"] for span in told.spans] == ids
    assert [each["id"] for each in told.bodies] == ids
    assert not told.proxy.crashes and told.code == 0


def test_the_caller_s_trace_goes_on_here_and_upstream(told: Told, upstream_session: ScriptedUpstream) -> None:
    first = told.span(told.lines[0]["id"])
    assert (first.trace_id.hex(), first.parent_span_id.hex(), first.trace_state) == (TRACE, SPAN, "a=1,b=2")
    assert told.lines[0]["trace_id"] == TRACE and "trace_id" not in told.lines[1]
    seen = [each for each in calls(upstream_session, CHAT) if told.word.encode() in each.body]
    assert (seen[0].header("traceparent"), seen[0].header("tracestate")) == (PARENT, "a=1,b=2")
    assert seen[1].header("traceparent") is None


def test_a_hit_is_no_usage_of_the_collector_s(told: Told) -> None:
    hit = attributes(told.span(told.lines[1]["id"]).attributes)
    assert (hit["mitmcache.cache.word"], hit["mitmcache.saved.input_tokens"]) == ("HIT", 9)
    assert not [name for name in hit if name.startswith("gen_ai.usage")]
    usage = told.collector.points("gen_ai.client.token.usage")
    words = {
        (point.attributes["mitmcache.cache.word"], point.attributes["gen_ai.provider.name"])
        for point in usage
    }
    assert words == {("MISS", "openai"), ("BYPASS", "openai"), ("MISS", "anthropic")}
    durations = told.collector.points("gen_ai.client.operation.duration")
    assert sum(point.times for point in durations) == 6
    saved = told.collector.points("mitmcache.token.saved")
    assert {point.attributes["gen_ai.token.type"]: point.total for point in saved} == {
        "input": 9,
        "output": 3,
    }


def test_a_stream_an_error_and_a_broken_call_are_told_as_such(told: Told) -> None:
    stream, refused, broken = told.lines[3:]
    assert stream["streamed"] and stream["output_tokens"] and stream["ledger"] == "billed"
    assert (refused["status"], refused["unstored"], refused["level"]) == (429, "status", "warning")
    assert "input_tokens" not in refused
    assert broken["error"] and "first_byte" not in broken
    spans = [told.span(each["id"]) for each in (stream, refused, broken)]
    assert [span.status.code for span in spans] == [0, 2, 2]
    kinds = [attributes(span.attributes).get("error.type") for span in spans]
    assert kinds[:2] == [None, "429"] and kinds[2]
    for span, line in zip(spans, told.lines[3:], strict=True):
        took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
        assert took == pytest.approx(line["duration"], abs=1e-5)


def test_bodies_are_in_their_file_and_nowhere_else(told: Told) -> None:
    assert told.word in json.dumps(told.bodies[0]["request"]["body"])
    assert told.bodies[0]["response"]["body"] == told.bodies[1]["response"]["body"] == json.loads(CHAT.reply)
    assert told.bodies[3]["response"]["body"] == STREAM.answer.decode()
    elsewhere = json.dumps(told.lines).encode() + told.collector.raw + told.proxy.log.encode()
    for secret in (told.word, "test-key-one", "there.", "sk-collector"):
        assert secret.encode() not in elsewhere
    assert "test-key-one" not in json.dumps(told.bodies)
    assert "llm_log_bodies: prompts and answers are written to" in told.proxy.log


def test_headers_for_the_collector_reach_it(told: Told) -> None:
    assert {headers.get("x-secret") for headers in told.collector.headers} == {"sk-collector"}
