import random
from collections.abc import Iterator

import pytest
from mitmproxy import contentviews, http
from mitmproxy.contentviews import registry

import exchanges
from addons.flows import context, flow, flow_of, headers_of
from exchanges import Exchange
from exchanges.base import BEARER, JSON
from journal.events import event
from mitmcache.addons.options import Options
from mitmcache.addons.trail import trail_of
from mitmcache.addons.view import MOST, LlmView, verdict
from mitmcache.exchange import Headers
from mitmcache.journal.event import Cost, Event
from wire.encoders import ENCODERS

CHAT = exchanges.openai.CHAT
HIT = (
    ("x-cache", "HIT"),
    ("cf-aig-cache-status", "HIT"),
    ("cache-status", "mitmcache; hit; ttl=60"),
    ("age", "12"),
)
COST = Cost(0.25, 0.5, 0.75, 0.0)


@pytest.fixture
def view() -> Iterator[LlmView]:
    with context(options := Options(), made := LlmView(options)):
        yield made
        made.done()


def replied(exchange: Exchange, headers: Headers = (), **changes: bytes) -> http.HTTPFlow:
    made = flow_of(exchange)
    made.response = http.Response(
        b"HTTP/1.1",
        200,
        b"OK",
        headers_of((("content-type", exchange.reply_type), *exchange.reply_headers, *headers)),
        changes.get("body", exchange.answer),
        None,
        0,
        0,
    )
    return made


def shown(
    flow: http.HTTPFlow, message: http.Message | None, view_name: str = "auto"
) -> tuple[str | None, str]:
    assert message
    result = contentviews.prettify_message(message, flow, view_name)
    return result.view_name, result.text


@pytest.mark.parametrize("exchange", exchanges.ALL, ids=lambda exchange: exchange.name)
def test_it_is_chosen_for_every_exchange_of_the_catalogue(view: LlmView, exchange: Exchange) -> None:
    flow = replied(exchange)
    for message in (flow.request, flow.response):
        name, text = shown(flow, message)
        assert name == "LLM"
        assert text


def test_a_request_is_a_conversation_and_a_reply_an_answer_with_its_verdict(view: LlmView) -> None:
    flow = replied(CHAT, HIT)
    assert shown(flow, flow.request)[1].endswith("── user ──\nSay hello.\n")
    assert shown(flow, flow.response)[1] == (
        "cache: HIT; hit; ttl=60; age 12 s\n\n"
        "── assistant ──\nHéllo there.\n\n"
        "finish: stop\nusage: 9 input tokens, 3 output tokens, 12 total tokens\n"
    )


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (event(word="HIT", dialled=False, cost=COST), "cost: $0.75 saved"),
        (event(cost=COST), "cost: $0.75 billed"),
        (event(dialled=False, cost=COST), "cost: $0.75"),
        (event(), ""),
        (None, ""),
    ],
)
def test_a_reply_tells_what_it_has_cost_where_that_is_known(
    view: LlmView, told: Event | None, line: str
) -> None:
    for verdict_too in (HIT, ()):
        flow = replied(CHAT, verdict_too)
        trail_of(flow).event = told
        head = [text for text in ("cache: HIT; hit; ttl=60; age 12 s" if verdict_too else "", line) if text]
        expected = "\n".join([*head, "", ""]) if head else ""
        assert shown(flow, flow.response)[1].partition("──")[0] == expected


def test_the_other_views_are_still_there(view: LlmView) -> None:
    flow = replied(CHAT)
    assert {"json", "raw", "hex dump", "llm"} <= set(registry)
    assert shown(flow, flow.response, "json")[1].startswith('{\n    "id"')
    assert shown(flow, flow.response, "raw") == ("Raw", CHAT.answer.decode())


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("https://api.openai.com/v1/models", CHAT.answer),
        ("https://example.com/v1/chat/completions", CHAT.answer),
        (CHAT.url, b'{"unheard": 1}'),
        (CHAT.url, b"[" + b"1," * (MOST // 2) + b"1]"),
    ],
    ids=["not an inference call", "not a provider", "not an answer", "too large"],
)
def test_everything_else_is_for_other_views(view: LlmView, url: str, body: bytes) -> None:
    made = flow("GET" if "models" in url else "POST", url, b"{}", JSON)
    made.response = replied(CHAT, body=body).response
    assert made.response
    metadata = contentviews.Metadata(flow=made, http_message=made.response, content_type="application/json")
    assert registry["llm"].render_priority(body, metadata) == -1
    assert registry.get_view(body, metadata).name == "JSON"


def test_what_is_asked_for_by_name_and_cannot_be_read_says_so(view: LlmView) -> None:
    flow = replied(CHAT, body=b'{"unheard": 1}')
    assert "nothing that is known" in shown(flow, flow.response, "llm")[1]


def test_a_host_of_the_users_own_is_known(view: LlmView) -> None:
    with context(options := Options(), LlmView(options)) as ctx:
        ctx.configure(options, llm_hosts="llm.corp.example=openai")
        made = flow("POST", "https://llm.corp.example/v1/chat/completions", CHAT.body, BEARER)
        assert shown(made, made.request)[0] == "LLM"


@pytest.mark.parametrize("name", ["gzip", "zlib", "brotli", "zstd", "brotli over gzip"])
def test_a_coded_stream_that_was_cut_is_shown_as_far_as_it_came(view: LlmView, name: str) -> None:
    """mitmproxy itself gives up on most of them."""
    exchange = exchanges.anthropic.MESSAGES_STREAM
    coding, encode = ENCODERS[name]
    # what comes behind cannot be packed, so that the codings give the beginning away before it
    coded = encode(exchange.answer + b": " + random.Random(1).randbytes(400_000).hex().encode() + b"\n\n")
    whole = replied(exchange, (("content-encoding", coding),), body=coded)
    cut = replied(exchange, (("content-encoding", coding),), body=coded[:-30])
    for each in (whole, cut):
        view_name, text = shown(each, each.response)
        assert (view_name, "finish: end_turn" in text) == ("LLM", True)


def test_a_body_that_changes_is_read_again(view: LlmView) -> None:
    flow = replied(CHAT)
    assert flow.response
    before = shown(flow, flow.response)
    flow.response.content = CHAT.answer.replace(b"there", b"where")
    assert shown(flow, flow.response)[1] == before[1].replace("there", "where")


@pytest.mark.parametrize(
    ("headers", "line"),
    [
        (HIT, "cache: HIT; hit; ttl=60; age 12 s"),
        (
            (
                ("x-cache", "MISS"),
                ("cache-status", "edge; fwd=miss, mitmcache; fwd=uri-miss; fwd-status=200; stored"),
            ),
            "cache: MISS; fwd=uri-miss; fwd-status=200; stored",
        ),
        (
            (("x-cache", "MISS"), ("cache-status", "mitmcache; fwd=uri-miss"), ("age", "9")),
            "cache: MISS; fwd=uri-miss",
        ),
        ((("x-cache", "Miss from elsewhere"), ("cache-status", "edge; hit")), ""),
        ((), ""),
    ],
)
def test_the_verdict_is_ours_or_none(headers: Headers, line: str) -> None:
    made = replied(CHAT, headers).response
    assert made
    assert verdict(made) == line


def test_after_a_reload_the_new_view_is_the_one() -> None:
    flow = replied(CHAT)
    assert flow.response
    metadata = contentviews.Metadata(flow=flow, http_message=flow.response, content_type="application/json")
    options = Options()
    with context(options, made := LlmView(options)) as ctx:
        first = registry["llm"]
        ctx.master.addons.remove(made)
        assert first.render_priority(CHAT.answer, metadata) == -1
        assert shown(flow, flow.response)[0] == "JSON"
        ctx.master.addons.add(again := LlmView(options))
        assert registry["llm"] is not first
        assert shown(flow, flow.response)[0] == "LLM"
        again.done()
    assert [name for name in registry if "llm" in name] == ["llm"]
