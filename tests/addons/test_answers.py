import gzip
import math
from dataclasses import replace

import orjson
import pytest
from mitmproxy import http

from addons.flows import flow, response
from made import KEY, NOW, RECORD
from mitmcache.addons import answers
from mitmcache.cache.directives import CONTROL_HEADERS
from mitmcache.cache.shape import Near
from mitmcache.cache.status import Outcome

HIT = Outcome("HIT", ttl=60, age=5.9)
MISS = Outcome("MISS", fwd="uri-miss")


def test_a_record_becomes_a_response_that_mitmproxy_can_send() -> None:
    made = answers.from_record(flow().request, RECORD, HIT)
    assert (made.status_code, made.reason, made.http_version) == (200, "OK", "HTTP/1.1")
    assert made.raw_content == made.content == RECORD.body
    assert list(made.headers.items()) == [
        ("content-type", "application/json"),
        ("x-cache", "HIT"),
        ("cf-aig-cache-status", "HIT"),
        ("cache-status", "mitmcache; hit; ttl=60"),
        ("age", "5"),
        ("content-length", str(len(RECORD.body))),
    ]
    assert http.Response.from_state(made.get_state()).data == made.data


def test_who_refuses_a_plain_body_gets_it_coded() -> None:
    request = flow(headers=(("accept-encoding", "gzip, identity;q=0"),)).request
    made = answers.from_record(request, RECORD, HIT)
    assert gzip.decompress(made.raw_content or b"") == made.content == RECORD.body
    assert made.headers["content-length"] == str(len(made.raw_content or b""))


def test_a_kept_header_comes_back_byte_for_byte() -> None:
    odd = replace(RECORD, headers=(("content-disposition", "attachment; filename=\udcff\u00e9"),))
    made = answers.from_record(flow().request, odd, HIT)
    assert dict(made.headers.fields)[b"content-disposition"] == b"attachment; filename=\xff\xc3\xa9"


def test_a_refusal_is_an_error_that_clients_print_and_do_not_repeat() -> None:
    near = Near(KEY, ["messages[0].content"])
    made = answers.gateway_timeout("openai.chat", MISS, "not here", near)
    assert (made.status_code, made.reason) == (504, "Gateway Time-out")
    assert orjson.loads(made.content or b"") == {
        "error": {
            "type": "mitmcache_miss",
            "code": "mitmcache_miss",
            "message": "not here",
            "param": None,
            "differs": ["messages[0].content"],
            "nearest": KEY[:12],
        }
    }
    assert made.headers["x-should-retry"] == "false"
    assert (made.headers["x-cache"], made.headers["cache-status"]) == ("MISS", "mitmcache; fwd=uri-miss")
    claude = orjson.loads(answers.gateway_timeout("anthropic.messages", MISS, "a").content or b"")
    assert (claude["type"], claude["error"]["type"]) == ("error", "timeout_error")
    assert (claude["error"]["differs"], claude["error"]["nearest"]) == ([], "")


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ((), "mitmcache; fwd=uri-miss"),
        ((("Cache-Status", "one; hit"),), "one; hit, mitmcache; fwd=uri-miss"),
        ((("cache-status", "one"), ("cache-status", "two")), "one, two, mitmcache; fwd=uri-miss"),
    ],
)
def test_a_reply_is_told_behind_what_its_upstream_told(
    theirs: tuple[tuple[str, str], ...], told: str
) -> None:
    reply = response(headers=(*theirs, ("x-cache", "theirs"), ("x-other", "stays")))
    answers.tell(reply, MISS)
    assert reply.headers.get_all("cache-status") == [told]
    assert (reply.headers.get_all("x-cache"), reply.headers["x-other"]) == (["MISS"], "stays")
    assert "age" not in reply.headers


AWS = "AWS4-HMAC-SHA256 Credential=a"
SIGNATURES = [
    ("no credential", "", set()),
    ("a bearer", "Bearer cache-control", set()),
    ("a signature of others", f"{AWS}, SignedHeaders=host, Signature=cache-control", set()),
    ("a signature of one", f"{AWS}, SignedHeaders=Cache-Control;host, Signature=b", {"cache-control"}),
    ("a signature of the last", f"{AWS}, Signature=b,SignedHeaders=host;cf-cache-ttl", {"cf-cache-ttl"}),
]


@pytest.mark.parametrize(
    ("authorization", "left"), [pytest.param(*case[1:], id=case[0]) for case in SIGNATURES]
)
def test_what_is_addressed_to_us_is_taken_off_unless_it_is_signed(authorization: str, left: set[str]) -> None:
    request = flow(headers=(("authorization", authorization), ("x-own", "1"))).request
    for name in CONTROL_HEADERS:
        request.headers[name.title()] = "1"
    answers.take_off(request)
    assert {name for name in CONTROL_HEADERS if name in request.headers} == left
    assert (request.headers["x-own"], request.headers["authorization"]) == ("1", authorization)


def test_an_explanation_names_the_first_few_places() -> None:
    many = [f"a[{at}]" for at in range(answers.MAX_PLACES + 2)]
    assert answers.places(Near(KEY, many)).endswith(f"a[{answers.MAX_PLACES - 1}] and 2 more")
    assert answers.places(Near(KEY, many[:2])) == "a[0], a[1]"
    assert answers.places(None) == answers.places(Near(KEY, [])) == ""
    assert answers.explanation(Near(KEY, ["a"])).endswith(f"({KEY[:12]}) differs in: a")
    assert "nothing like it" in answers.explanation(None)
    assert "not to be used" in answers.explanation(Near(KEY, []))


def test_a_lifetime_without_end_is_written_as_none() -> None:
    assert [answers.expires(NOW, ttl) for ttl in (60, math.inf)] == [NOW + 60, 0]
